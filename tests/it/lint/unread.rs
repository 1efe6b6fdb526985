//! What cannot be read is reported, and hides nothing else.

use std::fmt::Write as _;

use insta::assert_snapshot;

use podgate::lint::report::FailOn;

use super::Case;

#[test]
fn a_broken_document_does_not_hide_the_others() {
    let text = "\
apiVersion: v1
kind: Pod
metadata: {name: before, namespace: ml}
spec: {hostPID: true}
---
apiVersion: v1
kind: Pod
spec: {hostPID: true
---
apiVersion: v1
kind: Pod
metadata: {name: after, namespace: ml}
spec: {hostPID: true}
";
    assert_snapshot!(Case::of(text).text(), @r#"
    2 objects: denied (1 change needed to meet "ml-restricted" in each) [PG-0002]
      a.yaml:1:1: Pod ml/before (line 4)
      a.yaml:10:1: Pod ml/after (line 13)
      - spec.hostPID is true -> remove it
    a.yaml:4:1: Pod ml/before is unresolved besides: no spec.containers
    a.yaml:13:1: Pod ml/after is unresolved besides: no spec.containers
    a.yaml:8:7: unclosed bracket '{' (not read, so not judged)

    control         objects  findings
    hostNamespaces        2         2
    ----
    2 objects with pods in 1 file: 2 denied, 1 not read
    exit 1
    "#);
}

#[test]
fn nothing_is_passed_over() {
    let table = [
        "apiVersion: v1\nkind: Pod\nspec:\n  containers:\n  - name: c\n    securityContext:\n      runAsUser: '0'",
        "apiVersion: v1\nkind: Pod\nmetadata:\n  annotations:\n    a.b/c: 1",
        "apiVersion: v1\nkind: Pod\nspec:\n  hostnetwork: true",
        "apiVersion: v1\nkind: Pod\nspec: [a]",
        "apiVersion: v1\nkind: Pod\nspec: {containers: c}",
        "apiVersion: v1\nkind: Pod\nspec:\n  hostPID: false\n  hostPID: true",
        "apiVersion: v1\nkind: Pod\nmetadata:\n  name: {{ .Release.Name }}\nspec: {}",
        "{{- if .Values.on }}\napiVersion: v1\nkind: Pod\n{{- end }}",
        "apiVersion: v1\nkind: Pod\nspec:\n  containers:\n  - name: c\n    securityContext: {runAsUser: 1.5}",
        "apiVersion: v1\nkind: Namespace\nmetadata: {name: ml, labels: {a: 1}}",
        "kind: Pod\nspec: {}",
        "replicas: 3",
    ];
    let mut messages = String::new();
    for text in table {
        let report = Case::of(text).run(&["a.yaml"]);
        assert_eq!(
            (report.exit_code(&FailOn::DEFAULT), report.unread.len(), report.objects.len()),
            (3, 1, 0),
            "{text}"
        );
        writeln!(messages, "{}", report.unread[0]).unwrap();
    }
    assert_snapshot!(messages, @r#"
a.yaml:7:18: spec.containers[0].securityContext.runAsUser: expected a whole number, found the string "0": remove the quotes
a.yaml:5:12: metadata.annotations[a.b/c]: expected a string, found the number 1: quote it
a.yaml:4:16: spec.hostnetwork: unknown field, did you mean hostNetwork?
a.yaml:3:1: spec: expected an object, found an array
a.yaml:3:20: spec.containers: expected an array, found the string c: write a list, as [a, b]
a.yaml:5:3: the key `hostPID` is set twice, on line 4 and on line 5
a.yaml:4:10: a list or mapping cannot be a key; line 4 looks like an unrendered template: render it first (`helm template`)
a.yaml:1:3: a value is expected here; quote it if it is text; line 1 looks like an unrendered template: render it first (`helm template`)
a.yaml:6:34: spec.containers[0].securityContext.runAsUser: expected a whole number of 64 bits, found the number 1.5
a.yaml:3:34: metadata.labels.a: expected a string, found the number 1: quote it
a.yaml:1:1: not a Kubernetes object: it has no apiVersion
a.yaml:1:1: not a Kubernetes object: it has neither apiVersion nor kind
"#);
}

#[test]
fn by_a_standard_alone_a_manifest_is_read_to_the_letter() {
    let text = "apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec: {hostnetwork: true, containers: [{name: c, image: i}]}";
    assert_snapshot!(Case::of(text).by_standard("baseline").text(), @"
    a.yaml:4:8: note: spec.hostnetwork: no field of Kubernetes, so it has no effect; did you mean hostNetwork?
    ----
    1 object with pods in 1 file: all allowed
    exit 0
    ");
}
