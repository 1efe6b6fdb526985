//! Requests whose parts contradict each other, and the ones that API servers send.

use podgate::admission::{Reviewer, Webhook};
use serde_json::{Value as Json, json};

use crate::pods::Alone as _;
use crate::reviews::{gate, recorded};

const NAMESPACE: &str = "ml-team-a";

/// A pod that is refused wherever it is judged.
fn bad_pod() -> Json {
    json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": { "name": "train", "namespace": NAMESPACE },
        "spec": { "hostIPC": true, "containers": [{ "name": "c", "image": "i" }] },
    })
}

fn object(api_version: &str, kind: &str) -> Json {
    json!({ "apiVersion": api_version, "kind": kind, "metadata": { "name": "train", "namespace": NAMESPACE } })
}

/// A request as an API server sends it: what was asked for is what the webhook's rules name.
#[expect(clippy::needless_pass_by_value, reason = "whoever calls it has made the objects for it")]
fn request(operation: &str, subresource: &str, (group, kind): (&str, &str), object: Json, old: Json) -> Json {
    let kind = json!({ "group": group, "version": "v1", "kind": kind });
    let resource = json!({ "group": "", "version": "v1", "resource": "pods" });
    json!({
        "uid": "u",
        "kind": kind,
        "resource": resource,
        "subResource": subresource,
        "requestKind": kind,
        "requestResource": resource,
        "requestSubResource": subresource,
        "name": "train",
        "namespace": NAMESPACE,
        "operation": operation,
        "userInfo": { "username": "someone" },
        "object": object,
        "oldObject": old,
    })
}

fn created() -> Json {
    request("CREATE", "", ("", "Pod"), bad_pod(), Json::Null)
}

/// The code of the answer, 200 if it is let pass, and its message.
fn asked(reviewer: &Reviewer, webhook: Webhook, request: &Json) -> (u64, String) {
    let review =
        json!({ "apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": request });
    let body = review.to_string();
    let answer = reviewer.alone(webhook, body.as_bytes()).expect("a uid");
    let answer: Json = serde_json::from_slice(&answer.body).expect("JSON");
    let status = &answer["response"]["status"];
    assert_eq!(answer["response"]["allowed"], status.is_null(), "{answer}");
    (status["code"].as_u64().unwrap_or(200), status["message"].as_str().unwrap_or_default().to_owned())
}

#[track_caller]
fn refused(what: &str, request: &Json, expected: &str) {
    let gate = gate(&[NAMESPACE]);
    for webhook in [Webhook::Validate, Webhook::Mutate] {
        let (code, message) = asked(&gate, webhook, request);
        assert_eq!(code, 400, "{what}, {webhook:?}: {message}");
        assert!(message.contains(expected), "{what}: {message}");
    }
}

/// Every subresource of pods that is known, with what it is asked with.
const SUBRESOURCES: [(&str, &str, &str, &str, &str); 10] = [
    ("status", "UPDATE", "", "v1", "Pod"),
    ("ephemeralcontainers", "UPDATE", "", "v1", "Pod"),
    ("resize", "UPDATE", "", "v1", "Pod"),
    ("binding", "CREATE", "", "v1", "Binding"),
    ("eviction", "CREATE", "policy", "policy/v1", "Eviction"),
    ("exec", "CONNECT", "", "v1", "PodExecOptions"),
    ("attach", "CONNECT", "", "v1", "PodAttachOptions"),
    ("portforward", "CONNECT", "", "v1", "PodPortForwardOptions"),
    ("proxy", "CONNECT", "", "v1", "PodProxyOptions"),
    ("log", "CONNECT", "", "v1", "PodLogOptions"),
];

#[test]
fn subresources_are_asked_with_their_operation_and_kind() {
    let gate = gate(&[NAMESPACE]);
    let old_of = |operation: &str, of: &Json| if operation == "UPDATE" { of.clone() } else { Json::Null };
    for (name, operation, group, api_version, kind) in SUBRESOURCES {
        let own = if kind == "Pod" { bad_pod() } else { object(api_version, kind) };
        let right = request(operation, name, (group, kind), own.clone(), old_of(operation, &own));
        assert_eq!(asked(&gate, Webhook::Validate, &right).0, 200, "{name}: an API server sends it");
        for other in ["CREATE", "UPDATE", "CONNECT", "DELETE"].into_iter().filter(|other| *other != operation)
        {
            let wrong = request(other, name, (group, kind), own.clone(), old_of(other, &own));
            refused(&format!("{other} of {name}"), &wrong, "which no API server asks for");
        }
        for other in SUBRESOURCES.iter().filter(|other| (other.2, other.4) != (group, kind)) {
            let of = if other.4 == "Pod" { bad_pod() } else { object(other.3, other.4) };
            let wrong = request(operation, name, (other.2, other.4), of.clone(), old_of(operation, &of));
            refused(&format!("{name} with a {}", other.4), &wrong, "with the kind");
        }
        if kind != "Pod" {
            let wrong = request(operation, name, (group, kind), bad_pod(), Json::Null);
            refused(&format!("{name} with a pod"), &wrong, "as object, found a \"Pod\"");
        }
    }
}

