//! AAD Pod Identity: archived upstream, still running. Which identity a pod of it has, and which service account would give
//! it the same one as a workload identity.
//!
//! A pod names a selector in a label; bindings of any namespace that have this selector give it their identities. Its
//! exceptions are not read: they let a pod past to the identity of the node, which workload identity never replaces.

mod bindings;
mod objects;
mod target;
mod words;

pub use bindings::{BoundIdentity, PodIdentities};
pub use objects::{AzureIdentity, AzureIdentityBinding, ObjectName, PodIdentityKind};
pub use target::{LegacyPod, MigrationBlocker, MigrationTarget, migration_target};
pub use words::warning_line;

/// The label of a pod that names the selector of its bindings.
pub const LEGACY_LABEL: &str = "aadpodidbinding";
/// The label of a pod of a service that AzureML has deployed, with the value `true`.
pub const AZUREML_SERVICE_LABEL: &str = "isazuremlapp";
