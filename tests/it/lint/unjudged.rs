//! Objects that no policy reaches, and namespaces that are not known.

use insta::assert_snapshot;
use podgate::lint::report::FailOn;

use super::{Case, as_json, shown};

fn pod(name: &str, namespace: &str) -> String {
    let namespace = if namespace.is_empty() { String::new() } else { format!(", namespace: {namespace}") };
    format!(
        "{{apiVersion: v1, kind: Pod, metadata: {{name: {name}{namespace}}}, spec: {{containers: [{{name: a, image: i}}]}}}}\n---\n"
    )
}

#[test]
fn what_no_policy_reaches_is_named_by_namespace() {
    let namespaces = "{apiVersion: v1, kind: Namespace, metadata: {name: web}}\n---\n{apiVersion: v1, kind: Namespace, metadata: {name: data}}\n---\n";
    let pods = [pod("a", "web"), pod("b", "web"), pod("c", "data"), pod("d", "kube-system")].concat();
    let report = Case::of(&format!("{namespaces}{pods}")).run(&[""]);
    assert_snapshot!(shown(&report), @"
    ----
    4 objects with pods in 1 file: nothing was judged
    not judged: 4 objects in namespaces data, kube-system, web: no policy holds there (--fail-on unresolved,unjudged makes it fail for that, too)
    without a pod that podgate knows of: 2 Namespace (v1)
    exit 0
    ");
    let json = as_json(&report);
    for object in json["objects"].as_array().unwrap() {
        assert_eq!(
            (&object["verdict"], object["policies"].as_array().unwrap().len()),
            (&"allow".into(), 0),
            "{object}"
        );
    }
    assert_eq!((&json["summary"]["unjudged"], report.exit_code(&[FailOn::Unjudged])), (&4.into(), 1));
    let judged = pod("e", "ml");
    assert_snapshot!(Case::of(&format!("{namespaces}{pods}{judged}")).text(), @"
    ----
    5 objects with pods in 1 file: 1 allowed, 4 not judged
    not judged: 4 objects in namespaces data, kube-system, web: no policy holds there (--fail-on unresolved,unjudged makes it fail for that, too)
    without a pod that podgate knows of: 2 Namespace (v1)
    exit 0
    ");
}

#[test]
fn the_advice_tells_no_namespace_from_one_that_is_not_known() {
    let text = [pod("a", ""), pod("b", ""), pod("c", "unheard-of")].concat();
    assert_snapshot!(Case::of(&text).text(), @"
    ----
    3 objects with pods in 1 file: all allowed
    2 objects name no namespace, so every policy was taken to hold there; give it with -n NAMESPACE
    the labels of namespace unheard-of are not known, so every policy was taken to hold for 1 object there; give the Namespaces with --objects
    exit 0
    ");
    let report = Case::of(&text).in_namespace("ml").run(&[""]);
    assert_snapshot!(shown(&report), @"
    ----
    3 objects with pods in 1 file: all allowed
    the labels of namespace unheard-of are not known, so every policy was taken to hold for 1 object there; give the Namespaces with --objects
    exit 0
    ");
    let namespaces: Vec<&str> = report.objects.iter().map(|object| object.namespace.as_str()).collect();
    assert_eq!(namespaces, ["ml", "ml", "unheard-of"]);
    assert_eq!(as_json(&report)["objects"][0]["policies"], serde_json::json!(["ml-restricted"]));
    let report = Case::of(&text).by_standard("restricted:v1.30").run(&[""]);
    let json = as_json(&report);
    assert_eq!(json["objects"][2]["policies"], serde_json::json!(["restricted:v1.30"]));
    assert_eq!(json["objects"][2]["pods"][0]["findings"][0]["policy"], "restricted:v1.30");
}

#[test]
fn where_there_is_nothing_to_judge_it_is_said() {
    assert_snapshot!(Case::of("{apiVersion: v1, kind: Service}").text(), @"
    ----
    0 objects with pods in 1 file: nothing was judged
    without a pod that podgate knows of: 1 Service (v1)
    exit 0
    ");
}

/// A patch of a Namespace, as kustomize has it, may lack the label: nobody can tell which of the two is in the cluster.
#[test]
fn of_namespaces_that_contradict_each_other_none_is_known() {
    let pod = "{apiVersion: v1, kind: Pod, metadata: {name: p, namespace: ml}, spec: {hostNetwork: true, containers: [{name: c, image: i}]}}";
    let labelled = "{apiVersion: v1, kind: Namespace, metadata: {name: ml, labels: {podgate.dev/policy: ml-restricted}}}";
    let bare = "{apiVersion: v1, kind: Namespace, metadata: {name: ml, annotations: {a: b}}}";
    for (first, second) in [(labelled, bare), (bare, labelled)] {
        let report = Case::new(&[("a.yaml", first), ("b.yaml", pod), ("c.yaml", second)]).run(&[""]);
        assert_eq!(report.exit_code(&FailOn::DEFAULT), 1, "{report:?}");
        assert!(!report.objects[0].is_namespace_known);
    }
    let report = Case::new(&[("a.yaml", bare), ("b.yaml", pod), ("c.yaml", bare)]).run(&[""]);
    assert!(report.objects[0].policies.is_empty(), "{report:?}");
}

/// What a template has yet to fill in is no name, and may become any.
#[test]
fn a_name_that_no_namespace_can_have_is_not_known() {
    for namespace in ["__NS__", "${NAMESPACE}", "Team", "a.b"] {
        let text = format!(
            "{{apiVersion: v1, kind: Pod, metadata: {{name: p, namespace: '{namespace}'}}, spec: {{hostPID: true, containers: [{{name: c, image: i}}]}}}}"
        );
        let report = Case::of(&text).run(&[""]);
        assert_eq!(report.exit_code(&FailOn::DEFAULT), 1, "{namespace}: {report:?}");
    }
}

/// What is refused makes a run fail whatever else is to.
#[test]
fn a_refusal_fails_in_any_case() {
    let text = "{apiVersion: v1, kind: Pod, metadata: {name: p, namespace: ml}, spec: {hostPID: true, containers: [{name: c, image: i}]}}";
    let report = Case::of(text).run(&[""]);
    for outcome in [FailOn::Deny, FailOn::Warn, FailOn::Unresolved, FailOn::Unjudged] {
        assert_eq!(report.exit_code(&[outcome]), 1);
    }
}
