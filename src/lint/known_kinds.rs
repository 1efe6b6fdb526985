//! Kinds that are known, those without a pod, and what a kind that is not known may have been meant for.
//!
//! A group without a dot is one of Kubernetes' own: those of custom resources need one. So what such a group does not have
//! is misspelt, or left out here on purpose.

use crate::policy::POLICY_TEST;
use crate::text::nearest;
use crate::workload::{Kind, Kinds, WORKLOADS, Workload};

/// How many letters of a name may be wrong, of one in four.
const MISSPELT_LETTERS: usize = 2;

/// The kind of a Namespace.
pub(super) const NAMESPACE: &str = "Namespace";

/// The kinds of Kubernetes' own groups without pods that are made of them, and others of which the same is known although
/// they hold what looks like containers.
const WITHOUT_PODS: [(&str, &[&str]); 10] = [
    ("", CORE),
    // It holds a template that was: the controller that wrote it has the one that is.
    ("apps", &["ControllerRevision", "DeploymentRollback", "Scale"]),
    ("autoscaling", &["HorizontalPodAutoscaler", "Scale"]),
    (
        "extensions",
        &[
            "DeploymentRollback",
            "Ingress",
            "NetworkPolicy",
            "PodSecurityPolicy",
            "Scale",
            "ThirdPartyResource",
        ],
    ),
    ("policy", &["Eviction", "PodDisruptionBudget", "PodSecurityPolicy"]),
    // For `podgate review`.
    ("admission.k8s.io", &["AdmissionReview"]),
    ("apiextensions.k8s.io", &["CustomResourceDefinition"]),
    ("kustomize.config.k8s.io", &["Component", "Kustomization"]),
    // What is used, not what is asked for.
    ("metrics.k8s.io", &["NodeMetrics", "PodMetrics"]),
    // What is in it is there to be refused.
    ("podgate.dev", &[POLICY_TEST]),
];

/// Those of the core group. `Config` is kubectl's own, `Template` is that of old OpenShift.
const CORE: &[&str] = &[
    "APIGroup",
    "Binding",
    "ComponentStatus",
    "Config",
    "ConfigMap",
    "Endpoints",
    "Event",
    "LimitRange",
    NAMESPACE,
    "Node",
    "PersistentVolume",
    "PersistentVolumeClaim",
    "PodStatusResult",
    "RangeAllocation",
    "ReplicationControllerDummy",
    "ResourceQuota",
    "Secret",
    "Service",
    "ServiceAccount",
    "Status",
    "Template",
];

/// What a kind without pods may still hold: `Template` makes objects of any kind.
const HOLDER: (&str, &str) = ("", "Template");

/// Whether a kind is known to make no pod, whatever it holds.
pub(super) fn is_without_pods(api_version: &str, kind: &str) -> bool {
    let group = group_of(api_version);
    is_listed(group, kind) && (group, kind) != HOLDER
}

fn is_listed(group: &str, kind: &str) -> bool {
    WITHOUT_PODS.iter().any(|(of, kinds)| *of == group && kinds.contains(&kind))
}

/// What is wrong with the version or kind of an object that is nearly one of those that are read, and which that is.
pub(super) fn misspelling(kinds: &Kinds, api_version: &str, kind: &str) -> Option<String> {
    let group = group_of(api_version);
    let is_right = (api_version, kind) == ("v1", NAMESPACE);
    if is_right || !is_of_kubernetes(group) || kind != NAMESPACE && is_listed(group, kind) {
        return None;
    }
    if let Some(meant) = group_without_dot(kinds, api_version, kind) {
        return Some(format!("{api_version} has no {kind}, did you mean {meant}?"));
    }
    let meant = nearest(kind, read_kinds().chain(others()))?;
    let version = match WORKLOADS.iter().find(|workload| workload.kind == meant) {
        Some(workload) if workload.has_version(api_version) => api_version,
        Some(workload) => workload.newest_version(),
        None if meant == NAMESPACE => "v1",
        None => return None,
    };
    let instead = match (version == api_version, meant == kind) {
        (true, _) => meant.to_owned(),
        (false, true) => version.to_owned(),
        (false, false) => format!("{meant} of {version}"),
    };
    Some(format!("{api_version} has no {kind}, did you mean {instead}?"))
}

