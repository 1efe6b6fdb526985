//! Hostile reviews, and the answer that each must get.
//!
//! If the uid can be read, the answer is a review that refuses; otherwise there is no answer. Nothing is allowed by
//! mistake, and no answer repeats the value of an environment variable.

mod bounds;
mod envelope;
mod json;
mod objects;

use std::sync::LazyLock;

use podgate::admission::{Reviewer, Webhook};
use serde_json::{Value as Json, json};

use crate::pods::Alone as _;
use crate::reviews::{gate, well_formed};

const UID: &str = "0d9f2f4e-6f0c-4a52-8f8e-2b4f7a1c9d10";
const NAMESPACE: &str = "ml-team-a";
/// The value of an environment variable in every pod here.
const CANARY: &str = "CANARY-7f1e";
const WEBHOOKS: [Webhook; 2] = [Webhook::Validate, Webhook::Mutate];
/// The longest answer to any review.
const LONGEST_ANSWER: usize = 256 * 1024;

static GATE: LazyLock<Reviewer> = LazyLock::new(|| gate(&[NAMESPACE]));

/// The outcome that a review must have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Expected {
    /// Allowed by both webhooks; the mutating one may fill in what is absent.
    Allowed,
    /// Refused by a policy, and so by the validating webhook alone.
    Refused,
    /// Refused by both webhooks with this code, as it cannot be judged.
    Failed(u16),
    /// No answer can be given: HTTP 400.
    Unanswered,
}

use Expected::{Allowed, Failed, Refused, Unanswered};

/// The outcome of a review, and its response.
#[track_caller]
fn outcome(what: &str, webhook: Webhook, body: &[u8]) -> (Expected, Json) {
    let answer = match GATE.alone(webhook, body) {
        Ok(answer) => answer,
        Err(error) => {
            is_one_line(what, &error.message);
            return (Unanswered, Json::Null);
        }
    };
    let length = answer.body.len();
    assert!(length <= LONGEST_ANSWER, "{what}: an answer of {length} bytes");
    let text = std::str::from_utf8(&answer.body).expect(what);
    assert!(!text.contains("CANARY"), "{what}: {text:.2000}");
    let decision = format!("{:?}", answer.decision);
    assert!(!decision.contains("CANARY"), "{what}: {decision:.2000}");
    let response = well_formed(what, webhook, &answer.decision.uid, &answer.body);
    let allowed = response["allowed"].as_bool().unwrap();
    let code = response["status"]["code"].as_u64();
    assert_eq!(u64::from(answer.decision.code), code.unwrap_or(200), "{what}");
    let found = match code {
        None => Allowed,
        Some(403) => Refused,
        Some(code) => {
            is_one_line(what, response["status"]["message"].as_str().expect(what));
            Failed(u16::try_from(code).unwrap())
        }
    };
    assert_eq!(allowed, found == Allowed, "{what}: {response}");
    (found, response)
}

#[track_caller]
fn is_one_line(what: &str, message: &str) {
    let is_printable = message.bytes().all(|byte| (b' '..=b'~').contains(&byte));
    assert!(is_printable && message.len() <= 256 && !message.is_empty(), "{what}: {message:?}");
}

#[track_caller]
fn assert_outcome(what: &str, body: impl AsRef<[u8]>, expected: Expected) {
    let shown = what.chars().take(160).collect::<String>();
    for webhook in WEBHOOKS {
        let (found, response) = outcome(&shown, webhook, body.as_ref());
        let expected = match (webhook, expected) {
            (Webhook::Mutate, Refused) => Allowed,
            (_, expected) => expected,
        };
        assert_eq!(found, expected, "{shown}, {webhook:?}: {response:.600}");
        if found != Unanswered {
            assert_eq!(response["uid"], UID, "{shown}");
        }
    }
}

// ---- building reviews

