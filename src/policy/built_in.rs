//! The policy that is compiled in, and whether another judges as it does.

use serde_json::Value;

use crate::yaml;

/// The policy that holds where none is given.
pub const BUILT_IN: &str = include_str!("../../policies/ml-restricted.yaml");

/// What no verdict depends on.
const WITHOUT_EFFECT: [&str; 4] =
    ["/spec/contact", "/spec/help", "/metadata/labels", "/metadata/annotations"];

/// Whether a policy, as JSON, is the one that is compiled in, but for what no verdict depends on.
pub(super) fn is_built_in(policy: &Value) -> bool {
    let documents = yaml::read(BUILT_IN);
    let Some(Ok(document)) = documents.first() else { return false };
    serde_json::from_slice::<Value>(&document.root.to_json())
        .is_ok_and(|built_in| judging(policy.clone()) == judging(built_in))
}

fn judging(mut policy: Value) -> Value {
    for pointer in WITHOUT_EFFECT {
        let Some((parent, key)) = pointer.rsplit_once('/') else { continue };
        if let Some(Value::Object(members)) = policy.pointer_mut(parent) {
            members.remove(key);
        }
    }
    policy
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_no_verdict_depends_on_may_differ() {
        let is_it = |text: &str| {
            let document = yaml::read(text).remove(0).expect("a document");
            is_built_in(&serde_json::from_slice(&document.root.to_json()).expect("JSON"))
        };
        assert!(is_it(BUILT_IN));
        assert!(is_it(
            &BUILT_IN
                .replace("  mode: Enforce", "  contact: us\n  help: https://example.com\n  mode: Enforce")
        ));
        for (from, to) in [
            ("name: ml-restricted", "name: other"),
            ("mode: Enforce", "mode: Warn"),
            ("enforce: restricted:latest", "enforce: restricted:v1.30"),
            ("emptyDir, ", ""),
            ("securityContext: Restricted", "securityContext: Off"),
        ] {
            assert!(BUILT_IN.contains(from) && !is_it(&BUILT_IN.replace(from, to)), "{to}");
        }
    }
}
