//! Which IdentityPolicy a pod is given its service account by, and which decides on its token.

use crate::mutate::identity::change::IdentityError;
use crate::pod::Pod;
use crate::policy::{Assignment, AutomountToken, IdentityPolicy};
use crate::text::printable;

/// The annotation by which a pod's author leaves out what a policy changes, where the policy allows that.
const SKIP: &str = "podgate.dev/skip";
/// Longest value of it in a message.
const LONGEST_VALUE: usize = 24;

/// Two policies of the same priority that would give one pod different service accounts. There is no order among them:
/// their author has to say which applies.
#[derive(Debug, thiserror::Error)]
#[error(
    "IdentityPolicy \"{}\" gives this pod the service account {}, and \"{}\" gives it {}: make their match or their \
     priority differ",
    one.name, one.target().unwrap_or_default(), other.name, other.target().unwrap_or_default()
)]
pub struct Conflict<'p> {
    /// A policy that matches.
    pub one: &'p IdentityPolicy,
    /// Another that matches.
    pub other: &'p IdentityPolicy,
}

/// Chooses the policy that gives a pod its identity: of those that are for it, the one with the highest priority.
///
/// # Errors
/// When two of that priority name different service accounts.
pub(super) fn choose<'p>(
    policies: impl Iterator<Item = &'p IdentityPolicy>,
    pod: &Pod<'_>,
) -> Result<Option<(&'p IdentityPolicy, &'p Assignment)>, Conflict<'p>> {
    let account = pod.service_account();
    let is_for = |policy: &&IdentityPolicy| policy.selects(pod) && policy.takes_from(account);
    let mut chosen: Option<(&IdentityPolicy, &Assignment)> = None;
    let mut rival = None;
    for policy in policies.filter(is_for) {
        let Some(assignment) = &policy.assignment else { continue };
        match chosen {
            Some((one, _)) if one.priority > policy.priority => {}
            Some((one, _)) if one.priority == policy.priority => {
                if one.target() != policy.target() {
                    rival = Some(policy);
                }
            }
            _ => (chosen, rival) = (Some((policy, assignment)), None),
        }
    }
    match (chosen, rival) {
        (Some((one, _)), Some(other)) => Err(Conflict { one, other }),
        (chosen, _) => Ok(chosen),
    }
}

/// The policy that decides on the API server's token of a pod that runs as `account`: the highest that says anything, and of
/// equal ones the strictest.
pub(super) fn choose_automount<'p>(
    policies: impl Iterator<Item = &'p IdentityPolicy>,
    pod: &Pod<'_>,
    account: &str,
) -> Option<&'p IdentityPolicy> {
    let strictness = |policy: &IdentityPolicy| match policy.automount {
        AutomountToken::Off => 3,
        AutomountToken::OffUnlessUsed => 2,
        AutomountToken::Keep => 1,
        AutomountToken::Inherit => 0,
    };
    policies
        .filter(|policy| policy.selects(pod) && policy.takes_from(account) && strictness(policy) > 0)
        .max_by_key(|policy| (policy.priority, strictness(policy)))
}

/// Whether the pod's author asks to be left out.
///
/// # Errors
/// When the annotation has a value that says neither yes nor no.
pub(super) fn opts_out(pod: &Pod<'_>) -> Result<bool, IdentityError> {
    match pod.metadata.annotation(SKIP) {
        None | Some("false") => Ok(false),
        Some("true") => Ok(true),
        Some(value) => {
            let brief = format!(
                "annotation {SKIP} of the pod is \"{}\": it must be \"true\" or \"false\"",
                printable(value, LONGEST_VALUE)
            );
            Err(IdentityError::new(400, brief.clone(), brief))
        }
    }
}
