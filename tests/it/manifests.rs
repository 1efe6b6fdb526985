//! The manifests: what must hold of them whoever renders them. `rendered` compares what Kustomize and Helm make.
//!
//! Each invariant is a function over objects, so that it is asked of the files here and of everything that is
//! rendered there.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::Stdio;

use podgate::policy::SYSTEM_NAMESPACES;
use podgate::workload::{Kinds, WORKLOADS};
use podgate::yaml;
use serde_json::{Value as Json, json};

use crate::command::podgate;
use crate::pods::{files, of_repository};

pub(crate) mod alerts;
mod guarded;
mod rendered;
mod static_manifests;
mod templates;

pub(crate) use guarded::copy;
pub(crate) use rendered::Programs;

const OWN_NAMESPACE: &str = "podgate-system";
/// Mutating configurations that act on what podgate sets, and so must come after its own (bytewise, by name).
const LATER: [&str; 5] = [
    "admission-webhook-mutating-webhook-configuration",
    "azure-wi-webhook-mutating-webhook-configuration",
    "inferenceservice.serving.kserve.io",
    "istio-sidecar-injector",
    "pod-identity-webhook",
];
const MUTATING: &str = "MutatingWebhookConfiguration";
const VALIDATING: &str = "ValidatingWebhookConfiguration";

/// The objects of a stream of YAML documents; Kustomize's own files are left out.
fn objects_of(name: &str, text: &str) -> Vec<Json> {
    let read = |document: Result<yaml::Document, yaml::YamlError>| {
        let document = document.unwrap_or_else(|fault| panic!("{name}: {fault}"));
        serde_json::from_slice(&document.root.to_json()).unwrap()
    };
    let is_ours = |object: &Json| {
        object["apiVersion"].as_str().is_some_and(|version| !version.starts_with("kustomize."))
    };
    yaml::read(text).into_iter().map(read).filter(is_ours).collect()
}

/// The objects of the base as its files have them.
pub(crate) fn base() -> Vec<Json> {
    let objects: Vec<Json> = files(&of_repository("manifests/base"), "yaml")
        .iter()
        .filter(|path| !path.ends_with("ml-restricted.yaml"))
        .flat_map(|path| objects_of(&path.display().to_string(), &fs::read_to_string(path).unwrap()))
        .collect();
    assert!(objects.len() > 15, "{} objects", objects.len());
    objects
}

/// The one object of a kind with this name.
fn the<'o>(objects: &'o [Json], kind: &str, name: &str) -> &'o Json {
    let mut found =
        objects.iter().filter(|object| object["kind"] == kind && object["metadata"]["name"] == name);
    match (found.next(), found.next()) {
        (Some(object), None) => object,
        (first, _) => panic!("{kind} {name}: {}", if first.is_some() { "twice" } else { "missing" }),
    }
}

/// The items of a list; none of what is absent.
fn items(list: &Json) -> &[Json] {
    list.as_array().map_or(&[], Vec::as_slice)
}

/// Both webhook configurations.
fn configurations(objects: &[Json]) -> impl Iterator<Item = &Json> {
    objects.iter().filter(|object| object["kind"] == MUTATING || object["kind"] == VALIDATING)
}

/// Every webhook, with the kind of its configuration.
fn webhooks(objects: &[Json]) -> Vec<(&str, &Json)> {
    configurations(objects)
        .flat_map(|object| {
            let kind = object["kind"].as_str().unwrap();
            items(&object["webhooks"]).iter().map(move |webhook| (kind, webhook))
        })
        .collect()
}

// ---- invariants

/// No webhook reaches the system's namespaces or podgate's own: by name, which nobody can change.
fn check_reserved(objects: &[Json]) {
    let reserved: BTreeSet<&str> = SYSTEM_NAMESPACES.into_iter().chain([OWN_NAMESPACE]).collect();
    assert!(!webhooks(objects).is_empty());
    for (kind, webhook) in webhooks(objects) {
        let excludes = |expression: &Json| {
            let names: BTreeSet<&str> =
                items(&expression["values"]).iter().filter_map(Json::as_str).collect();
            expression["key"] == "kubernetes.io/metadata.name"
                && expression["operator"] == "NotIn"
                && names.is_superset(&reserved)
        };
        let expressions = items(&webhook["namespaceSelector"]["matchExpressions"]);
        assert!(expressions.iter().any(excludes), "{kind}: {webhook:#}");
    }
}

