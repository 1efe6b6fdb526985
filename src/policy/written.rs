//! The shapes of policy files as they are written: what `serde` reads and the JSON Schemas are made from.
//!
//! Only shapes: what a value means, and whether it makes sense, is told by `object`.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use crate::controls::Settings;
use crate::policy::Mode;
use crate::policy::schema;
use crate::policy::selector::Selector;

/// An object as it is written.
#[derive(Debug, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Object<Spec> {
    /// `podgate.dev/v1alpha1`.
    #[serde(rename = "apiVersion")]
    _api_version: String,
    /// The kind of policy.
    #[serde(rename = "kind")]
    _kind: String,
    pub(super) metadata: ObjectMeta,
    pub(super) spec: Spec,
}

#[derive(Debug, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct ObjectMeta {
    /// The policy's name: printed in refusals, a label of metrics.
    #[schemars(length(min = 1))]
    pub(super) name: String,
    #[serde(default, rename = "labels")]
    _labels: BTreeMap<String, String>,
    #[serde(default, rename = "annotations")]
    _annotations: BTreeMap<String, String>,
}

/// What pods may do, in which namespaces, and how strictly this is enforced.
#[derive(Debug, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct SecuritySpec {
    /// Whom to ask for an exception: printed in refusals.
    pub(super) contact: Option<String>,
    /// The namespaces in which the policy holds.
    pub(super) r#match: NamespaceMatch,
    /// How strictly it is enforced.
    #[serde(default)]
    pub(super) mode: Mode,
    /// The Pod Security Standard for each action; an action left out is not taken.
    #[serde(default)]
    pub(super) standard: Standards,
    /// The rules beyond the standard; one left out is off.
    #[serde(default)]
    pub(super) controls: Settings,
    /// What is filled in where a pod is silent.
    #[serde(default)]
    pub(super) defaults: Defaults,
    /// Permissions to break a control. None can be given yet.
    #[serde(default)]
    pub(super) exceptions: Vec<Value>,
}

#[derive(Debug, Default, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(super) struct Standards {
    /// Pods that do not meet it are refused.
    #[schemars(extend("format" = schema::STANDARD_FORMAT))]
    pub(super) enforce: Option<String>,
    /// Whoever makes a pod that does not meet it is warned.
    #[schemars(extend("format" = schema::STANDARD_FORMAT))]
    pub(super) warn: Option<String>,
    /// Pods that do not meet it are noted in the API server's audit log.
    #[schemars(extend("format" = schema::STANDARD_FORMAT))]
    pub(super) audit: Option<String>,
}

#[derive(Debug, Default, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(super) struct Defaults {
    /// Whether security contexts are filled in.
    pub(super) security_context: SecurityContextDefaults,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Deserialize, schemars::JsonSchema)]
pub(super) enum SecurityContextDefaults {
    /// What is absent, and would be refused for it, is filled in as the standard asks.
    Restricted,
    /// Nothing is.
    #[default]
    Off,
}

/// The namespaces in which a policy holds: one of the two.
#[derive(Debug, Default, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(super) struct NamespaceMatch {
    /// By name.
    pub(super) namespaces: Option<Vec<String>>,
    /// By the labels of the Namespace object.
    pub(super) namespace_selector: Option<Selector>,
}

/// Which identity a pod gets, in which namespaces.
#[derive(Debug, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct IdentitySpec {
    /// The pods that it is for.
    pub(super) r#match: IdentityMatch,
    /// The identity that they get.
    pub(super) identity: Identity,
}

/// The pods that an identity is for: the namespaces by one of the first two.
#[derive(Debug, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct IdentityMatch {
    /// By name of the namespace.
    pub(super) namespaces: Option<Vec<String>>,
    /// By the labels of the Namespace object.
    pub(super) namespace_selector: Option<Selector>,
    /// By the labels of the pod; left out, all pods.
    pub(super) pod_selector: Option<Selector>,
    /// By the service account that the pod has; left out, `default` alone.
    #[serde(default = "default_sources")]
    #[schemars(length(min = 1))]
    pub(super) source_service_accounts: Vec<String>,
}

fn default_sources() -> Vec<String> {
    vec!["default".to_owned()]
}

#[derive(Debug, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Identity {
    /// Whose identity it is.
    #[serde(rename = "provider")]
    _provider: Provider,
    /// The service account, in the pod's own namespace.
    #[schemars(length(min = 1))]
    pub(super) service_account_name: String,
    /// Who puts the token into the pod.
    #[serde(default, rename = "injection")]
    _injection: Injection,
}

#[derive(Debug, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) enum Provider {
    /// Azure workload identity.
    Azure,
}

#[derive(Debug, Default, Deserialize, schemars::JsonSchema)]
pub(super) enum Injection {
    /// Azure workload identity's own webhook does, told so by the pod's label.
    #[default]
    Delegate,
}
