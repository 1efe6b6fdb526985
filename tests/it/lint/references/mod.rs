//! What an object takes from others: looked up among the files of the run and among the objects that are given, judged as it is
//! merged, and named where it is at fault. And what operators add, which is nobody's fault.

mod kin;
mod pod_defaults;

use podgate::lint::report::ObjectVerdict;
use podgate::lint::{Objects, read_objects};

use super::{Case, as_json};

const RUNTIMES: &str = "\
apiVersion: serving.kserve.io/v1alpha1
kind: ServingRuntime
metadata: {name: vllm, namespace: ml}
spec:
  supportedModelFormats: [{name: huggingface, autoSelect: true}]
  containers:
  - name: kserve-container
    image: vllm
    securityContext:
      privileged: true
---
apiVersion: trainer.kubeflow.org/v1alpha1
kind: ClusterTrainingRuntime
metadata: {name: torch}
spec: {template: {spec: {replicatedJobs: [{name: node, template: {spec: {template: {spec: {containers: [{name: node, image: i}]}}}}}]}}}
";
const SERVICE: &str = "\
apiVersion: serving.kserve.io/v1beta1
kind: InferenceService
metadata: {name: llm, namespace: ml}
spec: {predictor: {model: {modelFormat: {name: huggingface}, storageUri: 's3://models'}}}
";
const JOB: &str = "\
apiVersion: trainer.kubeflow.org/v1alpha1
kind: TrainJob
metadata: {name: train, namespace: ml}
spec:
  runtimeRef: {name: torch}
  podTemplateOverrides:
  - targetJobs: [{name: node}]
    spec:
      hostIPC: true
";

/// The field, line and origin of each finding that refuses the pods of the only object of this kind.
fn denied(report: &podgate::lint::Report, kind: &str) -> Vec<(String, usize, Option<String>)> {
    let object = report.objects.iter().find(|object| object.kind == kind).expect(kind);
    let findings = object.pods.iter().flat_map(|pod| &pod.findings);
    let denied = findings.filter(|finding| finding.disposition == "denied");
    denied
        .map(|finding| {
            let from = finding.from.as_ref().map(|from| format!("{} {} {}", from.kind, from.name, from.file));
            (finding.field.clone(), finding.line, from)
        })
        .collect()
}

#[test]
fn a_fault_is_where_it_is_written() {
    let files = [("a.yaml", RUNTIMES), ("b.yaml", SERVICE), ("c.yaml", JOB)];
    let report = Case::new(&files).run(&[""]);
    let from = Some("ServingRuntime vllm a.yaml".to_owned());
    let field = "spec.containers[0].securityContext.privileged".to_owned();
    assert_eq!(denied(&report, "InferenceService"), [(field, 10, from)]);
    // What the job itself writes is its own, in the file that the report names.
    let own = "spec.podTemplateOverrides[0].spec.hostIPC".to_owned();
    assert_eq!(denied(&report, "TrainJob"), [(own, 9, None)]);
}

#[test]
fn what_is_given_beside_the_run_is_looked_up_too_and_the_run_goes_first() {
    let mut objects = Objects::default();
    assert!(read_objects("objects.yaml", RUNTIMES, &mut objects).is_empty());
    let verdict = |case: Case| case.run(&[""]).objects[0].verdict;
    assert_eq!(verdict(Case::of(SERVICE)), ObjectVerdict::Unresolved);
    assert_eq!(verdict(Case::of(SERVICE).referring_to(objects.references.clone())), ObjectVerdict::Deny);
    let good = RUNTIMES.replace("privileged: true", "privileged: false");
    let files = [("a.yaml", SERVICE), ("b.yaml", good.as_str())];
    assert_eq!(verdict(Case::new(&files).referring_to(objects.references)), ObjectVerdict::Allow);
}

#[test]
fn of_two_of_one_name_that_differ_none_is_taken() {
    let other = RUNTIMES.replace("privileged: true", "privileged: false");
    let report =
        Case::new(&[("a.yaml", RUNTIMES), ("b.yaml", other.as_str()), ("c.yaml", SERVICE)]).run(&[""]);
    let service = report.objects.iter().find(|object| object.kind == "InferenceService").unwrap();
    assert_eq!(service.verdict, ObjectVerdict::Unresolved);
    assert_eq!(service.pods[0].unresolved[0].kind.as_deref(), Some("ServingRuntime"));
    // One that is named is told to be there twice, and nobody is asked to give it once more.
    let named = SERVICE.replace("storageUri", "runtime: vllm, storageUri");
    let files = [("a.yaml", RUNTIMES), ("b.yaml", other.as_str()), ("c.yaml", named.as_str())];
    let text = Case::new(&files).text();
    let why = "its containers come from ServingRuntime vllm: of that name there are two that differ";
    assert!(text.contains(why) && !text.contains("--objects)"), "{text}");
    let jobs = [("a.yaml", RUNTIMES), ("b.yaml", &RUNTIMES.replace("image: i", "image: j")), ("c.yaml", JOB)];
    let text = Case::new(&jobs).text();
    assert!(text.contains("ClusterTrainingRuntime torch: of that name there are two"), "{text}");
}

