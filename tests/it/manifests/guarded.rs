//! The labels that are guarded are one value: what the guard guards, what the webhooks select by, and what podgate
//! takes to be guarded can only be changed together.

use std::fs;
use std::path::Path;

use podgate::policy::GUARDED_LABELS;
use serde_json::{Value as Json, json};

use super::rendered::{Programs, WITH_NAMESPACE, assert_same};
use super::{base, items, the, webhooks};
use crate::command::podgate;
use crate::pods::of_repository;
use crate::policies::policies;

const VARIABLE: &str = "PODGATE_GUARDED_LABELS";

/// What the program is told.
fn told(objects: &[Json]) -> &str {
    let container = &the(objects, "Deployment", "podgate")["spec"]["template"]["spec"]["containers"][0];
    let variable = items(&container["env"]).iter().find(|variable| variable["name"] == VARIABLE);
    variable.unwrap_or_else(|| panic!("no {VARIABLE}: {container:#}"))["value"].as_str().unwrap()
}

/// A variable of the guard, as it is written.
fn variable<'o>(objects: &'o [Json], name: &str) -> &'o str {
    let guard = the(objects, "ValidatingAdmissionPolicy", "podgate-policy-label");
    let variable = items(&guard["spec"]["variables"]).iter().find(|variable| variable["name"] == name);
    variable.unwrap_or_else(|| panic!("no variable {name}: {guard:#}"))["expression"].as_str().unwrap()
}

/// The keys that the webhooks' selectors ask for, without those that leave namespaces out.
fn selected(objects: &[Json]) -> Vec<&str> {
    webhooks(objects)
        .into_iter()
        .flat_map(|(_, webhook)| items(&webhook["namespaceSelector"]["matchExpressions"]))
        .filter(|expression| expression["operator"] == "Exists")
        .map(|expression| expression["key"].as_str().unwrap())
        .collect()
}

#[track_caller]
fn assert_guarded(objects: &[Json], labels: &str) {
    assert_eq!(told(objects), labels);
    assert_eq!(variable(objects, "guarded"), format!("'{labels}'.split(',')"));
    let first = labels.split(',').next().unwrap();
    let selected = selected(objects);
    assert_eq!(selected, vec![first; selected.len()]);
}

#[test]
fn the_program_the_base_and_the_chart_begin_with_the_same() {
    // The webhooks select by the first; the second grants access to devices that others use.
    assert_eq!(GUARDED_LABELS, "podgate.dev/policy,resource.kubernetes.io/admin-access");
    let help = podgate().args(["serve", "--help"]).output().unwrap();
    let help = String::from_utf8(help.stdout).unwrap();
    assert!(help.contains(&format!("[default: {GUARDED_LABELS}]")), "{help}");
    let objects = base();
    assert_guarded(&objects, GUARDED_LABELS);
    assert_eq!(selected(&objects).len(), 3);
    let values = fs::read_to_string(of_repository("manifests/helm/podgate/values.yaml")).unwrap();
    let values = podgate::yaml::read(&values).remove(0).unwrap().root.to_json();
    let values: Json = serde_json::from_slice(&values).unwrap();
    let of_chart: Vec<&str> = items(&values["guardedLabels"]).iter().filter_map(Json::as_str).collect();
    assert_eq!(of_chart.join(","), GUARDED_LABELS);
    let exemptions: Vec<&str> =
        items(&values["labelGuard"]["exemptionLabels"]).iter().filter_map(Json::as_str).collect();
    assert_eq!(variable(&objects, "exempting"), format!("'{}'.split(',')", exemptions.join(",")));
    assert_eq!(values["namespaceSelector"], json!({ "matchLabels": {}, "matchExpressions": [] }));
}

