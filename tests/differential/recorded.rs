//! The oracle of whole reviews against upstream's webhook itself: what that answered to a real API server, our program
//! around the same code answers, too.

use std::collections::BTreeMap;
use std::fs;

use podgate::yaml;
use serde_json::{Value as Json, json};

use crate::oracle::Oracle;
use crate::real_data::{self, RECORDED};

#[test]
fn the_oracle_answers_as_the_webhook_did() {
    let wanted_by = "the comparison of the oracle with recorded reviews";
    let Some(folder) = real_data::folder(RECORDED, wanted_by) else { return };
    let Some(Oracle { mut questions, mut answers, child: _child }) =
        Oracle::start(wanted_by, "admission-oracle")
    else {
        return;
    };
    let read = |name: &str| fs::read_to_string(folder.join(name)).unwrap();
    let namespaces = namespaces(&read("namespaces.yaml"));
    let configuration = json!({
        "apiVersion": "pod-security.admission.config.k8s.io/v1",
        "kind": "PodSecurityConfiguration",
        "exemptions": {
            "usernames": ["exempt-user"],
            "namespaces": ["exempt-namespace1", "exempt-namespace2"],
            "runtimeClasses": ["exempt-runtime-class1", "exempt-runtime-class2"],
        },
    });
    let recorded: Vec<Json> =
        read("reviews.jsonl").lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let mut compared = 0;
    for line in recorded.iter().filter(|line| line.get("upstream").is_some()) {
        let question = json!({ "config": configuration, "namespaces": namespaces, "review": line["review"] });
        questions.ask_now(&question.to_string());
        let answer: Json = answers.next();
        let mut expected = line["upstream"].clone();
        let is_of_pods = |warning: &Json| warning.as_str().unwrap().starts_with("existing pods");
        if expected["warnings"].as_array().is_some_and(|warnings| warnings.iter().any(is_of_pods)) {
            // The recording has not all the pods that were there.
            expected.as_object_mut().unwrap().remove("warnings");
        }
        assert_eq!(answer["response"], expected, "{line}");
        compared += 1;
    }
    assert_eq!(compared, 70);
}

/// The labels of each Namespace.
fn namespaces(text: &str) -> BTreeMap<String, Json> {
    let documents = yaml::read(text).into_iter();
    let objects = documents
        .map(|document| -> Json { serde_json::from_slice(&document.unwrap().root.to_json()).unwrap() });
    objects
        .map(|object| {
            let metadata = &object["metadata"];
            (metadata["name"].as_str().unwrap().to_owned(), metadata["labels"].clone())
        })
        .collect()
}
