//! Kubeflow's PodDefaults of the run: merged into the pods that they select, judged there, and named where they are at fault.

use podgate::lint::report::ObjectVerdict;

use super::super::{Case, GOOD};
use super::denied;

const DEFAULT: &str = "\
apiVersion: kubeflow.org/v1alpha1
kind: PodDefault
metadata: {name: gcp, namespace: ml}
spec:
  selector: {matchLabels: {gcp: 'true'}}
  env: [{name: A, value: b}]
  envFrom: [{secretRef: {name: s}}]
  volumeMounts: [{name: v, mountPath: /v}]
  volumes:
  - name: v
    hostPath: {path: /}
  tolerations: [{key: gpu, operator: Exists}]
  serviceAccountName: editor
  labels: {l: m}
  annotations: {n: o}
  sidecars:
  - name: side
    image: i
    securityContext:
      privileged: true
  initContainers:
  - name: first
    image: i
    ports: [{hostPort: 5}]
";

/// A pod of the namespace with this metadata and spec.
fn pod(metadata: &str, spec: &str) -> String {
    format!(
        "{{apiVersion: v1, kind: Pod, metadata: {{name: p, namespace: ml{metadata}}}, spec: {{containers: [{GOOD}]{spec}}}}}"
    )
}

const SELECTED: &str = ", labels: {gcp: 'true'}";

fn from(field: &str, line: usize) -> (String, usize, Option<String>) {
    (field.to_owned(), line, Some("PodDefault gcp a.yaml".to_owned()))
}

#[test]
fn what_a_pod_default_adds_is_judged_in_every_kind_of_pod() {
    let template = format!("metadata: {{labels: {{gcp: 'true'}}}}, spec: {{containers: [{GOOD}]}}");
    let deployment = format!(
        "{{apiVersion: apps/v1, kind: Deployment, metadata: {{name: p, namespace: ml}}, spec: {{selector: {{}}, template: {{{template}}}}}}}"
    );
    let job = format!(
        "{{apiVersion: kubeflow.org/v1, kind: PyTorchJob, metadata: {{name: p, namespace: ml}}, spec: {{pytorchReplicaSpecs: {{Worker: \
         {{template: {{{template}}}}}}}}}}}"
    );
    // Its controller gives the pod the labels of the notebook.
    let notebook = format!(
        "{{apiVersion: kubeflow.org/v1, kind: Notebook, metadata: {{name: p, namespace: ml, labels: {{gcp: 'true'}}}}, spec: {{template: \
         {{spec: {{containers: [{GOOD}]}}}}}}}}"
    );
    for (kind, text) in
        [("Pod", pod(SELECTED, "")), ("Deployment", deployment), ("PyTorchJob", job), ("Notebook", notebook)]
    {
        for case in [
            Case::new(&[("a.yaml", DEFAULT), ("b.yaml", &text)]),
            Case::new(&[("a.yaml", DEFAULT), ("b.yaml", &text)]).by_standard("restricted"),
        ] {
            let mut found = denied(&case.run(&[""]), kind);
            found.retain(|(field, _, _)| !field.ends_with("securityContext") && field.contains(['h', 'g']));
            let privileged = from("spec.sidecars[0].securityContext.privileged", 20);
            let ports = from("spec.initContainers[0].ports[0].hostPort", 24);
            let volume = from("spec.volumes[0].hostPath", 11);
            for expected in [privileged, ports, volume] {
                assert!(found.contains(&expected), "{kind}: {expected:?} in {found:#?}");
            }
            assert!(found.iter().all(|(_, _, from)| from.is_some()), "{found:#?}");
        }
    }
}

#[test]
fn who_is_not_selected_is_judged_as_written() {
    for (metadata, verdict) in [
        (SELECTED, ObjectVerdict::Deny),
        ("", ObjectVerdict::Allow),
        (", labels: {gcp: 'false'}", ObjectVerdict::Allow),
        (
            ", labels: {gcp: 'true'}, annotations: {poddefault.admission.kubeflow.org/exclude: 'true'}",
            ObjectVerdict::Allow,
        ),
        (
            ", labels: {gcp: 'true'}, annotations: {poddefault.admission.kubeflow.org/exclude: 'false'}",
            ObjectVerdict::Deny,
        ),
        (", labels: {gcp: '{{x}}'}", ObjectVerdict::Unresolved),
        (", labels: '{{x}}'", ObjectVerdict::Unresolved),
    ] {
        let report = Case::new(&[("a.yaml", DEFAULT), ("b.yaml", &pod(metadata, ""))]).run(&[""]);
        let object = report.objects.iter().find(|object| object.name == "p");
        let found = object.map(|object| object.verdict);
        assert_eq!(found, Some(verdict), "{metadata} {object:?} {:?}", report.unread);
    }
    let elsewhere = DEFAULT.replace("namespace: ml", "namespace: other");
    let report = Case::new(&[("a.yaml", &elsewhere), ("b.yaml", &pod(SELECTED, ""))]).run(&["b.yaml"]);
    assert_eq!(report.objects[0].verdict, ObjectVerdict::Allow);
}

