//! Workload identities: what each provider puts into a pod so that it can act as its service account in a cloud.
//!
//! A provider is one file (or folder) here and one line in `account_keys`. All that comes out of it is edits, which `mutate`
//! makes a patch of together with everything else.

pub mod aad_pod_identity;
mod account_check;
mod account_fault;
mod account_keys;
mod azure;
mod federation;
mod provider;
mod service_account;

pub use account_check::{ProviderName, check_account, lacking};
pub use account_fault::AccountFault;
pub use azure::{
    Azure, AzureSettings, Cloud, KubernetesVersion, LABEL as AZURE_LABEL, LabelSelector, LogLevel,
    SettingsError, TokenEndpoint, TokenLayout, TrustedCa,
};
pub use federation::{
    AZURE_CLIENT_ID, CrowdedIdentity, MOST_SUBJECTS, crowded_identities, federated_subject,
};
pub use provider::{Injection, InjectionError, Provider, Providers, Recipient};
pub use service_account::{ENFORCE_MOUNTABLE_SECRETS, ServiceAccount};
