//! The notations of YAML and JSON.

use insta::assert_snapshot;

use super::Case;

#[test]
fn values_are_read_as_the_cluster_reads_them() {
    let text = "\
apiVersion: v1
kind: Pod
metadata: {name: p, namespace: ml}
spec:
  hostPID: on
  containers:
  - {name: hex, image: i, securityContext: {privileged: yes, runAsUser: 0x0}}
  - {name: octal, image: i, securityContext: {privileged: y, runAsUser: 00}}
  - {name: binary, image: i, securityContext: {privileged: 'yes', runAsUser: 0b0}}
";
    // Quoted, it is a string and not a boolean.
    assert_snapshot!(Case::of(text).text(), @r#"
    a.yaml:9:60: spec.containers[2].securityContext.privileged: expected true or false, found the string "yes": remove the quotes (not read, so not judged)
    ----
    0 objects with pods in 1 file: nothing was judged, 1 not read
    exit 3
    "#);
    let text = text.replace("'yes'", "TRUE");
    assert_snapshot!(Case::of(&text).text(), @r#"
    a.yaml:1:1: Pod ml/p: denied (3 changes needed to meet "ml-restricted") [PG-4003]
      5:12  spec.hostPID is true -> remove it
      7:57  all 3 containers: securityContext.privileged is true -> remove it (a GPU is requested as a resource, not by privilege)
      7:73  all 3 containers: securityContext.runAsUser is 0 -> set it to a number above 0 (removing it is enough only if the image's user is a number above 0)
      podgate fills in: allowPrivilegeEscalation, capabilities.drop, runAsNonRoot, seccompProfile.type
    ----
    1 object with pods in 1 file: 1 denied
    exit 1
    "#);
}

#[test]
fn anchors_and_merge_keys() {
    let text = "\
apiVersion: v1
kind: Pod
metadata: {name: p, namespace: ml}
spec:
  securityContext: &base
    runAsUser: 0
  containers:
  - name: merged
    image: i
    securityContext:
      <<: *base
      privileged: true
  - name: copied
    image: i
    securityContext: *base
";
    assert_snapshot!(Case::of(text).text(), @r#"
    a.yaml:1:1: Pod ml/p: denied (3 changes needed to meet "ml-restricted") [PG-4001]
      6:16   spec.securityContext.runAsUser is 0 -> set it to a number above 0 (removing it is enough only if the image's user is a number above 0)
      6:16   all 2 containers: securityContext.runAsUser is 0 -> set it to a number above 0 (removing it is enough only if the image's user is a number above 0) [by the alias on line 11]
      12:19  container "merged": securityContext.privileged is true -> remove it (a GPU is requested as a resource, not by privilege)
      podgate fills in: allowPrivilegeEscalation, capabilities.drop, runAsNonRoot, seccompProfile.type
    ----
    1 object with pods in 1 file: 1 denied
    exit 1
    "#);
}

#[test]
fn line_ends_and_byte_order_marks_do_not_move_places() {
    let text = "# c\napiVersion: v1\nkind: Pod\nmetadata: {name: p, namespace: ml}\nspec:\n  hostPID: true\n";
    let expected = Case::of(text).text();
    assert!(expected.contains("6:12"), "{expected}");
    assert_eq!(Case::of(&text.replace('\n', "\r\n")).text(), expected);
    assert_eq!(Case::of(&format!("\u{feff}{text}")).text(), expected);
}

#[test]
fn json_with_tabs_and_json_beside_yaml() {
    let json = "{\n\t\"apiVersion\": \"v1\",\n\t\"kind\": \"Pod\",\n\t\"metadata\": {\"name\": \"tabs\", \"namespace\": \"ml\"},\n\t\"spec\": {\n\t\t\"hostPID\":\ttrue\n\t}\n}\n";
    let yaml =
        "---\napiVersion: v1\nkind: Pod\nmetadata: {name: yaml, namespace: ml}\nspec: {hostPID: true}\n";
    assert_snapshot!(Case::of(&format!("{json}{json}{yaml}")).text(), @r#"
    3 objects: denied (1 change needed to meet "ml-restricted" in each) [PG-0002]
      a.yaml:1:1: Pod ml/tabs (line 6)
      a.yaml:9:1: Pod ml/tabs (line 14)
      a.yaml:18:1: Pod ml/yaml (line 21)
      - spec.hostPID is true -> remove it
    a.yaml:5:2: Pod ml/tabs is unresolved besides: no spec.containers
    a.yaml:13:2: Pod ml/tabs is unresolved besides: no spec.containers
    a.yaml:21:1: Pod ml/yaml is unresolved besides: no spec.containers

    control         objects  findings
    hostNamespaces        3         3
    ----
    3 objects with pods in 1 file: 3 denied
    exit 1
    "#);
}