#[test]
fn selectors_are_those_of_labels() {
    for (selector, verdict) in [
        ("{}", ObjectVerdict::Deny),
        ("{matchExpressions: [{key: gcp, operator: In, values: ['false', 'true']}]}", ObjectVerdict::Deny),
        ("{matchExpressions: [{key: gcp, operator: In, values: ['false']}]}", ObjectVerdict::Allow),
        ("{matchExpressions: [{key: gcp, operator: NotIn, values: ['false']}]}", ObjectVerdict::Deny),
        ("{matchExpressions: [{key: gcp, operator: NotIn, values: ['true']}]}", ObjectVerdict::Allow),
        ("{matchExpressions: [{key: none, operator: NotIn, values: ['true']}]}", ObjectVerdict::Deny),
        ("{matchExpressions: [{key: gcp, operator: Exists}]}", ObjectVerdict::Deny),
        ("{matchExpressions: [{key: none, operator: Exists}]}", ObjectVerdict::Allow),
        ("{matchExpressions: [{key: none, operator: DoesNotExist}]}", ObjectVerdict::Deny),
        ("{matchExpressions: [{key: gcp, operator: DoesNotExist}]}", ObjectVerdict::Allow),
        ("{matchLabels: {gcp: 'true', other: x}}", ObjectVerdict::Allow),
        (
            "{matchLabels: {gcp: 'true'}, matchExpressions: [{key: other, operator: Exists}]}",
            ObjectVerdict::Allow,
        ),
        ("{matchLabels: {gcp: '${X}'}}", ObjectVerdict::Unresolved),
        ("{matchExpressions: [{key: gcp, operator: Odd}]}", ObjectVerdict::Unresolved),
        ("{matchExpressions: 5}", ObjectVerdict::Unresolved),
        ("'{{s}}'", ObjectVerdict::Unresolved),
        ("{matchLabels: {none: '${X}'}}", ObjectVerdict::Allow),
    ] {
        let default = DEFAULT.replace("{matchLabels: {gcp: 'true'}}", selector);
        let report =
            Case::new(&[("a.yaml", &default), ("b.yaml", &pod(SELECTED, ""))]).run(&["b.yaml", "a.yaml"]);
        let object = report.objects.iter().find(|object| object.name == "p").unwrap();
        assert_eq!(object.verdict, verdict, "{selector} {object:?}");
    }
}

/// What is unresolved about the pod beside these PodDefaults.
fn unresolved(defaults: &[&str], pod: &str) -> (ObjectVerdict, String) {
    let names = ["a.yaml", "c.yaml", "d.yaml"];
    let mut files = vec![("b.yaml", pod)];
    files.extend(names.into_iter().zip(defaults.iter().copied()));
    let report = Case::new(&files).run(&[""]);
    let object = report.objects.iter().find(|object| object.name == "p");
    let object = object.unwrap_or_else(|| panic!("{pod}: {:?}", report.unread));
    let texts = object.pods[0].unresolved.iter().map(|entry| format!("{:?}: {}", entry.reason, entry.text));
    (object.verdict, texts.collect::<Vec<_>>().join("\n"))
}