#[test]
fn of_what_is_known_and_lacks_what_is_wanted_it_is_said() {
    let workflow = |spec: &str| {
        format!(
            "{{apiVersion: argoproj.io/v1alpha1, kind: Workflow, metadata: {{name: w, namespace: ml}}, spec: {spec}}}"
        )
    };
    let template = "{apiVersion: argoproj.io/v1alpha1, kind: WorkflowTemplate, metadata: {name: lib, namespace: ml}, spec: \
                    {templates: [{name: train, container: {image: i}}]}}";
    let run = |spec: &str| Case::new(&[("lib.yaml", template), ("w.yaml", &workflow(spec))]).text();
    let text =
        run("{templates: [{name: m, steps: [[{name: s, templateRef: {name: lib, template: trian}}]]}]}");
    assert!(text.contains("WorkflowTemplate lib: the one in "), "{text}");
    assert!(text.contains("lib.yaml has no template \"trian\"") && !text.contains("--objects)"), "{text}");
    // Of what is not known nothing is said.
    let text =
        run("{templates: [{name: m, steps: [[{name: s, templateRef: {name: other, template: train}}]]}]}");
    assert!(
        text.contains("WorkflowTemplate other (name its file, too, or give it with --objects)"),
        "{text}"
    );
    let task = "{apiVersion: tekton.dev/v1, kind: Task, metadata: {name: t, namespace: ml}}";
    let tasks = "{apiVersion: tekton.dev/v1, kind: TaskRun, metadata: {name: r, namespace: ml}, spec: {taskRef: {name: t}}}";
    let text = Case::new(&[("t.yaml", task), ("r.yaml", tasks)]).text();
    assert!(text.contains("t.yaml has no spec"), "{text}");
}

/// Who runs the linter for one namespace does not move what has none into it.
#[test]
fn what_is_of_the_whole_cluster_is_in_no_namespace() {
    let runtime = RUNTIMES
        .split("---\n")
        .next()
        .unwrap()
        .replace("kind: ServingRuntime", "kind: ClusterServingRuntime");
    for runtime in [runtime.replace(", namespace: ml", ""), runtime] {
        let case = || Case::of(&runtime).in_namespace("ml");
        let report = case().run(&[""]);
        assert_eq!((report.objects[0].namespace.as_str(), report.summary.unknown_namespaces), ("", 0));
        let text = case().text();
        assert!(text.contains("ClusterServingRuntime vllm: "), "{text}");
        assert!(!text.contains("ml/vllm") && !text.contains("-n NAMESPACE"), "{text}");
        assert!(
            text.contains("1 object is of the whole cluster, so every policy was taken to hold"),
            "{text}"
        );
    }
    let text = Case::of(&RUNTIMES.replace(", namespace: ml", "")).in_namespace("ml").text();
    assert!(text.contains("ServingRuntime ml/vllm"), "{text}");
}

#[test]
fn what_operators_add_is_named_as_theirs_and_changes_no_verdict() {
    let pod = "{apiVersion: v1, kind: Pod, metadata: {name: p, namespace: ml, labels: {sidecar.istio.io/inject: 'true'}}, spec: \
               {containers: [{name: c, image: i}]}}";
    for (text, verdict, expected) in [
        (SERVICE, ObjectVerdict::Unresolved, &[("storage-initializer", "KServe", true)][..]),
        (pod, ObjectVerdict::Allow, &[("istio-init", "Istio", false)]),
        (
            "{apiVersion: argoproj.io/v1alpha1, kind: Workflow, metadata: {name: w, namespace: ml}, spec: {templates: [{name: t, \
             container: {image: i}}]}}",
            ObjectVerdict::Allow,
            &[("init", "Argo Workflows", true), ("wait", "Argo Workflows", true)],
        ),
        (
            "{apiVersion: ray.io/v1, kind: RayCluster, metadata: {name: r, namespace: ml}, spec: {enableInTreeAutoscaling: true, \
             autoscalerOptions: {securityContext: {}}, headGroupSpec: {template: {spec: {containers: [{name: h, image: i}]}}}}}",
            ObjectVerdict::Allow,
            &[],
        ),
    ] {
        let report = Case::of(text).run(&[""]);
        let object = &report.objects[0];
        let found: Vec<_> =
            object.injected.iter().map(|added| (added.container, added.by, added.is_filled_in)).collect();
        assert_eq!((object.verdict, found.as_slice()), (verdict, expected), "{}", as_json(&report));
    }
}
