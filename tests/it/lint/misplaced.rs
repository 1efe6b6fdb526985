//! Fields in the wrong place and misspelt ones: a note each, and no other verdict.

use insta::{assert_json_snapshot, assert_snapshot};
use podgate::lint::{Input, Options, run};
use podgate::policy::PolicySet;

use super::{Case, GOOD, as_json};
use crate::pods::of_repository;
use crate::real_data;

#[test]
fn notes_follow_the_changes_and_do_not_count() {
    let text = format!(
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: d, namespace: ml}}\nspec:\n  template:\n    \
         securityContext: {{runAsUser: 1}}\n    spec:\n      runAsUser: 1000\n      containers:\n      - {GOOD}\n"
    );
    assert_snapshot!(Case::of(&text).text(), @"
    a.yaml:4:1: Deployment ml/d is unresolved: no spec.selector (a fragment, as a patch is: judge the whole object, kubectl kustomize DIR | podgate lint -)
    a.yaml:6:5: note: spec.template.securityContext: has no effect here; it belongs at spec.template.spec.securityContext
    a.yaml:8:7: note: spec.template.spec.runAsUser: has no effect here; it belongs at spec.template.spec.securityContext.runAsUser
    ----
    1 object with pods in 1 file: 1 unresolved
    exit 3
    ");
    assert_snapshot!(Case::of(&text).by_standard("restricted").text(), @"
    a.yaml:4:1: Deployment ml/d is unresolved: no spec.selector (a fragment, as a patch is: judge the whole object, kubectl kustomize DIR | podgate lint -)
    a.yaml:6:5: note: spec.template.securityContext: has no effect here; it belongs at spec.template.spec.securityContext
    a.yaml:8:7: note: spec.template.spec.runAsUser: has no effect here; it belongs at spec.template.spec.securityContext.runAsUser
    ----
    1 object with pods in 1 file: 1 unresolved
    exit 3
    ");
}

#[test]
fn a_misspelt_field_is_named_beside_the_change_that_it_was_meant_to_make() {
    let text = "apiVersion: v1\nkind: Pod\nmetadata: {name: p, namespace: ml}\nspec:\n  hostPID: true\n  containers:\n  \
                - name: a\n    securityContex: {privileged: true}\n";
    assert_snapshot!(Case::of(text).text(), @r#"
    a.yaml:1:1: Pod ml/p: denied (1 change needed to meet "ml-restricted") [PG-0002]
      5:12  spec.hostPID is true -> remove it
      podgate fills in: allowPrivilegeEscalation, capabilities.drop, runAsNonRoot, seccompProfile.type
    a.yaml:7:5: Pod ml/p is unresolved besides: container "a" has no image
    a.yaml:8:5: note: spec.containers[0].securityContex: no field of Kubernetes, so it has no effect; did you mean securityContext?
    ----
    1 object with pods in 1 file: 1 denied
    exit 1
    "#);
    assert_json_snapshot!(as_json(&Case::of(text).run(&[""]))["objects"][0]["misplaced"], @r#"
    [
      {
        "belongs": "spec.containers[0].securityContext",
        "column": 5,
        "field": "spec.containers[0].securityContex",
        "line": 8,
        "message": "no field of Kubernetes, so it has no effect; did you mean securityContext?"
      }
    ]
    "#);
}

/// Nobody is told that a field is in the wrong place in pods that Kubernetes itself is tested with.
#[test]
fn real_manifests_have_none() {
    let mut folders = vec![of_repository("examples"), of_repository("manifests")];
    folders.extend(real_data::folder(real_data::FIXTURES, "notes on upstream's fixtures"));
    let policies = || PolicySet::of_standard(&"restricted".parse().unwrap());
    for folder in folders {
        let options = Options { policies: policies(), ..Options::default() };
        let report = run(&[Input::Path(folder)], options);
        assert!(!report.objects.is_empty());
        for object in &report.objects {
            assert_eq!(object.misplaced, [], "{} {}", object.file, object.name);
        }
    }
}
