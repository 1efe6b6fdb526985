//! What users see of podgate through a real kube-apiserver, with kubectl or a client of their own.

use std::fs;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures::StreamExt as _;
use hyper::Request;
use hyper::header::{AUTHORIZATION, HeaderValue};
use hyper_rustls::HttpsConnectorBuilder;
use hyper_util::client::legacy;
use hyper_util::rt::TokioExecutor;
use k8s_openapi::api::core::v1::Pod;
use kube::api::PostParams;
use kube::client::Body;
use kube::client::middleware::BaseUriLayer;
use kube::{Api, Client};
use serde_json::{Value as Json, json};
use tower::ServiceBuilder;

use crate::control_plane::ControlPlane;
use crate::gate::{Gate, LABEL, Parts, bad_pod, good_pod, lazy_pod, pod};
use crate::wait::eventually;
use crate::wire::client_config;

#[test]
fn a_good_pod_is_admitted_as_it_is() {
    let Some(gate) = Gate::before_new_namespace() else { return };
    let created = gate.create(&good_pod("good"));
    assert_eq!(created.errors, "");
    created.succeeded();
    let security = &gate.get("pod/good")["spec"]["containers"][0]["securityContext"];
    assert_eq!(*security, good_pod("good")["spec"]["containers"][0]["securityContext"]);
    let event = gate.cluster.audited("create", &gate.namespace, "good");
    assert_eq!(event["annotations"]["pods.podgate.dev/enforce-policy"], "restricted:latest", "{event:#}");
}

#[test]
fn a_bad_pod_is_refused_with_every_fault_and_its_mend() {
    let Some(gate) = Gate::before_new_namespace() else { return };
    let refused = gate.create(&bad_pod("bad")).failed();
    for text in [
        "admission webhook \"pods.podgate.dev\" denied the request: Pod \"bad\" was refused",
        "needed to meet \"ml-restricted\" in namespace",
        "spec.hostIPC",
        "is true",
        "remove it",
        "podgate explain PG-",
    ] {
        assert!(refused.contains(text), "{text} is not in {refused}");
    }
    let event = gate.cluster.audited("create", &gate.namespace, "bad");
    assert_eq!(event["responseStatus"]["code"], 403);
    let annotations = &event["annotations"];
    assert_eq!(annotations["pods.podgate.dev/enforce-policy"], "restricted:latest", "{event:#}");
    let violations = annotations["pods.podgate.dev/audit-violations"].as_str().unwrap();
    assert!(violations.contains("host namespaces (hostIPC=true)"), "{violations}");
    let findings = "podgate_findings_total{control=\"hostNamespaces\",mode=\"enforce\"}";
    assert!(gate.podgate.metric(findings).is_some_and(|count| count >= 1.0));
}

#[test]
fn a_lazy_pod_is_repaired_and_whoever_made_it_is_warned() {
    let Some(gate) = Gate::before_new_namespace() else { return };
    let created = gate.create(&lazy_pod("lazy"));
    assert!(created.errors.contains("Warning: "), "{created:?}");
    assert!(
        created.errors.contains("set a runAsUser unless the image's user is a number above 0"),
        "{created:?}"
    );
    created.succeeded();
    assert_eq!(
        gate.get("pod/lazy")["spec"]["containers"][0]["securityContext"],
        json!({
            "allowPrivilegeEscalation": false,
            "capabilities": { "drop": ["ALL"] },
            "runAsNonRoot": true,
            "seccompProfile": { "type": "RuntimeDefault" },
        })
    );
}