/// What every webhook has and has not.
fn check_webhooks(objects: &[Json]) {
    for (kind, webhook) in webhooks(objects) {
        let path = if kind == MUTATING { "/mutate" } else { "/validate" };
        let service = json!({ "namespace": OWN_NAMESPACE, "name": "podgate", "path": path, "port": 443 });
        // No caBundle either: one here would be put back over the one that is published.
        assert_eq!(webhook["clientConfig"], json!({ "service": service }), "{kind}: {webhook:#}");
        assert_eq!(webhook["sideEffects"], "None");
        assert_eq!(webhook["matchPolicy"], "Equivalent");
        assert_eq!(webhook["admissionReviewVersions"], json!(["v1"]));
        assert!(webhook["timeoutSeconds"].as_u64().unwrap() <= 5, "{webhook:#}");
        // Whoever makes a pod must not choose whether it is judged; whether it gets an identity is theirs to choose.
        let may_select = kind == MUTATING && webhook["name"] == "identity.podgate.dev";
        let selector = &webhook["objectSelector"];
        let by_label = json!({ "matchLabels": { "azure.workload.identity/use": "true" } });
        assert!(if may_select { *selector == by_label } else { selector.is_null() }, "{webhook:#}");
        // Either of its two forms.
        let may_ignore = webhook["name"] == "templates.podgate.dev";
        let failure = &webhook["failurePolicy"];
        assert!(failure == "Fail" || may_ignore && failure == "Ignore", "{webhook:#}");
        for rule in items(&webhook["rules"]) {
            check_rule(rule);
        }
    }
}

/// A rule names resources that podgate knows; it refuses all others.
fn check_rule(rule: &Json) {
    for resource in items(&rule["resources"]).iter().filter_map(Json::as_str) {
        let (resource, _) = resource.split_once('/').unwrap_or((resource, ""));
        let group = rule["apiGroups"][0].as_str().unwrap();
        let is_workload =
            WORKLOADS.iter().any(|workload| workload.group == group && workload.resource == resource);
        let kinds = Kinds::default();
        let is_kind = kinds.reviewed_resources().get(group).is_some_and(|known| known.contains(resource));
        assert!(is_workload || is_kind || (group, resource) == ("", "namespaces"), "{rule:#}");
        assert_eq!(rule["apiGroups"].as_array().unwrap().len(), 1, "{rule:#}");
        // Templates are where they are in all versions of a custom resource, or the table says of which.
        assert_eq!(rule["apiVersions"], if is_kind { json!(["*"]) } else { json!(["v1"]) });
        assert_eq!(rule["scope"], if resource == "namespaces" { "Cluster" } else { "Namespaced" });
    }
}

/// All that the resources of a webhook's rules are called together, as `group/resource`.
fn resources(webhook: &Json) -> BTreeSet<String> {
    let of_rule = |rule: &Json| {
        let group = rule["apiGroups"][0].as_str().unwrap().to_owned();
        items(&rule["resources"])
            .iter()
            .map(move |resource| format!("{group}/{}", resource.as_str().unwrap()))
            .collect::<Vec<_>>()
    };
    items(&webhook["rules"]).iter().flat_map(of_rule).collect()
}

/// No role has a wildcard, none reads Secrets in the whole cluster, and none may create anything that stays.
fn check_roles(objects: &[Json]) {
    let roles: Vec<&Json> =
        objects.iter().filter(|object| object["kind"] == "ClusterRole" || object["kind"] == "Role").collect();
    assert!(!roles.is_empty());
    for role in roles {
        assert!(role["aggregationRule"].is_null(), "{role:#}");
        for rule in items(&role["rules"]) {
            for part in ["apiGroups", "resources", "verbs", "resourceNames"] {
                assert!(items(&rule[part]).iter().all(|value| value != "*"), "{role:#}");
            }
            let has = |part: &str, value: &str| items(&rule[part]).iter().any(|found| found == value);
            // A review is answered and not kept.
            let is_question = rule["resources"] == json!(["subjectaccessreviews"]);
            assert!((is_question || !has("verbs", "create")) && !has("verbs", "delete"), "{role:#}");
            let is_of_cluster = role["kind"] == "ClusterRole";
            assert!(!(is_of_cluster && has("resources", "secrets")), "{role:#}");
        }
    }
}

/// podgate's own pods meet the standard, and podgate's own policy with nothing filled in.
fn check_own_pods(objects: &[Json]) {
    let deployment = the(objects, "Deployment", "podgate");
    let standard = ["--standard", "restricted"];
    // The policy cannot reach the namespace that it is installed in; so for this it is another one.
    let policy = of_repository("policies/ml-restricted.yaml");
    let ours = ["--policy", policy.to_str().unwrap(), "--own-namespace", "elsewhere"];
    for arguments in [standard.as_slice(), ours.as_slice()] {
        let (code, report) = lint(arguments, deployment);
        assert_eq!(
            (code, &report["objects"][0]["verdict"]),
            (0, &json!("allow")),
            "{arguments:?}: {report:#}"
        );
        assert_eq!(report["objects"][0]["pods"][0]["findings"], json!([]), "{report:#}");
    }
}

