//! The installation itself: the API server takes all that we ship, podgate can do its work with the rights it is
//! given, and nothing is left when it goes.
//!
//! Each test has a cluster of its own, since what is installed is the whole cluster's.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Value as Json, json};

use crate::control_plane::ControlPlane;
use crate::gate::{LABEL, bad_pod, good_pod, lazy_pod};
use crate::programs;
use crate::serving::Podgate;
use crate::wait::eventually;

pub(crate) const OWN: &str = "podgate-system";

/// What the API server says of an object that was not applied before.
const FIRST_APPLY: &str = "missing the kubectl.kubernetes.io/last-applied-configuration";

pub(crate) fn manifests(path: &str) -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("manifests").join(path).to_str().unwrap().to_owned()
}

/// The kinds of others that our options use, so that an API server that has none of them can judge the rest.
fn foreign_kinds() -> Vec<Json> {
    let kinds = [
        ("cert-manager.io", "certificates", "Certificate"),
        ("cert-manager.io", "issuers", "Issuer"),
        ("monitoring.coreos.com", "servicemonitors", "ServiceMonitor"),
        ("monitoring.coreos.com", "prometheusrules", "PrometheusRule"),
    ];
    kinds.into_iter().map(|(group, plural, kind)| definition(group, "v1", plural, kind)).collect()
}

/// A definition of a kind of others, with a schema that takes anything.
pub(crate) fn definition(group: &str, version: &str, plural: &str, kind: &str) -> Json {
    let schema = json!({ "type": "object", "x-kubernetes-preserve-unknown-fields": true });
    json!({
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {
            "name": format!("{plural}.{group}"),
            // Some groups are Kubernetes' own.
            "annotations": { "api-approved.kubernetes.io": "unapproved, for tests" },
        },
        "spec": {
            "group": group,
            "names": { "plural": plural, "kind": kind },
            "scope": "Namespaced",
            "versions": [
                { "name": version, "served": true, "storage": true, "schema": { "openAPIV3Schema": schema } },
            ],
        },
    })
}

#[test]
fn the_api_server_takes_everything_that_is_shipped() {
    let Some(cluster) = ControlPlane::start(&[]) else { return };
    for definition in foreign_kinds() {
        cluster.create(&definition, &[]).succeeded();
    }
    cluster.kubectl(&["wait", "--for=condition=Established", "crd", "--all", "--timeout=30s"]).succeeded();
    // Without it nothing in it can be tried.
    cluster.kubectl(&["apply", "--filename", &manifests("base/namespace.yaml")]).succeeded();
    let overlays = [
        "aks",
        "cert-manager",
        "kind",
        "metadata-updates",
        "pod-security",
        "service-monitor",
        "templates-enforce",
    ];
    let folders = overlays.map(|overlay| format!("overlays/{overlay}"));
    for folder in folders.iter().map(String::as_str).chain(["base"]) {
        let tried = cluster.kubectl(&["apply", "--dry-run=server", "--kustomize", &manifests(folder)]);
        let warnings: Vec<&str> = tried.errors.lines().filter(|line| !line.contains(FIRST_APPLY)).collect();
        assert_eq!(warnings, [""; 0], "{folder}");
        assert!(tried.succeeded().lines().count() >= 18, "{folder}");
    }
}

#[test]
fn what_podgate_writes_outlives_another_apply() {
    let Some(cluster) = ControlPlane::start(&[]) else { return };
    let apply = ["apply", "--kustomize", &manifests("base")];
    cluster.kubectl(&apply).succeeded();
    write_as_podgate(&cluster);
    cluster.kubectl(&apply).succeeded();
    assert_written(&cluster);

    cluster.kubectl(&["delete", "--kustomize", &manifests("base")]).succeeded();
    assert_nothing_left(&cluster);
}

