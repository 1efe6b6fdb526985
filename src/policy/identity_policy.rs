//! An IdentityPolicy as it is in force: which pods it is for, the identity they get, and which service accounts they may not use.

use std::sync::Arc;

use serde::Deserialize;

use crate::identity::ProviderName;
use crate::pod::Pod;
use crate::policy::migration::Migration;
use crate::policy::scope::Scope;
use crate::policy::selector::Selector;

/// Which identity pods get, which service accounts they may use, and where.
#[derive(Debug)]
pub struct IdentityPolicy {
    /// `metadata.name`.
    pub name: Arc<str>,
    /// Where it holds.
    pub scope: Scope,
    /// Which pods it is for; `None` for all.
    pub pods: Option<Selector>,
    /// The kinds of controller whose pods it is for; `None` for any, and for pods without one.
    pub owner_kinds: Option<Vec<String>>,
    /// The service accounts that it takes pods from; `None` for any.
    pub source_service_accounts: Option<Vec<String>>,
    /// Whether it is enforced.
    pub mode: IdentityMode,
    /// Of several that give a pod an identity, the highest does.
    pub priority: i64,
    /// Whether a pod's author may leave out what it changes.
    pub may_opt_out: bool,
    /// The identity, if it gives one.
    pub assignment: Option<Assignment>,
    /// What becomes of the API server's own token.
    pub automount: AutomountToken,
    /// Whether pods may run as the service account `default`.
    pub default_account: DefaultAccount,
    /// Service accounts that only some pods may use.
    pub reserved_accounts: Vec<ReservedAccount>,
    /// What is done about AAD Pod Identity.
    pub migration: Migration,
}

/// The identity that a policy gives pods.
#[derive(Debug)]
pub struct Assignment {
    /// Whose identity it is.
    pub provider: ProviderName,
    /// The service account that pods get.
    pub service_account_name: String,
    /// Who puts the token into the pod.
    pub injection: Injector,
    /// What is done where the service account is missing, or not set up.
    pub on_missing: OnMissing,
}

/// Who puts the token of an identity into a pod.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub enum Injector {
    /// podgate.
    #[default]
    Podgate,
    /// The provider's own webhook, which selects pods by their label.
    Delegate,
}

/// Whether an IdentityPolicy is enforced.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Deserialize, schemars::JsonSchema)]
pub enum IdentityMode {
    /// It is.
    #[default]
    Enforce,
    /// It changes and refuses nothing. A warning says in a sentence what it would do.
    DryRun,
    /// The same, and warnings say what it would change, one by one.
    Explain,
}

/// What is done where a service account is missing, or lacks what its identity needs.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Deserialize, schemars::JsonSchema)]
pub enum OnMissing {
    /// The pod is refused.
    #[default]
    Deny,
    /// The pod stays as it is, with a warning.
    Warn,
    /// The pod stays as it is.
    Skip,
}

/// What becomes of the API server's own token in a pod.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Deserialize, schemars::JsonSchema)]
pub enum AutomountToken {
    /// What the pod and its service account say, as if its author had named that account.
    #[default]
    Inherit,
    /// It is taken out, unless the pod asks for it with `automountServiceAccountToken: true`.
    Off,
    /// It is taken out if nothing is bound to the service account, so that it is good for nothing. Where that is not known,
    /// as `Inherit`.
    OffUnlessUsed,
    /// It is left as it is, whatever the service account says.
    Keep,
}

/// Whether pods may run as the service account `default`.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub enum DefaultAccount {
    /// They may.
    #[default]
    Allowed,
    /// They may not, except in these namespaces.
    RefusedExceptIn(Vec<String>),
}

/// A service account that only some pods may use.
#[derive(Debug)]
pub struct ReservedAccount {
    /// Its name.
    pub name: String,
    /// Which pods may, by their labels.
    pub pods: Selector,
}

impl IdentityPolicy {
    /// The service account that pods get, if it gives them one.
    #[must_use]
    pub fn target(&self) -> Option<&str> {
        self.assignment.as_ref().map(|assignment| assignment.service_account_name.as_str())
    }

    /// Whether a pod is one of those that it is for, whatever service account it has.
    #[must_use]
    pub fn selects(&self, pod: &Pod<'_>) -> bool {
        let is_of_kind = |kinds: &Vec<String>| {
            let owner = pod.metadata.owner.as_ref();
            owner.is_some_and(|owner| kinds.iter().any(|kind| *kind == owner.kind))
        };
        self.owner_kinds.as_ref().is_none_or(is_of_kind)
            && self.pods.as_ref().is_none_or(|pods| pods.matches(|key| pod.metadata.label(key)))
    }

    /// Whether it takes pods from this service account. Those that have the account already may still lack the rest.
    #[must_use]
    pub fn takes_from(&self, service_account: &str) -> bool {
        self.target() == Some(service_account)
            || self
                .source_service_accounts
                .as_ref()
                .is_none_or(|sources| sources.iter().any(|source| source == service_account))
    }

    /// Whether it refuses pods for the service account that they run as.
    #[must_use]
    pub fn has_account_rules(&self) -> bool {
        self.default_account != DefaultAccount::Allowed || !self.reserved_accounts.is_empty()
    }

    /// Whether it is enforced.
    #[must_use]
    pub fn is_enforced(&self) -> bool {
        self.mode == IdentityMode::Enforce
    }
}