/// The exit code and the report of the linter about an object in a namespace where the policy holds.
fn lint(arguments: &[&str], object: &Json) -> (i32, Json) {
    let namespace = json!({
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": { "name": OWN_NAMESPACE, "labels": { "podgate.dev/policy": "ml-restricted" } },
    });
    let mut child = podgate()
        .args(["lint", "--format", "json"])
        .args(arguments)
        .arg("-")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    write!(child.stdin.take().unwrap(), "{namespace}\n---\n{object}\n").unwrap();
    let ended = child.wait_with_output().unwrap();
    (ended.status.code().unwrap(), serde_json::from_slice(&ended.stdout).unwrap())
}

// ---- the files

#[test]
fn every_manifest_can_be_read() {
    let mut paths = files(&of_repository("manifests"), "yaml");
    // Templates are no YAML before they are rendered.
    paths.retain(|path| !path.components().any(|part| part.as_os_str() == "templates"));
    assert!(paths.len() > 25, "{} files", paths.len());
    for path in paths {
        let text = fs::read_to_string(&path).unwrap();
        let documents = yaml::read(&text);
        assert!(!documents.is_empty(), "{}", path.display());
        for document in documents {
            document.unwrap_or_else(|fault| panic!("{}: {fault}", path.display()));
        }
    }
}

#[test]
fn the_base_meets_every_invariant() {
    let objects = base();
    check_reserved(&objects);
    check_webhooks(&objects);
    check_roles(&objects);
    check_own_pods(&objects);
}

#[test]
fn a_pod_of_ours_that_breaks_the_policy_would_be_seen() {
    let mut deployment = the(&base(), "Deployment", "podgate").clone();
    let container = &mut deployment["spec"]["template"]["spec"]["containers"][0];
    container["securityContext"]["capabilities"] = json!({});
    let (code, report) = lint(&["--standard", "restricted"], &deployment);
    assert_eq!((code, &report["objects"][0]["verdict"]), (1, &json!("deny")), "{report:#}");
}

#[test]
fn shipped_policies_are_those_of_the_repository() {
    let policy = fs::read_to_string(of_repository("policies/ml-restricted.yaml")).unwrap();
    // The path of its schema holds in its own folder alone.
    let (schema, policy) = policy.split_once('\n').unwrap();
    assert!(schema.starts_with("# yaml-language-server: "), "{schema}");
    for copy in ["manifests/base/ml-restricted.yaml", "manifests/helm/podgate/policies/ml-restricted.yaml"] {
        assert_eq!(fs::read_to_string(of_repository(copy)).unwrap(), policy, "copy the policy to {copy}");
    }
}

#[test]
fn versions_are_that_of_the_crate() {
    let version = json!(env!("CARGO_PKG_VERSION"));
    let document = |path: &str| {
        let text = fs::read_to_string(of_repository(path)).unwrap();
        let document = yaml::read(&text).remove(0).unwrap();
        serde_json::from_slice::<Json>(&document.root.to_json()).unwrap()
    };
    let chart = document("manifests/helm/podgate/Chart.yaml");
    assert_eq!((&chart["version"], &chart["appVersion"]), (&version, &version));
    assert_eq!(document("manifests/base/kustomization.yaml")["images"][0]["newTag"], version);
}

#[test]
fn podgate_comes_before_the_webhooks_that_act_on_what_it_sets() {
    let objects = base();
    let configuration = configurations(&objects).find(|object| object["kind"] == MUTATING).unwrap();
    let name = configuration["metadata"]["name"].as_str().unwrap();
    assert!(LATER.iter().all(|later| name < *later), "{name}");
    let [webhook] = items(&configuration["webhooks"]) else { panic!("{configuration:#}") };
    assert_eq!(webhook["reinvocationPolicy"], "IfNeeded");
    assert_eq!(items(&webhook["rules"]).len(), 1);
    assert_eq!(webhook["rules"][0]["operations"], json!(["CREATE"]));
    assert_eq!(webhook["rules"][0]["resources"], json!(["pods"]));
}