#[test]
fn helm_installs_upgrades_and_takes_away() {
    let Some(helm) = programs::find("helm in a cluster", &["helm"]) else { return };
    let Some(cluster) = ControlPlane::start(&[]) else { return };
    let helm = |arguments: &[&str]| {
        let mut command = cluster.command(&helm[0]);
        let ended = command
            .args(arguments)
            .args(["--namespace", OWN])
            .env("KUBECONFIG", cluster.kubeconfig())
            .env("HELM_CACHE_HOME", cluster.folder().join("helm"))
            .env("HELM_CONFIG_HOME", cluster.folder().join("helm"))
            .output()
            .unwrap();
        assert!(ended.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&ended.stderr));
    };
    let chart = manifests("helm/podgate");
    cluster.kubectl(&["create", "namespace", OWN]).succeeded();
    helm(&["install", "podgate", &chart]);
    write_as_podgate(&cluster);
    helm(&["upgrade", "podgate", &chart, "--set", "webhooks.validating.timeoutSeconds=4"]);
    assert_written(&cluster);
    // Webhooks come and go with the mode, whoever wrote into them.
    helm(&["upgrade", "podgate", &chart, "--set", "podSecurity.enabled=true"]);
    let configuration = cluster.get(OWN, "mutatingwebhookconfiguration/00-podgate");
    assert_eq!(configuration["webhooks"].as_array().map_or(0, Vec::len), 0, "{configuration:#}");
    helm(&["upgrade", "podgate", &chart, "--values", &manifests("helm/podgate/presets/gke-private.yaml")]);
    helm(&["uninstall", "podgate"]);
    cluster.kubectl(&["delete", "namespace", OWN]).succeeded();
    assert_nothing_left(&cluster);
}

const BUNDLE: &[u8] = b"-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n";

/// Writes where podgate writes, without anything that looks at it.
fn write_as_podgate(cluster: &ControlPlane) {
    let patch = |kind: &str, merge: &str, patch: &Json| {
        let namespace = ["--namespace", OWN, "--field-manager=podgate"];
        let patch = patch.to_string();
        cluster.kubectl(&[&["patch", kind, "--type", merge, "--patch", &patch], &namespace[..]].concat())
    };
    let data = json!({ "data": { "state": BASE64.encode("kept") } });
    patch("secret/podgate-tls", "merge", &data).succeeded();
    patch("lease/podgate", "merge", &json!({ "spec": { "holderIdentity": "a replica" } })).succeeded();
    for (configuration, count) in CONFIGURATIONS {
        patch(configuration, "json", &bundle_patch(count, BUNDLE)).succeeded();
    }
}

/// The configurations, with how many webhooks each has.
const CONFIGURATIONS: [(&str, usize); 2] =
    [("validatingwebhookconfiguration/podgate", 2), ("mutatingwebhookconfiguration/00-podgate", 1)];

fn bundle_patch(count: usize, bundle: &[u8]) -> Json {
    let add = |index| {
        let path = format!("/webhooks/{index}/clientConfig/caBundle");
        json!({ "op": "add", "path": path, "value": BASE64.encode(bundle) })
    };
    (0..count).map(add).collect()
}

fn assert_written(cluster: &ControlPlane) {
    assert_eq!(cluster.get(OWN, "secret/podgate-tls")["data"]["state"], BASE64.encode("kept"));
    assert_eq!(cluster.get(OWN, "lease/podgate")["spec"]["holderIdentity"], "a replica");
    for (configuration, count) in CONFIGURATIONS {
        let webhooks = &cluster.get(OWN, configuration)["webhooks"];
        assert_eq!(webhooks.as_array().unwrap().len(), count);
        for webhook in webhooks.as_array().unwrap() {
            assert_eq!(webhook["clientConfig"]["caBundle"], BASE64.encode(BUNDLE), "{webhook:#}");
        }
    }
}

/// Nothing that could refuse anybody anything, and nothing else either.
fn assert_nothing_left(cluster: &ControlPlane) {
    let kinds = "validatingwebhookconfigurations,mutatingwebhookconfigurations,validatingadmissionpolicies,\
                 validatingadmissionpolicybindings,clusterroles,clusterrolebindings,namespaces";
    let left = cluster.kubectl(&["get", kinds, "--output=name"]).succeeded();
    assert_eq!(left.lines().filter(|name| name.contains("podgate")).collect::<Vec<_>>(), [""; 0]);
}

// ---- as shipped

/// A kubeconfig of podgate's own ServiceAccount, so that it has the rights that are shipped and no other.
pub(crate) fn own_kubeconfig(cluster: &ControlPlane) -> PathBuf {
    let token = cluster.kubectl(&["create", "token", "podgate", "--namespace", OWN]).succeeded();
    let text = fs::read_to_string(cluster.kubeconfig()).unwrap();
    let lines = text.lines().map(|line| match line.split_once("user: {token: ") {
        Some((indent, _)) => format!("{indent}user: {{token: {}}}\n", token.trim()),
        None => format!("{line}\n"),
    });
    let file = cluster.folder().join("own-kubeconfig");
    let replaced: String = lines.collect();
    assert_ne!(replaced, text, "no token was found in the kubeconfig");
    fs::write(&file, replaced).unwrap();
    file
}

