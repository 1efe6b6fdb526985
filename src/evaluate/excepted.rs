//! What exceptions let be of a pod, and which of them RBAC has to be asked about.

use std::sync::Arc;

use crate::controls::{CheckedPod, Control};
use crate::evaluate::context::Context;
use crate::finding::Finding;
use crate::path::Path;
use crate::pod::Pod;
use crate::policy::{ActiveControl, Exception, SecurityPolicy, Standing};

/// Most exceptions that RBAC is asked about for one pod.
const MOST_ASKED: usize = 32;

/// A finding that an exception lets be.
#[derive(Debug)]
pub struct Excepted<'p> {
    /// The policy.
    pub policy: &'p SecurityPolicy,
    /// The control as the policy has it.
    pub active: &'p ActiveControl,
    /// The exception.
    pub exception: &'p Exception,
    /// The finding.
    pub finding: Finding<'p>,
}

/// A finding that an exception may let be: whether it holds depends on what is not known.
#[derive(Debug)]
pub struct ExceptionInDoubt<'p> {
    /// The control.
    pub control: &'static Control,
    /// The field, from the root of the pod on.
    pub path: Path<'p>,
    /// The exception.
    pub exception: &'p Exception,
    /// What is not known.
    pub standing: Standing<'p>,
}

/// Adds what the exceptions of a policy let be: at most this many findings and, beyond them, one of each exception.
pub(super) fn add_excepted<'p>(
    excepted: &mut Vec<Excepted<'p>>,
    policy: &'p SecurityPolicy,
    checked: CheckedPod<'p>,
    context: Context<'_>,
    most: usize,
) {
    if policy.exceptions.is_empty() {
        return;
    }
    for active in policy.controls().filter(|active| active.has_exceptions() && context.concerns(active)) {
        active.check_excepted(checked, |finding, exception| {
            let is_known = |known: &Excepted<'_>| std::ptr::eq(known.exception, exception);
            if excepted.len() < most || !excepted.iter().any(is_known) {
                excepted.push(Excepted { policy, active, exception, finding });
            }
        });
    }
}

/// The exceptions that would keep a pod from being refused if RBAC grants their use to its service account, in their order: so
/// few that the API server can be asked about each.
#[must_use]
pub fn grants_needed<'s: 'p, 'p>(
    policies: impl Iterator<Item = &'s SecurityPolicy>,
    pod: &'p Pod<'p>,
    context: Context<'p>,
) -> Vec<Arc<str>> {
    let checked = CheckedPod { pod, origin: context.origin };
    let mut names: Vec<Arc<str>> = Vec::new();
    let has_any = |policy: &&SecurityPolicy| policy.exceptions.iter().any(|own| own.is_granted_by_rbac);
    for policy in policies.filter(has_any) {
        let refusing = policy.controls().filter(|active| active.enforced.deny && context.concerns(active));
        for active in refusing {
            active.check_failed_exceptions(checked, |exception, standing| {
                let is_new = standing == Standing::NotGranted && !names.contains(&exception.name);
                if is_new && names.len() < MOST_ASKED {
                    names.push(Arc::clone(&exception.name));
                }
            });
        }
    }
    names
}