#[test]
fn an_identity_is_injected_and_the_service_account_plugin_agrees() {
    let Some(cluster) = ControlPlane::shared() else { return };
    let flags = ["--azure-tenant-id", "99999999-aaaa-4bbb-8ccc-dddddddddddd"];
    let namespace = cluster.namespace(&[LABEL]);
    let gate = Gate::of(Parts { flags: &flags, ..Parts::default() }, cluster, &namespace, |_| {});
    let mut trainer = good_pod("trainer");
    trainer["metadata"]["labels"] = json!({ "app": "trainer" });

    // The account is not there: said in our words, with the policy's name.
    let refused = gate.create(&trainer).failed();
    for text in ["IdentityPolicy \"trainers\"", "trainer-wi", "not found", &gate.namespace] {
        assert!(refused.contains(text), "{text} is not in {refused}");
    }
    gate.kubectl(&["create", "serviceaccount", "trainer-wi"]).succeeded();
    // Without a client id its token would be good for nothing.
    let refused = gate.create(&trainer).failed();
    assert!(refused.contains("azure.workload.identity/client-id"), "{refused}");
    let client_id = "azure.workload.identity/client-id=0a0a0a0a-1111-4222-8333-444444444444";
    gate.kubectl(&["annotate", "serviceaccount", "trainer-wi", client_id]).succeeded();
    // Known by now, or looked up.
    gate.create(&trainer).succeeded();
    let created = gate.get("pod/trainer");
    assert_eq!(created["spec"]["serviceAccountName"], "trainer-wi");
    assert_eq!(created["spec"]["serviceAccount"], "trainer-wi");
    assert_eq!(created["metadata"]["labels"]["azure.workload.identity/use"], "true");
    let volumes = created["spec"]["volumes"].as_array().unwrap();
    let tokens =
        volumes.iter().filter(|volume| volume["name"].as_str().unwrap().starts_with("kube-api-access-"));
    assert_eq!(tokens.count(), 1, "{volumes:?}");
    let names: Vec<&str> = created["spec"]["containers"][0]["env"]
        .as_array()
        .unwrap()
        .iter()
        .map(|variable| variable["name"].as_str().unwrap())
        .collect();
    assert!(
        names.ends_with(&[
            "AZURE_CLIENT_ID",
            "AZURE_TENANT_ID",
            "AZURE_FEDERATED_TOKEN_FILE",
            "AZURE_AUTHORITY_HOST"
        ]),
        "{names:?}"
    );

    // Who chose an account keeps it.
    gate.kubectl(&["create", "serviceaccount", "mine"]).succeeded();
    let mut own = good_pod("own");
    own["metadata"]["labels"] = json!({ "app": "trainer" });
    own["spec"]["serviceAccountName"] = "mine".into();
    gate.create(&own).succeeded();
    assert_eq!(gate.get("pod/own")["spec"]["serviceAccountName"], "mine");
}

/// Nobody has told podgate a tenant, and no other webhook injects: the pod would run without its token.
#[test]
fn a_promise_that_nobody_keeps_is_told() {
    let Some(gate) = Gate::before_new_namespace() else { return };
    let mut trainer = good_pod("trainer");
    trainer["metadata"]["labels"] = json!({ "app": "trainer" });
    gate.kubectl(&["create", "serviceaccount", "trainer-wi"]).succeeded();
    let client_id = "azure.workload.identity/client-id=0a0a0a0a-1111-4222-8333-444444444444";
    gate.kubectl(&["annotate", "serviceaccount", "trainer-wi", client_id]).succeeded();
    let refused = gate.create(&trainer).failed();
    for text in ["IdentityPolicy \"trainers\"", "no volume with a token for Azure", "Try again"] {
        assert!(refused.contains(text), "{text} is not in {refused}");
    }
}

#[test]
fn a_debug_container_is_judged() {
    let Some(gate) = Gate::before_new_namespace() else { return };
    gate.create(&good_pod("good")).succeeded();
    let debug = |profile: &str, name: &str| {
        let container = format!("--container={name}");
        let profile = format!("--profile={profile}");
        gate.kubectl(&["debug", "good", "--image=busybox", "--attach=false", &profile, &container])
    };
    let refused = debug("sysadmin", "root").failed();
    assert!(refused.contains("denied the request") && refused.contains("privileged"), "{refused}");
    debug("restricted", "modest").succeeded();
    let debuggers = gate.get("pod/good")["spec"]["ephemeralContainers"].clone();
    assert_eq!(debuggers.as_array().unwrap().len(), 1, "{debuggers}");
}

#[test]
fn what_was_there_before_can_be_changed_finished_and_deleted() {
    let Some(cluster) = ControlPlane::shared() else { return };
    let namespace = cluster.namespace(&[LABEL]);
    let mut bad = bad_pod("bad");
    bad["metadata"]["finalizers"] = json!(["example.com/hold"]);
    cluster.create(&bad, &["--namespace", &namespace]).succeeded();
    let gate = Gate::before(cluster, &namespace, |_| {});

    gate.kubectl(&["label", "pod", "bad", "seen=yes"]).succeeded();
    gate.kubectl(&["annotate", "pod", "bad", "seen=yes"]).succeeded();
    // An update that changes nothing.
    let same = gate.get("pod/bad");
    gate.cluster.kubectl_with(&["replace", "--filename=-"], &same.to_string()).succeeded();
    gate.kubectl(&["delete", "pod", "bad", "--wait=false"]).succeeded();
    assert!(!gate.get("pod/bad")["metadata"]["deletionTimestamp"].is_null());
    // But not a new image.
    let image = r#"{"spec":{"containers":[{"name":"trainer","image":"other"}]}}"#;
    let refused = gate.kubectl(&["patch", "pod", "bad", "--patch", image]).failed();
    assert!(refused.contains("spec.hostIPC"), "{refused}");
    let finalizers = r#"{"metadata":{"finalizers":null}}"#;
    gate.kubectl(&["patch", "pod", "bad", "--patch", finalizers]).succeeded();
    // Without a node there is no kubelet to finish it.
    gate.kubectl(&["delete", "pod", "bad", "--force", "--ignore-not-found"]).succeeded();
    assert!(!gate.kubectl(&["get", "pod", "bad"]).is_success);
}