/// The version of a custom resource of this very kind, where a group is given that no custom resource can have: the group without
/// its dot, perhaps.
fn group_without_dot(kinds: &Kinds, api_version: &str, kind: &str) -> Option<String> {
    let (group, version) = api_version.split_once('/')?;
    let is_workload = WORKLOADS.iter().any(|workload| workload.kind == kind);
    let mut of_kind = kinds.iter().filter(|row| row.kind == kind && !group.contains('.') && !is_workload);
    let row = of_kind.find(|row| {
        let without_dots = row.group.replace('.', "");
        group == without_dots || is_near(group, &without_dots)
    })?;
    Some(version_of(row, version))
}

/// What a kind that podgate does not know was perhaps meant for: one of its group that has nearly its name, or one of its name in
/// a group that is called nearly the same. A group may well have other kinds, so this is a guess.
pub(super) fn nearly_known(kinds: &Kinds, api_version: &str, kind: &str) -> Option<String> {
    let (group, version) = api_version.split_once('/')?;
    if kinds.find(api_version, kind).is_some() || !group.contains('.') {
        return None;
    }
    let of_group = kinds.iter().find(|row| row.group == group && is_near(kind, row.kind));
    let of_kind = || kinds.iter().find(|row| row.kind == kind && is_near(group, row.group));
    of_group.map(|row| row.kind.to_owned()).or_else(|| of_kind().map(|row| version_of(row, version)))
}

/// The version of a kind that somebody meant.
fn version_of(row: &Kind, version: &str) -> String {
    let is_one = row.versions.is_empty() || row.versions.contains(&version);
    let version = if is_one { version } else { row.versions.first().copied().unwrap_or(version) };
    format!("{}/{version}", row.group)
}

/// Whether a name differs from another in a letter or two, or in the case of its letters.
fn is_near(found: &str, known: &str) -> bool {
    let most = (known.len() / 4).min(MISSPELT_LETTERS);
    found != known
        && found.len().abs_diff(known.len()) <= most
        && strsim::damerau_levenshtein(&found.to_lowercase(), &known.to_lowercase()) <= most
}

/// The kinds that are read.
fn read_kinds() -> impl Iterator<Item = &'static str> {
    WORKLOADS.iter().map(|workload| workload.kind).chain([NAMESPACE])
}

/// The other kinds of Kubernetes' own groups: what is nearer to one of them was meant for it.
fn others() -> impl Iterator<Item = &'static str> {
    WITHOUT_PODS.iter().filter(|(group, _)| !group.contains('.')).flat_map(|(_, kinds)| kinds.iter().copied())
}

fn group_of(api_version: &str) -> &str {
    api_version.split_once('/').map_or("", |(group, _)| group)
}

/// Whether a group can only be Kubernetes' own, or is one of those with the ending that its newer groups have.
fn is_of_kubernetes(group: &str) -> bool {
    let group = group.to_ascii_lowercase();
    let of_workload = |name: &str| name == "core" || WORKLOADS.iter().any(|workload| workload.group == name);
    !group.contains('.') || group.strip_suffix(".k8s.io").is_some_and(of_workload)
}

/// Whether a kind is that of a workload, or nearly.
pub(super) fn is_near_workload(kind: &str) -> bool {
    nearest(kind, read_kinds().chain(others()))
        .is_some_and(|meant| WORKLOADS.iter().any(|workload| workload.kind == meant))
}

