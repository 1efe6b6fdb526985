//! Which IdentityPolicy a pod is given its service account by.

use crate::pod::Pod;
use crate::policy::IdentityPolicy;

/// Two policies that would give one pod different service accounts. There is no order among them:
/// their author has to say which applies.
#[derive(Debug, thiserror::Error)]
#[error(
    "IdentityPolicy \"{}\" gives this pod the service account {}, and \"{}\" gives it {}: make their match differ",
    one.name, one.service_account_name, other.name, other.service_account_name
)]
pub struct Conflict<'p> {
    /// A policy that matches.
    pub one: &'p IdentityPolicy,
    /// Another that matches.
    pub other: &'p IdentityPolicy,
}

/// Chooses the policy that gives a pod its identity, of those that hold in its namespace.
///
/// # Errors
/// When two of them name different service accounts.
pub(super) fn choose<'p>(
    policies: impl Iterator<Item = &'p IdentityPolicy>,
    pod: &Pod<'_>,
) -> Result<Option<&'p IdentityPolicy>, Conflict<'p>> {
    let mut chosen: Option<&IdentityPolicy> = None;
    for policy in policies.filter(|policy| is_for(policy, pod)) {
        match chosen {
            Some(one) if one.service_account_name != policy.service_account_name => {
                return Err(Conflict { one, other: policy });
            }
            _ => chosen = Some(policy),
        }
    }
    Ok(chosen)
}

fn is_for(policy: &IdentityPolicy, pod: &Pod<'_>) -> bool {
    let is_selected =
        policy.pods.as_ref().is_none_or(|selector| selector.matches(|key| pod.metadata.label(key)));
    let service_account = pod.service_account();
    // One that has the service account already may still lack the label.
    let is_taken = service_account == policy.service_account_name
        || policy.source_service_accounts.iter().any(|source| source == service_account);
    is_selected && is_taken
}
