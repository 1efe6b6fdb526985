//! What Kustomize and Helm make of the manifests: the same, object for object, and it meets every invariant.
//!
//! kubectl and helm are looked for in the folder that `PODGATE_UPSTREAM` names, else where `tests/upstream/build`
//! puts them. Without them these tests say what they left out; with `PODGATE_REQUIRE_UPSTREAM=1` they fail.

use std::collections::{BTreeMap, BTreeSet};
use std::env;
use std::path::PathBuf;
use std::process::Command;

use serde_json::{Value as Json, json};

use super::{
    OWN_NAMESPACE, VALIDATING, check_own_pods, check_reserved, check_roles, check_webhooks, items,
    objects_of, the, webhooks,
};
use crate::left_out::leave_out;
use crate::pods::of_repository;

const CHART: &str = "manifests/helm/podgate";
/// Labels that only Helm sets.
const OF_HELM: [&str; 2] = ["app.kubernetes.io/managed-by", "helm.sh/chart"];
/// Folders of Kustomize, and the arguments that have Helm make the same.
const PAIRS: [(&str, &[&str]); 11] = [
    ("manifests/base", &[]),
    ("manifests/overlays/cert-manager", &["--set", "tls.mode=certManager"]),
    ("manifests/overlays/aks", &["--set", "aks.selectors=true"]),
    ("manifests/overlays/aks", &["--values", "manifests/helm/podgate/presets/aks.yaml"]),
    ("manifests/overlays/kind", &["--values", "manifests/helm/podgate/presets/kind.yaml"]),
    ("manifests/overlays/pod-security", &["--set", "podSecurity.enabled=true"]),
    (
        "manifests/overlays/service-monitor",
        &["--set", "serviceMonitor.enabled=true,prometheusRule.enabled=true"],
    ),
    (
        "manifests/overlays/azure-identity",
        &[
            "--set",
            "aks.selectors=true,identity.rights=true,identity.azure.tenantId=00000000-0000-0000-0000-000000000000",
        ],
    ),
    ("manifests/overlays/exceptions", &["--set", "exceptions.rights=true"]),
    ("manifests/overlays/metadata-updates", &["--set", "webhooks.validating.metadataUpdates=true"]),
    ("manifests/overlays/templates-enforce", &["--set", "webhooks.templates.enforce=true"]),
];
/// Adds the Namespace, which Helm leaves to whoever installs.
pub(super) const WITH_NAMESPACE: [&str; 2] = ["--set", "namespace.create=true"];

/// Both programs, or `None` and a line about it.
pub(crate) struct Programs {
    folder: PathBuf,
}

impl Programs {
    pub(crate) fn find(test: &str) -> Option<Self> {
        let built = || {
            let target =
                env::var_os("CARGO_TARGET_DIR").map_or_else(|| of_repository("target"), PathBuf::from);
            target.join("upstream/bin")
        };
        let folder = env::var_os("PODGATE_UPSTREAM").map_or_else(built, PathBuf::from);
        if ["kubectl", "helm"].iter().all(|program| folder.join(program).is_file()) {
            return Some(Self { folder });
        }
        let what = "run tests/upstream/build, or set PODGATE_UPSTREAM";
        leave_out(test, &format!("there are no kubectl and helm in {}: {what}", folder.display()));
        None
    }

    /// Runs one of them in the repository: its output, or its errors.
    pub(crate) fn run(&self, program: &str, arguments: &[&str]) -> Result<String, String> {
        let ended = Command::new(self.folder.join(program))
            .args(arguments)
            .current_dir(of_repository(""))
            // Neither needs a cluster for this, and neither may find one.
            .env("KUBECONFIG", "/dev/null")
            .output()
            .unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        if ended.status.success() { Ok(text(ended.stdout)) } else { Err(text(ended.stderr)) }
    }

    pub(super) fn kustomize(&self, folder: &str) -> Vec<Json> {
        objects_of(folder, &self.run("kubectl", &["kustomize", folder]).unwrap())
    }

    pub(crate) fn template(&self, arguments: &[&str]) -> Result<Vec<Json>, String> {
        // Some builds of Helm take the cluster to be older than the chart allows.
        let fixed = ["template", "podgate", CHART, "--namespace", OWN_NAMESPACE, "--kube-version", "1.37.0"];
        self.run("helm", &[&fixed, arguments].concat()).map(|text| objects_of(CHART, &text))
    }

    pub(super) fn helm(&self, arguments: &[&str]) -> Vec<Json> {
        self.template(arguments).unwrap()
    }
}

