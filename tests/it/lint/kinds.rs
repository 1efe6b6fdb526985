//! Kinds of objects, and lists.

use insta::assert_snapshot;
use podgate::lint::report::FailOn;

use super::{Case, shown};

#[test]
fn every_kind_has_its_pods_in_its_own_place() {
    let template = "{spec: {hostIPC: true, containers: []}}";
    let objects = [
        ("v1", "PodTemplate", format!("template: {template}")),
        ("v1", "ReplicationController", format!("spec: {{template: {template}}}")),
        ("apps/v1", "Deployment", format!("spec: {{template: {template}}}")),
        ("extensions/v1beta1", "DaemonSet", format!("spec: {{template: {template}}}")),
        ("apps/v1", "ReplicaSet", format!("spec: {{template: {template}}}")),
        ("apps/v1", "StatefulSet", format!("spec: {{template: {template}}}")),
        ("batch/v1", "Job", format!("spec: {{template: {template}}}")),
        ("batch/v1", "CronJob", format!("spec: {{jobTemplate: {{spec: {{template: {template}}}}}}}")),
    ];
    let text: Vec<String> = objects
        .iter()
        .map(|(version, kind, spec)| {
            format!("---\napiVersion: {version}\nkind: {kind}\nmetadata: {{generateName: g-, namespace: ml}}\n{spec}\n")
        })
        .collect();
    let report = Case::of(&text.concat()).run(&[""]);
    let fields: Vec<String> = report
        .objects
        .iter()
        .map(|object| {
            let pod = &object.pods[0];
            format!("{} {} {} {:?}", object.kind, pod.path, pod.findings[0].field, pod.findings[0].line)
        })
        .collect();
    assert_snapshot!(fields.join("\n"), @r"
PodTemplate template template.spec.hostIPC 5
ReplicationController spec.template spec.template.spec.hostIPC 10
Deployment spec.template spec.template.spec.hostIPC 15
DaemonSet spec.template spec.template.spec.hostIPC 20
ReplicaSet spec.template spec.template.spec.hostIPC 25
StatefulSet spec.template spec.template.spec.hostIPC 30
Job spec.template spec.template.spec.hostIPC 35
CronJob spec.jobTemplate.spec.template spec.jobTemplate.spec.template.spec.hostIPC 40
");
    assert_snapshot!(shown(&report).lines().take(10).collect::<Vec<_>>().join("\n"), @r#"
    8 objects: admitted with a warning, but their pods are denied (1 change needed to meet "ml-restricted" in each) [PG-0002]
      a.yaml:2:1: PodTemplate ml/g- (line 5)
      a.yaml:7:1: ReplicationController ml/g- (line 10)
      a.yaml:12:1: Deployment ml/g- (line 15)
      a.yaml:17:1: DaemonSet ml/g- (line 20)
      a.yaml:22:1: ReplicaSet ml/g- (line 25)
      a.yaml:27:1: StatefulSet ml/g- (line 30)
      a.yaml:32:1: Job ml/g- (line 35)
      a.yaml:37:1: CronJob ml/g- (line 40)
      - spec.hostIPC is true -> remove it (for shared memory mount an emptyDir with medium: Memory at /dev/shm)
    "#);
}

#[test]
fn an_object_without_a_template_is_a_fragment() {
    let text = "{apiVersion: v1, kind: ReplicationController, metadata: {name: r, namespace: ml}, spec: {template: null}}";
    let report = Case::of(text).run(&[""]);
    assert_eq!((report.objects[0].pods.len(), report.objects[0].pods[0].path.as_str()), (1, "spec.template"));
    assert_snapshot!(shown(&report), @"
    a.yaml:1:100: ReplicationController ml/r is unresolved: no spec.template (a fragment, as a patch is: judge the whole object, kubectl kustomize DIR | podgate lint -)
    ----
    1 object with pods in 1 file: 1 unresolved
    exit 3
    ");
}

#[test]
fn lists_of_all_sorts() {
    let text = "\
apiVersion: v1
kind: List
items:
- apiVersion: v1
  kind: Pod
  metadata: {name: first, namespace: ml}
  spec: {hostPID: true}
- apiVersion: v1
  kind: List
  items:
  - apiVersion: v1
    kind: Pod
    metadata: {name: nested, namespace: ml}
    spec: {hostPID: true}
- 5
- {apiVersion: v1, kind: ConfigMap}
---
apiVersion: apps/v1
kind: DeploymentList
items:
- metadata: {name: typed, namespace: ml}
  spec:
    template:
      spec:
        hostPID: true
---
{apiVersion: v1, kind: PodList, items: null}
";
    assert_snapshot!(Case::of(text).text(), @r#"
    2 objects: denied (1 change needed to meet "ml-restricted" in each) [PG-0002]
      a.yaml:4:3: Pod ml/first (line 7)
      a.yaml:11:5: Pod ml/nested (line 14)
      - spec.hostPID is true -> remove it
    a.yaml:21:3: Deployment ml/typed: admitted with a warning, but its pods are denied (1 change needed to meet "ml-restricted") [PG-0002]
      25:18  spec.hostPID is true -> remove it
    a.yaml:7:3: Pod ml/first is unresolved besides: no spec.containers
    a.yaml:14:5: Pod ml/nested is unresolved besides: no spec.containers
    a.yaml:22:3: Deployment ml/typed is unresolved besides: no spec.selector, no spec.template.spec.containers
    a.yaml:15:3: expected a Kubernetes object, found a number (not read, so not judged)

    control         objects  findings
    hostNamespaces        3         3
    ----
    3 objects with pods in 1 file: 3 denied, 1 not read
    without a pod that podgate knows of: 1 ConfigMap (v1)
    exit 1
    "#);
}

#[test]
fn other_kinds_are_counted() {
    let text = "\
{apiVersion: v1, kind: Service}
---
{apiVersion: v1, kind: Service}
---
{apiVersion: example.org/v1, kind: Job, spec: {template: {spec: {hostPID: true}}}}
---
{apiVersion: example.com/v1, kind: Deployment}
";
    assert_snapshot!(Case::of(text).text(), @"
    ----
    0 objects with pods in 1 file: nothing was judged
    without a pod that podgate knows of: 1 Deployment (example.com/v1), 1 Job (example.org/v1), 2 Service (v1)
    exit 0
    ");
}

#[test]
fn a_list_of_many_pods() {
    let pod = |index: usize| {
        let host_pid = index == 1999;
        let spec = format!("{{\"hostPID\":{host_pid},\"containers\":[{{\"name\":\"c\",\"image\":\"i\"}}]}}");
        format!(
            "\n{{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"metadata\":{{\"name\":\"p{index}\",\"namespace\":\"ml\"}},\"spec\":{spec}}}"
        )
    };
    let pods: Vec<String> = (0..2000).map(pod).collect();
    let text = format!("{{\"apiVersion\":\"v1\",\"kind\":\"PodList\",\"items\":[{}]}}", pods.join(","));
    assert_snapshot!(Case::of(&text).text(), @r#"
    a.yaml:2001:1: Pod ml/p1999: denied (1 change needed to meet "ml-restricted") [PG-0002]
      2001:96  spec.hostPID is true -> remove it
      podgate fills in: allowPrivilegeEscalation, capabilities.drop, runAsNonRoot, seccompProfile.type
    ----
    2000 objects with pods in 1 file: 1 denied
    exit 1
    "#);
}

/// A list that has its objects elsewhere, and an object that has `items` beside its containers, hide nothing.
#[test]
fn what_is_nearly_a_list_is_not_lost() {
    let pod = "{apiVersion: v1, kind: Pod, metadata: {name: p, namespace: ml}, spec: {hostNetwork: true, containers: [{name: c, image: i}]}}";
    let containers = "spec: {containers: [{name: c, image: i}]}";
    for (text, expected) in [
        (format!("{{apiVersion: v1, kind: List, itmes: [{pod}]}}"), 3),
        (format!("{{apiVersion: v1, kind: PodList, Items: [{pod}]}}"), 3),
        (format!("{{apiVersion: example.com/v1, kind: Foo, items: [], {containers}}}"), 3),
        (format!("{{apiVersion: example.com/v1, kind: Foo, items: [{pod}], {containers}}}"), 1),
        (format!("{{apiVersion: apps/v1, kind: Deploymnet, items: [], spec: {{template: {pod}}}}}"), 3),
        ("{apiVersion: v1, kind: List, metadata: {}}".to_owned(), 0),
        ("{apiVersion: v1, kind: PodList, items: []}".to_owned(), 0),
    ] {
        let report = Case::of(&text).run(&[""]);
        assert_eq!(report.exit_code(&FailOn::DEFAULT), expected, "{text}: {report:?}");
    }
}

/// An input that is named and holds nothing is perhaps the output of a program that failed.
#[test]
fn a_named_input_that_is_empty_is_unread() {
    for text in ["", "\n", "# nothing\n", "null", "---\n---\n"] {
        let case = || Case::new(&[("a.yaml", text)]);
        assert_eq!(case().run(&["a.yaml"]).exit_code(&FailOn::DEFAULT), 3, "{text:?}");
        assert_eq!(case().run(&[""]).exit_code(&FailOn::DEFAULT), 0, "{text:?}");
    }
}

#[test]
fn containers_where_a_kind_has_no_pods_are_noted() {
    let text = "\
apiVersion: kubeflow.org/v1
kind: PyTorchJob
metadata: {name: a, namespace: ml}
spec:
  pytorchReplicaSpecs:
    Master: {template: {spec: {containers: [{name: a, image: b}]}}}
  workerReplicaSpecs:
    Worker: {template: {spec: {containers: [{name: a, image: b, securityContext: {privileged: true}}]}}}
status:
  pods: {containers: [{name: a}]}
";
    let report = Case::of(text).run(&[""]);
    let [note] = report.objects[0].misplaced.as_slice() else { panic!("{report:?}") };
    assert_eq!((note.field.as_str(), note.line), ("spec.workerReplicaSpecs.Worker.template.spec", 8));
    assert!(note.message.contains("no PyTorchJob has pods there"), "{note:?}");
}

#[test]
fn advice_fits_what_is_missing() {
    let cases = [
        (
            "trainer.kubeflow.org/v1alpha1, kind: TrainJob, spec: {runtimeRef: {name: a}}",
            "give it with --objects",
        ),
        ("jobset.x-k8s.io/v1alpha2, kind: JobSet, spec: '${X}'", "helm template"),
        (
            "argoproj.io/v1alpha1, kind: Workflow, spec: {templates: ['{{workflow.parameters.x}}']}",
            "(what is filled in when it runs: judge it with a value in its place)",
        ),
        (
            "argoproj.io/v1alpha1, kind: Workflow, spec: {templates: [{resource: {action: create, manifest: \"apiVersion: \
             batch/v1\\nkind: Job\\nspec: {parallelism: {{inputs.parameters.x}}}\"}}]}",
            "what is in {{...}} is filled in when it runs: put quotes around it where a string may stand",
        ),
        ("apps/v1, kind: Deployment, spec: {template: {spec: {containers: []}}}", "kubectl kustomize"),
    ];
    for (object, advice) in cases {
        let text = Case::of(&format!("{{metadata: {{namespace: ml}}, apiVersion: {object}}}")).text();
        assert!(text.contains(advice), "{text}");
        assert_eq!(text.contains("helm template"), advice == "helm template", "{text}");
    }
}

/// Nobody warns of custom resources who judges as Kubernetes' own evaluator does.
#[test]
fn by_a_standard_nobody_is_warned_of_custom_resources() {
    let template = "{spec: {hostPID: true, containers: [{name: c, image: i}]}}";
    let job = |name: &str| {
        format!(
            "{{apiVersion: kubeflow.org/v1, kind: PyTorchJob, metadata: {{name: {name}, namespace: ml}}, spec: \
             {{pytorchReplicaSpecs: {{Master: {{template: {template}}}}}}}}}\n---\n"
        )
    };
    let built_in = format!(
        "{{apiVersion: batch/v1, kind: Job, metadata: {{name: j, namespace: ml}}, spec: {{template: {template}}}}}"
    );
    assert_snapshot!(Case::of(&[job("a"), job("b"), built_in.clone()].concat()).by_standard("baseline").text(), @r#"
    2 objects: admitted, but their pods are denied (1 change needed to meet "baseline:latest" in each) [PG-0002]
      a.yaml:1:1: PyTorchJob ml/a (line 1)
      a.yaml:3:1: PyTorchJob ml/b (line 3)
      - spec.hostPID is true -> remove it
    a.yaml:5:1: Job ml/j: admitted with a warning, but its pods are denied (1 change needed to meet "baseline:latest") [PG-0002]
      5:105  spec.hostPID is true -> remove it

    control         objects  findings
    hostNamespaces        3         3
    ----
    3 objects with pods in 1 file: 3 denied
    exit 1
    "#);
    assert_snapshot!(Case::of(&job("a")).by_standard("baseline").text(), @r#"
    a.yaml:1:1: PyTorchJob ml/a: admitted, but its pods are denied (1 change needed to meet "baseline:latest") [PG-0002]
      1:150  spec.hostPID is true -> remove it
      Kubernetes says: violates PodSecurity "baseline:latest": host namespaces (hostPID=true)
    ----
    1 object with pods in 1 file: 1 denied
    exit 1
    "#);
    // By policies, podgate's own webhook warns of both.
    let text = Case::of(&[job("a"), built_in].concat()).text();
    assert!(text.contains("2 objects: admitted with a warning, but their pods are denied"), "{text}");
}