#[test]
fn a_conflict_is_told_since_the_webhook_refuses_such_a_pod() {
    let default = |spec: &str| {
        format!(
            "{{apiVersion: kubeflow.org/v1alpha1, kind: PodDefault, metadata: {{name: gcp, namespace: ml}}, spec: {{selector: {{}}, {spec}}}}}"
        )
    };
    let container = |more: &str| format!(", volumes: [{{name: v, emptyDir: {{}}}}]{more}");
    for (spec, of_pod, at) in [
        ("volumes: [{name: v, hostPath: {path: /}}]", container(""), "volumes v"),
        (
            "tolerations: [{key: a, operator: Exists}]",
            ", tolerations: [{key: a, value: secret}]".to_owned(),
            "tolerations a",
        ),
        ("sidecars: [{name: c, image: other}]", String::new(), "sidecars c"),
        (
            "initContainers: [{name: one, image: a}]",
            ", initContainers: [{name: one, image: b}]".to_owned(),
            "initContainers one",
        ),
        ("labels: {gcp: other}", String::new(), "labels gcp"),
    ] {
        let (verdict, text) = unresolved(&[&default(spec)], &pod(SELECTED, &of_pod));
        assert_eq!(verdict, ObjectVerdict::Unresolved, "{spec}");
        let expected = format!(
            "Conflict: Kubeflow's webhook refuses the pod: PodDefault gcp has other {at} than the pod or another PodDefault"
        );
        assert_eq!(text, expected, "{spec}");
    }
    // Equal is no conflict, in whatever order it is written.
    let same = default("volumes: [{emptyDir: {}, name: v}], labels: {gcp: 'true'}");
    assert_eq!(unresolved(&[&same], &pod(SELECTED, &container(""))), (ObjectVerdict::Allow, String::new()));
    // Values of the environment are nobody's business.
    let env = GOOD.replace(
        "image: i",
        "image: i, env: [{name: A, value: secret}], volumeMounts: [{name: v, mountPath: /a}]",
    );
    let pod = pod(SELECTED, "").replace(GOOD, &env);
    let (_, text) = unresolved(&[&default("env: [{name: A, value: other}]")], &pod);
    assert!(
        text.contains("env A") && !text.contains("secret") && !text.contains("other than the pod secret"),
        "{text}"
    );
    let (_, text) = unresolved(&[&default("volumeMounts: [{name: v, mountPath: /b}]")], &pod);
    assert!(text.contains("volumeMounts v"), "{text}");
    let (_, text) = unresolved(&[&default("volumeMounts: [{name: w, mountPath: /a}]")], &pod);
    assert!(text.contains("volumeMounts /a"), "{text}");
    // What the pod itself lacks or holds is refused all the same.
    let bad = pod.replace("spec: {", "spec: {hostPID: true, ");
    assert_eq!(unresolved(&[&default("env: [{name: A, value: b}]")], &bad).0, ObjectVerdict::Deny);
}

#[test]
fn two_of_one_name_that_differ_and_malformed_ones_are_unresolved() {
    let other = DEFAULT.replace("privileged: true", "privileged: false");
    let (verdict, text) = unresolved(&[DEFAULT, &other], &pod(SELECTED, ""));
    assert_eq!(verdict, ObjectVerdict::Unresolved);
    assert_eq!(
        text,
        "Conflict: there are several PodDefaults gcp that differ: what they add to the pod is not known"
    );
    let good = "{apiVersion: kubeflow.org/v1alpha1, kind: PodDefault, metadata: {name: gcp, namespace: ml}, spec: {selector: {}, volumes: '{{v}}'}}";
    let (verdict, text) = unresolved(&[good], &pod(SELECTED, ""));
    assert_eq!(
        (verdict, text.as_str()),
        (ObjectVerdict::Unresolved, "Placeholder: spec.volumes is a placeholder")
    );
    let odd = good.replace("'{{v}}'", "{a: b}");
    let (verdict, text) = unresolved(&[&odd], &pod(SELECTED, ""));
    assert_eq!(verdict, ObjectVerdict::Unresolved);
    assert_eq!(text, "WrongType: spec.volumes: expected a list, found an object");
}

#[test]
fn several_are_merged_one_after_another_up_to_a_bound() {
    let many = |count: usize| -> String {
        let of = |index: usize| {
            format!(
                "{{apiVersion: kubeflow.org/v1alpha1, kind: PodDefault, metadata: {{name: d{index}, namespace: ml}}, spec: {{selector: {{}}, \
                 volumes: [{{name: v{index}, emptyDir: {{}}}}]}}}}\n---\n"
            )
        };
        (0..count).map(of).collect()
    };
    let verdict = |count| unresolved(&[&many(count)], &pod(SELECTED, ""));
    assert_eq!(verdict(64), (ObjectVerdict::Allow, String::new()));
    let (found, text) = verdict(65);
    assert_eq!(found, ObjectVerdict::Unresolved);
    assert_eq!(text, "Conflict: more than 64 PodDefaults are for the pod: the others are not merged");
}

#[test]
fn a_pod_default_with_too_much_is_not_merged() {
    let volumes: String = (0..3000).map(|index| format!("{{name: v{index}, emptyDir: {{}}}},")).collect();
    let default = format!(
        "{{apiVersion: kubeflow.org/v1alpha1, kind: PodDefault, metadata: {{name: d, namespace: ml}}, spec: {{selector: {{}}, volumes: \
         [{volumes}]}}}}"
    );
    let (verdict, text) = unresolved(&[&default], &pod(SELECTED, ""));
    assert_eq!(verdict, ObjectVerdict::Unresolved);
    assert_eq!(text, "Conflict: PodDefault d has too much to be merged into the pod");
}

#[test]
fn the_text_names_the_file_and_line_of_the_pod_default() {
    let shown = Case::new(&[("a.yaml", DEFAULT), ("b.yaml", &pod(SELECTED, ""))]).text();
    assert!(shown.contains("(from PodDefault gcp, "), "{shown}");
    assert!(shown.contains("a.yaml:20)"), "{shown}");
}
