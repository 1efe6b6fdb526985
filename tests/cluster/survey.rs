//! The survey of identities before a real API server, with the resources of AAD Pod Identity and without.

use std::process::Command;

use serde_json::{Value as Json, json};

use crate::control_plane::ControlPlane;
use crate::wait::eventually;

const A: &str = "0a0a0a0a-1111-4222-8333-444444444444";

/// The exit code of a survey of a namespace, and its report.
fn survey(cluster: &ControlPlane, namespace: &str) -> (Option<i32>, Json) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_podgate"));
    command.args(["survey", "identity", "--format=json", "-n", namespace, "--kubeconfig"]);
    command.arg(cluster.kubeconfig());
    for (name, _) in std::env::vars_os() {
        if name == "KUBECONFIG" || name.as_encoded_bytes().starts_with(b"PODGATE_") {
            command.env_remove(name);
        }
    }
    let ended = command.output().unwrap();
    let report = serde_json::from_slice(&ended.stdout);
    assert!(report.is_ok(), "{}", String::from_utf8_lossy(&ended.stderr));
    (ended.status.code(), report.unwrap())
}

fn definition(kind: &str, plural: &str) -> Json {
    let schema = json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true});
    json!({
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        // The group ends in k8s.io, which is for Kubernetes' own: upstream's definition says so, too.
        "metadata": {
            "name": format!("{plural}.aadpodidentity.k8s.io"),
            "annotations": {"api-approved.kubernetes.io": "unapproved"},
        },
        "spec": {
            "group": "aadpodidentity.k8s.io",
            "scope": "Namespaced",
            "names": {"kind": kind, "plural": plural, "singular": kind.to_lowercase(), "listKind": format!("{kind}List")},
            "versions": [{"name": "v1", "served": true, "storage": true, "schema": {"openAPIV3Schema": schema}}],
        },
    })
}

fn object(kind: &str, name: &str, spec: &Json) -> Json {
    json!({"apiVersion": "aadpodidentity.k8s.io/v1", "kind": kind, "metadata": {"name": name}, "spec": spec})
}

#[test]
fn a_pod_is_followed_from_its_label_to_its_service_account() {
    let Some(cluster) = ControlPlane::start(&[]) else { return };
    let namespace = cluster.namespace(&[]);
    let here = ["--namespace", &namespace];
    cluster
        .create(
            &json!({
                "apiVersion": "v1",
                "kind": "Pod",
                "metadata": {"name": "train", "labels": {"aadpodidbinding": "ml-identity"}},
                "spec": {"containers": [{"name": "c", "image": "i"}]},
            }),
            &here,
        )
        .succeeded();
    let (code, report) = survey(&cluster, &namespace);
    assert_eq!((code, &report["pods"][0]["missing"][0]["code"]), (Some(1), &json!("noBinding")), "{report}");

    for (kind, plural) in
        [("AzureIdentity", "azureidentities"), ("AzureIdentityBinding", "azureidentitybindings")]
    {
        cluster.create(&definition(kind, plural), &[]).succeeded();
        let name = format!("crd/{plural}.aadpodidentity.k8s.io");
        cluster.kubectl(&["wait", "--for=condition=Established", "--timeout=60s", &name]).succeeded();
    }
    let identity = object("AzureIdentity", "ml-id", &json!({"type": 0, "clientID": A}));
    let binding = object(
        "AzureIdentityBinding",
        "ml-bind",
        &json!({"azureIdentity": "ml-id", "selector": "ml-identity"}),
    );
    // Discovery tells kubectl of the kinds a moment later.
    for object in [identity, binding] {
        eventually("the kind is known", || {
            let ended = cluster.create(&object, &here);
            if ended.is_success { Ok(()) } else { Err(ended.errors) }
        });
    }
    let (code, report) = survey(&cluster, &namespace);
    assert_eq!((code, &report["pods"][0]["missing"][0]["code"]), (Some(1), &json!("noAccount")), "{report}");

    let annotation = format!("azure.workload.identity/client-id={A}");
    cluster.kubectl(&["create", "serviceaccount", "trainer-wi", "--namespace", &namespace]).succeeded();
    cluster
        .kubectl(&["annotate", "serviceaccount", "trainer-wi", "--namespace", &namespace, &annotation])
        .succeeded();
    let (code, report) = survey(&cluster, &namespace);
    let pod = &report["pods"][0];
    assert_eq!((code, &pod["state"]), (Some(0), &json!("ready")), "{report}");
    assert_eq!(pod["target"]["subject"], format!("system:serviceaccount:{namespace}:trainer-wi"));
    assert_eq!(report["summary"]["unread"], 0, "{report}");
}
