//! Corner cases of the Pod Security Standards, with what Kubernetes' own evaluator says of each.
//!
//! Its own fixtures leave much open: an implementation may ignore ephemeral containers or bring every relaxation in
//! at the wrong version and still satisfy them all. These cases are the ones that tell. The pods are judged as they
//! stand, without what an API server fills in.

use std::collections::BTreeSet;
use std::fs;

use podgate::controls::Standard;
use podgate::evaluate::{StandardText, by_standard};
use podgate::json::Reader;
use podgate::pod::Pod;
use serde::Deserialize;
use serde_json::{Value as Json, json};

use crate::pods::{LEAST_FIXTURES, json_of};
use crate::real_data::{self, FIXTURES};

const CASES: &str = include_str!("../fixtures/corners.jsonl");

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    /// Level and version.
    standard: String,
    /// The pod's `metadata.annotations`.
    #[serde(default)]
    annotations: Json,
    /// The pod's `spec`.
    spec: Json,
    /// What the evaluator says; nothing for a pod that it allows.
    detail: String,
}

fn cases() -> Vec<Case> {
    let read = |line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
    CASES.lines().map(read).collect()
}

#[test]
fn every_corner_is_as_upstream_has_it() {
    for case in cases() {
        let pod = json!({ "metadata": { "annotations": case.annotations }, "spec": case.spec });
        let json = serde_json::to_vec(&pod).unwrap();
        let pod = Pod::read(&mut Reader::new(&json).unwrap()).unwrap();
        let standard: Standard = case.standard.parse().unwrap();
        let text = StandardText::of(&by_standard(&standard, &pod));
        assert_eq!(text.detail, case.detail, "{} ({standard})", case.name);
        assert_eq!(text.reason, reasons(&case.detail), "{} ({standard})", case.name);
    }
}

/// The reasons of a detail text: what stands before each bracket, as details hold none.
fn reasons(detail: &str) -> String {
    let mut reasons = String::new();
    let mut depth = 0;
    for character in detail.chars() {
        match character {
            '(' => depth += 1,
            ')' => depth -= 1,
            character if depth == 0 => reasons.push(character),
            _ => {}
        }
    }
    reasons.replace(" ,", ",").trim_end().to_owned()
}

#[test]
fn no_corner_is_lost() {
    let cases = cases();
    let names: BTreeSet<_> = cases.iter().map(|case| (&case.name, &case.standard)).collect();
    assert_eq!((cases.len(), names.len()), (53, 53));
}

/// A line of `expected.jsonl` beside the fixtures.
#[derive(Deserialize)]
struct Expected {
    file: String,
    allowed: bool,
    reason: String,
    detail: String,
}

/// What passes does so once a volume without a source is the `emptyDir` that the API server makes of it.
#[test]
fn upstreams_own_fixtures_are_as_upstream_has_them() {
    let Some(folder) = real_data::folder(FIXTURES, "verdicts on Kubernetes' own fixtures") else { return };
    let lines = fs::read_to_string(folder.join("expected.jsonl")).unwrap();
    assert!(lines.lines().count() >= LEAST_FIXTURES, "{} fixtures", lines.lines().count());
    for line in lines.lines() {
        let Expected { file, allowed, reason, detail } = serde_json::from_str(line).unwrap();
        let json = json_of(&file, &fs::read_to_string(folder.join(&file)).unwrap());
        let mut pod = Pod::read(&mut Reader::new(&json).unwrap()).unwrap();
        let parts: Vec<&str> = file.split('/').collect();
        let standard: Standard = format!("{}:{}", parts[0], parts[1]).parse().unwrap();
        let text = StandardText::of(&by_standard(&standard, &pod));
        assert_eq!(allowed, detail.is_empty(), "{file}");
        assert_eq!((text.reason, text.detail), (reason, detail), "{file}");
        pod.apply_server_defaults();
        assert_eq!(by_standard(&standard, &pod).is_empty(), parts[2] == "pass", "{file}");
    }
}
