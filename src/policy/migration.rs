//! What an IdentityPolicy does about AAD Pod Identity: whether pods are moved away from it, and which pods it is to work for while
//! a cluster still runs it.

use serde::Deserialize;

/// What an IdentityPolicy does about AAD Pod Identity.
#[derive(Debug, Default)]
pub struct Migration {
    /// Whether pods get the service account that gives them the identity of their binding.
    pub mode: MigrationMode,
    /// Whether a pod that is migrated loses the label of its binding.
    pub removes_legacy_label: bool,
    /// The selector of the binding that services of AzureML get, if they get one.
    pub azure_ml_selector: Option<String>,
}

/// Whether pods are moved away from AAD Pod Identity.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Deserialize, schemars::JsonSchema)]
pub enum MigrationMode {
    /// They are not.
    #[default]
    Off,
    /// A warning says what `Enforce` would change.
    DryRun,
    /// They get the service account and the label of workload identity.
    Enforce,
}

impl Migration {
    /// Whether it does anything.
    #[must_use]
    pub fn is_on(&self) -> bool {
        self.mode != MigrationMode::Off || self.azure_ml_selector.is_some()
    }
}
