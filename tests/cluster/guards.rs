//! The guards: tenants who may edit Namespaces, and objects everywhere, cannot get around podgate by it.
//!
//! Each test has a cluster of its own, since what is installed is the whole cluster's.

use std::fs;

use serde_json::json;

use crate::control_plane::{ControlPlane, Ended};
use crate::gate::LABEL;
use crate::installation::{OWN, manifests};
use crate::wait::eventually;

/// Somebody with every right that Kubernetes' own role `edit` has, and who may edit Namespaces.
const TENANT: &str = "--as=tenant";

/// Runs kubectl as the tenant.
pub(crate) fn as_tenant(cluster: &ControlPlane, arguments: &[&str]) -> Ended {
    cluster.kubectl(&[arguments, &[TENANT]].concat())
}

/// A tenant's rights, and a namespace that the label guard guards.
pub(crate) fn with_a_tenant(cluster: &ControlPlane) -> String {
    let role = "apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\nmetadata: {name: namespaces}\nrules:\n\
                - apiGroups: ['']\n  resources: [namespaces, namespaces/status, namespaces/finalize]\n  \
                verbs: [get, list, create, update, patch]\n";
    cluster.kubectl_with(&["create", "--filename=-"], role).succeeded();
    for role in ["edit", "namespaces"] {
        let flags = ["--clusterrole", role, "--user=tenant"];
        let name = format!("tenant-{role}");
        cluster.kubectl(&[&["create", "clusterrolebinding", &name], &flags[..]].concat()).succeeded();
    }
    cluster.kubectl(&["apply", "--kustomize", &manifests("base")]).succeeded();
    let namespace = cluster.namespace(&[LABEL]);
    // A policy is heeded a moment after it is there.
    eventually("the guard", || {
        let tried = ["label", "namespace", &namespace, "podgate.dev/policy-", "--dry-run=server"];
        let ended = as_tenant(cluster, &tried);
        if ended.errors.contains("podgate-label-admin") { Ok(()) } else { Err(format!("{ended:?}")) }
    });
    namespace
}

#[test]
fn tenants_cannot_take_a_namespace_out_of_reach() {
    let Some(cluster) = ControlPlane::start(&[]) else { return };
    let namespace = with_a_tenant(&cluster);
    let without = json!({ "metadata": { "labels": { "podgate.dev/policy": null } } }).to_string();
    let mut whole = cluster.get("", &format!("namespace/{namespace}"));
    whole["metadata"]["labels"].as_object_mut().unwrap().remove("podgate.dev/policy");
    let file = cluster.folder().join("finalize.json");
    fs::write(&file, whole.to_string()).unwrap();
    let finalize = format!("/api/v1/namespaces/{namespace}/finalize");
    let patch = ["patch", "namespace", &namespace, "--type=merge", "--patch"];
    for ways in [
        &["label", "namespace", &namespace, "podgate.dev/policy-"][..],
        &["label", "namespace", &namespace, "podgate.dev/policy=else", "--overwrite"],
        &["label", "namespace", &namespace, "control-plane=true"],
        &["label", "namespace", &namespace, "kubernetes.azure.com/managedby=aks"],
        &[&patch[..], &[&without]].concat(),
        &[&patch[..], &[&without, "--subresource=status"]].concat(),
        &[&patch[..], &[r#"{"metadata":{"labels":null}}"#]].concat(),
        &["replace", "--raw", &finalize, "--filename", file.to_str().unwrap()],
    ] {
        let refused = as_tenant(&cluster, ways).failed();
        assert!(refused.contains("ask for the ClusterRole podgate-label-admin"), "{ways:?}: {refused}");
    }
    as_tenant(&cluster, &["label", "namespace", &namespace, "team=a"]).succeeded();
    as_tenant(&cluster, &["annotate", "namespace", &namespace, "team=a"]).succeeded();

    let may = ["create", "clusterrolebinding", "may", "--clusterrole=podgate-label-admin", "--user=tenant"];
    cluster.kubectl(&may).succeeded();
    eventually("the right", || {
        let ended = as_tenant(&cluster, &["label", "namespace", &namespace, "podgate.dev/policy-"]);
        if ended.is_success { Ok(()) } else { Err(ended.errors) }
    });
    as_tenant(&cluster, &["label", "namespace", &namespace, "podgate.dev/policy=ml-restricted"]).succeeded();
    cluster.kubectl(&["delete", "namespace", &namespace, "--timeout=30s"]).succeeded();
}

#[test]
fn tenants_cannot_change_podgate_itself() {
    let Some(cluster) = ControlPlane::start(&[]) else { return };
    with_a_tenant(&cluster);
    let elsewhere = r#"{"spec":{"selector":{"app":"mine"}}}"#;
    for ways in [
        &["delete", "configmap/podgate"][..],
        &["patch", "configmap/podgate", "--patch", r#"{"data":{"ml-restricted.yaml":""}}"#],
        &["delete", "deployment/podgate"],
        &["scale", "deployment/podgate", "--replicas=0"],
        &["patch", "service/podgate", "--patch", elsewhere],
        &["delete", "networkpolicy/podgate"],
        &["delete", "serviceaccount/podgate"],
    ] {
        let refused = as_tenant(&cluster, &[ways, &["--namespace", OWN]].concat()).failed();
        assert!(refused.contains("podgate-installation-admin"), "{ways:?}: {refused}");
    }
    // The cluster's own controllers go on: a Deployment that its owner scales gets its pods.
    cluster.kubectl(&["scale", "deployment/podgate", "--replicas=3", "--namespace", OWN]).succeeded();
    eventually("three replicas", || {
        let status = cluster.get(OWN, "deployment/podgate")["status"].clone();
        if status["replicas"] == 3 { Ok(()) } else { Err(status.to_string()) }
    });
    cluster.kubectl(&["delete", "namespace", OWN, "--timeout=30s"]).succeeded();
}
