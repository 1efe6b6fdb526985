//! The linter agrees with the webhook, and with Kubernetes.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use podgate::admission::Reviewer;
use podgate::controls::Standard;
use podgate::lint::{Input, Options, run};
use podgate::policy::PolicySet;
use serde_json::{Value, json};

use super::Case;
use super::templates::of_pod;
use crate::pods::LEAST_FIXTURES;
use crate::real_data::{self, FIXTURES};
use crate::told::{AllTold, by_linter, by_webhook};

/// The webhook's verdict on a pod, after its own mutation: whether it is allowed, and the refusal.
fn reviewed(reviewer: &Reviewer, pod: &Value) -> (bool, String, AllTold) {
    let response = of_pod(reviewer, pod);
    let message = response["status"]["message"].as_str().unwrap_or_default().to_owned();
    (response["allowed"].as_bool().unwrap(), message, by_webhook(&response, ""))
}

#[test]
fn the_webhook_says_the_same() {
    let contexts = [
        json!(null),
        json!({}),
        json!({"privileged": true}),
        json!({"runAsUser": 0}),
        json!({"runAsNonRoot": false}),
        json!({"capabilities": {"add": ["NET_RAW", "CHOWN"], "drop": ["ALL"]}}),
        json!({"capabilities": {"drop": ["NET_RAW"]}, "procMount": "Unmasked"}),
        json!({"allowPrivilegeEscalation": true, "seccompProfile": {"type": "Unconfined"}}),
        json!({"seLinuxOptions": {"type": "x", "user": "y"}, "appArmorProfile": {"type": "Unconfined"}}),
    ];
    let volumes = [
        json!([]),
        json!([{"name": "v", "nfs": {}}]),
        json!([{"name": "v", "csi": {}}, {"name": "w", "emptyDir": {}}]),
    ];
    let reviewer = {
        let Case { policies, namespaces, .. } = Case::of("");
        Reviewer::new(policies, namespaces)
    };
    let mut compared = 0;
    for first in &contexts {
        for second in &contexts {
            for volumes in &volumes {
                let pod = json!({
                    "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p", "namespace": "ml"},
                    "spec": {
                        "volumes": volumes, "hostPID": compared % 5 == 0, "securityContext": first,
                        "initContainers": [{"name": "i", "image": "i", "securityContext": first}],
                        "containers": [{"name": "a", "image": "i", "securityContext": second}, {"name": "b", "image": "i", "securityContext": second}],
                    },
                });
                let report = Case::of(&pod.to_string()).run(&[""]);
                let linted = &report.objects[0].pods[0];
                let (allowed, message, told) = reviewed(&reviewer, &pod);
                assert_eq!(by_linter(linted, ""), told, "{pod}\n{message}");
                assert_eq!(linted.allowed, allowed, "{pod}\n{message}");
                if let (false, Some(advice)) = (allowed, &linted.summary) {
                    let plural = if advice.changes.len() == 1 { "change" } else { "changes" };
                    let count = format!("refused: {} {plural} needed", advice.changes.len());
                    assert!(message.contains(&count), "{count}\n{message}");
                    assert!(
                        message.contains(&format!("[code {}]", advice.code)),
                        "{}\n{message}",
                        advice.code
                    );
                }
                compared += 1;
            }
        }
    }
    assert_eq!(compared, 243);
}

/// Kubernetes' own fixture pods, in the folder of `PSS_FIXTURES`, with the verdicts of its evaluator.
#[test]
fn kubernetes_says_the_same_of_its_fixtures() {
    let Some(folder) = real_data::folder(FIXTURES, "the linter on Kubernetes' own fixtures") else { return };
    let mut of_standard: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for line in fs::read_to_string(folder.join("expected.jsonl")).unwrap().lines() {
        let expected: Value = serde_json::from_str(line).unwrap();
        let file = expected["file"].as_str().unwrap();
        let (level, rest) = file.split_once('/').unwrap();
        let (version, _) = rest.split_once('/').unwrap();
        of_standard.entry(format!("{level}:{version}")).or_default().push(expected);
    }
    let mut without_source = 0;
    let compared: usize = of_standard
        .iter()
        .map(|(standard, expected)| compare(&folder, standard, expected, &mut without_source))
        .sum();
    eprintln!("{compared} fixtures, each with the verdict and the text of Kubernetes");
    assert_eq!(without_source, 38, "the fixtures with a volume without a source");
    assert!(compared >= LEAST_FIXTURES, "only {compared} fixtures");
}

/// What is expected of a fixture. Its evaluator refuses one volume without a source; the API server makes an `emptyDir` of it
/// before the evaluator sees it, and so does the linter.
fn as_admitted(expected: &Value, without_source: &mut usize) -> Value {
    let file = expected["file"].as_str().unwrap();
    if !(file.starts_with("restricted/") && file.ends_with("/pass/restrictedvolumes0.yaml")) {
        return expected.clone();
    }
    assert_eq!(expected["allowed"], false, "{file}: {expected}");
    *without_source += 1;
    json!({"file": file, "allowed": true, "reason": "", "detail": ""})
}

fn compare(folder: &Path, standard: &str, expected: &[Value], without_source: &mut usize) -> usize {
    let files: Vec<PathBuf> =
        expected.iter().map(|expected| folder.join(expected["file"].as_str().unwrap())).collect();
    let inputs: Vec<Input> = files.into_iter().map(Input::Path).collect();
    let policies = PolicySet::of_standard(&standard.parse::<Standard>().unwrap());
    let report = run(&inputs, Options { policies, ..Options::default() });
    assert_eq!((report.unread.len(), report.objects.len()), (0, expected.len()), "{standard}");
    for (object, expected) in report.objects.iter().zip(expected) {
        let pod = &object.pods[0];
        let found = json!({"file": expected["file"], "allowed": pod.allowed, "reason": pod.reason, "detail": pod.detail});
        let expected_here = as_admitted(expected, without_source);
        assert_eq!(found, expected_here, "{}", object.file);
        let file = object.file.as_str();
        assert!(file.ends_with(expected["file"].as_str().unwrap()), "{file}");
        assert_eq!(pod.findings.is_empty(), pod.allowed, "{file}");
    }
    expected.len()
}
