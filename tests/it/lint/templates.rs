//! A template is judged as the pods that are made of it: the linter's verdict on it, the webhook's verdict on the object that
//! it stands in, and the webhook's verdict on such a pod are one, whatever kind of object it is.

use base64::Engine as _;
use podgate::admission::{Reviewer, Webhook};
use podgate::policy::BUILT_IN;
use serde_json::{Value, json};

use super::Case;
use crate::pods::Alone as _;
use crate::policies::policies;
use crate::told::{by_linter, by_webhook};

/// Where the pod stands in an object: `POD` is a PodTemplateSpec, `SPEC` a PodSpec.
const KINDS: [(&str, &str, &str, &str); 20] = [
    ("apps/v1", "Deployment", "deployments", "spec.template=POD"),
    ("apps/v1", "StatefulSet", "statefulsets", "spec.template=POD"),
    ("batch/v1", "Job", "jobs", "spec.template=POD"),
    ("batch/v1", "CronJob", "cronjobs", "spec.jobTemplate.spec.template=POD"),
    ("v1", "PodTemplate", "podtemplates", "template=POD"),
    ("kubeflow.org/v1", "PyTorchJob", "pytorchjobs", "spec.pytorchReplicaSpecs.Any.template=POD"),
    ("kubeflow.org/v2beta1", "MPIJob", "mpijobs", "spec.mpiReplicaSpecs.Launcher.template=POD"),
    ("kubeflow.org/v1", "Notebook", "notebooks", "spec.template.spec=SPEC"),
    (
        "trainer.kubeflow.org/v1alpha1",
        "TrainingRuntime",
        "trainingruntimes",
        "spec.template.spec.replicatedJobs[].template.spec.template=POD",
    ),
    ("jobset.x-k8s.io/v1alpha2", "JobSet", "jobsets", "spec.replicatedJobs[].template.spec.template=POD"),
    (
        "leaderworkerset.x-k8s.io/v1",
        "LeaderWorkerSet",
        "leaderworkersets",
        "spec.leaderWorkerTemplate.workerTemplate=POD",
    ),
    ("batch.volcano.sh/v1alpha1", "Job", "jobs", "spec.tasks[].template=POD"),
    ("ray.io/v1", "RayCluster", "rayclusters", "spec.headGroupSpec.template=POD"),
    ("ray.io/v1", "RayJob", "rayjobs", "spec.rayClusterSpec.workerGroupSpecs[].template=POD"),
    ("serving.kserve.io/v1beta1", "InferenceService", "inferenceservices", "spec.predictor=SPEC"),
    ("grove.io/v1alpha1", "PodClique", "podcliques", "spec.podSpec=SPEC"),
    ("kaito.sh/v1beta1", "Workspace", "workspaces", "inference.template=POD"),
    ("spark.apache.org/v1", "SparkApplication", "sparkapplications", "spec.driverSpec.podTemplateSpec=POD"),
    ("agents.x-k8s.io/v1alpha1", "Sandbox", "sandboxes", "spec.podTemplate=POD"),
    ("argoproj.io/v1alpha1", "Rollout", "rollouts", "spec.template=POD"),
];

/// A pod at a place.
fn object(index: usize, pod: &Value) -> (Value, String) {
    let (api_version, kind, _, place) = KINDS[index % KINDS.len()];
    let (place, shape) = place.split_once('=').unwrap();
    let value = if shape == "POD" { json!({"spec": pod["spec"]}) } else { pod["spec"].clone() };
    let mut object = place.split('.').rev().fold(value, |inner, part| match part.strip_suffix("[]") {
        Some(name) => json!({name: [inner]}),
        None => json!({part: inner}),
    });
    if object["spec"].is_object() {
        // What Kubernetes demands of whole objects.
        object["spec"]["selector"] = json!({});
        object["spec"]["schedule"] = "@daily".into();
    }
    object["apiVersion"] = api_version.into();
    object["kind"] = kind.into();
    object["metadata"] = json!({"name": "o", "namespace": "ml"});
    let place = place.replace("[]", "[0]");
    (object, if shape == "POD" { format!("{place}.spec") } else { place })
}