/// Objects by what they are, without Helm's labels, and with the policies of a ConfigMap read: two texts may
/// say the same.
fn comparable(objects: &[Json]) -> BTreeMap<String, Json> {
    let mut comparable = BTreeMap::new();
    for mut object in objects.iter().cloned() {
        let metadata = &object["metadata"];
        let key = [&object["apiVersion"], &object["kind"], &metadata["namespace"], &metadata["name"]]
            .map(|part| part.as_str().unwrap_or_default())
            .join(" ");
        if let Some(labels) = object["metadata"]["labels"].as_object_mut() {
            labels.retain(|label, _| !OF_HELM.contains(&label.as_str()));
        }
        if object["kind"] == "ConfigMap" {
            for text in object["data"].as_object_mut().unwrap().values_mut() {
                *text = json!(objects_of(&key, text.as_str().unwrap()));
            }
        }
        assert!(comparable.insert(key.clone(), object).is_none(), "{key} twice");
    }
    comparable
}

#[track_caller]
pub(super) fn assert_same(kustomize: &[Json], helm: &[Json], what: &str) {
    let (kustomize, helm) = (comparable(kustomize), comparable(helm));
    let keys: BTreeSet<&String> = kustomize.keys().chain(helm.keys()).collect();
    for key in keys {
        let (left, right) = (kustomize.get(key), helm.get(key));
        assert!(
            left == right,
            "{what}: {key} differs.\nKustomize: {:#}\nHelm: {:#}",
            left.unwrap_or(&Json::Null),
            right.unwrap_or(&Json::Null)
        );
    }
}

#[test]
fn kustomize_and_helm_make_the_same() {
    let Some(programs) = Programs::find("what Kustomize and Helm make") else { return };
    for (folder, arguments) in PAIRS {
        let kustomize = programs.kustomize(folder);
        assert!(kustomize.len() >= 18, "{folder}: {} objects", kustomize.len());
        let helm = programs.helm(&[&WITH_NAMESPACE, arguments].concat());
        assert_same(&kustomize, &helm, folder);
    }
}

#[test]
fn helm_leaves_the_namespace_to_whoever_installs() {
    let Some(programs) = Programs::find("the namespace of a release") else { return };
    let mut without = programs.kustomize("manifests/base");
    let all = without.len();
    without.retain(|object| object["kind"] != "Namespace");
    assert_eq!(without.len() + 1, all);
    assert_same(&without, &programs.helm(&[]), "without the Namespace");
}

#[test]
fn everything_rendered_meets_every_invariant() {
    let Some(programs) = Programs::find("the invariants of what is rendered") else { return };
    for (folder, _) in PAIRS {
        let objects = programs.kustomize(folder);
        check_reserved(&objects);
        check_webhooks(&objects);
        check_roles(&objects);
        check_own_pods(&objects);
        let written = comparable(&objects).len();
        assert_eq!(written, objects.len(), "{folder}");
    }
    let moved = programs.helm(&["--values", "manifests/helm/podgate/presets/gke-private.yaml"]);
    check_own_pods(&moved);
    let ports = &the(&moved, "Deployment", "podgate")["spec"]["template"]["spec"]["containers"][0]["ports"];
    assert_eq!(ports[0]["containerPort"], 10250);
    assert_eq!(the(&moved, "NetworkPolicy", "podgate")["spec"]["ingress"][0]["ports"][0]["port"], 10250);
}

#[test]
fn cert_manager_takes_every_right_to_write_away() {
    let Some(programs) = Programs::find("the rights beside cert-manager") else { return };
    let files = "tls.mode=files,tls.existingSecret=mine,tls.caBundle=QUJD";
    for (what, objects) in [
        ("Kustomize", programs.kustomize("manifests/overlays/cert-manager")),
        ("Helm", programs.helm(&["--set", "tls.mode=certManager"])),
        ("Helm, files", programs.helm(&["--set", files])),
        (
            "Helm, in place of Pod Security",
            programs.helm(&["--set", "tls.mode=certManager,podSecurity.enabled=true"]),
        ),
    ] {
        // Whatever podgate's account is bound to, in the cluster and in its namespace.
        let is_ours = |subject: &Json| subject["name"] == "podgate";
        let mut bound: Vec<(&Json, &Json)> = objects
            .iter()
            .filter(|object| items(&object["subjects"]).iter().any(is_ours))
            .map(|binding| (&binding["roleRef"]["kind"], &binding["roleRef"]["name"]))
            .collect();
        bound.sort_by_key(|(kind, _)| kind.to_string());
        let switch = (&json!("Role"), &json!("podgate-switch"));
        assert_eq!(bound, [(&json!("ClusterRole"), &json!("podgate")), switch], "{what}");
        for rule in items(&the(&objects, "ClusterRole", "podgate")["rules"]) {
            let reads = ["get", "list", "watch"];
            let is_read = |verb: &Json| reads.iter().any(|read| verb == read);
            assert!(items(&rule["verbs"]).iter().all(is_read), "{what}: {rule:#}");
            let of =
                |resource: &Json| ["namespaces", "serviceaccounts", "pods"].iter().any(|one| resource == one);
            assert!(items(&rule["resources"]).iter().all(of), "{what}: {rule:#}");
        }
        for kind in ["Role", "RoleBinding", "Secret", "Lease"] {
            let is_switch = |object: &Json| object["metadata"]["name"] == "podgate-switch";
            let of_kind = |object: &&Json| object["kind"] == kind && !is_switch(object);
            assert!(objects.iter().find(of_kind).is_none(), "{what}: {kind}");
        }
    }
}

