//! Which kinds of custom resources have no namespace.

/// The kinds without a namespace, by their group: pods of any may be made of them.
const OF_CLUSTER: [(&str, &str); 13] = [
    ("apps.kruise.io", "SidecarSet"),
    ("argoproj.io", "ClusterAnalysisTemplate"),
    ("argoproj.io", "ClusterWorkflowTemplate"),
    ("kubeflow.org", "ClusterTrainingRuntime"),
    ("kubeflow.org", "WorkspaceKind"),
    ("nvidia.com", "ClusterPolicy"),
    ("nvidia.com", "NVIDIADriver"),
    ("ome.io", "ClusterServingRuntime"),
    ("serving.kserve.io", "ClusterServingRuntime"),
    ("serving.kserve.io", "ClusterStorageContainer"),
    ("tekton.dev", "ClusterTask"),
    ("trainer.kubeflow.org", "ClusterTrainingRuntime"),
    ("workloads.x-k8s.io", "ClusterEngineRuntimeProfile"),
];

/// Whether objects of a kind are of the whole cluster.
#[must_use]
pub fn is_of_cluster(api_version: &str, kind: &str) -> bool {
    is_group_of_cluster(api_version.split_once('/').map_or("", |(group, _)| group), kind)
}

/// The same of a group and a kind.
pub(super) fn is_group_of_cluster(group: &str, kind: &str) -> bool {
    OF_CLUSTER.contains(&(group, kind))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workload::kind::Kinds;

    #[test]
    fn they_are_kinds_of_the_table() {
        let kinds = Kinds::default();
        for (group, kind) in OF_CLUSTER {
            assert!(kinds.iter().any(|row| (row.group, row.kind) == (group, kind)), "{group}/{kind}");
        }
        assert!(is_of_cluster("ome.io/v1beta1", "ClusterServingRuntime"));
        assert!(!is_of_cluster("operators.coreos.com/v1alpha1", "ClusterServiceVersion"));
    }
}
