//! The shape of a file of tests as it is written: what `serde` reads and the JSON Schema is made from.
//!
//! Only the shape: whether it makes sense is decided by `file` and `case`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// What is expected of policies.
#[derive(Debug, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct PolicyTestFile {
    /// `podgate.dev/v1alpha1`.
    #[serde(rename = "apiVersion")]
    _api_version: String,
    /// `PolicyTest`.
    #[serde(rename = "kind")]
    _kind: String,
    /// For people.
    #[serde(default, rename = "metadata")]
    _metadata: PolicyTestMeta,
    pub(super) spec: PolicyTestSpec,
}

/// What a file says of itself.
#[derive(Debug, Default, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(super) struct PolicyTestMeta {
    /// The name of the test.
    #[serde(rename = "name")]
    _name: String,
    #[serde(rename = "labels")]
    _labels: BTreeMap<String, String>,
    #[serde(rename = "annotations")]
    _annotations: BTreeMap<String, String>,
}

/// Which policies are tested, in which cluster, and with what.
#[derive(Debug, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct PolicyTestSpec {
    /// Files and folders with policies; from the folder of this file on. Policies may also be further documents of this file.
    #[serde(default)]
    pub(super) policies: Vec<String>,
    /// Files and folders with objects of the cluster that a verdict may need: Namespaces, ServiceAccounts; from the folder of
    /// this file on. They may also be further documents of this file.
    #[serde(default)]
    pub(super) objects: Vec<String>,
    /// The namespace of what names none.
    pub(super) namespace: Option<String>,
    /// The day on which it is judged, in UTC, as exceptions end: `2027-03-31`. Without one, today.
    #[schemars(extend("format" = "date"))]
    pub(super) at: Option<String>,
    /// What is judged, and what is expected of it.
    #[schemars(length(min = 1))]
    pub(super) cases: Vec<WrittenCase>,
}

/// Something that is judged, and what is expected.
#[derive(Debug, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct WrittenCase {
    /// What it shows, in a sentence; unique in its file.
    #[schemars(length(min = 1))]
    pub(super) name: String,
    /// A Pod, or another object that makes pods.
    pub(super) object: Option<Map<String, Value>>,
    /// In place of `object`: a file with one or several; from the folder of this file on.
    pub(super) file: Option<String>,
    /// The namespace of an object that names none.
    pub(super) namespace: Option<String>,
    /// The day on which it is judged, if it is another one.
    #[schemars(extend("format" = "date"))]
    pub(super) at: Option<String>,
    /// What is done with the object.
    pub(super) operation: Option<OperationWord>,
    /// The part of the pod that is updated, if it is not the whole.
    pub(super) subresource: Option<SubresourceWord>,
    /// The pod before an update.
    pub(super) old: Option<Map<String, Value>>,
    /// The name of the user who does it: `system:serviceaccount:ci:builder`.
    pub(super) user: Option<String>,
    /// The groups of that user; a service account's are the API server's own, and a node is in `system:nodes`.
    pub(super) groups: Option<Vec<String>>,
    pub(super) expect: WrittenExpectation,
}

/// What is done with an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub(super) enum OperationWord {
    /// It is new.
    Create,
    /// It was there before, as `old` has it.
    Update,
}

/// A part of a pod that is updated by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum SubresourceWord {
    /// Its ephemeral containers, as `kubectl debug` adds them.
    EphemeralContainers,
    /// The resources of its containers.
    Resize,
}

/// What is expected of a case. What is left out is not compared.
#[derive(Debug, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct WrittenExpectation {
    pub(super) verdict: TestVerdict,
    /// Exactly the controls that are violated once defaults are filled in, each with the strictest that follows. Needed for
    /// `warn` and `deny`: without it, anything might be the reason.
    pub(super) controls: Option<BTreeMap<String, SeverityWord>>,
    /// Exactly the controls that what is filled in makes good.
    pub(super) filled_in: Option<Vec<String>>,
    /// What the pod has in these fields once defaults are filled in; null for a field that is not there.
    pub(super) fields: Option<BTreeMap<String, Value>>,
    /// Exactly the policies that hold for it. An empty list for an object that no policy reaches.
    pub(super) policies: Option<Vec<String>>,
}

/// A verdict, as `podgate lint` words it. For several objects, the worst.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize, schemars::JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum TestVerdict {
    /// Its pods are allowed. There may be notes for the audit log.
    Allow,
    /// They are allowed with a warning.
    Warn,
    /// Nothing of what is there is refused, but there is more to it.
    Unresolved,
    /// They are refused.
    Deny,
}

impl TestVerdict {
    /// As it is written.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Warn => "warn",
            Self::Unresolved => "unresolved",
            Self::Deny => "deny",
        }
    }
}

/// What follows from a violation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum SeverityWord {
    /// A note in the audit log.
    Audit,
    /// A warning.
    Warn,
    /// A refusal.
    Deny,
}
