//! Whether a service account is set up for the identity that a policy gives, before a pod runs with it.

use crate::identity::account_fault::AccountFault;
use crate::identity::azure;
use crate::identity::service_account::ServiceAccount;

/// What a policy calls a provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProviderName {
    /// Azure workload identity.
    Azure,
}

/// What keeps a service account from having an identity of this provider, whoever injects it; nothing if it is in order.
#[must_use]
pub fn check_account(provider: ProviderName, account: &ServiceAccount) -> Vec<AccountFault> {
    match provider {
        ProviderName::Azure => azure::check(account),
    }
}
