//! What the API server calls the kinds of the table, and which of them a webhook is asked about.

use std::collections::{BTreeMap, BTreeSet};

use crate::workload::built_in::WORKLOADS;
use crate::workload::kind::{Kind, Kinds};
use crate::workload::template::Shape;

/// The kinds whose objects belong to no namespace: no policy holds there.
const OF_CLUSTER: [&str; 17] = [
    "ClusterAnalysisTemplate",
    "ClusterEngineRuntimeProfile",
    "ClusterPolicy",
    "ClusterQueue",
    "ClusterServingRuntime",
    "ClusterStorageContainer",
    "ClusterTask",
    "ClusterTrainingRuntime",
    "ClusterWorkflowTemplate",
    "GPUCluster",
    "InstanceType",
    "InstanceTypeList",
    "LocalModelCache",
    "NVIDIADriver",
    "Profile",
    "SidecarSet",
    "WorkspaceKind",
];

impl Kind {
    /// What the API server calls it in paths and in the rules of webhooks: `sandboxes`.
    #[must_use]
    pub fn resource(&self) -> String {
        let name = self.kind.to_ascii_lowercase();
        match name.strip_suffix('y') {
            Some(stem) => format!("{stem}ies"),
            None if name.ends_with('s') => name,
            None if name.ends_with('x') || name.ends_with("ch") || name.ends_with("sh") => {
                format!("{name}es")
            }
            None => format!("{name}s"),
        }
    }

    /// Whether its objects belong to a namespace.
    #[must_use]
    pub fn is_namespaced(&self) -> bool {
        !OF_CLUSTER.contains(&self.kind)
    }

    /// Whether its objects can be judged where they are applied: they belong to a namespace, and something is written in
    /// them that pods are made of.
    #[must_use]
    pub fn is_reviewed(&self) -> bool {
        let is_written = |shape| !matches!(shape, Shape::Reference | Shape::Opaque);
        self.is_namespaced() && self.places().any(|(_, shape)| is_written(shape))
    }
}

impl Kinds {
    /// The resources that are judged where they are applied, by their API group.
    #[must_use]
    pub fn reviewed_resources(&self) -> BTreeMap<&str, BTreeSet<String>> {
        let mut resources: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
        for kind in self.iter().filter(|kind| kind.is_reviewed()) {
            resources.entry(kind.group).or_default().insert(kind.resource());
        }
        resources
    }

    /// The fields of an object, beside `spec`, that pods are made of in some kind that is judged where it is applied.
    #[must_use]
    pub fn fields_beside_spec(&self) -> BTreeSet<&str> {
        let own = WORKLOADS.iter().filter_map(|workload| workload.template.first().copied());
        let custom = self.iter().filter(|kind| kind.is_reviewed()).flat_map(Kind::places);
        let custom = custom.map(|(pattern, _)| pattern.split(['.', '[']).next().unwrap_or_default());
        own.chain(custom).filter(|field| *field != "spec").collect()
    }

    /// In CEL, whether a request can change the pods of an object: the condition under which podgate is asked about it.
    #[must_use]
    pub fn condition(&self) -> String {
        let fields = std::iter::once("spec").chain(self.fields_beside_spec());
        let changes = fields.map(|field| format!(" || object.?{field} != oldObject.?{field}"));
        format!("request.operation != \"UPDATE\"{}", changes.collect::<String>())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resources_are_called_as_the_api_server_calls_them() {
        for (name, resource) in [
            ("RayJob", "rayjobs"),
            ("InferenceService", "inferenceservices"),
            ("KVCache", "kvcaches"),
            ("Sandbox", "sandboxes"),
            ("ClusterPolicy", "clusterpolicies"),
            ("NemoGuardrails", "nemoguardrails"),
        ] {
            let kind = Kind {
                group: "",
                versions: &[],
                kind: name,
                carries: crate::workload::kind::Carries::Nothing,
            };
            assert_eq!(kind.resource(), resource);
        }
    }

    #[test]
    fn kinds_of_the_cluster_are_told_from_those_of_a_namespace() {
        let kinds = Kinds::default();
        for kind in kinds.iter() {
            let is_named_so = kind.kind.starts_with("Cluster") && kind.kind != "ClusterServiceVersion";
            assert!(!is_named_so || !kind.is_namespaced(), "{}: of which scope is it?", kind.kind);
        }
        for name in OF_CLUSTER {
            assert!(kinds.iter().any(|kind| kind.kind == name), "{name} is not in the table");
        }
    }

    #[test]
    fn what_is_asked_about_follows_from_the_table() {
        let kinds = Kinds::default();
        let resources = kinds.reviewed_resources();
        assert!(resources["kubeflow.org"].contains("pytorchjobs"));
        assert!(resources["agents.x-k8s.io"].contains("sandboxes"));
        assert!(!resources["trainer.kubeflow.org"].contains("clustertrainingruntimes"));
        assert!(!resources["serving.kserve.io"].contains("inferencegraphs"), "nothing is written in it");
        assert!(!resources.contains_key("scheduling.volcano.sh"), "none of the group makes pods");
        let condition = kinds.condition();
        assert!(
            condition.starts_with("request.operation != \"UPDATE\" || object.?spec != oldObject.?spec || ")
        );
        for field in ["inference", "template", "tuning"] {
            assert!(condition.contains(&format!("object.?{field} != oldObject.?{field}")), "{condition}");
        }
    }
}
