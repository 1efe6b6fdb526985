//! The shape of IdentityPolicies as they are written: what `serde` reads and the JSON Schema is made from.

use serde::Deserialize;

use crate::policy::identity_policy::{AutomountToken, IdentityMode, OnMissing};
use crate::policy::selector::Selector;
use crate::policy::written_migration::WrittenMigration;

/// Which identity a pod gets, which service accounts it may use, and in which namespaces.
#[derive(Debug, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct IdentitySpec {
    /// The pods that it is for.
    pub(super) r#match: IdentityMatch,
    /// The identity that they get; if omitted, none.
    pub(super) identity: Option<Identity>,
    /// Whether it is enforced.
    #[serde(default)]
    pub(super) mode: IdentityMode,
    /// What is done where the service account of the identity does not exist, or is not set up. `Deny` unless given.
    pub(super) on_missing_service_account: Option<OnMissing>,
    /// What becomes of the API server's own token in the pod.
    #[serde(default)]
    pub(super) automount_token: AutomountToken,
    /// Whether pods that run as the service account `default`, once they have their identity, are refused.
    #[serde(default)]
    pub(super) deny_default_service_account: bool,
    /// The namespaces in which they are not.
    #[schemars(length(min = 1))]
    pub(super) default_service_account_allowed_in: Option<Vec<String>>,
    /// Service accounts that only some pods of the namespaces may use.
    #[schemars(length(min = 1))]
    pub(super) reserved_service_accounts: Option<Vec<WrittenReservation>>,
    /// What is done about AAD Pod Identity.
    pub(super) migration: Option<WrittenMigration>,
    /// Whether a pod with the annotation `podgate.dev/skip: "true"` is left as it is. What the policy refuses is refused all the
    /// same.
    #[serde(default)]
    pub(super) allow_opt_out: bool,
    /// Of several policies that give a pod an identity, the one with the highest does.
    #[serde(default)]
    pub(super) priority: i64,
}

/// The pods that an identity is for: the namespaces by one of the first two.
#[derive(Debug, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct IdentityMatch {
    /// By name of the namespace.
    pub(super) namespaces: Option<Vec<String>>,
    /// By the labels of the Namespace object.
    pub(super) namespace_selector: Option<Selector>,
    /// By the labels of the pod; if omitted, all pods.
    pub(super) pod_selector: Option<Selector>,
    /// By the kind of the controller that owns the pod; if omitted, all pods.
    #[schemars(length(min = 1))]
    pub(super) owner_kinds: Option<Vec<String>>,
    /// By the service account that the pod has; if omitted, only `default`, or any if the policy gives no identity.
    #[schemars(length(min = 1))]
    pub(super) source_service_accounts: Option<Vec<String>>,
}

#[derive(Debug, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Identity {
    /// Whose identity it is.
    pub(super) provider: Provider,
    /// The service account, in the pod's own namespace.
    #[schemars(length(min = 1))]
    pub(super) service_account_name: String,
    /// Who injects the token into the pod.
    #[serde(default)]
    pub(super) injection: Injection,
}

#[derive(Debug, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) enum Provider {
    /// Azure workload identity.
    Azure,
}

#[derive(Debug, Default, Deserialize, schemars::JsonSchema)]
pub(super) enum Injection {
    /// podgate, where the provider is set up: --azure-tenant-id.
    #[default]
    Inject,
    /// Azure workload identity's own webhook, which selects pods by their label.
    Delegate,
}

/// A service account that only some pods may use.
#[derive(Debug, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct WrittenReservation {
    /// Its name.
    #[schemars(length(min = 1))]
    pub(super) name: String,
    /// The labels of the pods that may use it.
    pub(super) pod_selector: Selector,
}
