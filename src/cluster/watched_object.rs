//! What is kept of an object that is watched or read: its place, and the few fields that somebody looks at.
//!
//! Everything else is dropped while the object is parsed. A page has 500 of them, and who may write one may write a
//! mebibyte of annotations.

use std::collections::BTreeMap;
use std::marker::PhantomData;

use k8s_openapi::api::core::v1::{ConfigMap, ServiceAccount as CoreServiceAccount};
use k8s_openapi::api::rbac::v1::{ClusterRoleBinding, RoleBinding};
use kube::Resource;
use kube::core::{ObjectMeta, PartialObjectMeta};
use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::identity::ServiceAccount;
use crate::policy::{Binding, CLUSTER_ROLE, NamespaceMetadata};

/// An object, as far as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct WatchedObject {
    pub(super) namespace: Option<String>,
    pub(super) name: Option<String>,
    pub(super) content: ObjectContent,
}

/// What is kept of an object beside its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum ObjectContent {
    /// The labels of a Namespace, and the annotations that controls read.
    Namespace(NamespaceMetadata),
    /// The whole service account, as far as anybody looks at it.
    Account(ServiceAccount),
    /// Whom a RoleBinding or ClusterRoleBinding names.
    Binding(Binding),
    /// What a ConfigMap holds.
    ConfigMap(ConfigMapContent),
}

/// What a ConfigMap holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ConfigMapContent {
    /// `data`: texts by their keys.
    pub data: BTreeMap<String, String>,
    /// Whether there is anything in `binaryData`.
    pub has_binary: bool,
}

/// Metadata are all that was asked for.
impl<K> From<PartialObjectMeta<K>> for WatchedObject {
    fn from(object: PartialObjectMeta<K>) -> Self {
        let ObjectMeta { namespace, name, labels, annotations, .. } = object.metadata;
        let metadata = NamespaceMetadata::new(labels.unwrap_or_default(), pairs(annotations.as_ref()));
        Self { namespace, name, content: ObjectContent::Namespace(metadata) }
    }
}

/// A kind of which more than metadata is read.
pub(super) trait WholeKind: Resource<DynamicType = ()> + 'static {
    fn content(object: ObjectJson) -> ObjectContent;
}

impl WholeKind for CoreServiceAccount {
    fn content(object: ObjectJson) -> ObjectContent {
        ObjectContent::Account(object.into())
    }
}

impl WholeKind for RoleBinding {
    fn content(object: ObjectJson) -> ObjectContent {
        ObjectContent::Binding(object.into())
    }
}

impl WholeKind for ClusterRoleBinding {
    fn content(object: ObjectJson) -> ObjectContent {
        ObjectContent::Binding(object.into())
    }
}

impl WholeKind for ConfigMap {
    fn content(object: ObjectJson) -> ObjectContent {
        let has_binary = object.binary_data.is_some_and(|binary| !binary.is_empty());
        let data = object.data.unwrap_or_default().into_iter();
        let data = data.map(|(key, value)| (key, value.unwrap_or_default())).collect();
        ObjectContent::ConfigMap(ConfigMapContent { data, has_binary })
    }
}

/// An object of a kind, read whole and kept in part. The client library looks at the place and the version alone.
#[derive(Deserialize)]
#[serde(from = "ObjectJson", bound = "K: WholeKind")]
pub(super) struct WholeObject<K> {
    metadata: ObjectMeta,
    content: ObjectContent,
    kind: PhantomData<fn() -> K>,
}

// Not derived, since that would ask the same of the kind.
impl<K> Clone for WholeObject<K> {
    fn clone(&self) -> Self {
        Self { metadata: self.metadata.clone(), content: self.content.clone(), kind: PhantomData }
    }
}

impl<K> std::fmt::Debug for WholeObject<K> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("WholeObject").field("content", &self.content).finish_non_exhaustive()
    }
}

impl<K: WholeKind> Resource for WholeObject<K> {
    type DynamicType = ();
    type Scope = K::Scope;

    fn kind((): &()) -> std::borrow::Cow<'_, str> {
        K::kind(&())
    }

    fn group((): &()) -> std::borrow::Cow<'_, str> {
        K::group(&())
    }

    fn version((): &()) -> std::borrow::Cow<'_, str> {
        K::version(&())
    }

    fn plural((): &()) -> std::borrow::Cow<'_, str> {
        K::plural(&())
    }

    fn meta(&self) -> &ObjectMeta {
        &self.metadata
    }

    fn meta_mut(&mut self) -> &mut ObjectMeta {
        &mut self.metadata
    }
}

impl<K: WholeKind> From<ObjectJson> for WholeObject<K> {
    fn from(mut object: ObjectJson) -> Self {
        let metadata = ObjectMeta {
            name: object.metadata.name.take(),
            namespace: object.metadata.namespace.take(),
            resource_version: object.metadata.resource_version.take(),
            ..ObjectMeta::default()
        };
        Self { metadata, content: K::content(object), kind: PhantomData }
    }
}

