//! Kinds that are known, those without a pod, and what a kind that is not known may have been meant for.
//!
//! A group without a dot is one of Kubernetes' own: those of custom resources need one. So what such a group does not have
//! is misspelt, or left out here on purpose.

use crate::text::nearest;
use crate::workload::{WORKLOADS, Workload};

/// The kind of a Namespace.
pub(super) const NAMESPACE: &str = "Namespace";

/// The kinds of Kubernetes' own groups without pods that are made of them, and others of which the same is known although
/// they hold what looks like containers.
const WITHOUT_PODS: [(&str, &[&str]); 9] = [
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
pub(super) fn misspelling(api_version: &str, kind: &str) -> Option<String> {
    let group = group_of(api_version);
    let is_right = (api_version, kind) == ("v1", NAMESPACE);
    if is_right || !is_of_kubernetes(group) || kind != NAMESPACE && is_listed(group, kind) {
        return None;
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
        ] {
            let expected = format!("{api_version} has no {kind}, did you mean {meant}?");
            assert_eq!(misspelling(api_version, kind), Some(expected));
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
            assert_eq!(misspelling(api_version, kind), None, "{api_version} {kind}");
        }
    }
}
