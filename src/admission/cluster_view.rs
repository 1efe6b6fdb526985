//! The cluster as one review sees it: the snapshot, and the answers of lookups.
//!
//! What neither holds is an `Err` with the [`Lookup`] that would tell.

use std::sync::Arc;

use crate::controls::NamespaceAnnotations;
use crate::mutate::LegacyObjects;
use crate::policy::{
    AccountState, Answers, Lookup, LookupAnswer, LookupError, NamespaceMetadata, PackedLabels, PodsQuery,
    Snapshot,
};

/// The snapshot, and what was looked up beside it.
#[derive(Debug, Clone, Copy)]
pub(super) struct ClusterView<'k> {
    pub(super) snapshot: &'k Snapshot,
    pub(super) answers: &'k Answers,
}

/// What is known of a Namespace.
#[derive(Debug, Clone, Copy)]
pub(super) enum NamespaceState<'k> {
    /// Its labels and annotations.
    Known(&'k NamespaceMetadata),
    /// As far as anybody knows there is none.
    Absent,
    /// Nothing, for this reason.
    Unknown(LookupError),
}

impl<'k> NamespaceState<'k> {
    pub(super) fn labels(self) -> Option<&'k PackedLabels> {
        match self {
            Self::Known(metadata) => Some(&metadata.labels),
            Self::Absent | Self::Unknown(_) => None,
        }
    }

    pub(super) fn annotations(self) -> Option<&'k NamespaceAnnotations> {
        match self {
            Self::Known(metadata) => Some(metadata.annotations()),
            Self::Absent | Self::Unknown(_) => None,
        }
    }
}

impl<'k> ClusterView<'k> {
    /// What a lookup found, or why it found nothing. Beyond the limit of lookups nothing more is asked for.
    fn ask(self, lookup: Lookup) -> Result<Result<&'k LookupAnswer, LookupError>, Lookup> {
        match self.answers.get(&lookup) {
            Some(found) => Ok(found),
            None if self.answers.is_full() => Ok(Err(LookupError::Limited)),
            None => Err(lookup),
        }
    }

    /// What is known of a Namespace; the snapshot may be older than what the API server has, so a lookup goes
    /// before it.
    pub(super) fn namespace(self, name: &str) -> Result<NamespaceState<'k>, Lookup> {
        if let Some(state) = self.looked_up_namespace(name) {
            return Ok(state);
        }
        match self.snapshot.namespace(name) {
            Some(metadata) => Ok(NamespaceState::Known(metadata)),
            None if self.snapshot.is_live() => self.ask_for_namespace(name),
            None => Ok(NamespaceState::Absent),
        }
    }

    /// What was looked up of a Namespace; `None` if nothing was.
    pub(super) fn looked_up_namespace(self, name: &str) -> Option<NamespaceState<'k>> {
        if self.answers.is_empty() {
            return None;
        }
        self.answers.get(&Lookup::Namespace(name.to_owned())).map(state)
    }

    /// What was looked up of a Namespace, or else that it has to be.
    pub(super) fn ask_for_namespace(self, name: &str) -> Result<NamespaceState<'k>, Lookup> {
        self.ask(Lookup::Namespace(name.to_owned())).map(state)
    }

    /// A service account; `Ok(Err)` when it cannot be told whether there is one, with the reason.
    pub(super) fn service_account(
        self,
        namespace: &str,
        name: &str,
    ) -> Result<Result<AccountState<'k>, LookupError>, Lookup> {
        if let Some(account) = self.snapshot.service_account(namespace, name) {
            return Ok(Ok(AccountState::Known(account)));
        }
        if !self.snapshot.knows_service_accounts() {
            return Ok(Ok(AccountState::Untold));
        }
        let lookup = Lookup::ServiceAccount { namespace: namespace.to_owned(), name: name.to_owned() };
        if !self.snapshot.is_live() && self.answers.get(&lookup).is_none() {
            return Ok(Ok(AccountState::Absent));
        }
        Ok(self.ask(lookup)?.and_then(|answer| {
            let LookupAnswer::ServiceAccount(account) = answer else { return Err(LookupError::Failed) };
            Ok(account.as_ref().map_or(AccountState::Absent, AccountState::Known))
        }))
    }

    /// Whether any binding names a service account; `None` when that cannot be told.
    pub(super) fn is_bound(self, namespace: &str, name: &str) -> Result<Option<bool>, Lookup> {
        let known = self.snapshot.is_bound(namespace, name);
        if known.is_some() || !self.snapshot.is_live() {
            return Ok(known);
        }
        let lookup = Lookup::Bound { namespace: namespace.to_owned(), name: name.to_owned() };
        Ok(match self.ask(lookup)? {
            Ok(LookupAnswer::Bound(is_bound)) => *is_bound,
            Ok(_) | Err(_) => None,
        })
    }

    /// Whether a service account may use an identity that AKS has bound to the cluster; `None` when that cannot be told.
    pub(super) fn may_use_identity(
        self,
        namespace: &str,
        name: &str,
        client_id: &str,
    ) -> Result<Option<bool>, Lookup> {
        if !self.snapshot.is_live() {
            return Ok(self.snapshot.may_use_identity(namespace, name, client_id));
        }
        let (namespace, name) = (namespace.to_owned(), name.to_owned());
        let lookup = Lookup::IdentityRight { namespace, name, client_id: client_id.to_owned() };
        Ok(match self.ask(lookup)? {
            Ok(LookupAnswer::IdentityRight(may_use)) => *may_use,
            Ok(_) | Err(_) => None,
        })
    }

    /// Those of these exceptions that RBAC lets a service account use; `Ok(Err)` when that cannot be told, with the reason.
    pub(super) fn grants(
        self,
        namespace: &str,
        name: &str,
        exceptions: Vec<Arc<str>>,
    ) -> Result<Result<Vec<Arc<str>>, LookupError>, Lookup> {
        if !self.snapshot.is_live() {
            return Ok(self.snapshot.granted(namespace, name, &exceptions).ok_or(LookupError::NoBindings));
        }
        let lookup = Lookup::Grants { namespace: namespace.to_owned(), name: name.to_owned(), exceptions };
        Ok(self.ask(lookup)?.and_then(|answer| {
            let LookupAnswer::Grants(granted) = answer else { return Err(LookupError::Failed) };
            Ok(granted.clone())
        }))
    }

    /// What a migration from AAD Pod Identity depends on; `Ok(Err)` when that cannot be known, with the reason.
    pub(super) fn legacy_objects(
        self,
        namespace: &str,
    ) -> Result<Result<LegacyObjects<'k>, LookupError>, Lookup> {
        let identities = if self.snapshot.is_live() {
            match self.ask(Lookup::PodIdentities)? {
                Ok(LookupAnswer::PodIdentities(identities)) => identities.as_ref(),
                Ok(_) => return Ok(Err(LookupError::Failed)),
                Err(reason) => return Ok(Err(reason)),
            }
        } else {
            self.snapshot.pod_identities()
        };
        let accounts = self.snapshot.service_accounts_of(namespace).collect();
        Ok(Ok(LegacyObjects { identities, accounts }))
    }

    /// The warnings for the user who raises the level of a namespace; `Ok(Err)` when that cannot be known.
    pub(super) fn pods_in(self, query: PodsQuery) -> Result<Result<&'k [String], LookupError>, Lookup> {
        Ok(self.ask(Lookup::PodsIn(query))?.and_then(|answer| {
            let LookupAnswer::PodsIn(warnings) = answer else { return Err(LookupError::Failed) };
            Ok(warnings.as_slice())
        }))
    }
}

