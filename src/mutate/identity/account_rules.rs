//! Which service accounts a pod may run as: what policies say of `default`, and of accounts that are reserved.
//!
//! Both webhooks ask: `/mutate` of the account that a pod is given, `/validate` of the one that it has in the end, whoever changed
//! it in between.

use crate::mutate::identity::warning::{policy_name, would_be_denied};
use crate::pod::Pod;
use crate::policy::{DefaultAccount, IdentityPolicy};
use crate::text::printable;

/// The service account of pods that name none.
const DEFAULT: &str = "default";
/// Longest name in a message.
const LONGEST_NAME: usize = 63;

/// A pod that may not run as its service account.
#[derive(Debug)]
pub struct AccountRefusal<'p> {
    /// The policy that refuses it.
    pub policy: &'p IdentityPolicy,
    /// What is wrong, and what to do.
    pub message: String,
    /// The same in few words.
    pub(super) brief: String,
}

/// Whether the enforced ones among the policies of a namespace refuse a pod of it for the account that it runs as.
#[must_use]
pub fn account_refusal<'p>(
    policies: impl Iterator<Item = &'p IdentityPolicy>,
    pod: &Pod<'_>,
    (namespace, account): (&str, &str),
) -> Option<AccountRefusal<'p>> {
    refusals(policies, pod, (namespace, account)).find(|refusal| refusal.policy.is_enforced())
}

/// The same, of policies that are on trial as well.
pub(super) fn account_refusal_of_any<'p>(
    policies: impl Iterator<Item = &'p IdentityPolicy>,
    pod: &Pod<'_>,
    of: (&str, &str),
) -> Option<AccountRefusal<'p>> {
    refusals(policies, pod, of).next()
}

/// What policies on trial would refuse, as warnings.
#[must_use]
pub fn account_warnings<'p>(
    policies: impl Iterator<Item = &'p IdentityPolicy>,
    pod: &Pod<'_>,
    (namespace, account): (&str, &str),
) -> Vec<String> {
    refusals(policies, pod, (namespace, account))
        .filter(|refusal| !refusal.policy.is_enforced())
        .map(|refusal| would_be_denied(&refusal.brief))
        .collect()
}

fn refusals<'p>(
    policies: impl Iterator<Item = &'p IdentityPolicy>,
    pod: &Pod<'_>,
    (namespace, account): (&str, &str),
) -> impl Iterator<Item = AccountRefusal<'p>> {
    // A mirror pod has no service account. One that names an account is judged as any other: its annotation is anybody's.
    let has_none =
        pod.is_mirror() && pod.spec.service_account_name.is_empty() && pod.spec.service_account.is_empty();
    policies.filter(move |_| !has_none).filter_map(move |policy| {
        let (message, brief) = default_refusal(policy, pod, (namespace, account))
            .or_else(|| reserved_refusal(policy, pod, (namespace, account)))?;
        Some(AccountRefusal { policy, message, brief })
    })
}

fn default_refusal(
    policy: &IdentityPolicy,
    pod: &Pod<'_>,
    (namespace, account): (&str, &str),
) -> Option<(String, String)> {
    let DefaultAccount::RefusedExceptIn(exempt) = &policy.default_account else { return None };
    if account != DEFAULT || exempt.iter().any(|exempt| exempt == namespace) || !policy.selects(pod) {
        return None;
    }
    let message = format!(
        "IdentityPolicy \"{}\" lets no pod in {namespace} run as the service account default: name another in \
         spec.serviceAccountName",
        policy.name
    );
    let brief = format!("serviceAccountName default in {namespace}, by {}", policy_name(&policy.name));
    Some((message, brief))
}

/// An account is reserved for all pods of a namespace, whichever of them the rest of the policy is for.
fn reserved_refusal(
    policy: &IdentityPolicy,
    pod: &Pod<'_>,
    (namespace, account): (&str, &str),
) -> Option<(String, String)> {
    let reserved = policy.reserved_accounts.iter().find(|reserved| reserved.name == account)?;
    if reserved.pods.matches(|key| pod.metadata.label(key)) {
        return None;
    }
    let account = printable(account, LONGEST_NAME);
    let message = format!(
        "IdentityPolicy \"{}\" reserves the service account {namespace}/{account} for other pods: give this one the labels \
         that the policy asks for, or another spec.serviceAccountName",
        policy.name
    );
    let brief = format!("service account {namespace}/{account} is reserved by {}", policy_name(&policy.name));
    Some((message, brief))
}
