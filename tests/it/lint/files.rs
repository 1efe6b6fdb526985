//! Files, folders, and the output.

use std::io;
use std::io::Write;
use std::os::unix::fs::symlink;

use insta::assert_snapshot;
use podgate::lint::report::{Layout, json, summary, text};

use super::{Case, shown};

#[test]
fn a_folder_is_walked_in_order() {
    let pod = |name: &str| {
        format!("{{apiVersion: v1, kind: Pod, metadata: {{name: {name}}}, spec: {{hostPID: true}}}}")
    };
    let case = Case::new(&[
        ("b.yml", &pod("b")),
        (
            "a/c.json",
            "{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"metadata\":{\"name\":\"c\"},\"spec\":{\"hostPID\":true}}",
        ),
        ("a/b.YAML", &pod("ab")),
        ("a/notes.txt", "not: a manifest"),
        ("c.yaml/inside.yaml", &pod("inside")),
        ("empty.yaml", ""),
        ("comment.yaml", "# nothing\n---\n"),
        (".hidden/x.yaml", &pod("hidden")),
        ("ignored/x.yaml", &pod("ignored")),
        (".ignore", "ignored/\n"),
    ]);
    case.write("bytes.yaml", b"apiVersion: v1\nkind: Pod\nname: \xff");
    let folder = case.folder.path();
    symlink(folder.join("b.yml"), folder.join("link.yaml")).unwrap();
    symlink(folder.join("gone"), folder.join("lost.yaml")).unwrap();
    assert_snapshot!(case.by_standard("baseline").text(), @r#"
    5 objects: denied (1 change needed to meet "baseline:latest" in each) [PG-0002]
      a/b.YAML:1:1: Pod ab (line 1)
      a/c.json:1:1: Pod c (line 1)
      b.yml:1:1: Pod b (line 1)
      c.yaml/inside.yaml:1:1: Pod inside (line 1)
      link.yaml:1:1: Pod b (line 1)
      - spec.hostPID is true -> remove it
    a/b.YAML:1:51: Pod ab is unresolved besides: no spec.containers
    a/c.json:1:57: Pod c is unresolved besides: no spec.containers
    b.yml:1:50: Pod b is unresolved besides: no spec.containers
    c.yaml/inside.yaml:1:55: Pod inside is unresolved besides: no spec.containers
    link.yaml:1:50: Pod b is unresolved besides: no spec.containers
    lost.yaml: there is no such file or folder (not read, so not judged)
    bytes.yaml:3:7: not UTF-8; save it as UTF-8 (not read, so not judged)

    control         objects  findings
    hostNamespaces        5         5
    ----
    5 objects with pods in 9 files: 5 denied, 2 not read
    exit 1
    "#);
}

#[test]
fn what_is_named_is_read_whatever_it_is_called() {
    let text = "{apiVersion: v1, kind: Pod, metadata: {name: p}, spec: {hostPID: true}}";
    let case = Case::new(&[("pod", text), ("empty/.keep", "")]).by_standard("baseline");
    let report = case.run(&["pod", "empty", "pod", "absent.yaml"]);
    assert_snapshot!(shown(&report), @r#"
    pod:1:1: Pod p: denied (1 change needed to meet "baseline:latest") [PG-0002]
      1:66  spec.hostPID is true -> remove it
      Kubernetes says: violates PodSecurity "baseline:latest": host namespaces (hostPID=true)
    pod:1:50: Pod p is unresolved besides: no spec.containers
    empty: no manifest in it (.yaml, .yml, .json; ignored and hidden files are left out) (not read, so not judged)
    absent.yaml: there is no such file or folder (not read, so not judged)
    ----
    1 object with pods in 3 files: 1 denied, 2 not read
    exit 1
    "#);
}

#[test]
fn what_a_manifest_is_called_cannot_move_the_cursor() {
    let text = "{apiVersion: v1, kind: Pod, metadata: {name: \"\\e[2J\"}, spec: {hostPID: true, containers: [{name: \"a\\nb\", securityContext: {privileged: true}}]}}";
    let report = Case::new(&[("\u{1b}[31m.yaml", text)]).by_standard("baseline").run(&[""]);
    assert_snapshot!(shown(&report), @r#"
    \u{1b}[31m.yaml:1:1: Pod \u{1b}[2J: denied (2 changes needed to meet "baseline:latest") [PG-0003]
      1:72   spec.hostPID is true -> remove it
      1:136  container "a\u{a}b": securityContext.privileged is true -> remove it (a GPU is requested as a resource, not by privilege)
      Kubernetes says: violates PodSecurity "baseline:latest": host namespaces (hostPID=true), privileged (container "a\u{a}b" must not set securityContext.privileged=true)
    \u{1b}[31m.yaml:1:92: Pod \u{1b}[2J is unresolved besides: container "a\u{a}b" has no image
    ----
    1 object with pods in 1 file: 1 denied
    exit 1
    "#);
    // In JSON the text is left as it is.
    let detail = &report.objects[0].pods[0].detail;
    assert!(detail.contains("container \"a\nb\""), "{detail}");
}

#[test]
fn an_output_that_closes_is_an_error_not_a_panic() {
    struct Closed;

    impl Write for Closed {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::BrokenPipe.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    let report = Case::of("{apiVersion: v1, kind: Pod, spec: {hostPID: true}}").run(&[""]);
    for written in [
        json::write(&report, &mut Closed),
        text::write(&report, Layout::default(), &mut Closed),
        summary::write(&report, &mut Closed),
    ] {
        assert_eq!(written.unwrap_err().kind(), io::ErrorKind::BrokenPipe);
    }
}

#[test]
fn a_link_to_a_folder_is_named_and_not_followed() {
    let case = Case::new(&[
        ("tree/good.yaml", "{apiVersion: v1, kind: ConfigMap}"),
        ("other/bad.yaml", "{apiVersion: v1, kind: Pod, metadata: {name: p}, spec: {hostPID: true}}"),
    ])
    .by_standard("baseline");
    symlink(case.folder.path().join("other"), case.folder.path().join("tree/link")).unwrap();
    let report = case.run(&["tree"]);
    assert_eq!((report.objects.len(), report.summary.linked_folders.len()), (0, 1), "{report:?}");
    assert!(shown(&report).contains("tree/link; name them to have them judged"), "{}", shown(&report));
}
