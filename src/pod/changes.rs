//! What an update has changed in a pod.
//!
//! Most of a pod's spec is immutable. What can change is listed here, and each control says which of these changes can make
//! an existing pod violate it: an old violation must not keep a pod from being labelled or finished.

use std::collections::HashMap;
use std::fmt;
use std::ops::BitOr;

use crate::pod::container::Container;
use crate::pod::spec::Pod;

/// A set of parts of a pod that an update can change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Changes(u8);

impl Changes {
    /// Nothing.
    pub const NONE: Self = Self(0);
    /// The image of a container or init container, or how many of them there are.
    pub const IMAGES: Self = Self(1);
    /// An ephemeral container that is new, or has another image.
    pub const EPHEMERAL_CONTAINERS: Self = Self(1 << 1);
    /// The resources of a container or of the pod, as `pods/resize` changes them.
    pub const RESOURCES: Self = Self(1 << 2);
    /// The tolerations, to which an update may add.
    pub const TOLERATIONS: Self = Self(1 << 3);
    /// Labels or annotations.
    pub const METADATA: Self = Self(1 << 4);
    /// The node selector or the affinity, which can be narrowed while the pod is held back by a scheduling gate.
    pub const NODE_SELECTION: Self = Self(1 << 5);
    /// Everything: a pod that is new.
    pub const ALL: Self = Self(u8::MAX);
    /// The changes for which Kubernetes' own Pod Security Admission checks a pod again.
    pub const OF_STANDARD: Self = Self(Self::IMAGES.0 | Self::EPHEMERAL_CONTAINERS.0);

    /// What the update from `old` to `new` changes.
    #[must_use]
    pub fn between(old: &Pod<'_>, new: &Pod<'_>) -> Self {
        let (old_meta, new_meta) = (&old.metadata, &new.metadata);
        let (old, new) = (&old.spec, &new.spec);
        let differ_in = |same: fn(&Container<'_>, &Container<'_>) -> bool| {
            differ(&old.containers, &new.containers, same)
                || differ(&old.init_containers, &new.init_containers, same)
        };
        let has_changed = [
            (Self::IMAGES, differ_in(|old, new| old.image == new.image)),
            (
                Self::EPHEMERAL_CONTAINERS,
                ephemeral_differ(&old.ephemeral_containers, &new.ephemeral_containers),
            ),
            (
                Self::RESOURCES,
                old.resources != new.resources || differ_in(|old, new| old.resources == new.resources),
            ),
            (Self::TOLERATIONS, old.tolerations != new.tolerations),
            (Self::METADATA, old_meta.differs_in_labels_or_annotations(new_meta)),
            (Self::NODE_SELECTION, old.node_selector != new.node_selector || old.affinity != new.affinity),
        ];
        has_changed
            .into_iter()
            .filter(|(_, has_changed)| *has_changed)
            .fold(Self::NONE, |changes, (change, _)| changes | change)
    }

    /// Whether any of the `others` is among them.
    #[must_use]
    pub const fn intersect(self, others: Self) -> bool {
        self.0 & others.0 != 0
    }
}

/// `images, a new ephemeral container`, or `nothing`.
impl fmt::Display for Changes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let named = [
            (Self::IMAGES, "images"),
            (Self::EPHEMERAL_CONTAINERS, "ephemeral containers"),
            (Self::RESOURCES, "resources"),
            (Self::TOLERATIONS, "tolerations"),
            (Self::METADATA, "labels or annotations"),
            (Self::NODE_SELECTION, "node selector or affinity"),
        ];
        let names: Vec<&str> =
            named.into_iter().filter(|(change, _)| self.intersect(*change)).map(|(_, name)| name).collect();
        f.write_str(if names.is_empty() { "nothing" } else { "" })?;
        f.write_str(&names.join(", "))
    }
}

impl BitOr for Changes {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

/// Whether two lists of containers differ in length, or two at the same place are not the `same`.
fn differ(
    old: &[Container<'_>],
    new: &[Container<'_>],
    same: fn(&Container<'_>, &Container<'_>) -> bool,
) -> bool {
    new.len() != old.len() || old.iter().zip(new).any(|(old, new)| !same(old, new))
}

/// Whether any is new, or has another image than the first of its name: upstream's rule, which allows removing one. Looked
/// up by hash, as names may be many and long.
fn ephemeral_differ(old: &[Container<'_>], new: &[Container<'_>]) -> bool {
    let mut images = HashMap::new();
    for before in old {
        images.entry(before.name.as_ref()).or_insert(&before.image);
    }
    new.iter()
        .any(|container| images.get(container.name.as_ref()).is_none_or(|image| **image != container.image))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::Reader;

    fn between(old: &str, new: &str) -> Changes {
        let read = |text| Pod::read(&mut Reader::over(text)).expect("a pod");
        Changes::between(&read(old), &read(new))
    }

    #[test]
    fn each_change_is_told_apart() {
        let pod = |rest: &str| format!(r#"{{"spec":{{"containers":[{{"name":"a","image":"x"}}]{rest}}}}}"#);
        let of_container = |rest: &str| format!(r#"{{"spec":{{"containers":[{{"name":"a"{rest}}}]}}}}"#);
        let one = pod("");
        for (new, expected) in [
            (one.clone(), Changes::NONE),
            (of_container(r#","image":"x","securityContext":{"privileged":true}"#), Changes::NONE),
            (pod(r#","hostNetwork":true"#), Changes::NONE),
            (pod(r#","ephemeralContainers":[]"#), Changes::NONE),
            (of_container(r#","image":"y""#), Changes::IMAGES),
            (r#"{"spec":{}}"#.to_owned(), Changes::IMAGES | Changes::RESOURCES),
            (pod(r#","initContainers":[{}]"#), Changes::IMAGES | Changes::RESOURCES),
            (pod(r#","ephemeralContainers":[{"name":"d"}]"#), Changes::EPHEMERAL_CONTAINERS),
            (of_container(r#","image":"x","resources":{"limits":{"cpu":"1"}}"#), Changes::RESOURCES),
            (pod(r#","tolerations":[{"operator":"Exists"}]"#), Changes::TOLERATIONS),
            (pod(r#","resources":{"limits":{"cpu":"1"}}"#), Changes::RESOURCES),
            (pod(r#","nodeSelector":{"a":"b"}"#), Changes::NODE_SELECTION),
            (pod(r#","affinity":{"nodeAffinity":{}}"#), Changes::NODE_SELECTION),
            (one.replace(r#"{"spec""#, r#"{"metadata":{"labels":{"a":"b"}},"spec""#), Changes::METADATA),
            (one.replace(r#"{"spec""#, r#"{"metadata":{"annotations":{"a":"b"}},"spec""#), Changes::METADATA),
        ] {
            assert_eq!(between(&one, &new), expected, "{new}");
        }
    }

    #[test]
    fn of_ephemeral_containers_only_new_ones_and_new_images_count() {
        let debug = |image: &str| {
            format!(r#"{{"spec":{{"ephemeralContainers":[{{"name":"d","image":"{image}"}}]}}}}"#)
        };
        assert_eq!(between(&debug("x"), &debug("x")), Changes::NONE);
        assert_eq!(between(&debug("x"), &debug("y")), Changes::EPHEMERAL_CONTAINERS);
        assert_eq!(between(&debug("x"), "{}"), Changes::NONE, "one that is gone");
    }
}