#[test]
fn a_dry_run_is_answered_and_leaves_nothing() {
    let Some(gate) = Gate::before_new_namespace() else { return };
    let refused = gate.create_with(&bad_pod("bad"), &["--dry-run=server"]).failed();
    assert!(refused.contains("spec.hostIPC"), "{refused}");
    let lazy = gate.create_with(&lazy_pod("lazy"), &["--dry-run=server", "--output=json"]).succeeded();
    let lazy: Json = serde_json::from_str(&lazy).unwrap();
    assert_eq!(lazy["spec"]["containers"][0]["securityContext"]["runAsNonRoot"], true);
    assert!(!gate.kubectl(&["get", "pod", "lazy"]).is_success);
}

#[test]
fn a_deployment_is_warned_of_and_its_pods_are_explained_in_an_event() {
    let Some(gate) = Gate::before_new_namespace() else { return };
    let labels = json!({ "app": "serve" });
    let template = json!({ "metadata": { "labels": labels }, "spec": bad_pod("x")["spec"] });
    let deployment = json!({
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": { "name": "serve" },
        "spec": { "replicas": 1, "selector": { "matchLabels": labels }, "template": template },
    });
    let created = gate.create(&deployment);
    assert!(created.errors.contains("Warning: ") && created.errors.contains("spec.hostIPC"), "{created:?}");
    created.succeeded();
    let message = eventually("an event of the ReplicaSet", || {
        let field = "--field-selector=reason=FailedCreate,involvedObject.kind=ReplicaSet";
        let events = gate.kubectl(&["get", "events", field, "--output=json"]).succeeded();
        let events: Json = serde_json::from_str(&events).unwrap();
        let message = events["items"][0]["message"].as_str().map(ToOwned::to_owned);
        message.ok_or("no event yet")
    });
    assert!(message.contains("spec.hostIPC") && message.contains("remove it"), "{message}");
}

#[test]
fn a_namespace_without_the_label_is_left_alone() {
    let Some(cluster) = ControlPlane::shared() else { return };
    let gate = Gate::before_new_namespace().unwrap();
    let other = cluster.namespace(&[]);
    cluster.create(&bad_pod("bad"), &["--namespace", &other]).succeeded();
    let event = cluster.audited("create", &other, "bad");
    let annotations = event["annotations"].as_object().unwrap();
    assert!(annotations.keys().all(|key| !key.contains("podgate")), "{annotations:?}");
    drop(gate);
}

#[test]
fn a_label_counts_from_the_moment_that_it_is_there() {
    let Some(gate) = Gate::before_new_namespace() else { return };
    // The webhook still matches by its own copy of the labels; what podgate knows comes from its watch.
    let known = gate.podgate.metric("podgate_cluster_namespaces").unwrap();
    let other = gate.cluster.namespace(&[]);
    eventually("a namespace more", || {
        let now = gate.podgate.metric("podgate_cluster_namespaces").unwrap();
        if now > known { Ok(()) } else { Err(format!("{now}")) }
    });
    gate.cluster.kubectl(&["delete", "namespace", &other, "--wait=false"]).succeeded();
}

#[test]
fn while_it_is_down_the_failure_policy_decides() {
    let Some(cluster) = ControlPlane::shared() else { return };
    let (closed, open) = (cluster.namespace(&[LABEL]), cluster.namespace(&[LABEL]));
    let fail = Gate::before(cluster, &closed, |_| {});
    let ignore = Gate::before(cluster, &open, |webhook| webhook["failurePolicy"] = "Ignore".into());
    let (fail, ignore) = (fail.stop(), ignore.stop());
    let refused = cluster.create(&good_pod("good"), &["--namespace", &closed]).failed();
    assert!(refused.contains("failed calling webhook \"pods.podgate.dev\""), "{refused}");
    cluster.create(&bad_pod("bad"), &["--namespace", &open]).succeeded();
    let event = cluster.audited("create", &open, "bad");
    let annotations = event["annotations"].as_object().unwrap();
    assert!(annotations.keys().any(|key| key.starts_with("failed-open.")), "{annotations:?}");
    drop((fail, ignore));
}

