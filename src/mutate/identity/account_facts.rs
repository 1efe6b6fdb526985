//! What is asked of the service accounts of a pod's namespace.

use crate::mutate::identity::migrate::LegacyObjects;
use crate::policy::{AccountState, LookupError};

/// What is known of the service accounts of a namespace: by the webhook of those of the cluster, by the linter of those of files.
pub trait AccountFacts<'k> {
    /// What has to be looked up where something is not known yet.
    type Lookup;

    /// What is known of a service account, or why that cannot be told.
    ///
    /// # Errors
    /// What has to be looked up first.
    fn account(&self, name: &str) -> Result<Result<AccountState<'k>, LookupError>, Self::Lookup>;

    /// Whether anything is bound to it; `None` where that is not known.
    ///
    /// # Errors
    /// What has to be looked up first.
    fn is_bound(&self, name: &str) -> Result<Option<bool>, Self::Lookup>;

    /// Whether it may use an identity that AKS has bound to the cluster; `None` where that is not known.
    ///
    /// # Errors
    /// What has to be looked up first.
    fn may_use_identity(&self, name: &str, client_id: &str) -> Result<Option<bool>, Self::Lookup>;

    /// What a migration from AAD Pod Identity depends on, or why that cannot be told.
    ///
    /// # Errors
    /// What has to be looked up first.
    fn legacy(&self) -> Result<Result<LegacyObjects<'k>, LookupError>, Self::Lookup>;
}
