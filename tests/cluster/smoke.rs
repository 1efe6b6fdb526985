//! The harness itself: a cluster takes a pod, and a webhook of ours refuses one.

use std::fs;

use serde_json::{Value as Json, json};
use tempfile::TempDir;

use crate::authority::Authority;
use crate::control_plane::ControlPlane;
use crate::serving::Podgate;
use crate::webhooks::{VALIDATING, only_in, rules, webhook};

/// The label that the built-in policy matches by.
const LABEL: (&str, &str) = ("podgate.dev/policy", "ml-restricted");

fn pod(name: &str, security: &Json) -> Json {
    json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": { "name": name },
        "spec": { "containers": [{ "name": "trainer", "image": "pytorch", "securityContext": security }] },
    })
}

#[test]
fn a_pod_is_created() {
    let Some(cluster) = ControlPlane::shared() else { return };
    let namespace = cluster.namespace(&[]);
    cluster.create(&pod("plain", &json!({})), &["--namespace", &namespace]).succeeded();
    let created = cluster.get(&namespace, "pod/plain");
    assert_eq!(created["status"]["phase"], "Pending");
    assert_eq!(created["spec"]["serviceAccountName"], "default");
    let event = cluster.audited("create", &namespace, "plain");
    assert_eq!(
        (&event["user"]["username"], &event["responseStatus"]["code"]),
        (&json!("admin"), &json!(201))
    );
}

#[test]
fn a_privileged_pod_is_refused_in_a_labelled_namespace() {
    let Some(cluster) = ControlPlane::shared() else { return };
    let namespace = cluster.namespace(&[LABEL]);
    let objects = TempDir::new().unwrap();
    let file = objects.path().join("namespace.json");
    fs::write(&file, cluster.get(&namespace, &format!("namespace/{namespace}")).to_string()).unwrap();

    let authority = Authority::new();
    let leaf = authority.loopback();
    let podgate = Podgate::start(&[
        "--objects".as_ref(),
        file.as_os_str(),
        "--tls-cert".as_ref(),
        leaf.certificate().as_os_str(),
        "--tls-key".as_ref(),
        leaf.key().as_os_str(),
    ]);
    let url = podgate.url("/validate");
    let hook = webhook("pods.podgate.dev", &url, &authority.certificate(), "Fail", &rules(&["/v1/pods"]));
    let _installed = cluster.install(VALIDATING, "podgate-smoke", &[only_in(&[&namespace], hook)]);

    let bad = pod("bad", &json!({ "privileged": true }));
    cluster.await_refusal(&namespace, &bad, "admission webhook \"pods.podgate.dev\" denied the request");
    let refusal = cluster.create(&bad, &["--namespace", &namespace]).failed();
    assert!(refusal.contains("securityContext.privileged"), "{refusal}");
    assert!(refusal.contains("podgate explain PG-"), "{refusal}");
    let event = cluster.audited("create", &namespace, "bad");
    assert_eq!(event["responseStatus"]["code"], 403, "{event:#}");
    assert!(podgate.terminate().success());
}