#[test]
fn what_was_asked_for_is_what_it_was_converted_to() {
    for (path, value, expected) in [
        ("/subResource", json!("status"), "subResource is \"status\", and requestSubResource is \"\""),
        ("/requestSubResource", json!("exec"), "subResource is \"\", and requestSubResource is \"exec\""),
        ("/requestKind/kind", json!("Binding"), "kind is \"Pod\", and requestKind is \"Binding\""),
        ("/requestKind/group", json!("apps"), "kind is \"Pod.\", and requestKind is \"Pod.apps\""),
        (
            "/requestResource/resource",
            json!("secrets"),
            "resource is \"pods\", and requestResource is \"secrets\"",
        ),
        (
            "/requestResource/group",
            json!("apps"),
            "resource is \"pods.\", and requestResource is \"pods.apps\"",
        ),
        ("/kind/group", json!("apps"), "kind is \"Pod.apps\""),
        ("/object/kind", json!("Deployment"), "expected a Pod as object, found a \"Deployment\""),
        ("/object/apiVersion", json!("v2"), "kind is \"v1\", and the object's apiVersion is \"v2\""),
        ("/object/apiVersion", json!("apps/v1"), "the object's apiVersion is \"apps/v1\""),
        ("/object/apiVersion", json!("a/b/c"), "the object's apiVersion is none"),
        ("/object/metadata/namespace", json!("kube-system"), "the object is of the namespace"),
        ("/oldObject", bad_pod(), "CREATE with an oldObject"),
        ("/object", Json::Null, "CREATE without an object"),
        ("/operation", json!("UPDATE"), "UPDATE without an oldObject"),
        ("/operation", json!("DELETE"), "DELETE with an object"),
        ("/operation", json!("CONNECT"), "CONNECT to pods/"),
    ] {
        let mut wrong = created();
        *wrong.pointer_mut(path).expect(path) = value;
        refused(path, &wrong, expected);
    }
    for subresource in ["status", "exec"] {
        let mut wrong = created();
        wrong["subResource"] = json!(subresource);
        wrong["requestSubResource"] = json!(subresource);
        refused(subresource, &wrong, "which no API server asks for");
    }
}

#[test]
fn what_api_servers_send_is_not_refused() {
    let gate = gate(&[NAMESPACE]);
    let mut old_server = created();
    for key in ["requestKind", "requestResource", "requestSubResource"] {
        old_server.as_object_mut().expect("a request").remove(key);
    }
    assert_eq!(asked(&gate, Webhook::Validate, &old_server).0, 403);
    let mut old_status = request("UPDATE", "status", ("", "Pod"), bad_pod(), bad_pod());
    for key in ["requestKind", "requestResource", "requestSubResource"] {
        old_status.as_object_mut().expect("a request").remove(key);
    }
    assert_eq!(asked(&gate, Webhook::Validate, &old_status).0, 200);
    // A Deployment that was asked for in a version of old, and converted.
    let deployment = json!({ "apiVersion": "apps/v1", "kind": "Deployment", "metadata": { "name": "d" },
        "spec": { "template": { "spec": { "containers": [{ "name": "c" }] } } } });
    let mut converted = request("CREATE", "", ("apps", "Deployment"), deployment, Json::Null);
    converted["name"] = json!("d");
    converted["resource"] = json!({ "group": "apps", "version": "v1", "resource": "deployments" });
    converted["requestResource"] =
        json!({ "group": "extensions", "version": "v1beta1", "resource": "deployments" });
    converted["requestKind"] = json!({ "group": "extensions", "version": "v1beta1", "kind": "Deployment" });
    assert_eq!(asked(&gate, Webhook::Validate, &converted).0, 200);
    let scale = json!({ "apiVersion": "autoscaling/v1", "kind": "Scale", "metadata": { "name": "d" }, "spec": { "replicas": 3 } });
    let mut scaled = request("UPDATE", "scale", ("autoscaling", "Scale"), scale.clone(), scale);
    scaled["name"] = json!("d");
    scaled["resource"] = json!({ "group": "apps", "version": "v1", "resource": "deployments" });
    scaled["requestResource"] = scaled["resource"].clone();
    assert_eq!(asked(&gate, Webhook::Validate, &scaled).0, 200);
    scaled["operation"] = json!("CREATE");
    scaled["oldObject"] = Json::Null;
    refused("CREATE of a scale", &scaled, "which no API server asks for");
    let token = json!({ "apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {} });
    let mut token = request("CREATE", "token", ("authentication.k8s.io", "TokenRequest"), token, Json::Null);
    token["resource"] = json!({ "group": "", "version": "v1", "resource": "serviceaccounts" });
    token["requestResource"] = token["resource"].clone();
    assert_eq!(asked(&gate, Webhook::Validate, &token).0, 200);
}

/// Whatever a real API server has sent, contradicts nothing.
#[test]
fn recorded_reviews_are_not_refused_unjudged() {
    let Some((recorded, _)) = recorded() else { return };
    let gate = gate(&[NAMESPACE]);
    for review in recorded {
        let request = &review.request;
        let (code, message) = asked(&gate, Webhook::Validate, request);
        assert!(code == 200 || code == 403, "{code}: {message}: {request}");
    }
}
