//! Workload identities: what each provider puts into a pod so that it can act as its service account in a cloud.
//!
//! A provider is one file (or folder) here and one line in `service_account`, for what it looks at there. All that comes out of
//! it is edits, which `mutate` makes a patch of together with everything else.

pub mod aad_pod_identity;
mod account_check;
mod account_fault;
mod azure;
mod azure_keys;
mod client_id;
mod federation;
mod provider;
mod service_account;

pub use account_check::{ProviderName, check_account, lacking};
pub use account_fault::AccountFault;
pub use azure::{
    Azure, AzureSettings, Cloud, KubernetesVersion, LabelSelector, LogLevel, SettingsError, TokenEndpoint,
    TokenLayout, TrustedCa,
};
pub use azure_keys::{CLIENT_ID as AZURE_CLIENT_ID, LABEL as AZURE_LABEL};
pub use federation::{CrowdedIdentity, MOST_SUBJECTS, crowded_identities, federated_subject};
pub use provider::{Injection, InjectionError, Provider, Providers, Recipient};
pub use service_account::{ENFORCE_MOUNTABLE_SECRETS, ServiceAccount};