fn state(found: Result<&LookupAnswer, LookupError>) -> NamespaceState<'_> {
    let found = found.and_then(|answer| {
        let LookupAnswer::Namespace(metadata) = answer else { return Err(LookupError::Failed) };
        Ok(metadata)
    });
    match found {
        Ok(Some(metadata)) => NamespaceState::Known(metadata),
        Ok(None) => NamespaceState::Absent,
        Err(reason) => NamespaceState::Unknown(reason),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_is_asked_for_than_may_be() {
        let snapshot = Snapshot::live();
        let mut answers = Answers::default();
        for name in ["a", "b", "c", "d", "e", "f", "g"] {
            let view = ClusterView { snapshot: &snapshot, answers: &answers };
            let lookup = view.namespace(name).unwrap_err();
            assert_eq!(lookup, Lookup::Namespace(name.to_owned()));
            answers.insert(lookup, Ok(LookupAnswer::Namespace(None)));
        }
        let view = ClusterView { snapshot: &snapshot, answers: &answers };
        assert!(matches!(view.namespace("a"), Ok(NamespaceState::Absent)));
        assert!(matches!(view.namespace("h"), Ok(NamespaceState::Unknown(LookupError::Limited))));
        assert!(matches!(view.service_account("h", "trainer"), Ok(Err(LookupError::Limited))));
    }

    #[test]
    fn an_answer_to_something_else_is_none() {
        let snapshot = Snapshot::live();
        let lookup = Lookup::Namespace("a".to_owned());
        let answers = Answers::from([(lookup, Ok(LookupAnswer::ServiceAccount(None)))]);
        let view = ClusterView { snapshot: &snapshot, answers: &answers };
        assert!(matches!(view.namespace("a"), Ok(NamespaceState::Unknown(LookupError::Failed))));
    }
}
