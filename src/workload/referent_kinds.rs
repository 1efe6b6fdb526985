//! The kinds that others refer to, and how it is seen that a text holds one: most texts do not, and need not be parsed for it.
//!
//! Kinds that are in nearly every text are looked for only where another text refers to one of them.

use std::sync::LazyLock;

use aho_corasick::AhoCorasick;

/// Kinds that others refer to, by their group.
const KINDS: [(&str, &[&str]); 10] = [
    ("serving.kserve.io", &["ServingRuntime", "ClusterServingRuntime", "LLMInferenceServiceConfig"]),
    ("ome.io", &["ServingRuntime", "ClusterServingRuntime"]),
    ("trainer.kubeflow.org", &["TrainingRuntime", "ClusterTrainingRuntime"]),
    ("argoproj.io", &["WorkflowTemplate", "ClusterWorkflowTemplate"]),
    ("tekton.dev", &["Task", "ClusterTask", "Pipeline", "StepAction"]),
    ("mlops.seldon.io", &["ServerConfig"]),
    ("kubeflow.org", &["WorkspaceKind", "TrainingRuntime", "ClusterTrainingRuntime", "PodDefault"]),
    ("ray.io", &["RayCluster"]),
    ("extensions.agents.x-k8s.io", &["SandboxTemplate", "SandboxWarmPool"]),
    ("flow.volcano.sh", &["JobTemplate"]),
];

/// Those that a Rollout may name.
const OF_ROLLOUTS: [(&str, &[&str]); 2] = [("apps", &["Deployment", "ReplicaSet"]), ("", &["PodTemplate"])];
/// The field by which it does.
const ROLLOUT_FIELD: &str = "workloadRef";
/// Those that an Experiment of Katib may name.
const OF_EXPERIMENTS: [(&str, &[&str]); 1] = [("", &["ConfigMap"])];
/// The field by which it does.
const EXPERIMENT_FIELD: &str = "configMapName";

/// Finds the names of all that are looked for in any case.
static NAMES: LazyLock<Option<AhoCorasick>> = LazyLock::new(|| {
    let names = KINDS.iter().flat_map(|(_, kinds)| kinds.iter());
    AhoCorasick::new(names).ok()
});

/// Which kinds are looked for.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct ReferentKinds {
    /// Those that few texts hold.
    pub rare: bool,
    /// The workloads that a Rollout may name.
    pub workloads: bool,
    /// The ConfigMaps that an Experiment may name.
    pub config_maps: bool,
}

impl ReferentKinds {
    /// Those that are looked for in any case.
    pub const RARE: Self = Self { rare: true, workloads: false, config_maps: false };
    /// All of them.
    pub const ALL: Self = Self { rare: true, workloads: true, config_maps: true };

    /// The others that objects in a text refer to.
    #[must_use]
    pub fn asked_for_in(text: &str) -> Self {
        let (workloads, config_maps) = (text.contains(ROLLOUT_FIELD), text.contains(EXPERIMENT_FIELD));
        Self { rare: false, workloads, config_maps }
    }

    /// These and others.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            rare: self.rare || other.rare,
            workloads: self.workloads || other.workloads,
            config_maps: self.config_maps || other.config_maps,
        }
    }

    /// Whether there are any.
    #[must_use]
    pub fn are_any(self) -> bool {
        self != Self::default()
    }

    /// Whether an object of a kind is one of them.
    #[must_use]
    pub fn has(self, api_version: &str, kind: &str) -> bool {
        let group = api_version.split_once('/').map_or("", |(group, _)| group);
        self.lists().any(|(of, kinds)| *of == group && kinds.contains(&kind))
    }

    /// Whether a text may hold one of them.
    #[must_use]
    pub fn may_be_in(self, text: &str) -> bool {
        let has_rare = || NAMES.as_ref().is_none_or(|names| names.is_match(text));
        let others = Self { rare: false, ..self };
        let has_other = || others.lists().flat_map(|(_, kinds)| kinds.iter()).any(|kind| text.contains(kind));
        self.rare && has_rare() || has_other()
    }

    fn lists(self) -> impl Iterator<Item = &'static (&'static str, &'static [&'static str])> {
        let listed = |is_wanted: bool, list: &'static [_]| if is_wanted { list } else { &[] };
        let others =
            listed(self.workloads, &OF_ROLLOUTS).iter().chain(listed(self.config_maps, &OF_EXPERIMENTS));
        listed(self.rare, &KINDS).iter().chain(others)
    }
}

/// The group that has a kind to refer to: that of the object that refers to it, if it has one, else that of another.
pub(super) fn group_with<'g>(own: &'g str, kind: &str) -> &'g str {
    let has = |(_, kinds): &&(&'static str, &[&str])| kinds.contains(&kind);
    let is_own = KINDS.iter().filter(has).any(|(group, _)| *group == own);
    if is_own { own } else { KINDS.iter().find(has).map_or(own, |(group, _)| group) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_without_the_name_of_a_kind_are_not_parsed() {
        for (kinds, text, expected) in [
            (ReferentKinds::RARE, "kind: ServingRuntime", true),
            (ReferentKinds::RARE, "kind: Task\n", true),
            (ReferentKinds::RARE, "kind: PodDefault\n", true),
            (ReferentKinds::RARE, "kind: Deployment", false),
            (ReferentKinds::RARE, "kind: CronJob\nspec: {jobTemplate: {}}", false),
            (ReferentKinds::asked_for_in("workloadRef: {}"), "kind: Deployment", true),
            (ReferentKinds::asked_for_in("workloadRef: {}"), "kind: ConfigMap", false),
            (ReferentKinds::asked_for_in("workloadRef: {}"), "kind: RayCluster", false),
            (ReferentKinds::asked_for_in("{configMapName: a}"), "kind: ConfigMap", true),
            (ReferentKinds::asked_for_in("kind: Rollout"), "kind: Deployment\n---\nkind: ConfigMap", false),
        ] {
            assert_eq!(kinds.may_be_in(text), expected, "{kinds:?} {text}");
        }
    }

    #[test]
    fn a_kind_is_known_by_its_group() {
        assert!(ReferentKinds::RARE.has("ray.io/v1", "RayCluster"));
        assert!(!ReferentKinds::RARE.has("example.com/v1", "RayCluster"));
        assert!(ReferentKinds::ALL.has("v1", "ConfigMap") && !ReferentKinds::RARE.has("v1", "ConfigMap"));
        assert!(!ReferentKinds::asked_for_in("kind: Pod").are_any());
    }
}
