//! What an input is that is no AdmissionReview, and which command it was meant for.

use serde_json::Value;

use crate::policy::{is_of_policy, is_policy_test};
use crate::text::{Printable, printable};
use crate::yaml;

/// The kind that is reviewed.
const REVIEW: &str = "AdmissionReview";

/// The kinds that verdicts depend on, but that are not judged themselves.
const OBJECTS: [&str; 2] = ["Namespace", "ServiceAccount"];

/// Longest name of a file that is repeated.
const LONGEST_FILE: usize = 255;

/// What `text` is, if it is an object of Kubernetes and no review, and what to do with it. It came from `file`.
pub(super) fn meant_for(text: &[u8], file: &str) -> Option<String> {
    let (object, is_json) = object_of(text)?;
    let text = |key: &str| object.get(key).and_then(Value::as_str).unwrap_or_default();
    let (api_version, kind) = (text("apiVersion"), text("kind"));
    let file = printable(file, LONGEST_FILE);
    Some(match kind {
        "" => return None,
        REVIEW if is_json => return None,
        REVIEW => "an AdmissionReview in YAML: reviews are read as JSON, as API servers send them".to_owned(),
        _ if is_of_policy(api_version, kind) => {
            format!(
                "a {} is no {REVIEW}: podgate review --policy {file} answers reviews by it",
                Printable(kind)
            )
        }
        _ if is_policy_test(api_version, kind) => {
            format!("a {}, and no {REVIEW}: run it with podgate policy test {file}", Printable(kind))
        }
        _ if OBJECTS.contains(&kind) => {
            format!(
                "a {} is no {REVIEW}: podgate review --objects {file} answers reviews with it",
                Printable(kind)
            )
        }
        _ => {
            format!("a manifest ({}), and no {REVIEW}: judge it with podgate lint {file}", Printable(kind))
        }
    })
}

/// The first object of a text, and whether it is JSON.
fn object_of(text: &[u8]) -> Option<(Value, bool)> {
    if let Ok(object) = serde_json::from_slice::<Value>(text) {
        return Some((object, true));
    }
    let documents = yaml::read(std::str::from_utf8(text).ok()?);
    let mut objects = documents.into_iter().flatten();
    let object = objects.find_map(|document| {
        let object: Value = serde_json::from_slice(&document.root.to_json()).ok()?;
        object.get("kind").is_some_and(Value::is_string).then_some(object)
    })?;
    Some((object, false))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_that_are_no_review_are_known_by_their_kind() {
        for (text, expected) in [
            (
                "{\"apiVersion\":\"v1\",\"kind\":\"Pod\"}",
                "a manifest (Pod), and no AdmissionReview: judge it with podgate lint f",
            ),
            (
                "# a\n---\napiVersion: apps/v1\nkind: Deployment\n---\n",
                "a manifest (Deployment), and no AdmissionReview: judge it with podgate lint f",
            ),
            (
                "spec: [\n---\nkind: Pod\n",
                "a manifest (Pod), and no AdmissionReview: judge it with podgate lint f",
            ),
            (
                "{kind: List, items: []}",
                "a manifest (List), and no AdmissionReview: judge it with podgate lint f",
            ),
            (
                "kind: \"a\\nb\"",
                "a manifest (a\\u{a}b), and no AdmissionReview: judge it with podgate lint f",
            ),
            (
                "apiVersion: podgate.dev/v1alpha1\nkind: SecurityPolicy\n",
                "a SecurityPolicy is no AdmissionReview: podgate review --policy f answers reviews by it",
            ),
            (
                "apiVersion: podgate.dev/v1alpha1\nkind: PolicyTest\n",
                "a PolicyTest, and no AdmissionReview: run it with podgate policy test f",
            ),
            (
                "{\"apiVersion\":\"v1\",\"kind\":\"Namespace\"}",
                "a Namespace is no AdmissionReview: podgate review --objects f answers reviews with it",
            ),
            (
                "apiVersion: admission.k8s.io/v1\nkind: AdmissionReview\n",
                "an AdmissionReview in YAML: reviews are read as JSON, as API servers send them",
            ),
        ] {
            assert_eq!(meant_for(text.as_bytes(), "f").as_deref(), Some(expected), "{text}");
        }
        for text in [
            "",
            "nonsense",
            "{}",
            "[1]",
            "kind: [a]",
            "{\"kind\":\"AdmissionReview\"}",
            "{\"kind\":\"\"}",
            "\u{1}",
        ] {
            assert_eq!(meant_for(text.as_bytes(), "f"), None, "{text}");
        }
        assert_eq!(meant_for(b"\xff", "f"), None);
    }
}
