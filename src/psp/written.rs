//! The shapes of what is imported, as Kubernetes 1.24 read it: PodSecurityPolicies, Roles and their bindings.
//!
//! Only shapes: a JSON Schema of each finds what does not fit, with its place. What a value means is said in `spec`.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

/// An object of which a part is read.
#[derive(Debug, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct WrittenPsp {
    #[serde(rename = "apiVersion")]
    _api_version: String,
    #[serde(rename = "kind")]
    _kind: String,
    pub(super) metadata: WrittenMetadata,
    pub(super) spec: WrittenSpec,
}

/// `metadata`: the name, the annotations, and what an API server adds.
#[derive(Debug, Default, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct WrittenMetadata {
    #[schemars(length(min = 1))]
    pub(super) name: String,
    pub(super) namespace: Option<String>,
    #[serde(default)]
    pub(super) annotations: BTreeMap<String, String>,
    #[serde(default, rename = "labels")]
    _labels: BTreeMap<String, String>,
    #[serde(rename = "creationTimestamp")]
    _creation_timestamp: Option<Value>,
    #[serde(rename = "deletionGracePeriodSeconds")]
    _deletion_grace_period_seconds: Option<Value>,
    #[serde(rename = "deletionTimestamp")]
    _deletion_timestamp: Option<Value>,
    #[serde(rename = "finalizers")]
    _finalizers: Option<Value>,
    #[serde(rename = "generateName")]
    _generate_name: Option<Value>,
    #[serde(rename = "generation")]
    _generation: Option<Value>,
    #[serde(rename = "managedFields")]
    _managed_fields: Option<Value>,
    #[serde(rename = "ownerReferences")]
    _owner_references: Option<Value>,
    #[serde(rename = "resourceVersion")]
    _resource_version: Option<Value>,
    #[serde(rename = "selfLink")]
    _self_link: Option<Value>,
    #[serde(rename = "uid")]
    _uid: Option<Value>,
}

/// `spec` of a PodSecurityPolicy.
#[derive(Debug, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct WrittenSpec {
    #[serde(default)]
    pub(super) privileged: bool,
    #[serde(default)]
    pub(super) default_add_capabilities: Vec<String>,
    #[serde(default)]
    pub(super) required_drop_capabilities: Vec<String>,
    #[serde(default)]
    pub(super) allowed_capabilities: Vec<String>,
    #[serde(default)]
    #[schemars(with = "Vec<VolumeName>")]
    pub(super) volumes: Vec<String>,
    #[serde(default)]
    pub(super) host_network: bool,
    #[serde(default)]
    pub(super) host_ports: Vec<WrittenRange>,
    #[serde(default, rename = "hostPID")]
    pub(super) host_pid: bool,
    #[serde(default, rename = "hostIPC")]
    pub(super) host_ipc: bool,
    pub(super) se_linux: WrittenSeLinux,
    pub(super) run_as_user: WrittenUser,
    pub(super) run_as_group: Option<WrittenGroup>,
    pub(super) supplemental_groups: WrittenGroup,
    pub(super) fs_group: WrittenGroup,
    #[serde(default)]
    pub(super) read_only_root_filesystem: bool,
    pub(super) default_allow_privilege_escalation: Option<bool>,
    pub(super) allow_privilege_escalation: Option<bool>,
    #[serde(default)]
    pub(super) allowed_host_paths: Vec<WrittenHostPath>,
    #[serde(default)]
    pub(super) allowed_flex_volumes: Vec<WrittenFlexVolume>,
    #[serde(default, rename = "allowedCSIDrivers")]
    pub(super) allowed_csi_drivers: Vec<WrittenCsiDriver>,
    #[serde(default)]
    pub(super) allowed_unsafe_sysctls: Vec<String>,
    #[serde(default)]
    pub(super) forbidden_sysctls: Vec<String>,
    #[serde(default)]
    pub(super) allowed_proc_mount_types: Vec<ProcMount>,
    pub(super) runtime_class: Option<WrittenRuntimeClass>,
}

/// From one number to another, both included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct WrittenRange {
    pub(super) min: i64,
    pub(super) max: i64,
}

#[derive(Debug, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct WrittenSeLinux {
    pub(super) rule: LabelRule,
    pub(super) se_linux_options: Option<WrittenLabel>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, schemars::JsonSchema)]
pub(super) enum LabelRule {
    MustRunAs,
    RunAsAny,
}

/// `seLinuxOptions`.
#[derive(Debug, Default, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct WrittenLabel {
    pub(super) r#type: String,
    pub(super) user: String,
    pub(super) role: String,
    pub(super) level: String,
}

#[derive(Debug, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct WrittenUser {
    pub(super) rule: UserRule,
    #[serde(default)]
    pub(super) ranges: Vec<WrittenRange>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, schemars::JsonSchema)]
pub(super) enum UserRule {
    MustRunAs,
    MustRunAsNonRoot,
    RunAsAny,
}