fn review(reviewer: &Reviewer, webhook: Webhook, kind: [&str; 3], resource: &str, object: &Value) -> Value {
    let [group, version, kind] = kind;
    let request = json!({
        "uid": "u", "operation": "CREATE", "namespace": "ml", "name": "o", "object": object,
        "kind": {"group": group, "version": version, "kind": kind},
        "resource": {"group": group, "version": version, "resource": resource},
    });
    let body = json!({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": request});
    let body = serde_json::to_vec(&body).unwrap();
    let answer: Value = serde_json::from_slice(&reviewer.alone(webhook, &body).unwrap().body).unwrap();
    answer["response"].clone()
}

/// The webhook's answer about the pod, after its own mutation.
pub(super) fn of_pod(reviewer: &Reviewer, pod: &Value) -> Value {
    let mut pod = pod.clone();
    let kind = ["", "v1", "Pod"];
    let mutated = review(reviewer, Webhook::Mutate, kind, "pods", &pod);
    if let Some(patch) = mutated["patch"].as_str() {
        let patch = base64::engine::general_purpose::STANDARD.decode(patch).unwrap();
        json_patch::patch(&mut pod, &serde_json::from_slice::<json_patch::Patch>(&patch).unwrap()).unwrap();
    }
    review(reviewer, Webhook::Validate, kind, "pods", &pod)
}

fn of_object(reviewer: &Reviewer, index: usize, object: &Value) -> Value {
    let (api_version, kind, resource, _) = KINDS[index % KINDS.len()];
    let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
    review(reviewer, Webhook::Validate, [group, version, kind], resource, object)
}

/// Pods with every way of writing some security contexts.
fn pods() -> Vec<Value> {
    let contexts = [
        json!(null),
        json!({"runAsUser": 1000}),
        json!({"privileged": true}),
        json!({"runAsUser": 0}),
        json!({"runAsNonRoot": false}),
        json!({"capabilities": {"add": ["NET_RAW", "CHOWN"], "drop": ["ALL"]}}),
        json!({"capabilities": {"drop": ["NET_RAW"]}, "procMount": "Unmasked"}),
        json!({"allowPrivilegeEscalation": true, "seccompProfile": {"type": "Unconfined"}}),
        json!({"seLinuxOptions": {"type": "x", "user": "y"}, "appArmorProfile": {"type": "Unconfined"}}),
    ];
    let mut pods = Vec::new();
    for first in &contexts {
        for second in &contexts {
            let host_path = json!([{"name": "v", "hostPath": {"path": "/data"}}]);
            let volumes = if pods.len() % 7 == 3 { host_path } else { json!([]) };
            pods.push(json!({
                "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p", "namespace": "ml"},
                "spec": {
                    "volumes": volumes, "hostPID": pods.len() % 5 == 3, "securityContext": first,
                    "initContainers": [{"name": "i", "image": "i", "securityContext": first}],
                    "containers": [{"name": "a", "image": "i", "securityContext": second}],
                },
            }));
        }
    }
    pods
}

#[test]
fn a_template_is_refused_exactly_when_its_pod_would_be() {
    let enforced = BUILT_IN.replacen("mode: Enforce", "mode: Enforce\n  templates: Enforce", 1);
    let case = || Case::of("");
    let reviewer = Reviewer::new(policies(&enforced), case().namespaces);
    let warning = Reviewer::new(policies(BUILT_IN), case().namespaces);
    let (mut refused, mut compared) = (0, 0);
    for (number, pod) in pods().iter().enumerate() {
        let answer = of_pod(&reviewer, pod);
        let is_allowed = answer["allowed"].as_bool().unwrap();
        for kind in 0..KINDS.len() {
            if (number + kind) % 4 != 0 {
                continue;
            }
            let (object, base) = object(kind, pod);
            let report = Case::of(&object.to_string()).run(&[""]);
            let [linted] = report.objects[0].pods.as_slice() else { panic!("{report:?}") };
            assert_eq!(linted.allowed, is_allowed, "{object}\n{linted:?}");
            let response = of_object(&reviewer, kind, &object);
            assert_eq!(response["allowed"], is_allowed, "{object}\n{response}");
            let of_lint = by_linter(linted, &base);
            assert_eq!(of_lint, by_webhook(&answer, "spec"), "{object}");
            assert_eq!(of_lint, by_webhook(&response, &base), "{object}");
            // Without Enforce it is let in, with a warning in place of each refusal.
            let warned = of_object(&warning, kind, &object);
            assert_eq!(warned["allowed"], true, "{warned}");
            assert_eq!(warned["warnings"].as_array().is_none_or(Vec::is_empty), is_allowed, "{warned}");
            refused += usize::from(!is_allowed);
            compared += 1;
        }
    }
    assert!(compared >= 300 && refused >= 200 && refused < compared, "{refused} of {compared}");
}