/// A folder beside a copy of the manifests, as docs/install.md describes it: one patch, and the labels in it.
fn with_labels(folder: &Path, base: &str, labels: &str) -> String {
    copy(&of_repository("manifests"), &folder.join("podgate/manifests"));
    let patch = json!({
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": { "name": "podgate" },
        "spec": { "template": { "spec": { "containers": [
            { "name": "podgate", "env": [{ "name": VARIABLE, "value": labels }] },
        ] } } },
    });
    let kustomization = json!({
        "resources": [format!("podgate/manifests/{base}")],
        "patches": [{ "target": { "kind": "Deployment", "name": "podgate" }, "patch": patch.to_string() }],
        "replacements": [{ "path": "podgate/manifests/base/guarded-labels.yaml" }],
    });
    fs::write(folder.join("kustomization.yaml"), kustomization.to_string()).unwrap();
    folder.to_str().unwrap().to_owned()
}

/// Copies a folder with all that is in it.
pub(crate) fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

#[test]
fn another_value_reaches_the_guard_the_selectors_and_the_program() {
    let Some(programs) = Programs::find("other guarded labels") else { return };
    for labels in ["podgate.dev/policy,environment", "ml.example.com/tier"] {
        let folder = tempfile::tempdir().unwrap();
        let kustomize = programs.kustomize(&with_labels(folder.path(), "base", labels));
        assert_guarded(&kustomize, labels);
        assert_eq!(selected(&kustomize).len(), 3);
        let helm = format!("guardedLabels={{{labels}}}");
        assert_same(&kustomize, &programs.helm(&[&WITH_NAMESPACE, &["--set", &helm][..]].concat()), labels);
    }
    let aks = tempfile::tempdir().unwrap();
    assert_guarded(&programs.kustomize(&with_labels(aks.path(), "overlays/aks", "a,b")), "a,b");
}

#[test]
fn a_selector_of_ones_own_asks_for_guarded_labels_alone() {
    let Some(programs) = Programs::find("a selector of one's own") else { return };
    let values = "guardedLabels={a,b},namespaceSelector.matchLabels.b=x,\
                  namespaceSelector.matchExpressions[0].key=kubernetes.io/metadata.name,\
                  namespaceSelector.matchExpressions[0].operator=NotIn,\
                  namespaceSelector.matchExpressions[0].values={sandbox}";
    let objects = programs.helm(&["--set", values]);
    for (_, webhook) in webhooks(&objects) {
        assert_eq!(webhook["namespaceSelector"]["matchLabels"], json!({ "b": "x" }));
        assert_eq!(items(&webhook["namespaceSelector"]["matchExpressions"]).len(), 2);
    }
    assert_eq!(told(&objects), "a,b");
}

/// Without the guard nothing is guarded, and podgate is told so.
#[test]
fn without_the_guard_nothing_is_guarded() {
    let Some(programs) = Programs::find("no guard") else { return };
    let objects = programs.helm(&["--set", "labelGuard.enabled=false"]);
    assert_eq!(told(&objects), "");
    assert!(objects.iter().all(|object| object["metadata"]["name"] != "podgate-policy-label"));
    assert_eq!(selected(&objects), ["podgate.dev/policy"; 3]);
}

/// Where Kubernetes' own labels decide they are guarded, and so is adding one where there is none.
#[test]
fn drop_in_mode_guards_kubernetes_own_labels() {
    let Some(programs) = Programs::find("the guard of the overlay pod-security") else { return };
    let objects = programs.kustomize("manifests/overlays/pod-security");
    let labels: Vec<String> = ["enforce", "audit", "warn"]
        .iter()
        .flat_map(|action| [(*action).to_owned(), format!("{action}-version")])
        .map(|name| format!("pod-security.kubernetes.io/{name}"))
        .collect();
    assert_guarded(&objects, &labels.join(","));
    assert_eq!(variable(&objects, "everywhere"), "true");
    assert_eq!(variable(&base(), "everywhere"), "false");
    // podgate finds nothing to warn of in what is shipped.
    let config = the(&objects, "ConfigMap", "podgate")["data"]["pod-security.yaml"].as_str().unwrap();
    let policies = policies(config);
    assert_eq!(policies.unguarded_labels(&told(&objects).parse().unwrap()), []);
    assert_eq!(policies.unguarded_labels(&GUARDED_LABELS.parse().unwrap()).len(), 6);
}