/// Whether a version is one that only workloads have: not `v1`, by which charts go as well.
pub(super) fn is_version_of_workload(api_version: &str) -> bool {
    api_version.contains('/') && WORKLOADS.iter().any(|workload: &Workload| workload.has_version(api_version))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_nearly_a_kind_that_is_read_is_misspelt() {
        for (api_version, kind, meant) in [
            ("v1", "Deployment", "apps/v1"),
            ("apps/v1", "deployment", "Deployment"),
            ("apps/v1", "Deploymnet", "Deployment"),
            ("apps/v1", "Deployments", "Deployment"),
            ("apps/v1beta1", "StatefullSet", "StatefulSet"),
            ("app/v1", "Deployment", "apps/v1"),
            ("Apps/v1", "Deployment", "apps/v1"),
            ("apps", "Deployment", "apps/v1"),
            ("apps.k8s.io/v1", "Deployment", "apps/v1"),
            ("app/v1", "deployment", "Deployment of apps/v1"),
            ("apps/v1", "Daemonset", "DaemonSet"),
            ("apps/v1", "Pod", "v1"),
            ("core/v1", "Pod", "v1"),
            ("v1", "pods", "Pod"),
            ("v1", "POD", "Pod"),
            ("batch/v1", "Cronjob", "CronJob"),
            ("batch/v1", "jobs", "Job"),
            ("batch/V1", "cronjob", "CronJob of batch/v1"),
            ("v1", "CronJob", "batch/v1"),
            ("jobs/v1", "Job", "batch/v1"),
            ("v1", "namespace", "Namespace"),
            ("core/v1", "Namespace", "v1"),
            ("v1", "PodTemplates", "PodTemplate"),
            ("rayio/v1", "RayCluster", "ray.io/v1"),
            ("kubefloworg/v1", "PyTorchJob", "kubeflow.org/v1"),
        ] {
            let expected = format!("{api_version} has no {kind}, did you mean {meant}?");
            assert_eq!(misspelling(&Kinds::default(), api_version, kind), Some(expected));
        }
    }

    #[test]
    fn other_kinds_are_not_taken_for_misspelt() {
        for (api_version, kind) in [
            ("v1", "Node"),
            ("v1", "Nodes"),
            ("v1", "Binding"),
            ("v1", "Service"),
            ("v1", "service"),
            ("v1", "Namespace"),
            ("v1", "Template"),
            ("v1", "Config"),
            ("v1", "Route"),
            ("v1", "DeploymentConfig"),
            ("apps/v1", "ControllerRevision"),
            ("policy/v1", "PodDisruptionBudget"),
            ("policy/v1beta1", "PodSecurityPolicy"),
            ("autoscaling/v2", "HorizontalPodAutoscaler"),
            ("extensions/v1beta1", "Ingress"),
            ("batch.volcano.sh/v1alpha1", "Job"),
            ("serving.knative.dev/v1", "Service"),
            ("apps.kruise.io/v1beta1", "StatefulSet"),
            ("apps.openshift.io/v1", "DeploymentConfig"),
            ("jobset.x-k8s.io/v1alpha2", "JobSet"),
            ("app.k8s.io/v1beta1", "Application"),
            ("stable.example.com/v1", "CronTab"),
            ("keda.sh/v1alpha1", "ScaledJob"),
            ("example.com/v1", "Pod"),
        ] {
            assert_eq!(misspelling(&Kinds::default(), api_version, kind), None, "{api_version} {kind}");
            assert_eq!(nearly_known(&Kinds::default(), api_version, kind), None, "{api_version} {kind}");
        }
    }

    #[test]
    fn what_is_nearly_a_custom_resource_is_guessed() {
        for (api_version, kind, meant) in [
            ("ray.io/v1", "RayClutser", Some("RayCluster")),
            ("ray.io/v1", "rayjob", Some("RayJob")),
            ("ray.io/v1", "RayJobs", Some("RayJob")),
            ("ray.oi/v1", "RayJob", Some("ray.io/v1")),
            ("kubeflow.org/v1", "PytorchJob", Some("PyTorchJob")),
            ("kubflow.org/v1", "PyTorchJob", Some("kubeflow.org/v1")),
            ("tekton.dev/v1", "Tasks", Some("Task")),
            ("ray.io/v1", "RayCluster", None),
            ("ray.io/v1", "RayThing", None),
            ("tekton.dev/v1", "Run", None),
            ("argoproj.io/v1alpha1", "Application", None),
            ("argoproj.io/v1alpha1", "EventBus", None),
            ("apps.kruise.io/v1alpha1", "SidecarSet", None),
            ("rayio/v1", "RayCluster", None),
        ] {
            let found = nearly_known(&Kinds::default(), api_version, kind);
            assert_eq!(found.as_deref(), meant, "{api_version} {kind}");
        }
    }
}
