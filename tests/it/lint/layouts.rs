//! The report for people, at the width of a terminal and in colours, and its shorter forms.

use insta::assert_snapshot;
use podgate::evaluate::Severity;
use podgate::lint::report::{Layout, concise, statistics, text};

use super::{Case, LENIENT};

/// Three pods that need the same, with other names of containers and on other lines, and one that needs less.
const TREE: &[(&str, &str)] = &[
    (
        "a.yaml",
        "apiVersion: v1
kind: Pod
metadata: {name: a, namespace: ml}
spec:
  hostNetwork: true
  containers:
  - {name: main, image: i, securityContext: {privileged: true}}
",
    ),
    (
        "b.yaml",
        "apiVersion: v1
kind: Pod
metadata:
  name: b
  namespace: ml
spec:
  hostNetwork: true
  containers:
  - name: other
    image: i
    securityContext:
      privileged: true
---
apiVersion: v1
kind: Pod
metadata: {name: c, namespace: ml}
spec:
  containers:
  - {name: main, image: i, securityContext: {privileged: true}}
",
    ),
    (
        "d.yaml",
        "{apiVersion: v1, kind: Pod, metadata: {name: d, namespace: ml}, spec: {hostNetwork: true, containers: [\
         {name: x, image: i, securityContext: {privileged: true}}, {name: z, image: i, securityContext: {privileged: true}}]}}",
    ),
];

fn tree() -> Case {
    Case::new(TREE).by_standard("baseline")
}

fn written(case: Case, layout: Layout) -> String {
    let report = case.run(&[""]);
    let mut bytes = Vec::new();
    text::write(&report, layout, &mut bytes).unwrap();
    text::write_table(&report, layout, &mut bytes).unwrap();
    String::from_utf8(bytes).unwrap()
}

#[test]
fn pods_that_need_the_same_are_shown_once() {
    assert_snapshot!(written(tree(), Layout::default()), @r#"
    3 objects: denied (2 changes needed to meet "baseline:latest" in each) [PG-0003]
      a.yaml:1:1: Pod ml/a (lines 5, 7)
      b.yaml:1:1: Pod ml/b (lines 7, 12)
      d.yaml:1:1: Pod ml/d (line 1)
      - spec.hostNetwork is true -> remove it
      - every container: securityContext.privileged is true -> remove it (a GPU is requested as a resource, not by privilege)
    b.yaml:14:1: Pod ml/c: denied (1 change needed to meet "baseline:latest") [PG-0001]
      19:58  container "main": securityContext.privileged is true -> remove it (a GPU is requested as a resource, not by privilege)

    control         objects  findings
    privileged            4         5
    hostNamespaces        3         3
    "#);
}

#[test]
fn lines_are_wrapped_at_the_width_and_no_word_is_cut() {
    let text = written(tree(), Layout { width: Some(60), ..Layout::default() });
    assert_snapshot!(text, @r#"
    3 objects: denied (2 changes needed to meet
      "baseline:latest" in each) [PG-0003]
      a.yaml:1:1: Pod ml/a (lines 5, 7)
      b.yaml:1:1: Pod ml/b (lines 7, 12)
      d.yaml:1:1: Pod ml/d (line 1)
      - spec.hostNetwork is true -> remove it
      - every container: securityContext.privileged is true ->
          remove it (a GPU is requested as a resource, not by
          privilege)
    b.yaml:14:1: Pod ml/c: denied (1 change needed to meet
      "baseline:latest") [PG-0001]
      19:58  container "main": securityContext.privileged is
               true -> remove it (a GPU is requested as a
               resource, not by privilege)

    control         objects  findings
    privileged            4         5
    hostNamespaces        3         3
    "#);
    let widest = text.lines().map(str::len).max().unwrap();
    assert!(widest <= 60, "{widest}");
    // Wrapping only puts line breaks in place of spaces.
    let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(words(&text), words(&written(tree(), Layout::default())));
}

#[test]
fn colours_change_nothing_but_colours() {
    for width in [None, Some(50)] {
        let plain = written(tree(), Layout { width, ..Layout::default() });
        let colored = written(tree(), Layout { width, is_colored: true, ..Layout::default() });
        assert!(colored.contains("\u{1b}["));
        assert_eq!(anstream::adapter::strip_str(&colored).to_string(), plain);
    }
}

#[test]
fn one_line_per_finding() {
    let report = tree().run(&[""]);
    let mut bytes = Vec::new();
    concise::write(&report, Layout::default(), &mut bytes).unwrap();
    assert_snapshot!(String::from_utf8(bytes).unwrap(), @r#"
    a.yaml:5:16: deny: hostNamespaces: spec.hostNetwork is true; remove it (Pod ml/a)
    a.yaml:7:58: deny: privileged: container "main": securityContext.privileged is true; remove it (a GPU is requested as a resource, not by privilege) (Pod ml/a)
    b.yaml:7:16: deny: hostNamespaces: spec.hostNetwork is true; remove it (Pod ml/b)
    b.yaml:12:19: deny: privileged: container "other": securityContext.privileged is true; remove it (a GPU is requested as a resource, not by privilege) (Pod ml/b)
    b.yaml:19:58: deny: privileged: container "main": securityContext.privileged is true; remove it (a GPU is requested as a resource, not by privilege) (Pod ml/c)
    d.yaml:1:85: deny: hostNamespaces: spec.hostNetwork is true; remove it (Pod ml/d)
    d.yaml:1:154: deny: privileged: container "x": securityContext.privileged is true; remove it (a GPU is requested as a resource, not by privilege) (Pod ml/d)
    d.yaml:1:212: deny: privileged: container "z": securityContext.privileged is true; remove it (a GPU is requested as a resource, not by privilege) (Pod ml/d)
    "#);
}

#[test]
fn statistics_count_objects_and_findings() {
    let report = tree().run(&[""]);
    let mut bytes = Vec::new();
    statistics::write(&report, Layout::default(), &mut bytes).unwrap();
    assert_snapshot!(String::from_utf8(bytes).unwrap(), @"
    control         objects  findings
    privileged            4         5
    hostNamespaces        3         3
    ");
}

#[test]
fn quiet_leaves_out_what_refuses_nothing() {
    let case = || {
        Case::of("{apiVersion: v1, kind: Pod, metadata: {name: p, namespace: ml}, spec: {containers: [{name: c, image: i}]}}")
            .by_policy(LENIENT)
    };
    assert!(written(case(), Layout::default()).contains("admitted with a warning"));
    assert_eq!(written(case(), Layout { least: Severity::Deny, ..Layout::default() }), "");
}