#[test]
fn drop_in_mode_reaches_namespaces_without_a_label() {
    let Some(programs) = Programs::find("the overlay pod-security") else { return };
    let objects = programs.kustomize("manifests/overlays/pod-security");
    let names: Vec<&Json> = webhooks(&objects).iter().map(|(_, webhook)| &webhook["name"]).collect();
    assert_eq!(names, ["pods.podgate.dev", "templates.podgate.dev", "namespaces.podgate.dev"]);
    for (kind, webhook) in webhooks(&objects) {
        assert_eq!(kind, VALIDATING);
        assert_eq!(items(&webhook["namespaceSelector"]["matchExpressions"]).len(), 1, "{webhook:#}");
        assert!(webhook["namespaceSelector"]["matchLabels"].is_null());
    }
}

#[test]
fn the_chart_is_clean_and_strict() {
    let Some(programs) = Programs::find("helm lint") else { return };
    programs.run("helm", &["lint", "--strict", CHART, "--namespace", OWN_NAMESPACE]).unwrap();
    for (value, reason) in [
        ("relicas=3", "additional properties 'relicas' not allowed"),
        ("replicas=0", "minimum: got 0, want 1"),
        ("webhooks.mutating.timeoutSeconds=6", "maximum: got 6, want 5"),
        ("webhooks.validating.failurePolicy=fail", "must be one of 'Fail', 'Ignore'"),
        ("tls.mode=files", "at '/tls/existingSecret': minLength"),
        ("guardedLabels={}", "guardedLabels"),
        ("guardedLabels=null", "name at least one label: with --reuse-values from an older chart"),
        ("guardedLabels={a b}", "does not match pattern"),
        ("namespaceSelector.matchLabels.team=a", "by the label team: add it to guardedLabels"),
        ("labelGuard.policyLabel=team", "additional properties 'policyLabel' not allowed"),
        ("podSecurity.enabled=true,policies.a\\.yaml=x", "give one of the two"),
    ] {
        let error = programs.template(&["--set", value]).expect_err(value);
        assert!(error.contains(reason), "{value}: {error}");
    }
    // The last of two holds.
    let error = programs.template(&["--namespace", "kube-system"]).expect_err("a reserved namespace");
    assert!(error.contains("podgate needs a namespace of its own"), "{error}");
}

#[test]
fn files_and_another_name_reach_the_objects() {
    let Some(programs) = Programs::find("values that no overlay has") else { return };
    let values = "tls.mode=files,tls.existingSecret=mine,tls.caBundle=QUJD,\
                  webhooks.mutating.configurationName=0-first,excludedNamespaces={infra},aks.disableEnforcer=true";
    let objects = programs.helm(&["--set", values]);
    let configuration = the(&objects, super::MUTATING, "0-first");
    assert_eq!(configuration["metadata"]["labels"]["admissions.enforcer/disabled"], "true");
    for (_, webhook) in webhooks(&objects) {
        assert_eq!(webhook["clientConfig"]["caBundle"], "QUJD");
        let names = &webhook["namespaceSelector"]["matchExpressions"][1]["values"];
        assert_eq!(names[4], "infra", "{names}");
    }
    let pod = &the(&objects, "Deployment", "podgate")["spec"]["template"]["spec"];
    let environment: BTreeMap<&str, &Json> = items(&pod["containers"][0]["env"])
        .iter()
        .map(|variable| (variable["name"].as_str().unwrap(), &variable["value"]))
        .collect();
    assert_eq!(environment["PODGATE_MUTATING_CONFIGURATION"], "0-first");
    assert_eq!(environment["PODGATE_TLS_CERT"], "/etc/podgate/tls/tls.crt");
    assert_eq!(pod["volumes"][1]["secret"]["secretName"], "mine");
}