#[test]
fn a_thousand_pods_of_sixty_four_clients_are_all_there() {
    let Some(gate) = Gate::before_new_namespace() else { return };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let failures = runtime.block_on(create_many(&gate.cluster.kubeconfig(), &gate.namespace, 1000, 64));
    assert_eq!(failures, [""; 0]);
    let pods = gate.kubectl(&["get", "pods", "--output=name"]).succeeded();
    assert_eq!(pods.lines().count(), 1000);
    let allowed = "podgate_reviews_total{decision=\"allowed\",operation=\"create\",webhook=\"validate\"}";
    assert!(gate.podgate.metric(allowed).unwrap() >= 1000.0);
}

/// Creates so many pods with so many clients at once, each on connections of its own. Returns what went wrong.
async fn create_many(kubeconfig: &Path, namespace: &str, pods: usize, clients: usize) -> Vec<String> {
    let kubeconfig = fs::read_to_string(kubeconfig).unwrap();
    let apis: Vec<Api<Pod>> = (0..clients).map(|_| Api::namespaced(client(&kubeconfig), namespace)).collect();
    futures::stream::iter(0..pods)
        .map(|number| {
            let api = apis[number % clients].clone();
            let pod: Pod = serde_json::from_value(lazy_pod(&format!("gang-{number}"))).unwrap();
            async move { api.create(&PostParams::default(), &pod).await.err().map(|error| error.to_string()) }
        })
        .buffer_unordered(clients)
        .filter_map(std::future::ready)
        .collect()
        .await
}

/// A client of the control plane's API server that shares nothing with podgate's own.
fn client(kubeconfig: &str) -> Client {
    let value = |key: &str| {
        let (_, rest) = kubeconfig.lines().find_map(|line| line.split_once(key)).unwrap();
        rest.trim_matches([' ', '}'])
    };
    let authority =
        String::from_utf8(STANDARD.decode(value("certificate-authority-data:")).unwrap()).unwrap();
    let tls = client_config(&authority, rustls::ALL_VERSIONS, &[]);
    let connector = HttpsConnectorBuilder::new().with_tls_config(tls).https_only().enable_http1().build();
    let bearer: HeaderValue = format!("Bearer {}", value("token:")).parse().unwrap();
    let service = ServiceBuilder::new()
        .layer(BaseUriLayer::new(value("server:").parse().unwrap()))
        .map_request(move |mut request: Request<Body>| {
            request.headers_mut().insert(AUTHORIZATION, bearer.clone());
            request
        })
        .service(legacy::Client::builder(TokioExecutor::new()).build(connector));
    Client::new(service, "default")
}

#[test]
fn a_pod_of_a_namespace_that_is_new_is_judged_at_once() {
    let Some(gate) = Gate::before_new_namespace() else { return };
    // Nobody has waited for the watch here.
    let spec =
        json!({ "containers": [{ "name": "c", "image": "i", "securityContext": { "privileged": true } }] });
    let refused = gate.create(&pod("first", &spec)).failed();
    assert!(refused.contains("securityContext.privileged"), "{refused}");
}

/// Validation stops at the first refusal, and Kubernetes' own plugin comes first: docs/install.md says so. What podgate
/// fills in is there before either judges.
#[test]
fn where_kubernetes_enforces_too_its_refusal_is_the_one_that_is_seen() {
    let Some(gate) = Gate::before_new_namespace() else { return };
    let enforce = ["label", "namespace", &gate.namespace, "pod-security.kubernetes.io/enforce=restricted"];
    gate.cluster.kubectl(&enforce).succeeded();
    let refused = eventually("a refusal by Kubernetes' own admission", || {
        let refused = gate.create(&bad_pod("bad")).failed();
        if refused.contains("violates PodSecurity \"restricted:latest\"") {
            Ok(refused)
        } else {
            Err(refused)
        }
    });
    // The mutating webhook may have warned of what it filled in; the refusal is not podgate's.
    assert!(!refused.contains("was refused"), "{refused}");
    gate.create(&lazy_pod("lazy")).succeeded();
}