impl<K> From<WholeObject<K>> for WatchedObject {
    fn from(object: WholeObject<K>) -> Self {
        let ObjectMeta { namespace, name, .. } = object.metadata;
        Self { namespace, name, content: object.content }
    }
}

/// An object as the API server writes it: the fields of every kind that is read whole.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ObjectJson {
    metadata: MetadataJson,
    automount_service_account_token: Option<bool>,
    image_pull_secrets: Option<Vec<ReferenceJson>>,
    secrets: Option<Vec<ReferenceJson>>,
    subjects: Option<Vec<SubjectJson>>,
    role_ref: Option<ReferenceJson>,
    data: Option<BTreeMap<String, Option<String>>>,
    binary_data: Option<BTreeMap<String, IgnoredAny>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct MetadataJson {
    name: Option<String>,
    namespace: Option<String>,
    resource_version: Option<String>,
    labels: Option<BTreeMap<String, String>>,
    annotations: Option<BTreeMap<String, String>>,
}

/// What names another object of a kind that is known.
#[derive(Deserialize)]
struct ReferenceJson {
    kind: Option<String>,
    name: Option<String>,
}

#[derive(Deserialize)]
struct SubjectJson {
    kind: String,
    name: String,
    namespace: Option<String>,
}

impl From<ObjectJson> for ServiceAccount {
    fn from(object: ObjectJson) -> Self {
        let MetadataJson { labels, annotations, .. } = &object.metadata;
        Self::new(pairs(annotations.as_ref()), pairs(labels.as_ref()))
            .with_secrets(names(object.secrets.as_deref()))
            .with_pull_secrets(names(object.image_pull_secrets.as_deref()))
            .with_automount(object.automount_service_account_token)
    }
}

impl From<ObjectJson> for Binding {
    fn from(object: ObjectJson) -> Self {
        let role = object.role_ref.as_ref();
        let cluster_role = role.filter(|role| role.kind.as_deref() == Some(CLUSTER_ROLE));
        let mut binding = Self::to_role(cluster_role.and_then(|role| role.name.as_deref()));
        for SubjectJson { kind, name, namespace } in object.subjects.iter().flatten() {
            binding.add(kind, name, namespace.as_deref());
        }
        binding
    }
}

fn pairs(map: Option<&BTreeMap<String, String>>) -> impl Iterator<Item = (&str, &str)> {
    map.into_iter().flatten().map(|(key, value)| (key.as_str(), value.as_str()))
}

fn names(references: Option<&[ReferenceJson]>) -> impl Iterator<Item = &str> {
    references.into_iter().flatten().filter_map(|reference| reference.name.as_deref())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read<K: WholeKind>(object: serde_json::Value) -> WatchedObject {
        serde_json::from_value::<WholeObject<K>>(object).unwrap().into()
    }

    #[test]
    fn of_a_service_account_what_somebody_looks_at_is_kept() {
        let object = read::<CoreServiceAccount>(json!({
            "metadata": {
                "name": "trainer", "namespace": "team", "resourceVersion": "7", "uid": "u",
                "annotations": {"azure.workload.identity/client-id": "a", "note": "long"},
                "labels": {"azure.workload.identity/use": "true", "team": "x"},
                "managedFields": [{"manager": "kubectl"}],
            },
            "automountServiceAccountToken": false,
            "imagePullSecrets": [{"name": "pull"}, {}],
            "secrets": [{"name": "s", "kind": "Secret"}],
        }));
        let expected = ServiceAccount::new(
            [("azure.workload.identity/client-id", "a")],
            [("azure.workload.identity/use", "true")],
        )
        .with_pull_secrets(["pull"])
        .with_automount(Some(false));
        assert_eq!(object.name.as_deref(), Some("trainer"));
        assert_eq!(object.namespace.as_deref(), Some("team"));
        assert_eq!(object.content, ObjectContent::Account(expected));
        let bare = read::<CoreServiceAccount>(json!({"metadata": {"name": "a", "annotations": null}}));
        assert_eq!(bare.content, ObjectContent::Account(ServiceAccount::default()));
    }

    #[test]
    fn of_a_binding_whom_it_names_is_kept() {
        let object = read::<ClusterRoleBinding>(json!({
            "metadata": {"name": "b", "resourceVersion": "7"},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "view"},
            "subjects": [
                {"kind": "ServiceAccount", "name": "trainer", "namespace": "team"},
                {"kind": "User", "name": "ann"},
            ],
        }));
        let mut expected = Binding::to_role(Some("view"));
        expected.add("ServiceAccount", "trainer", Some("team"));
        assert_eq!(object.content, ObjectContent::Binding(expected));
        let none = read::<RoleBinding>(json!({"metadata": {"name": "b"}, "subjects": null}));
        assert_eq!(none.content, ObjectContent::Binding(Binding::default()));
    }
}
