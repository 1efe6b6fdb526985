//! The harness itself: a cluster takes a pod, a webhook of ours refuses one, and another repairs one.

use std::ffi::OsString;
use std::fs;

use serde_json::{Value as Json, json};

use crate::authority::{Authority, Leaf};
use crate::control_plane::ControlPlane;
use crate::serving::Podgate;
use crate::wait::wait_until;
use crate::webhooks::{MUTATING, VALIDATING, only_in, rules, webhook};

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

/// Flags for podgate with the built-in policy, told of one namespace.
fn flags(cluster: &ControlPlane, namespace: &str, leaf: &Leaf) -> [OsString; 6] {
    let file = cluster.folder().join(format!("{namespace}.json"));
    fs::write(&file, cluster.get(namespace, &format!("namespace/{namespace}")).to_string()).unwrap();
    let [objects, certificate, key] = ["--objects", "--tls-cert", "--tls-key"].map(OsString::from);
    [objects, file.into(), certificate, leaf.certificate().into(), key, leaf.key().into()]
}

#[test]
fn a_privileged_pod_is_refused_in_a_labelled_namespace() {
    let Some(cluster) = ControlPlane::shared() else { return };
    let namespace = cluster.namespace(&[LABEL]);
    let authority = Authority::new();
    let leaf = authority.loopback();
    let podgate = Podgate::start(&flags(cluster, &namespace, &leaf));
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
    assert_eq!(podgate.admin("/readyz").0, 200);
    let refused = r#"podgate_reviews_total{decision="denied",operation="create",webhook="validate"}"#;
    assert!(podgate.metric(refused).is_some_and(|count| count >= 2.0), "{}", podgate.admin("/metrics").1);
    assert!(podgate.terminate().success());
}

#[test]
fn a_lazy_pod_is_repaired() {
    let Some(cluster) = ControlPlane::shared() else { return };
    let namespace = cluster.namespace(&[LABEL]);
    let authority = Authority::new();
    let leaf = authority.loopback();
    let podgate = Podgate::start(&flags(cluster, &namespace, &leaf));
    let url = podgate.url("/mutate");
    let hook = webhook("pods.podgate.dev", &url, &authority.certificate(), "Fail", &rules(&["/v1/pods"]));
    let _installed = cluster.install(MUTATING, "00-podgate-smoke", &[only_in(&[&namespace], hook)]);

    let lazy = pod("lazy", &json!({}));
    let tried = ["--dry-run=server", "--output=json", "--namespace", &namespace];
    wait_until("the pod is repaired", || {
        let tried = cluster.create(&lazy, &tried).succeeded();
        let tried: Json = serde_json::from_str(&tried).unwrap();
        tried["spec"]["containers"][0]["securityContext"]["runAsNonRoot"] == true
    });
    cluster.create(&lazy, &["--namespace", &namespace]).succeeded();
    let security = &cluster.get(&namespace, "pod/lazy")["spec"]["containers"][0]["securityContext"];
    assert_eq!(security["allowPrivilegeEscalation"], false, "{security}");
    assert_eq!(security["capabilities"], json!({ "drop": ["ALL"] }), "{security}");
    assert_eq!(security["seccompProfile"]["type"], "RuntimeDefault", "{security}");
}

/// As it is installed: the API server reaches podgate by the name of a Service, not by a URL.
#[test]
fn a_pod_is_refused_through_a_service() {
    let Some(cluster) = ControlPlane::start_apart() else { return };
    cluster.kubectl(&["create", "namespace", "podgate-system"]).succeeded();
    let ports = ["create", "service", "clusterip", "podgate", "--tcp=443:8443", "--namespace=podgate-system"];
    cluster.kubectl(&ports).succeeded();
    let service = cluster.get("podgate-system", "service/podgate");
    let address = format!("{}:443", service["spec"]["clusterIP"].as_str().unwrap());

    let namespace = cluster.namespace(&[LABEL]);
    let authority = Authority::new();
    let leaf = authority.leaf(&["podgate.podgate-system.svc"]);
    let podgate = Podgate::start_in(&cluster, &address, &flags(&cluster, &namespace, &leaf));
    assert_eq!(podgate.address.to_string(), address);
    let mut hook = webhook("pods.podgate.dev", "", &authority.certificate(), "Fail", &rules(&["/v1/pods"]));
    let config = hook["clientConfig"].as_object_mut().unwrap();
    config.remove("url");
    config.insert(
        "service".into(),
        json!({ "namespace": "podgate-system", "name": "podgate", "port": 443, "path": "/validate" }),
    );
    let _installed = cluster.install(VALIDATING, "podgate-smoke", &[only_in(&[&namespace], hook)]);
    let bad = pod("bad", &json!({ "privileged": true }));
    cluster.await_refusal(&namespace, &bad, "securityContext.privileged");
}

#[test]
fn an_api_server_that_was_gone_comes_back() {
    let Some(cluster) = ControlPlane::start(&[]) else { return };
    let namespace = cluster.namespace(&[]);
    cluster.stop("kube-apiserver");
    let gone = cluster.kubectl(&["get", "namespaces"]).failed();
    assert!(gone.contains("refused"), "{gone}");
    cluster.start_again("kube-apiserver");
    let listed = cluster.kubectl(&["get", "namespaces", "--output=name"]).succeeded();
    assert!(listed.contains(&namespace), "{listed}");
}
