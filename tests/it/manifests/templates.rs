//! The webhook for templates: what it is asked about follows from the table of kinds, in both of its forms.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;

use podgate::workload::{Kinds, WORKLOADS};
use serde_json::{Value as Json, json};

use super::rendered::{Programs, WITH_NAMESPACE, assert_same};
use super::{VALIDATING, base, items, resources, the};
use crate::pods::of_repository;
use crate::tidy::check_generated;

const BASE: &str = "manifests/base/validating.yaml";
const OF_CHART: &str = "manifests/helm/podgate/files/templates.yaml";
const HEADER: &str = "# From the kinds that podgate knows, by the tests: see CONTRIBUTING.md.\n";
/// What stands around the part of the base that is written by the tests.
const BEGIN: &str = "    # Down to the namespaceSelector from the kinds that podgate knows, by the tests: see CONTRIBUTING.md.\n";
const END: &str = "    namespaceSelector:\n";
const COMPONENT: &str = "manifests/components/templates-enforce/kustomization.yaml";
const OVERLAY: &str = "manifests/overlays/templates-enforce";
/// Longest list on one line.
const LONGEST_LINE: usize = 100;

/// What the webhook is asked about: Kubernetes' own kinds first, then custom resources by group.
fn asked() -> String {
    let kinds = Kinds::default();
    let mut text = String::new();
    writeln!(text, "matchConditions:\n  - name: changes-pods\n    expression: >-").unwrap();
    for (index, part) in kinds.condition().split(" || ").enumerate() {
        let or = if index == 0 { "" } else { "|| " };
        writeln!(text, "      {or}{part}").unwrap();
    }
    writeln!(text, "rules:").unwrap();
    for group in ["", "apps", "batch"] {
        let of_group =
            |workload: &&podgate::workload::Workload| workload.group == group && !workload.is_pod();
        let names: BTreeSet<String> =
            WORKLOADS.iter().filter(of_group).map(|workload| workload.resource.to_owned()).collect();
        rule(&mut text, if group.is_empty() { "\"\"" } else { group }, "v1", &names);
    }
    for (group, names) in kinds.reviewed_resources() {
        rule(&mut text, group, "\"*\"", &names);
    }
    text
}

fn rule(text: &mut String, group: &str, versions: &str, resources: &BTreeSet<String>) {
    let resources: Vec<&str> = resources.iter().map(String::as_str).collect();
    writeln!(text, "  - apiGroups: [{group}]\n    apiVersions: [{versions}]").unwrap();
    writeln!(text, "    operations: [CREATE, UPDATE]").unwrap();
    let line = format!("    resources: [{}]", resources.join(", "));
    if line.len() <= LONGEST_LINE {
        writeln!(text, "{line}").unwrap();
    } else {
        writeln!(text, "    resources:\n      - {}", resources.join("\n      - ")).unwrap();
    }
    writeln!(text, "    scope: Namespaced").unwrap();
}

/// A webhook of the validating configuration.
fn webhook(objects: &[Json]) -> &Json {
    let webhooks = items(&the(objects, VALIDATING, "podgate")["webhooks"]);
    webhooks.iter().find(|webhook| webhook["name"] == "templates.podgate.dev").unwrap()
}

#[test]
fn the_rules_are_those_of_the_kinds_that_are_known() {
    check_generated(OF_CHART, &format!("{HEADER}{}", asked()));
    let written = fs::read_to_string(of_repository(BASE)).unwrap();
    let (before, behind) = written.split_once(BEGIN).expect(BEGIN);
    let (_, after) = behind.split_once(END).unwrap();
    let indented: String = asked().lines().map(|line| format!("    {line}\n")).collect();
    check_generated(BASE, &format!("{before}{BEGIN}{indented}{END}{after}"));
}

/// podgate is told of no object of which it would say that it does not know it, and of each that it can judge.
#[test]
fn every_kind_that_can_be_judged_is_asked_about() {
    let objects = base();
    let asked = resources(webhook(&objects));
    let kinds = Kinds::default();
    for kind in kinds.iter() {
        let resource = format!("{}/{}", kind.group, kind.resource());
        let is_reviewed = kinds
            .iter()
            .filter(|row| (row.group, row.kind) == (kind.group, kind.kind))
            .any(podgate::workload::Kind::is_reviewed);
        assert_eq!(asked.contains(&resource), is_reviewed, "{resource}");
    }
    assert!(asked.len() > 80, "{} resources", asked.len());
    let condition = &webhook(&objects)["matchConditions"][0]["expression"];
    assert_eq!(*condition, kinds.condition());
}