#[test]
fn every_kind_with_pods_is_sent_to_podgate() {
    let objects = base();
    let named = |name: &str| {
        let is_named = |(kind, webhook): &(&str, &Json)| *kind == VALIDATING && webhook["name"] == name;
        resources(webhooks(&objects).into_iter().find(is_named).unwrap().1)
    };
    let pods = ["/pods", "/pods/ephemeralcontainers", "/pods/resize"].map(str::to_owned);
    assert_eq!(named("pods.podgate.dev"), BTreeSet::from(pods));
    let with_templates = WORKLOADS
        .iter()
        .filter(|workload| !workload.is_pod())
        .map(|workload| format!("{}/{}", workload.group, workload.resource));
    let asked = named("templates.podgate.dev");
    assert!(with_templates.into_iter().all(|resource| asked.contains(&resource)), "{asked:?}");
}

#[test]
fn podgate_may_do_what_it_must_and_nothing_else() {
    let objects = base();
    let configuration = |resource: &str, name: &str| {
        json!({
            "apiGroups": ["admissionregistration.k8s.io"],
            "resources": [resource],
            "resourceNames": [name],
            "verbs": ["get", "patch"],
        })
    };
    assert_eq!(
        the(&objects, "ClusterRole", "podgate")["rules"],
        json!([
            {
                "apiGroups": [""],
                "resources": ["namespaces", "serviceaccounts"],
                "verbs": ["get", "list", "watch"],
            },
            configuration("validatingwebhookconfigurations", "podgate"),
            configuration("mutatingwebhookconfigurations", "00-podgate"),
        ])
    );
    assert_eq!(
        the(&objects, "Role", "podgate")["rules"],
        json!([
            {
                "apiGroups": [""],
                "resources": ["secrets"],
                "resourceNames": ["podgate-tls"],
                "verbs": ["get", "list", "watch", "update"],
            },
            {
                "apiGroups": ["coordination.k8s.io"],
                "resources": ["leases"],
                "resourceNames": ["podgate"],
                "verbs": ["get", "update"],
            },
        ])
    );
    assert_eq!(
        the(&objects, "Role", "podgate-switch")["rules"],
        json!([{
            "apiGroups": [""],
            "resources": ["configmaps"],
            "resourceNames": ["podgate-switch"],
            "verbs": ["get", "list", "watch"],
        }])
    );
    // What is never created must be there.
    assert!(the(&objects, "Secret", "podgate-tls")["data"].is_null());
    assert!(the(&objects, "Lease", "podgate")["spec"].is_null());
    // And nobody is given the rights that the guards ask for.
    for binding in objects.iter().filter(|object| object["roleRef"].is_object()) {
        let role = &binding["roleRef"]["name"];
        assert!(role == "podgate" || role == "podgate-switch", "{binding:#}");
    }
}

#[test]
fn every_variable_of_the_manifests_is_a_flag() {
    let help = podgate().args(["serve", "--help"]).output().unwrap();
    let flags = variables(&String::from_utf8(help.stdout).unwrap());
    assert!(flags.contains("PODGATE_LISTEN"), "{flags:?}");
    let mut named = BTreeSet::new();
    for path in manifest_files(&of_repository("manifests")) {
        named.extend(variables(&fs::read_to_string(path).unwrap()));
    }
    assert!(named.contains("PODGATE_POLICY"), "{named:?}");
    let unknown: Vec<&String> = named.difference(&flags).collect();
    assert_eq!(unknown, [""; 0], "no flag of serve has these variables");
}

#[test]
fn alerts_ask_for_metrics_that_there_are() {
    let path = "manifests/components/service-monitor/alerts.yaml";
    let text = fs::read_to_string(of_repository(path)).unwrap();
    let server = fs::read_to_string(of_repository("docs/server.md")).unwrap();
    let is_inner = |character: char| character.is_ascii_alphanumeric() || character == '_';
    let metrics: BTreeSet<&str> =
        text.split(|character| !is_inner(character)).filter(|word| word.starts_with("podgate_")).collect();
    assert!(metrics.len() >= 4, "{metrics:?}");
    for metric in metrics {
        assert!(
            server.contains(&format!("`{metric}`")),
            "{path}: no such metric in docs/server.md: {metric}"
        );
    }
}

fn manifest_files(folder: &Path) -> Vec<std::path::PathBuf> {
    ["yaml", "tpl", "txt", "md"].iter().flat_map(|extension| files(folder, extension)).collect()
}

/// The names of podgate's variables in a text.
fn variables(text: &str) -> BTreeSet<String> {
    text.split(|character: char| !character.is_ascii_uppercase() && character != '_')
        .filter(|word| word.len() > "PODGATE_".len() && word.starts_with("PODGATE_"))
        .map(str::to_owned)
        .collect()
}
