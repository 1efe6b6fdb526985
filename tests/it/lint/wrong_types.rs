//! Fields of the wrong type: all of an object at once, with what YAML made of what is written.

use insta::assert_snapshot;

use super::Case;

#[test]
fn all_of_an_object_are_reported() {
    let text = "\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: d
  labels: {on: on, version: 1.10}
spec:
  template:
    metadata: {annotations: {prometheus.io/scrape: true, prometheus.io/port: 8080}}
    spec:
      hostNetwork: \"false\"
      hostpid: true
      containers:
      - name: a
        env: [{name: PASSWORD, value: 12345}]
        securityContext: {runAsUser: \"1000\", capabilities: {drop: ALL}}
---
apiVersion: v1
kind: Pod
metadata: {name: p, namespace: ml}
spec: {hostPID: true}
";
    assert_snapshot!(Case::of(text).text(), @r#"
    a.yaml:17:1: Pod ml/p: denied (1 change needed to meet "ml-restricted") [PG-0002]
      20:17  spec.hostPID is true -> remove it
    a.yaml:20:1: Pod ml/p is unresolved besides: no spec.containers
    a.yaml:5:16: metadata.labels.true: expected a string, found on, which YAML reads as true: quote it (not read, so not judged)
    a.yaml:5:29: metadata.labels.version: expected a string, found 1.10, which YAML reads as the number 1.1: quote it (not read, so not judged)
    a.yaml:8:52: spec.template.metadata.annotations[prometheus.io/scrape]: expected a string, found the boolean true: quote it (not read, so not judged)
    a.yaml:8:78: spec.template.metadata.annotations[prometheus.io/port]: expected a string, found the number 8080: quote it (not read, so not judged)
    a.yaml:10:20: spec.template.spec.hostNetwork: expected true or false, found the string "false": remove the quotes (not read, so not judged)
    a.yaml:11:16: spec.template.spec.hostpid: unknown field, did you mean hostPID? (not read, so not judged)
    a.yaml:15:38: spec.template.spec.containers[0].securityContext.runAsUser: expected a whole number, found the string "1000": remove the quotes (not read, so not judged)
    a.yaml:15:67: spec.template.spec.containers[0].securityContext.capabilities.drop: expected an array, found the string ALL: write a list, as [a, b] (not read, so not judged)
    ----
    1 object with pods in 1 file: 1 denied, 8 not read
    exit 1
    "#);
}

#[test]
fn those_of_a_namespace_too() {
    let text = "apiVersion: v1\nkind: Namespace\nmetadata:\n  name: 1\n  labels: {a: y, b: '1', c: 2024-01-01, d: 0x1F}\n";
    assert_snapshot!(Case::of(text).text(), @"
    a.yaml:4:9: metadata.name: expected a string, found the number 1: quote it (not read, so not judged)
    a.yaml:5:15: metadata.labels.a: expected a string, found y, which YAML reads as true: quote it (not read, so not judged)
    a.yaml:5:44: metadata.labels.d: expected a string, found 0x1F, which YAML reads as the number 31: quote it (not read, so not judged)
    ----
    0 objects with pods in 1 file: nothing was judged, 3 not read
    exit 3
    ");
}