/// A replica behind the Service, with the rights that are shipped and a file of policies.
pub(crate) fn start_as_shipped(cluster: &ControlPlane, policies: impl AsRef<Path>) -> Podgate {
    let service = cluster.get(OWN, "service/podgate");
    let address = format!("{}:443", service["spec"]["clusterIP"].as_str().unwrap());
    let flags: [OsString; 6] = [
        "--kubeconfig".into(),
        own_kubeconfig(cluster).into(),
        "--policy".into(),
        policies.as_ref().into(),
        "--replica".into(),
        "podgate-0".into(),
    ];
    Podgate::start_in(cluster, &address, &flags)
}

/// Fails if podgate tried anything that its rights do not allow.
fn assert_allowed(podgate: &Podgate) {
    let denied: Vec<String> = podgate.log().into_iter().filter(|line| is_denied(line)).collect();
    assert_eq!(denied, [""; 0]);
}

/// Everything exactly as it is shipped: through the Service, with podgate's own rights, the shipped policy, and the
/// certificate that podgate makes and publishes by itself.
#[test]
fn as_shipped_pods_are_judged_through_the_service() {
    let Some(cluster) = ControlPlane::start_apart() else { return };
    cluster.kubectl(&["apply", "--kustomize", &manifests("base")]).succeeded();
    let podgate = start_as_shipped(&cluster, manifests("base/ml-restricted.yaml"));
    let namespace = cluster.namespace(&[LABEL]);
    cluster.await_refusal(&namespace, &bad_pod("bad"), "spec.hostIPC");
    eventually("a repaired pod", || {
        let ended = cluster.create(&lazy_pod("lazy"), &["--namespace", &namespace]);
        if ended.is_success { Ok(()) } else { Err(ended.errors) }
    });
    let security = &cluster.get(&namespace, "pod/lazy")["spec"]["containers"][0]["securityContext"];
    assert_eq!(security["runAsNonRoot"], true, "{security}");
    // A mirror pod is not repaired, and judged all the same.
    let mut mirror = lazy_pod("mirror");
    mirror["metadata"]["annotations"] = json!({ "kubernetes.io/config.mirror": "x" });
    mirror["spec"]["automountServiceAccountToken"] = json!(false);
    mirror["spec"]["nodeName"] = json!("a-node");
    let refused = cluster.create(&mirror, &["--namespace", &namespace]).failed();
    assert!(refused.contains("set it to RuntimeDefault"), "{refused}");
    // Its own namespace and those without the label are out of reach.
    let plain = cluster.namespace(&[]);
    cluster.kubectl(&["label", "namespace", OWN, "podgate.dev/policy=ml-restricted"]).succeeded();
    cluster.create(&bad_pod("bad"), &["--namespace", &plain]).succeeded();
    let own = cluster.create(&good_pod("good"), &["--namespace", OWN]);
    own.succeeded();

    assert_eq!(cluster.get(OWN, "lease/podgate")["spec"]["holderIdentity"], "podgate-0");
    assert_allowed(&podgate);
    assert!(podgate.terminate().success());
    assert_down(&cluster, &namespace);
}

/// Whether a line of podgate's log is about a right that it lacks.
fn is_denied(line: &str) -> bool {
    ["does not allow", "orbidden", "403 "].iter().any(|text| line.contains(text))
        && !line.contains("reviewed")
}

