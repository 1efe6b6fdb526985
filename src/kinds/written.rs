//! The shape of a file of kinds as it is written: what `serde` reads and the JSON Schema is made from.
//!
//! Only the shape: whether it makes sense is decided by `file` and `added`.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::workload::{Part, Shape};

/// A platform's own custom resources that carry pods.
#[derive(Debug, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct KindTableFile {
    /// `podgate.dev/v1alpha1`.
    #[serde(rename = "apiVersion")]
    _api_version: String,
    /// `KindTable`.
    #[serde(rename = "kind")]
    _kind: String,
    /// For people.
    #[serde(default, rename = "metadata")]
    _metadata: TableMeta,
    /// What is added to the table of kinds.
    pub(super) spec: KindTableSpec,
}

/// What a file says of itself.
#[derive(Debug, Default, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(super) struct TableMeta {
    /// The name of the table.
    #[serde(rename = "name")]
    _name: String,
    #[serde(rename = "labels")]
    _labels: BTreeMap<String, String>,
    #[serde(rename = "annotations")]
    _annotations: BTreeMap<String, String>,
}

/// What is added to the table of kinds.
#[derive(Debug, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct KindTableSpec {
    /// The kinds; none, in a file that is to add nothing.
    pub(super) kinds: Vec<WrittenKind>,
}

/// A kind of custom resource: with the places of its pods, or with why there are none.
#[derive(Debug, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct WrittenKind {
    /// The API group: `example.com`.
    pub(super) group: String,
    /// The versions that this is about; if omitted, all that no other entry of the kind names.
    #[schemars(length(min = 1))]
    pub(super) versions: Option<Vec<String>>,
    /// The kind, as in a manifest: `TrainingRun`.
    #[schemars(length(min = 1))]
    pub(super) kind: String,
    /// Where its pods are.
    #[schemars(length(min = 1))]
    pub(super) templates: Option<Vec<WrittenTemplate>>,
    /// In place of `templates`: why there are none.
    pub(super) carries: Option<CarriesWord>,
}

/// Where pods are, and how they are written there.
#[derive(Debug, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct WrittenTemplate {
    /// The path from the object: keys, `key[]` for each item of a list, `*` for each value of a map, with dots between.
    /// `spec.workers[].template`.
    pub(super) path: String,
    /// How they are written there.
    pub(super) shape: ShapeWord,
}

/// How a pod is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) enum ShapeWord {
    /// A PodTemplateSpec: `metadata` and `spec`. Nobody adds to it.
    PodTemplate,
    /// A PodSpec. Nobody adds to it.
    PodSpec,
    /// Some fields of a PodSpec, without the pod's own security context: whoever uses it may add that.
    PartialPodSpec,
    /// One container: whoever uses it may add the pod's own security context.
    Container,
    /// Something that is merged into a PodSpec that is elsewhere: any field may be there.
    Patch,
    /// A whole object of any kind.
    Object,
}

/// Why a kind has no place with pods.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) enum CarriesWord {
    /// It makes pods, of which nothing that a rule looks at is written in it: its objects are unresolved.
    Opaque,
    /// It makes no pod.
    Nothing,
}

impl ShapeWord {
    /// How it is written in the table, and what follows there where a field is absent.
    pub(super) fn meaning(self) -> (Shape, Part) {
        match self {
            Self::PodTemplate => (Shape::PodTemplate, Part::Whole),
            Self::PodSpec => (Shape::PodSpec, Part::Whole),
            Self::PartialPodSpec => (Shape::PartialPodSpec, Part::WithoutPodLevel),
            Self::Container => (Shape::Container, Part::WithoutPodLevel),
            Self::Patch => (Shape::Patch, Part::Overlay),
            Self::Object => (Shape::Object, Part::Whole),
        }
    }
}
