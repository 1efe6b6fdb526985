//! Whether a pod that is bound to the token endpoint of the cluster may use its identity: with an identity binding of AKS, who
//! uses an identity is for RBAC to say, and a pod without the right gets a token that is exchanged for nothing.

use crate::identity::{Providers, ServiceAccount, federated_subject};
use crate::mutate::identity::account_facts::AccountFacts;
use crate::pod::Pod;
use crate::policy::{IDENTITY_GROUP, USE_IDENTITY};
use crate::text::printable;

/// Longest client id that is shown: a GUID and a little more.
const LONGEST_ID: usize = 40;

/// An identity that a pod is bound to and may not use.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct LackingRight {
    /// The client id of the identity, in printable ASCII.
    client_id: String,
    /// The subject that lacks the right.
    subject: String,
    /// The service account, with its namespace.
    account: String,
}

/// The right that a pod lacks, if it is known to lack it.
pub(super) fn lacking_right<'k, F: AccountFacts<'k>>(
    providers: &Providers,
    (pod, namespace): (&Pod<'_>, &str),
    (name, account): (&str, &ServiceAccount),
    facts: &F,
) -> Result<Option<LackingRight>, F::Lookup> {
    for client_id in providers.iter().filter_map(|provider| provider.bound_client_id(pod, account)) {
        if facts.may_use_identity(name, client_id)? == Some(false) {
            return Ok(Some(LackingRight {
                client_id: printable(client_id, LONGEST_ID).to_string(),
                subject: federated_subject(namespace, name),
                account: format!("{namespace}/{name}"),
            }));
        }
    }
    Ok(None)
}

impl LackingRight {
    /// What is wrong and what to do, as it stands behind the name of the account.
    pub(super) fn what(&self) -> String {
        let Self { client_id, subject, .. } = self;
        format!(
            "lacks the right {USE_IDENTITY} on {IDENTITY_GROUP}/{client_id}, the identity that the pod is bound to: grant it \
             to {subject} by a ClusterRole and a ClusterRoleBinding"
        )
    }

    /// The same in few words.
    pub(super) fn brief(&self) -> String {
        let Self { client_id, account, .. } = self;
        format!("no {USE_IDENTITY} on {IDENTITY_GROUP}/{client_id} for {account}")
    }
}