#[test]
fn the_component_fails_closed_and_changes_nothing_else() {
    let component = document(&fs::read_to_string(of_repository(COMPONENT)).unwrap());
    let patch = document(component["patches"][0]["patch"].as_str().unwrap());
    let patch: json_patch::Patch = serde_json::from_value(patch).unwrap();
    let mut objects = base();
    let configuration = objects.iter_mut().find(|object| object["kind"] == VALIDATING).unwrap();
    let before = configuration.clone();
    json_patch::patch(configuration, &patch).unwrap();
    assert_eq!(webhook(&objects)["failurePolicy"], "Fail");
    assert_eq!(webhook(&objects)["timeoutSeconds"], 5);
    let configuration = objects.iter_mut().find(|object| object["kind"] == VALIDATING).unwrap();
    configuration["webhooks"][1]["failurePolicy"] = "Ignore".into();
    configuration["webhooks"][1]["timeoutSeconds"] = 2.into();
    assert_eq!(*configuration, before);
}

/// A document of YAML.
fn document(text: &str) -> Json {
    let document = podgate::yaml::read(text).remove(0).unwrap();
    serde_json::from_slice(&document.root.to_json()).unwrap()
}

/// The groups that the rules of a webhook name.
fn groups(objects: &[Json]) -> Vec<&str> {
    items(&webhook(objects)["rules"]).iter().map(|rule| rule["apiGroups"][0].as_str().unwrap()).collect()
}

#[test]
fn groups_are_chosen_by_a_value_and_by_a_patch() {
    let Some(programs) = Programs::find("the groups of the webhook for templates") else { return };
    let chosen = programs.helm(&["--set", "webhooks.templates.groups={ray.io,kubeflow.org}"]);
    assert_eq!(groups(&chosen), ["kubeflow.org", "ray.io"]);
    let core = programs.helm(&["--set-json", r#"webhooks.templates.groups=["","apps"]"#]);
    assert_eq!(groups(&core), ["", "apps"]);
    let folder = tempfile::tempdir_in(of_repository("target")).unwrap();
    let root = of_repository("");
    let patch = r"
apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
resources: [ROOT/manifests/overlays/templates-enforce]
patches:
  - target: {kind: ValidatingWebhookConfiguration, name: podgate}
    patch: |-
      - {op: test, path: /webhooks/1/name, value: templates.podgate.dev}
      - op: replace
        path: /webhooks/1/rules
        value:
          - apiGroups: [ray.io]
            apiVersions: ['*']
            operations: [CREATE, UPDATE]
            resources: [rayjobs]
            scope: Namespaced
";
    // Kustomize takes no absolute path.
    let depth = folder.path().strip_prefix(&root).unwrap().components().count();
    let up = vec![".."; depth].join("/");
    fs::write(folder.path().join("kustomization.yaml"), patch.replace("ROOT", &up)).unwrap();
    let patched = programs.kustomize(folder.path().to_str().unwrap());
    assert_eq!(items(&webhook(&patched)["rules"]).len(), 1);
    assert_eq!(webhook(&patched)["failurePolicy"], "Fail");
    // Their order is what commands that break the glass rely on.
    assert_eq!(the(&patched, VALIDATING, "podgate")["webhooks"][0]["name"], "pods.podgate.dev");
}

#[test]
fn the_chart_takes_no_group_that_it_does_not_know() {
    let Some(programs) = Programs::find("unknown groups") else { return };
    for (values, reason) in [
        ("webhooks.templates.groups={ray.oi}", "webhooks.templates.groups: podgate knows no kinds of ray.oi"),
        ("webhooks.templates.groups={ray.io},podSecurity.enabled=true", "podgate knows no kinds of ray.io"),
        ("webhooks.templates.enforce=true,podSecurity.enabled=true", "give one of the two"),
        ("webhooks.validating.metadataUpdates=true,podSecurity.enabled=true", "give one of the two"),
        ("webhooks.templates.enforce=true,webhooks.templates.enabled=false", "it is not enabled"),
        ("webhooks.templates.enforce=yes", "got string, want boolean"),
    ] {
        let error = programs.template(&["--set", values]).expect_err(values);
        assert!(error.contains(reason), "{values}: {error}");
    }
}

#[test]
fn a_longer_time_limit_is_kept_when_enforced() {
    let Some(programs) = Programs::find("the time limit of the webhook for templates") else { return };
    for (seconds, expected) in [(2, 5), (5, 5), (8, 8)] {
        let values = format!("webhooks.templates.enforce=true,webhooks.templates.timeoutSeconds={seconds}");
        let objects = programs.helm(&["--set", &values]);
        let webhook = webhook(&objects);
        assert_eq!(
            (&webhook["failurePolicy"], &webhook["timeoutSeconds"]),
            (&json!("Fail"), &json!(expected))
        );
    }
    let arguments = [&WITH_NAMESPACE[..], &["--set", "webhooks.templates.enforce=true"]].concat();
    assert_same(&programs.kustomize(OVERLAY), &programs.helm(&arguments), OVERLAY);
}
