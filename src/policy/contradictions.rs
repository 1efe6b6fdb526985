//! IdentityPolicies that are in order by themselves and refuse each other's pods: a tie between service accounts, and an account that
//! is given to pods and reserved for others. Which pods there are is for the cluster to say, so that such a set is loaded all the
//! same; but nobody means it.

use crate::policy::Scope;
use crate::policy::document::{DocumentReader, path};
use crate::policy::identity_policy::{IdentityPolicy, ReservedAccount};
use crate::policy::selector::Selector;

impl DocumentReader<'_> {
    /// Warns of what contradicts a policy that is added to those that were read before.
    pub(super) fn warn_of_contradictions(&mut self, new: &IdentityPolicy) {
        let mut warnings = Vec::new();
        for other in &self.policies.set.identity {
            if is_tie(new, other) {
                let (one, two) = (new.target().unwrap_or_default(), other.target().unwrap_or_default());
                let message = format!(
                    "this policy and \"{}\" have the same priority, {}, and are for the same pods, but give them different \
                     service accounts ({one} and {two}), so that such a pod is refused: give one a higher spec.priority, or \
                     make their match differ",
                    other.name, new.priority
                );
                warnings.push((path("spec.priority"), message));
            }
            if let Some(reserved) = taken_back(other, new) {
                let message = format!(
                    "\"{}\" reserves the service account {} for pods with other labels, and refuses it to those of this \
                     policy without them: write its podSelector in spec.match.podSelector as well, or give another account",
                    other.name, reserved.name
                );
                warnings.push((path("spec.identity.serviceAccountName"), message));
            }
        }
        let givers = self.policies.set.identity.iter().chain([new]);
        for giver in givers {
            let Some(reserved) = taken_back(new, giver) else { continue };
            let index = new.reserved_accounts.iter().position(|other| other.name == reserved.name);
            let at = path("spec.reservedServiceAccounts").index(index.unwrap_or_default()).key("podSelector");
            let is_own = std::ptr::eq(giver, new);
            let subject = if is_own { "this policy".to_owned() } else { format!("\"{}\"", giver.name) };
            let message = format!(
                "{subject} gives the service account {} to pods that need not have these labels, and they are refused it: \
                 write the same podSelector in its spec.match.podSelector, or reserve another account",
                reserved.name
            );
            warnings.push((at, message));
        }
        for (at, message) in warnings {
            self.warn(&at, message);
        }
    }
}

/// Whether two policies give some pods different accounts, and nothing says which.
fn is_tie(one: &IdentityPolicy, other: &IdentityPolicy) -> bool {
    let (Some(target), Some(other_target)) = (one.target(), other.target()) else { return false };
    let meets = |one: &Option<Vec<String>>, other: &Option<Vec<String>>| match (one, other) {
        (Some(one), Some(other)) => one.iter().any(|item| other.contains(item)),
        (None, _) | (_, None) => true,
    };
    target != other_target
        && one.priority == other.priority
        && share_namespaces(&one.scope, &other.scope)
        && (selects_all_of(one.pods.as_ref(), other.pods.as_ref())
            || selects_all_of(other.pods.as_ref(), one.pods.as_ref()))
        && meets(&one.owner_kinds, &other.owner_kinds)
        && meets(&one.source_service_accounts, &other.source_service_accounts)
}

/// The account that one policy gives and another reserves for pods with labels that those need not have.
fn taken_back<'p>(reserving: &'p IdentityPolicy, giving: &IdentityPolicy) -> Option<&'p ReservedAccount> {
    let target = giving.target()?;
    let reserved = reserving.reserved_accounts.iter().find(|reserved| reserved.name == target)?;
    let is_granted = giving.pods.as_ref().is_some_and(|pods| pods.implies(&reserved.pods));
    (!is_granted && share_namespaces(&reserving.scope, &giving.scope)).then_some(reserved)
}

/// Whether the first selects every pod that the second does.
fn selects_all_of(one: Option<&Selector>, other: Option<&Selector>) -> bool {
    match (one, other) {
        (None, _) => true,
        (Some(one), Some(other)) => other.implies(one),
        (Some(_), None) => false,
    }
}

/// Whether there are namespaces in which both hold, as far as that can be told without knowing any.
fn share_namespaces(one: &Scope, other: &Scope) -> bool {
    match (one, other) {
        (Scope::Names(one), Scope::Names(other)) => one.iter().any(|name| other.contains(name)),
        (Scope::Labels(one), Scope::Labels(other)) => one.implies(other) || other.implies(one),
        (Scope::Names(_), Scope::Labels(_)) | (Scope::Labels(_), Scope::Names(_)) => false,
    }
}
