//! The containers that operators add to the pods of their kinds, and webhooks to any: nobody has written them, so nobody is
//! blamed for them. A small table, of what was read in the source of each.

use crate::workload::kind::Object;
use crate::workload::pattern::{Match, matches};
use crate::yaml::{Node, Value};

/// A container that somebody else adds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InjectedContainer {
    /// Its name.
    pub name: &'static str,
    /// Who adds it.
    pub by: &'static str,
    /// Its `securityContext`, as JSON.
    pub security: &'static str,
    /// Where whoever runs the operator can harden it; empty where nobody can.
    pub hardened_by: &'static str,
}

/// When the container of a row is added to the pods of an object.
#[derive(Debug, Clone, Copy)]
enum When {
    Always,
    /// Something is set at a path.
    Set(&'static str),
    /// Something is true at the first path, and nothing is set at the second.
    TrueWithout(&'static str, &'static str),
}

struct Row {
    group: &'static str,
    kinds: &'static [&'static str],
    when: When,
    container: InjectedContainer,
}

const fn missing(name: &'static str, by: &'static str, hardened_by: &'static str) -> InjectedContainer {
    InjectedContainer { name, by, security: "{}", hardened_by }
}

const STORAGE: InjectedContainer =
    missing("storage-initializer", "KServe", "ClusterStorageContainer default");
const AUTOSCALER: InjectedContainer = missing("autoscaler", "KubeRay", "autoscalerOptions.securityContext");
const WORKFLOWS: &[&str] = &["Workflow", "WorkflowTemplate", "ClusterWorkflowTemplate", "CronWorkflow"];
const ARGO: &str = "executor.securityContext in workflow-controller-configmap";
const TEKTON: &str = "the feature flag set-security-context";

const ROWS: &[Row] = &[
    row("serving.kserve.io", &["InferenceService"], When::Set("spec.predictor.*.storageUri"), STORAGE),
    row("serving.kserve.io", &["InferenceService"], When::Set("spec.predictor.*.storage"), STORAGE),
    row(
        "ray.io",
        &["RayCluster"],
        When::TrueWithout("spec.enableInTreeAutoscaling", "spec.autoscalerOptions.securityContext"),
        AUTOSCALER,
    ),
    row(
        "ray.io",
        &["RayJob"],
        When::TrueWithout(
            "spec.rayClusterSpec.enableInTreeAutoscaling",
            "spec.rayClusterSpec.autoscalerOptions.securityContext",
        ),
        AUTOSCALER,
    ),
    row(
        "ray.io",
        &["RayService"],
        When::TrueWithout(
            "spec.rayClusterConfig.enableInTreeAutoscaling",
            "spec.rayClusterConfig.autoscalerOptions.securityContext",
        ),
        AUTOSCALER,
    ),
    row("argoproj.io", WORKFLOWS, When::Always, missing("init", "Argo Workflows", ARGO)),
    row("argoproj.io", WORKFLOWS, When::Always, missing("wait", "Argo Workflows", ARGO)),
    row(
        "tekton.dev",
        &["Task", "TaskRun", "Pipeline", "PipelineRun"],
        When::Always,
        missing("prepare", "Tekton", TEKTON),
    ),
    row(
        "kubeflow.org",
        &["PyTorchJob"],
        When::Set("spec.pytorchReplicaSpecs.Worker"),
        missing("init-pytorch", "the training operator", "its file /etc/config/initContainer.yaml"),
    ),
    row(
        "kubeflow.org",
        &["Experiment"],
        When::Set("spec.trialTemplate"),
        missing("metrics-logger-and-collector", "Katib", "inject-security-context in its configuration"),
    ),
];

/// What webhooks add to any pod that asks for it, by a label or an annotation.
const BY_METADATA: [(&str, &str, InjectedContainer); 2] = [
    (
        "labels",
        "sidecar.istio.io/inject",
        InjectedContainer {
            name: "istio-init",
            by: "Istio",
            security: r#"{"privileged":false,"allowPrivilegeEscalation":false,"runAsUser":0,"runAsNonRoot":false,"capabilities":{"add":["NET_ADMIN","NET_RAW"],"drop":["ALL"]}}"#,
            hardened_by: "its CNI plugin or the ambient mode, which need no such container",
        },
    ),
    (
        "annotations",
        "azure.workload.identity/inject-proxy-sidecar",
        InjectedContainer {
            name: "azwi-proxy-init",
            by: "Azure workload identity",
            security: r#"{"privileged":true,"runAsUser":0,"capabilities":{"add":["NET_ADMIN"],"drop":["ALL"]}}"#,
            hardened_by: "leaving the proxy out: SDKs take the projected token",
        },
    ),
];

const fn row(
    group: &'static str,
    kinds: &'static [&'static str],
    when: When,
    container: InjectedContainer,
) -> Row {
    Row { group, kinds, when, container }
}

impl Object<'_> {
    /// The containers that its operator adds to its pods.
    #[must_use]
    pub fn injected(&self) -> Vec<InjectedContainer> {
        let is_meant = |row: &&Row| row.group == self.group() && row.kinds.contains(&self.kind);
        let mut found: Vec<InjectedContainer> = Vec::new();
        for row in ROWS.iter().filter(is_meant).filter(|row| self.is_so(row.when)) {
            if !found.contains(&row.container) {
                found.push(row.container);
            }
        }
        found
    }

    fn is_so(&self, when: When) -> bool {
        let is_set = |path| matches(self.node, path).iter().any(|found| matches!(found, Match::Value(..)));
        match when {
            When::Always => true,
            When::Set(path) => is_set(path),
            When::TrueWithout(path, other) => {
                self.get(path).is_some_and(|node| node.value == Value::Bool(true)) && !is_set(other)
            }
        }
    }
}

/// The containers that webhooks add to a pod of this metadata.
#[must_use]
pub fn injected_by_metadata(pod: &Node) -> Vec<InjectedContainer> {
    let is_asked = |part: &str, key: &str| {
        pod.get_in(&["metadata", part, key]).and_then(Node::as_text).is_some_and(|value| value == "true")
    };
    BY_METADATA
        .iter()
        .filter(|(part, key, _)| is_asked(part, key))
        .map(|(_, _, container)| *container)
        .collect()
}
