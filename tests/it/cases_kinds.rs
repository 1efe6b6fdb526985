//! The examples of custom resources in the folder of `PODGATE_CASES`, each with its right answer: the verdict and the
//! templates, by both levels of the standard.

use std::fs;
use std::path::Path;

use podgate::lint::report::{ObjectReport, PodReport};
use podgate::lint::{Input, Options, run};
use podgate::policy::PolicySet;
use serde_json::{Value as Json, json};

use crate::real_data;

/// The objects that there are at least, each by two levels.
const LEAST: usize = 32;

/// What a shape is called in the expected answers.
fn shape(pod: &PodReport) -> &'static str {
    match serde_json::to_value(pod.shape).expect("a name").as_str().expect("a name") {
        "podTemplate" => "PTS",
        "podSpec" => "PS",
        "extendedPodSpec" => "PS+",
        "partialPodSpec" => "PSsub",
        "container" => "C",
        "patch" => "patch",
        "reference" => "ref",
        "object" => "raw",
        other => panic!("no such shape: {other}"),
    }
}

fn answer(object: &ObjectReport) -> Json {
    let template = |pod: &PodReport| {
        let denied = pod.findings.iter().filter(|finding| finding.disposition == "denied");
        let mut controls: Vec<&str> = denied.map(|finding| finding.control).collect();
        controls.sort_unstable();
        controls.dedup();
        json!({"path": pod.path, "shape": shape(pod), "verdict": pod.verdict, "controls": controls})
    };
    let templates: Vec<Json> = object.pods.iter().map(template).collect();
    json!({"kind": object.kind, "name": object.name, "templates": templates, "verdict": object.verdict})
}

fn report(folder: &Path, file: &str, standard: &str, document: usize) -> Json {
    let policies = PolicySet::of_standard(&standard.parse().expect("a standard"));
    let report = run(&[Input::Path(folder.join(file))], Options { policies, ..Options::default() });
    let object = report.objects.iter().find(|object| object.document == document);
    object.map_or(Json::Null, answer)
}

#[test]
fn custom_resources_are_judged_as_expected() {
    let Some(folder) = real_data::folder("PODGATE_CASES", "custom resources of the cases") else { return };
    let folder = folder.join("kinds");
    let expected = fs::read_to_string(folder.join("expected.jsonl")).expect("the expected answers");
    let mut count = 0;
    for line in expected.lines() {
        let expected: Json = serde_json::from_str(line).expect(line);
        let text = |key: &str| expected[key].as_str().expect(key);
        let document = expected["document"].as_u64().and_then(|document| usize::try_from(document).ok());
        let found = report(&folder, text("file"), text("standard"), document.expect("a number"));
        for key in ["kind", "name", "templates", "verdict"] {
            assert_eq!(found[key], expected[key], "{key} of {line}");
        }
        count += 1;
    }
    assert!(count >= LEAST, "only {count} answers");
}
