//! The type of an object, as the decoder of Kubernetes' own webhook finds it: what the object says of itself, and where
//! it says nothing, what its request says.

use crate::workload::{WORKLOADS, Workload};

/// The kinds that the decoder knows, by their group; all of the version v1.
const KNOWN: [(&str, &[&str]); 4] = [
    ("", &CORE),
    ("apps", &["ControllerRevision", "DaemonSet", "Deployment", "ReplicaSet", "StatefulSet"]),
    ("batch", &["CronJob", "Job"]),
    ("admission.k8s.io", &["AdmissionReview"]),
];
const CORE: [&str; 26] = [
    "Binding",
    "ComponentStatus",
    "ConfigMap",
    "Endpoints",
    "Event",
    "LimitRange",
    "Namespace",
    "Node",
    "NodeProxyOptions",
    "PersistentVolume",
    "PersistentVolumeClaim",
    "Pod",
    "PodAttachOptions",
    "PodExecOptions",
    "PodLogOptions",
    "PodPortForwardOptions",
    "PodProxyOptions",
    "PodTemplate",
    "RangeAllocation",
    "ReplicationController",
    "ResourceQuota",
    "Secret",
    "SerializedReference",
    "Service",
    "ServiceAccount",
    "ServiceProxyOptions",
];
/// Kinds of the core group whose lists have no kind.
const WITHOUT_LIST: [&str; 10] = [
    "Binding",
    "NodeProxyOptions",
    "PodAttachOptions",
    "PodExecOptions",
    "PodLogOptions",
    "PodPortForwardOptions",
    "PodProxyOptions",
    "RangeAllocation",
    "SerializedReference",
    "ServiceProxyOptions",
];
/// Kinds that it knows in every one of these groups.
const IN_EVERY_GROUP: [&str; 7] = [
    "CreateOptions",
    "DeleteOptions",
    "GetOptions",
    "ListOptions",
    "PatchOptions",
    "UpdateOptions",
    "WatchEvent",
];
/// Kinds that it knows whatever their version.
const WITHOUT_VERSION: [&str; 5] = ["APIGroup", "APIGroupList", "APIResourceList", "APIVersions", "Status"];

/// The type of an object.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct ObjectType<'t> {
    pub(super) group: &'t str,
    pub(super) version: &'t str,
    pub(super) kind: &'t str,
}

impl<'t> ObjectType<'t> {
    /// The type that an `apiVersion` and a `kind` say; `None` for an `apiVersion` that is none.
    pub(super) fn new(api_version: &'t str, kind: &'t str) -> Option<Self> {
        let (group, version) = match api_version {
            "/" => ("", ""),
            _ => api_version.split_once('/').unwrap_or(("", api_version)),
        };
        (!version.contains('/')).then_some(Self { group, version, kind })
    }

    /// The same, with what it does not say taken from another.
    pub(super) fn or(self, other: Self) -> Self {
        let Self { group, version, kind } = self;
        let kind = if kind.is_empty() { other.kind } else { kind };
        let (group, version) = match (group, version) {
            ("", "") => (other.group, other.version),
            (group, "") if group == other.group => (group, other.version),
            said => said,
        };
        Self { group, version, kind }
    }

    /// Whether the decoder knows it.
    pub(super) fn is_known(self) -> bool {
        if self.kind.is_empty() || self.version.is_empty() {
            return false;
        }
        if WITHOUT_VERSION.contains(&self.kind) {
            return true;
        }
        let Some((_, kinds)) = KNOWN.iter().find(|(group, _)| *group == self.group && self.version == "v1")
        else {
            return false;
        };
        kinds.contains(&self.kind) || IN_EVERY_GROUP.contains(&self.kind) || self.is_list(kinds)
    }

    fn is_list(self, kinds: &[&str]) -> bool {
        let of = self.kind.strip_suffix("List");
        of.is_some_and(|of| {
            let is_item = kinds.contains(&of) && !WITHOUT_LIST.contains(&of);
            (is_item && self.group != "admission.k8s.io") || (of.is_empty() && self.group.is_empty())
        })
    }

    /// What carries the pod in it, if something does.
    pub(super) fn workload(self) -> Option<&'static Workload> {
        let is_it = |workload: &&Workload| workload.kind == self.kind && workload.group == self.group;
        WORKLOADS.iter().find(is_it).filter(|_| self.version == "v1")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_object_does_not_say_its_request_says() {
        let request = ObjectType { group: "apps", version: "v1", kind: "Deployment" };
        for (api_version, kind, expected) in [
            ("", "", Some(("apps", "v1", "Deployment"))),
            ("", "Pod", Some(("apps", "v1", "Pod"))),
            ("/", "Pod", Some(("apps", "v1", "Pod"))),
            ("v1", "", Some(("", "v1", "Deployment"))),
            ("/v1", "Pod", Some(("", "v1", "Pod"))),
            ("apps/", "Pod", Some(("apps", "v1", "Pod"))),
            ("batch/", "Job", Some(("batch", "", "Job"))),
            ("a/b/c", "Job", None),
        ] {
            let found = ObjectType::new(api_version, kind).map(|own| own.or(request));
            assert_eq!(found.map(|of| (of.group, of.version, of.kind)), expected, "{api_version} {kind}");
        }
    }

    #[test]
    fn what_the_decoder_knows() {
        let of = |api_version, kind| ObjectType::new(api_version, kind).unwrap();
        for (api_version, kind) in [
            ("v1", "Pod"),
            ("v1", "PodList"),
            ("v1", "List"),
            ("v1", "ListOptions"),
            ("batch/v1", "CronJobList"),
            ("apps/v1", "WatchEvent"),
            ("example.com/v7", "Status"),
        ] {
            assert!(of(api_version, kind).is_known(), "{api_version} {kind}");
        }
        for (api_version, kind) in [
            ("v2", "Pod"),
            ("apps/v1", "Pod"),
            ("v1", "BindingList"),
            ("apps/v1", "List"),
            ("admission.k8s.io/v1", "AdmissionReviewList"),
            ("batch/v1beta1", "CronJob"),
            ("example.com/v1", "Deployment"),
            ("example.com/v1", "ListOptions"),
            ("", "Status"),
            ("v1", ""),
        ] {
            assert!(!of(api_version, kind).is_known(), "{api_version} {kind}");
        }
        assert_eq!(of("batch/v1", "Job").workload().unwrap().resource, "jobs");
        assert!(of("batch/v1beta1", "CronJob").workload().is_none());
    }
}
