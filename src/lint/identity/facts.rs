//! What files say of the service accounts of a namespace.

use std::cell::RefCell;

use crate::identity::ServiceAccount;
use crate::mutate::{AccountFacts, LegacyObjects};
use crate::policy::{AccountState, LookupError, Snapshot};
use crate::workload::has_placeholder;

/// The account that every namespace has: the API server makes it, and nobody has set it up where no file says so.
const DEFAULT: &str = "default";

/// No file holds a binding of AAD Pod Identity: an export of the cluster has them.
#[derive(Debug)]
pub(super) struct UnknownBindings;

/// The service accounts of a namespace in files.
pub(super) struct FileAccounts<'k> {
    known: &'k Snapshot,
    namespace: &'k str,
    /// Whether one that is not there, nobody has.
    is_complete: bool,
    /// What one is taken for of which nothing is known; `None` if there is taken to be none.
    unknown: Option<&'k ServiceAccount>,
    /// The names of those.
    asked: RefCell<Vec<String>>,
}

impl<'k> FileAccounts<'k> {
    pub(super) fn new(
        known: &'k Snapshot,
        namespace: &'k str,
        is_complete: bool,
        unknown: Option<&'k ServiceAccount>,
    ) -> Self {
        let is_complete = is_complete || known.service_accounts_of(namespace).next().is_some();
        Self { known, namespace, is_complete, unknown, asked: RefCell::default() }
    }

    /// The names of the accounts of which nothing is known.
    pub(super) fn asked(self) -> Vec<String> {
        self.asked.into_inner()
    }
}

/// An account of which no file says anything.
static BARE: std::sync::LazyLock<ServiceAccount> = std::sync::LazyLock::new(ServiceAccount::default);

impl<'k> AccountFacts<'k> for FileAccounts<'k> {
    type Lookup = UnknownBindings;

    fn account(&self, name: &str) -> Result<Result<AccountState<'k>, LookupError>, UnknownBindings> {
        if let Some(account) = self.known.service_account(self.namespace, name) {
            return Ok(Ok(AccountState::Known(account)));
        }
        if name == DEFAULT {
            return Ok(Ok(AccountState::Known(&BARE)));
        }
        // What is yet to be filled in may be the name of any.
        if self.is_complete && !has_placeholder(name) {
            return Ok(Ok(AccountState::Absent));
        }
        let mut asked = self.asked.borrow_mut();
        if !asked.iter().any(|known| known == name) {
            asked.push(name.to_owned());
        }
        Ok(Ok(self.unknown.map_or(AccountState::Absent, AccountState::Known)))
    }

    fn is_bound(&self, name: &str) -> Result<Option<bool>, UnknownBindings> {
        Ok(self.known.is_bound(self.namespace, name))
    }

    fn may_use_identity(&self, name: &str, client_id: &str) -> Result<Option<bool>, UnknownBindings> {
        // The id of an account of which nothing is known is made up.
        let is_known = self.known.service_account(self.namespace, name).is_some();
        Ok(is_known.then(|| self.known.may_use_identity(self.namespace, name, client_id)).flatten())
    }

    fn legacy(&self) -> Result<Result<LegacyObjects<'k>, LookupError>, UnknownBindings> {
        let identities = self.known.pod_identities();
        if identities.is_empty() {
            return Err(UnknownBindings);
        }
        let accounts = self.known.service_accounts_of(self.namespace).collect();
        Ok(Ok(LegacyObjects { identities, accounts }))
    }
}
