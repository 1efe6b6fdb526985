//! What an answer says of itself: no repair is promised that will not happen, and what cannot be judged is told in one
//! bounded line.

use podgate::admission::{Webhook, refuse};
use serde_json::{Value as Json, json};

use crate::pods::Alone as _;
use crate::reviews::gate;

const FILLED_IN: &str = "podgate fills these in by itself";

fn pod(image: &str, annotations: &Json) -> Json {
    json!({
        "metadata": {"name": "p", "annotations": annotations},
        "spec": {"containers": [{"name": "c", "image": image}]},
    })
}

fn review(kind: (&str, &str, &str), operation: &str, object: &Json, old_object: &Json) -> Vec<u8> {
    let (group, kind, resource) = kind;
    let review = json!({
        "apiVersion": "admission.k8s.io/v1",
        "kind": "AdmissionReview",
        "request": {
            "uid": "u",
            "kind": {"group": group, "version": "v1", "kind": kind},
            "resource": {"group": group, "version": "v1", "resource": resource},
            "namespace": "team",
            "operation": operation,
            "object": object,
            "oldObject": old_object,
        },
    });
    serde_json::to_vec(&review).unwrap()
}

fn response(body: &[u8]) -> Json {
    let answer = gate(&["team"]).alone(Webhook::Validate, body).unwrap();
    serde_json::from_slice::<Json>(&answer.body).unwrap()["response"].take()
}

#[test]
fn a_repair_is_promised_only_to_what_is_made_anew() {
    let of_pod = ("", "Pod", "pods");
    let (lazy, none) = (pod("a", &Json::Null), Json::Null);
    let mirror = pod("a", &json!({"kubernetes.io/config.mirror": "x"}));
    for (operation, object, old, expected) in [
        ("CREATE", &lazy, &none, true),
        ("UPDATE", &pod("b", &Json::Null), &lazy, false),
        ("CREATE", &mirror, &none, false),
    ] {
        let response = response(&review(of_pod, operation, object, old));
        assert_eq!(response["status"]["code"], 403, "{response}");
        let message = response["status"]["message"].as_str().unwrap();
        assert_eq!(message.contains(FILLED_IN), expected, "{operation}: {message}");
    }
    // The pods of a template are made anew whenever it changes.
    let deployment = json!({"metadata": {"name": "d"}, "spec": {"template": lazy}});
    for (operation, old) in [("CREATE", &none), ("UPDATE", &deployment)] {
        let response = response(&review(("apps", "Deployment", "deployments"), operation, &deployment, old));
        assert_eq!(
            (&response["allowed"], &response["warnings"]),
            (&json!(true), &none),
            "{operation}: {response}"
        );
    }
}

#[test]
fn what_cannot_be_judged_is_told_in_one_bounded_line() {
    let body = br#"{"request":{"uid":"u""#;
    for (message, expected) in [
        ("too late".to_owned(), "podgate: too late".to_owned()),
        ("a\nb\u{e9}".to_owned(), r"podgate: a\u{a}b\u{e9}".to_owned()),
        ("x".repeat(246), format!("podgate: {}", "x".repeat(246))),
        ("x".repeat(1000), format!("podgate: {}...", "x".repeat(244))),
    ] {
        for webhook in [Webhook::Validate, Webhook::Mutate] {
            let answer = refuse(webhook, body, 504, &message).unwrap();
            let answer: Json = serde_json::from_slice(&answer.body).unwrap();
            let response = &answer["response"];
            assert_eq!((&response["uid"], &response["allowed"]), (&json!("u"), &json!(false)));
            assert_eq!(response["status"]["message"], expected, "{message}");
            assert_eq!(response["status"]["code"], 504);
        }
    }
}

#[test]
fn every_policy_is_counted() {
    assert_eq!(gate(&[]).policy_count(), 1);
}