#[derive(Debug, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct WrittenGroup {
    pub(super) rule: GroupRule,
    #[serde(default)]
    pub(super) ranges: Vec<WrittenRange>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, schemars::JsonSchema)]
pub(super) enum GroupRule {
    MayRunAs,
    MustRunAs,
    RunAsAny,
}

#[derive(Debug, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct WrittenHostPath {
    #[schemars(length(min = 1))]
    pub(super) path_prefix: String,
    #[serde(default)]
    pub(super) read_only: bool,
}

#[derive(Debug, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct WrittenFlexVolume {
    #[schemars(length(min = 1))]
    pub(super) driver: String,
}

#[derive(Debug, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct WrittenCsiDriver {
    #[schemars(length(min = 1))]
    pub(super) name: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, schemars::JsonSchema)]
pub(super) enum ProcMount {
    Default,
    Unmasked,
}

#[derive(Debug, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct WrittenRuntimeClass {
    #[serde(default)]
    pub(super) allowed_runtime_class_names: Vec<String>,
    pub(super) default_runtime_class_name: Option<String>,
}

/// Every type of volume that a PodSecurityPolicy could name but `*`, each with our name for it.
pub(super) const VOLUME_NAMES: [(&str, &str); 29] = [
    ("awsElasticBlockStore", "awsElasticBlockStore"),
    ("azureDisk", "azureDisk"),
    ("azureFile", "azureFile"),
    ("cephFS", "cephfs"),
    ("cinder", "cinder"),
    ("configMap", "configMap"),
    ("csi", "csi"),
    ("downwardAPI", "downwardAPI"),
    ("emptyDir", "emptyDir"),
    ("ephemeral", "ephemeral"),
    ("fc", "fc"),
    ("flexVolume", "flexVolume"),
    ("flocker", "flocker"),
    ("gcePersistentDisk", "gcePersistentDisk"),
    ("gitRepo", "gitRepo"),
    ("glusterfs", "glusterfs"),
    ("hostPath", "hostPath"),
    ("iscsi", "iscsi"),
    ("nfs", "nfs"),
    ("persistentVolumeClaim", "persistentVolumeClaim"),
    ("photonPersistentDisk", "photonPersistentDisk"),
    ("portworxVolume", "portworxVolume"),
    ("projected", "projected"),
    ("quobyte", "quobyte"),
    ("rbd", "rbd"),
    ("scaleIO", "scaleIO"),
    ("secret", "secret"),
    ("storageos", "storageos"),
    ("vsphereVolume", "vsphereVolume"),
];

/// In lists of a PodSecurityPolicy: anything.
pub(super) const ANY: &str = "*";

/// A word of `volumes`, for the schema.
struct VolumeName;

impl schemars::JsonSchema for VolumeName {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "VolumeName".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let names: Vec<&str> = VOLUME_NAMES.iter().map(|(name, _)| *name).chain([ANY]).collect();
        schemars::json_schema!({ "type": "string", "enum": names })
    }
}

/// A Role or ClusterRole.
#[derive(Debug, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct WrittenRole {
    #[serde(rename = "apiVersion")]
    _api_version: String,
    #[serde(rename = "kind")]
    _kind: String,
    pub(super) metadata: WrittenMetadata,
    #[serde(default)]
    pub(super) rules: Vec<WrittenRule>,
    pub(super) aggregation_rule: Option<Value>,
}

#[derive(Debug, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct WrittenRule {
    pub(super) verbs: Vec<String>,
    #[serde(default)]
    pub(super) api_groups: Vec<String>,
    #[serde(default)]
    pub(super) resources: Vec<String>,
    #[serde(default)]
    pub(super) resource_names: Vec<String>,
    #[serde(default, rename = "nonResourceURLs")]
    _non_resource_urls: Vec<String>,
}

/// A RoleBinding or ClusterRoleBinding.
#[derive(Debug, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct WrittenBinding {
    #[serde(rename = "apiVersion")]
    _api_version: String,
    #[serde(rename = "kind")]
    _kind: String,
    pub(super) metadata: WrittenMetadata,
    #[serde(default)]
    pub(super) subjects: Vec<WrittenSubject>,
    pub(super) role_ref: WrittenRoleRef,
}

#[derive(Debug, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct WrittenSubject {
    pub(super) kind: SubjectKind,
    #[schemars(length(min = 1))]
    pub(super) name: String,
    pub(super) namespace: Option<String>,
    #[serde(rename = "apiGroup")]
    _api_group: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, schemars::JsonSchema)]
pub(super) enum SubjectKind {
    User,
    Group,
    ServiceAccount,
}

#[derive(Debug, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct WrittenRoleRef {
    #[serde(rename = "apiGroup")]
    _api_group: Option<String>,
    pub(super) kind: RoleKind,
    #[schemars(length(min = 1))]
    pub(super) name: String,
}

/// The kinds of roles, in `roleRef` as by themselves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize, schemars::JsonSchema)]
pub(super) enum RoleKind {
    Role,
    ClusterRole,
}
