//! Which updates of a pod are judged again.
//!
//! As Kubernetes' own Pod Security Admission has it: a pod that is already there must not be kept
//! from being labelled, finished or deleted, and only its images and ephemeral containers can change
//! in a way that a verdict hangs on. All else in its spec is immutable.

use std::collections::HashMap;

use crate::pod::{Container, Pod};

/// Whether the update from `old` to `new` is judged.
pub(super) fn is_significant(new: &Pod<'_>, old: &Pod<'_>) -> bool {
    let (new, old) = (&new.spec, &old.spec);
    images_differ(&new.containers, &old.containers)
        || images_differ(&new.init_containers, &old.init_containers)
        || ephemeral_differ(&new.ephemeral_containers, &old.ephemeral_containers)
}

/// Whether any is new, or has another image than the first of its name. Looked up by name, as names may be many and long.
fn ephemeral_differ(new: &[Container<'_>], old: &[Container<'_>]) -> bool {
    let mut images = HashMap::new();
    for before in old {
        images.entry(before.name.as_ref()).or_insert(&before.image);
    }
    new.iter()
        .any(|container| images.get(container.name.as_ref()).is_none_or(|image| **image != container.image))
}

/// Whether two lists differ in length, or in an image at the same place.
fn images_differ(new: &[Container<'_>], old: &[Container<'_>]) -> bool {
    new.len() != old.len() || new.iter().zip(old).any(|(new, old)| new.image != old.image)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::Reader;

    fn significant(new: &str, old: &str) -> bool {
        let pod = |spec: &str| format!(r#"{{"spec":{spec}}}"#);
        let (new, old) = (pod(new), pod(old));
        let read = |text| Pod::read(&mut Reader::over(text)).expect("a pod");
        is_significant(&read(&new), &read(&old))
    }

    #[test]
    fn images_and_ephemeral_containers_count_and_nothing_else() {
        let one = r#"{"containers":[{"name":"a","image":"x"}]}"#;
        assert!(!significant(one, one));
        for (new, expected) in [
            (r#"{"containers":[{"name":"b","image":"x"}]}"#, false),
            (r#"{"containers":[{"name":"a","image":"x","securityContext":{"privileged":true}}]}"#, false),
            (r#"{"hostNetwork":true,"containers":[{"name":"a","image":"x"}]}"#, false),
            (r#"{"containers":[{"name":"a","image":"y"}]}"#, true),
            (r#"{"containers":[]}"#, true),
            (r#"{"containers":[{"name":"a","image":"x"},{"name":"b"}]}"#, true),
            (r#"{"containers":[{"name":"a","image":"x"}],"initContainers":[{}]}"#, true),
            (r#"{"containers":[{"name":"a","image":"x"}],"ephemeralContainers":[{"name":"d"}]}"#, true),
        ] {
            assert_eq!(significant(new, one), expected, "{new}");
        }
        let debug = |image: &str| format!(r#"{{"ephemeralContainers":[{{"name":"d","image":"{image}"}}]}}"#);
        assert!(!significant(&debug("x"), &debug("x")));
        assert!(significant(&debug("y"), &debug("x")));
        assert!(!significant("{}", &debug("x")), "one that is gone");
    }
}
