//! Reviews as an API server sends them.

use serde_json::{Value as Json, json};

/// The review of a pod that someone makes in a namespace.
pub(crate) fn creation(uid: &str, namespace: &str, pod: &Json) -> Json {
    json!({
        "apiVersion": "admission.k8s.io/v1",
        "kind": "AdmissionReview",
        "request": {
            "uid": uid,
            "kind": { "group": "", "version": "v1", "kind": "Pod" },
            "resource": { "group": "", "version": "v1", "resource": "pods" },
            "name": pod["metadata"]["name"].as_str().unwrap_or_default(),
            "namespace": namespace,
            "operation": "CREATE",
            "userInfo": { "username": "someone" },
            "object": pod,
        },
    })
}
