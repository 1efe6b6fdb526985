//! Workload identities: what each provider puts into a pod so that it can act as its service account in a cloud.
//!
//! A provider is one file (or folder) here and one line in `provider`. All that comes out of it is edits, which `mutate`
//! makes a patch of together with everything else.

pub mod aad_pod_identity;
mod azure;
mod provider;
mod service_account;

pub use azure::LABEL as AZURE_LABEL;
pub use provider::{Injection, InjectionError, Provider, Providers, Recipient};
pub use service_account::{ENFORCE_MOUNTABLE_SECRETS, ServiceAccount};
