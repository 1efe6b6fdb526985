//! What an update of an existing pod can still change: a new ephemeral container, metadata, images, resources, tolerations, and
//! where a pod may go that is not scheduled yet.

use std::collections::HashSet;

use crate::finding::{FieldPath, Finding, Subject};
use crate::pod::{ContainerKind, Pod};

/// A pod as it was before an update, as far as advice depends on it.
#[derive(Debug)]
pub struct ExistingPod<'p> {
    /// The names of its ephemeral containers, which can be neither changed nor removed.
    ephemeral_containers: HashSet<&'p str>,
}

/// The part of a pod that a finding is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum PodPart {
    /// What the request can fix: a new pod as a whole or, of an existing one, a new ephemeral container or a field that can
    /// be changed.
    Changeable,
    /// A field of an existing pod that cannot be changed.
    Existing,
    /// An ephemeral container that was there before.
    OldEphemeral,
}

impl<'p> ExistingPod<'p> {
    /// A pod as it was.
    #[must_use]
    pub fn new(old: &'p Pod<'_>) -> Self {
        let containers = &old.spec.ephemeral_containers;
        Self { ephemeral_containers: containers.iter().map(|container| container.name.as_ref()).collect() }
    }
}

impl ExistingPod<'_> {
    /// Whether the update can fix a finding: in an ephemeral container that it adds, and in fields that can be changed.
    #[must_use]
    pub fn can_fix(&self, finding: &Finding<'_>) -> bool {
        PodPart::of(Some(self), finding) == PodPart::Changeable
    }
}

impl PodPart {
    /// The part that a finding is about, of a pod that was `existing` before, or of a new one.
    pub(super) fn of(existing: Option<&ExistingPod<'_>>, finding: &Finding<'_>) -> Self {
        match (existing, finding.subject) {
            (None, _) => Self::Changeable,
            (Some(existing), Subject::Container(at)) if at.kind == ContainerKind::Ephemeral => {
                if existing.ephemeral_containers.contains(at.name) {
                    Self::OldEphemeral
                } else {
                    Self::Changeable
                }
            }
            (Some(_), subject) => {
                if can_change(subject, &finding.path) {
                    Self::Changeable
                } else {
                    Self::Existing
                }
            }
        }
    }
}

/// Whether the API server lets an update change a field, by [`Changes`](crate::pod::Changes). (Of the selection of nodes only
/// while the pod is held back; of it there are no findings of an update but those that it causes.)
fn can_change(subject: Subject<'_>, path: &FieldPath<'_>) -> bool {
    let field = path.first_fields().split('.').next().unwrap_or_default();
    match subject {
        Subject::Metadata => path.last_key().is_none_or(|key| !is_fixed_annotation(key)),
        Subject::Pod => ["resources", "tolerations", "nodeSelector", "affinity"].contains(&field),
        Subject::Container(_) => ["image", "resources"].contains(&field),
        Subject::Volume(..) => false,
        // It can be changed at any time, though not by this update.
        Subject::Namespace(_) => true,
    }
}

/// Whether an annotation stands for a field of the spec, and is as fixed as that.
fn is_fixed_annotation(key: &str) -> bool {
    const PREFIXES: [&str; 3] = [
        "container.apparmor.security.beta.kubernetes.io/",
        "container.seccomp.security.alpha.kubernetes.io/",
        "seccomp.security.alpha.kubernetes.io/",
    ];
    PREFIXES.iter().any(|prefix| key.starts_with(prefix))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::{Fix, Found};
    use crate::pod::ContainerRef;

    #[test]
    fn what_can_be_changed_is_to_be_fixed_in_the_request() {
        let old = Pod::default();
        let container =
            Subject::Container(ContainerRef { kind: ContainerKind::Regular, index: 0, name: "c" });
        let metadata = |map, key| (Subject::Metadata, FieldPath::from(map).key(key));
        for ((subject, path), expected) in [
            (metadata("labels", "a"), true),
            (metadata("annotations", "a"), true),
            (metadata("annotations", "container.apparmor.security.beta.kubernetes.io/c"), false),
            ((Subject::Pod, FieldPath::from("tolerations").index(2)), true),
            ((Subject::Pod, FieldPath::from("resources.limits").key("cpu")), true),
            ((Subject::Pod, FieldPath::from("hostPID")), false),
            ((container, FieldPath::from("image")), true),
            ((container, FieldPath::from("resources.limits").key("cpu")), true),
            ((container, FieldPath::from("securityContext.privileged")), false),
            ((Subject::Volume(0, "v"), FieldPath::from("hostPath")), false),
        ] {
            let finding = Finding::new(subject, path, Found::Absent, Fix::remove());
            let can_fix = ExistingPod::new(&old).can_fix(&finding);
            assert_eq!(can_fix, expected, "{}", finding.whole_path());
        }
    }
}
