//! Whether a service account is set up for the identity that a policy gives, before a pod runs with it.

use crate::identity::account_fault::AccountFault;
use crate::identity::service_account::ServiceAccount;
use crate::identity::{azure, azure_keys};
use crate::json;
use crate::pod::Pod;

/// What a policy calls a provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProviderName {
    /// Azure workload identity.
    Azure,
}

impl ProviderName {
    /// The label that asks for an identity of it, with its value.
    #[must_use]
    pub fn label(self) -> (&'static str, &'static str) {
        match self {
            Self::Azure => (azure_keys::LABEL, "true"),
        }
    }
}

/// What keeps the containers of a pod from acting as its service account, in words; `None` if nothing does. Of the account
/// nothing is looked at where it is not known.
///
/// # Errors
/// When the volumes, mounts or variables of the pod cannot be read.
pub fn lacking(
    provider: ProviderName,
    pod: &Pod<'_>,
    account: Option<&ServiceAccount>,
) -> json::Result<Option<String>> {
    match provider {
        ProviderName::Azure => azure::lacking(pod, account),
    }
}

/// What keeps a service account from having an identity of this provider, whoever injects it; nothing if it is in order.
#[must_use]
pub fn check_account(provider: ProviderName, account: &ServiceAccount) -> Vec<AccountFault> {
    match provider {
        ProviderName::Azure => azure::check(account),
    }
}