/// With podgate gone pods of labelled namespaces are refused, and what is not judged anyway is not.
fn assert_down(cluster: &ControlPlane, namespace: &str) {
    let refused = cluster.create(&lazy_pod("later"), &["--namespace", namespace]).failed();
    assert!(refused.contains("failed calling webhook \"pods.podgate.dev\""), "{refused}");
    let lazy = |arguments: &[&str]| cluster.kubectl(&[arguments, &["--namespace", namespace]].concat());
    lazy(&["annotate", "pod/lazy", "a=b"]).succeeded();
    let finalizer = |value: &str| format!(r#"{{"metadata":{{"finalizers":{value}}}}}"#);
    lazy(&["patch", "pod/lazy", "--type=merge", "--patch", &finalizer(r#"["podgate.dev/test"]"#)])
        .succeeded();
    lazy(&["patch", "pod/lazy", "--type=merge", "--patch", &finalizer("null")]).succeeded();
    let image = lazy(&["set", "image", "pod/lazy", "trainer=other"]).failed();
    assert!(image.contains("failed calling webhook"), "{image}");
    lazy(&["create", "deployment", "unwarned", "--image=x"]).succeeded();
    lazy(&["delete", "pod/lazy", "--now"]).succeeded();
    cluster.create(&good_pod("own"), &["--namespace", OWN]).succeeded();
    let glass = ["validatingwebhookconfiguration/podgate", "mutatingwebhookconfiguration/00-podgate"];
    cluster.kubectl(&[&["delete"], &glass[..]].concat()).succeeded();
    eventually("a pod without podgate", || {
        let ended = cluster.create(&lazy_pod("later"), &["--namespace", namespace]);
        if ended.is_success { Ok(()) } else { Err(ended.errors) }
    });
}

/// In place of Pod Security Admission, exactly as shipped: by the labels of any namespace, and with the right to
/// list the pods that are there.
#[test]
fn as_shipped_it_takes_the_place_of_pod_security_admission() {
    let without = ["--disable-admission-plugins=PodSecurity"];
    let Some(cluster) = ControlPlane::start_apart_with(&without) else { return };
    cluster.kubectl(&["apply", "--kustomize", &manifests("overlays/pod-security")]).succeeded();
    let configuration = cluster.folder().join("pod-security.yaml");
    let data = &cluster.get(OWN, "configmap/podgate")["data"];
    assert_eq!(data.as_object().unwrap().len(), 1, "{data}");
    fs::write(&configuration, data["pod-security.yaml"].as_str().unwrap()).unwrap();
    let podgate = start_as_shipped(&cluster, configuration);

    let create = ["create", "namespace", "team"];
    eventually("a namespace", || {
        let ended = cluster.kubectl(&create);
        if ended.is_success { Ok(()) } else { Err(ended.errors) }
    });
    let label = |label: &str| cluster.kubectl(&["label", "namespace", "team", "--overwrite", label]);
    let refused = label("pod-security.kubernetes.io/enforce=strict").failed();
    assert!(refused.contains("must be one of privileged, baseline, restricted"), "{refused}");
    eventually("a pod where no label asks for anything", || {
        let ended = cluster.create(&bad_pod("before"), &["--namespace", "team"]);
        if ended.is_success { Ok(()) } else { Err(ended.errors) }
    });
    let labelled = label("pod-security.kubernetes.io/enforce=baseline");
    assert!(labelled.errors.contains("Warning: existing pods in namespace \"team\""), "{labelled:?}");
    assert!(labelled.errors.contains("before: host namespaces"), "{labelled:?}");
    labelled.succeeded();
    let refused = cluster.create(&bad_pod("bad"), &["--namespace", "team"]).failed();
    let words = "admission webhook \"pods.podgate.dev\" denied the request: pods \"bad\" is forbidden: violates \
                 PodSecurity \"baseline:latest\": host namespaces (hostIPC=true)";
    assert!(refused.contains(words), "{refused}");
    let warned =
        cluster.kubectl(&["label", "namespace", "team", "pod-security.kubernetes.io/warn=restricted"]);
    warned.succeeded();
    let made = cluster.kubectl(&["create", "deployment", "d", "--image=x", "--namespace", "team"]);
    assert!(made.errors.contains("Warning: would violate PodSecurity \"restricted:latest\""), "{made:?}");
    // Reserved namespaces are out of reach whatever they are labelled.
    for reserved in ["kube-public", OWN] {
        let label = "pod-security.kubernetes.io/enforce=restricted";
        cluster.kubectl(&["label", "namespace", reserved, "--overwrite", label]).succeeded();
        eventually("the default service account", || {
            let ended = cluster.create(&bad_pod("own"), &["--namespace", reserved]);
            if ended.is_success { Ok(()) } else { Err(ended.errors) }
        });
    }
    assert_allowed(&podgate);
    assert!(podgate.terminate().success());

    // With podgate gone all else about a namespace can be changed, and its labels cannot.
    cluster.kubectl(&["annotate", "namespace", "team", "a=b"]).succeeded();
    let refused = label("pod-security.kubernetes.io/enforce=privileged").failed();
    assert!(refused.contains("failed calling webhook \"namespaces.podgate.dev\""), "{refused}");
    cluster.kubectl(&["delete", "namespace", "team", "--timeout=30s"]).succeeded();
}
