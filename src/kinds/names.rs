//! What the API server takes for the group, a version and the kind of a custom resource.

use crate::text::not_ascii;

/// The longest group.
const LONGEST_GROUP: usize = 253;
/// The longest part of a group, version, or kind.
const LONGEST_LABEL: usize = 63;

/// What is wrong with a group, if something is.
pub(super) fn group_fault(group: &str) -> Option<String> {
    if group.len() > LONGEST_GROUP || !group.split('.').all(is_label) {
        let wanted = "must be a DNS name in lower case, such as example.com";
        return Some(format!("{wanted}{}", not_ascii(group)));
    }
    let is_of_kubernetes = !group.contains('.');
    is_of_kubernetes.then(|| {
        "has no dot, so it is one of Kubernetes' own groups: that of a custom resource is a DNS name such as example.com"
            .to_owned()
    })
}

/// What is wrong with a version, if something is.
pub(super) fn version_fault(version: &str) -> Option<String> {
    let is_version = is_label(version) && version.starts_with(|first: char| first.is_ascii_lowercase());
    let wanted = || {
        if version.contains('/') {
            "must be a version alone, such as v1: the group has a key of its own"
        } else {
            "must be a version such as v1 or v1beta1"
        }
    };
    (!is_version).then(|| format!("{}{}", wanted(), not_ascii(version)))
}

/// What is wrong with a kind, if something is.
pub(super) fn kind_fault(kind: &str) -> Option<String> {
    let is_kind =
        is_label(&kind.to_ascii_lowercase()) && kind.starts_with(|first: char| first.is_ascii_alphabetic());
    (!is_kind).then(|| format!("must be a kind as in a manifest, such as TrainingRun{}", not_ascii(kind)))
}

/// A label of DNS: lower-case letters, digits and, inside, hyphens.
fn is_label(label: &str) -> bool {
    let is_inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    let ends_well = !label.starts_with('-') && !label.ends_with('-');
    !label.is_empty() && label.len() <= LONGEST_LABEL && label.bytes().all(is_inner) && ends_well
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_that_the_api_server_takes() {
        for group in ["example.com", "a.b", "x-k8s.io", "0.a"] {
            assert_eq!(group_fault(group), None, "{group}");
        }
        for group in ["", "apps", "Example.com", "a..b", ".a", "a.b.", "a_b.c", "-a.b", "a.b/v1", "ä.b"] {
            assert!(group_fault(group).is_some(), "{group}");
        }
        assert!(group_fault(&format!("{}.b", "a".repeat(64))).is_some());
        assert!(group_fault(&"a.".repeat(130)).is_some());
        for version in ["v1", "v1beta1", "alpha"] {
            assert_eq!(version_fault(version), None, "{version}");
        }
        for version in ["", "1", "V1", "v1/x", "example.com/v1", "v1."] {
            assert!(version_fault(version).is_some(), "{version}");
        }
        for kind in ["Job", "job", "A1", "My-Kind"] {
            assert_eq!(kind_fault(kind), None, "{kind}");
        }
        for kind in ["", "1A", "My.Kind", "Job ", "-J", "Jöb"] {
            assert!(kind_fault(kind).is_some(), "{kind}");
        }
    }
}
