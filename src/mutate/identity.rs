//! Azure workload identity, delegated: the pod gets its service account and the label by which
//! azure-workload-identity's own webhook selects it. That webhook injects the token.

use crate::finding::{Edit, EditOp, Value};
use crate::path::Path;
use crate::pod::Pod;
use crate::policy::IdentityPolicy;
use crate::text::printable;

const LABEL: &str = "azure.workload.identity/use";
/// Longest value of the label in a warning.
const LONGEST_VALUE: usize = 24;

/// The identity that a pod is given.
#[derive(Debug, Clone, Copy)]
pub struct Identity<'p> {
    /// The policy that gives it.
    pub policy: &'p IdentityPolicy,
}

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

/// Chooses the identity of a pod from the policies that hold in its namespace.
///
/// # Errors
/// When two of them name different service accounts.
pub fn choose<'p>(
    policies: impl Iterator<Item = &'p IdentityPolicy>,
    pod: &Pod<'_>,
) -> Result<Option<Identity<'p>>, Conflict<'p>> {
    let mut chosen: Option<&IdentityPolicy> = None;
    for policy in policies.filter(|policy| is_for(policy, pod)) {
        match chosen {
            Some(one) if one.service_account_name != policy.service_account_name => {
                return Err(Conflict { one, other: policy });
            }
            _ => chosen = Some(policy),
        }
    }
    Ok(chosen.map(|policy| Identity { policy }))
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

impl<'p> Identity<'p> {
    /// The edits that give a pod this identity; none if it has it.
    pub(super) fn edits(&self, pod: &'p Pod<'_>) -> Vec<Edit<'p>> {
        let target = self.policy.service_account_name.as_str();
        let accounts = [
            ("serviceAccountName", &pod.spec.service_account_name),
            ("serviceAccount", &pod.spec.service_account),
        ];
        let mut edits: Vec<Edit<'p>> = accounts
            .into_iter()
            .filter(|(_, account)| *account != target)
            .map(|(field, _)| set(["spec", field], target))
            .collect();
        if pod.metadata.label(LABEL).is_none() {
            edits.push(set(["metadata", "labels", LABEL], "true"));
        }
        edits
    }

    /// What the pod's author should know: its own label is not changed, even if it prevents the token.
    pub(super) fn warning(&self, pod: &Pod<'_>) -> Option<String> {
        let value = pod.metadata.label(LABEL).filter(|value| *value != "true")?;
        Some(format!(
            "podgate: label {LABEL} is \"{}\", not \"true\": no token comes into the pod",
            printable(value, LONGEST_VALUE)
        ))
    }
}

fn set<'p, const N: usize>(keys: [&'p str; N], value: &'p str) -> Edit<'p> {
    Edit { path: Path::from_keys(keys), op: EditOp::Set(Value::Text(value)) }
}
