//! Drop-in mode as the users of the program see it: `podgate review` with a PodSecurityConfiguration, and the cluster in
//! files.

use std::fs;
use std::path::Path;

use serde_json::{Value as Json, json};
use tempfile::TempDir;

use crate::command::{Ended, run};
use crate::pod_security::CONFIGURATION;
use crate::real_data::{self, RECORDED};
use crate::reviews::recorded;

const CLUSTER: &str = "apiVersion: v1
kind: Namespace
metadata: {name: held, labels: {pod-security.kubernetes.io/enforce: baseline, pod-security.kubernetes.io/warn: restricted}}
---
apiVersion: v1
kind: Namespace
metadata: {name: free}
---
apiVersion: v1
kind: Pod
metadata: {name: b, namespace: free}
spec: {hostNetwork: true, containers: [{name: c}]}
---
apiVersion: v1
kind: List
items:
- apiVersion: v1
  kind: Pod
  metadata: {name: a, namespace: free}
  spec: {hostNetwork: true, containers: [{name: c}]}
- apiVersion: v1
  kind: Pod
  metadata: {name: fine, namespace: free}
  spec: {containers: [{name: c}]}
- apiVersion: v1
  kind: Pod
  metadata: {name: exempt, namespace: free}
  spec: {hostPID: true, runtimeClassName: exempt-runtime-class1, containers: [{name: c}]}
";

fn folder() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("psc.yaml"), CONFIGURATION).unwrap();
    fs::write(folder.path().join("cluster.yaml"), CLUSTER).unwrap();
    folder
}

fn review(folder: &Path, objects: &str, reviews: &[Json]) -> Ended {
    let lines: Vec<String> = reviews.iter().map(ToString::to_string).collect();
    fs::write(folder.join("reviews.jsonl"), lines.join("\n")).unwrap();
    run(folder, &["review", "--policy", "psc.yaml", "--objects", objects, "reviews.jsonl"], "")
}

fn request(resource: &str, kind: &str, changes: &Json) -> Json {
    let mut request = json!({
        "uid": "u",
        "kind": {"group": "", "version": "v1", "kind": kind},
        "resource": {"group": "", "version": "v1", "resource": resource},
        "name": "x",
        "namespace": "held",
        "operation": "CREATE",
        "userInfo": {"username": "alice"},
        "object": null,
        "oldObject": null,
    });
    request.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
    json!({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": request})
}

fn pod(namespace: &str, spec: &Json) -> Json {
    let object = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "x"}, "spec": spec});
    request("pods", "Pod", &json!({"namespace": namespace, "object": object}))
}

fn namespace(labels: &Json) -> Json {
    let of = |labels: &Json| json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "free", "labels": labels}});
    let changes = json!({"operation": "UPDATE", "namespace": "free", "name": "free", "object": of(labels), "oldObject": of(&json!({}))});
    request("namespaces", "Namespace", &changes)
}

#[test]
fn exit_codes_tell_refused_from_not_judged() {
    let folder = folder();
    let review = |reviews: &[Json]| review(folder.path(), "cluster.yaml", reviews);
    let warned = pod("held", &json!({"containers": [{"name": "c"}]}));
    let refused = pod("held", &json!({"hostPID": true}));
    let unknown = pod("nowhere", &json!({}));
    let faulty = namespace(&json!({"pod-security.kubernetes.io/enforce": "strict"}));
    for (reviews, code, expected) in [
        (&[warned.clone()][..], 0, Json::Null),
        (&[warned.clone(), refused.clone()], 1, "Forbidden".into()),
        (&[faulty], 1, "Invalid".into()),
        (&[refused, unknown], 3, "InternalError".into()),
        (&[request("pods", "Pod", &json!({}))], 3, "BadRequest".into()),
    ] {
        let answers = review(reviews).with(code).lines();
        assert_eq!(answers.len(), reviews.len());
        assert_eq!(answers[answers.len() - 1]["response"]["status"]["reason"], expected);
    }
    let warnings = &review(&[warned]).with(0).lines()[0]["response"]["warnings"];
    assert!(warnings[0].as_str().unwrap().starts_with("would violate PodSecurity \"restricted:latest\""));
}

#[test]
fn a_raised_level_is_held_against_the_pods_of_the_files() {
    let folder = folder();
    let raised = namespace(&json!({"pod-security.kubernetes.io/enforce": "baseline"}));
    let answers = review(folder.path(), "cluster.yaml", std::slice::from_ref(&raised)).with(0).lines();
    assert_eq!(
        answers[0]["response"],
        json!({
            "uid": "u",
            "allowed": true,
            "warnings": [
                "existing pods in namespace \"free\" violate the new PodSecurity enforce level \"baseline:latest\"",
                "a (and 1 other pod): host namespaces",
            ],
        })
    );
    // Without files nobody knows the pods.
    fs::write(folder.path().join("reviews.jsonl"), raised.to_string()).unwrap();
    let answers =
        run(folder.path(), &["review", "--policy", "psc.yaml", "reviews.jsonl"], "").with(0).lines();
    assert_eq!(
        answers[0]["response"]["warnings"],
        json!(["failed to list pods while checking new PodSecurity enforce level"])
    );
}

/// What a real API server sent, through the program: the answers are upstream's.
#[test]
fn recorded_reviews_are_answered_by_the_program_as_upstream_answered_them() {
    let Some((recorded, _)) = recorded() else { return };
    let folder = folder();
    let recording = real_data::folder(RECORDED, "namespaces of recorded reviews").unwrap();
    let namespaces = fs::read_to_string(recording.join("namespaces.yaml")).unwrap();
    fs::write(folder.path().join("namespaces.yaml"), namespaces).unwrap();
    let answered: Vec<(Json, &Json)> = recorded
        .iter()
        .filter_map(|review| Some((serde_json::from_slice(&review.body).unwrap(), review.upstream.as_ref()?)))
        .collect();
    let reviews: Vec<Json> = answered.iter().map(|(review, _)| review.clone()).collect();
    // Some are refused, and nothing could not be judged.
    let answers = review(folder.path(), "namespaces.yaml", &reviews).with(1).lines();
    assert_eq!((answers.len(), answered.len()), (70, 70));
    for (answer, (review, upstream)) in answers.iter().zip(&answered) {
        let mut expected = (*upstream).clone();
        let is_of_pods = |warning: &Json| warning.as_str().unwrap().starts_with("existing pods");
        if expected["warnings"].as_array().is_some_and(|warnings| warnings.iter().any(is_of_pods)) {
            // The recording has not all the pods that were there.
            expected.as_object_mut().unwrap().remove("warnings");
        }
        assert_eq!(answer["response"], expected, "{review}");
    }
}