/// A pod that meets the built-in policy.
fn pod() -> Json {
    json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": { "name": "train", "namespace": NAMESPACE },
        "spec": {
            "securityContext": { "runAsNonRoot": true, "seccompProfile": { "type": "RuntimeDefault" } },
            "containers": [container("main")],
        },
    })
}

fn container(name: &str) -> Json {
    json!({
        "name": name,
        "image": "registry.example/train:1",
        "env": [{ "name": "TOKEN", "value": CANARY }],
        "securityContext": { "allowPrivilegeEscalation": false, "capabilities": { "drop": ["ALL"] } },
    })
}

fn privileged(name: &str) -> Json {
    let mut container = container(name);
    container["securityContext"]["privileged"] = json!(true);
    container
}

/// The pod with something set in its spec.
fn pod_with(key: &str, value: Json) -> Json {
    let mut pod = pod();
    pod["spec"][key] = value;
    pod
}

/// A pod that the built-in policy refuses, and that no default can fix.
fn bad_pod() -> Json {
    pod_with("hostIPC", json!(true))
}

fn request(operation: &str, subresource: &str, object: &Json, old_object: &Json) -> Json {
    let name = object["metadata"]["name"].as_str().unwrap_or("train");
    json!({
        "uid": UID,
        "kind": { "group": "", "version": "v1", "kind": "Pod" },
        "resource": { "group": "", "version": "v1", "resource": "pods" },
        "subResource": subresource,
        "requestSubResource": subresource,
        "name": name,
        "namespace": NAMESPACE,
        "operation": operation,
        "userInfo": { "username": "someone" },
        "object": object,
        "oldObject": old_object,
        "dryRun": false,
    })
}

/// The review of a request: the uid first, as the API server writes it, and the other keys sorted, so that the
/// objects come before the kind that says how to read them.
fn review(request: &Json) -> String {
    let mut rest = request.clone();
    let uid = rest.as_object_mut().unwrap().remove("uid").unwrap();
    let rest = rest.to_string();
    let rest = rest.strip_prefix('{').unwrap();
    format!(
        r#"{{"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1","request":{{"uid":{uid},{rest}}}"#
    )
}

fn create(pod: &Json) -> String {
    review(&request("CREATE", "", pod, &Json::Null))
}

fn update(subresource: &str, pod: &Json, old: &Json) -> String {
    review(&request("UPDATE", subresource, pod, old))
}

/// A review as text, from the members before the request's object and the pod's spec.
///
/// The uid comes first, as the API server writes it.
fn text(before: &str, spec: &str) -> String {
    format!(
        r#"{{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","request":{{"uid":"{UID}",{before}"resource":{{"group":"","version":"v1","resource":"pods"}},"namespace":"{NAMESPACE}","operation":"CREATE","object":{{"metadata":{{"name":"p"}},"spec":{{{spec}}}}}}}}}"#
    )
}

/// The rest of a spec that meets the built-in policy, to follow other members.
const GOOD: &str = r#""securityContext":{"runAsNonRoot":true,"seccompProfile":{"type":"RuntimeDefault"}},"containers":[{"name":"c","image":"i","securityContext":{"allowPrivilegeEscalation":false,"capabilities":{"drop":["ALL"]}}}]"#;

fn with_spec(members: &str) -> String {
    text("", &format!("{members}{GOOD}"))
}

fn with_request(members: &str) -> String {
    text(members, GOOD)
}

/// The same, with these members before the uid.
fn before_uid(members: &str) -> String {
    with_request("").replacen(r#""uid""#, &format!(r#"{members}"uid""#), 1)
}

fn real_review() -> Vec<u8> {
    let text = include_str!("../../../benches/payloads/one-container.json").trim_end();
    let with_canary =
        text.replacen(r#""env":["#, &format!(r#""env":[{{"name":"T","value":"{CANARY}"}},"#), 1);
    assert!(with_canary.contains(CANARY));
    with_canary.into_bytes()
}
