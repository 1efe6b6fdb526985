//! What is known of the cluster: the labels of its Namespaces and a few annotations, its service accounts, and whom its
//! bindings name.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use crate::controls::{GrantSource, MissingRole};
use crate::identity::ServiceAccount;
use crate::identity::aad_pod_identity::PodIdentities;
use crate::policy::bindings::Bindings;
use crate::policy::labels::{Labels, PackedLabels};
use crate::policy::namespaces::{NamespaceMetadata, Namespaces};

/// The service accounts of a namespace.
type AccountsByName = BTreeMap<Arc<str>, Arc<ServiceAccount>>;

/// What is known of the cluster at one moment. A verdict only reads it.
///
/// Clones share what they have in common: a change copies a table of pointers and no labels, and what did not change is
/// recognised by its address.
#[derive(Debug, Default, Clone)]
pub struct Snapshot {
    namespaces: Arc<Namespaces>,
    service_accounts: HashMap<Arc<str>, Arc<AccountsByName>>,
    bindings: Arc<Bindings>,
    pod_identities: Arc<PodIdentities>,
    is_live: bool,
}

impl Snapshot {
    /// A snapshot of a cluster that can be asked: what is not in it may be there all the same.
    #[must_use]
    pub fn live() -> Self {
        Self { is_live: true, ..Self::default() }
    }

    /// Whether what is not in it can be looked up. If not, as when it is made from files, it is all there is.
    #[must_use]
    pub fn is_live(&self) -> bool {
        self.is_live
    }

    /// Adds a Namespace without annotations: [`insert_namespace`](Self::insert_namespace).
    pub fn insert(&mut self, name: &str, labels: Labels) {
        self.insert_namespace(name, labels.into());
    }

    /// Adds a Namespace, or replaces what was known of it. The label of its name is added as the API
    /// server would.
    pub fn insert_namespace(&mut self, name: &str, metadata: NamespaceMetadata) {
        let metadata = metadata.complete(name);
        // A list that says what is known already changes nothing.
        if self.namespace(name) != Some(&metadata) {
            Arc::make_mut(&mut self.namespaces).insert(metadata);
        }
    }

    /// Adds what another snapshot knows, or replaces what was known of it.
    pub fn take_from(&mut self, other: &Self) {
        for metadata in other.namespaces() {
            Arc::make_mut(&mut self.namespaces).insert(NamespaceMetadata::clone(metadata));
        }
        for (namespace, name, account) in other.service_accounts() {
            self.insert_service_account(namespace, name, account.clone());
        }
        if !other.bindings.is_empty() {
            self.bindings_mut().take_from(&other.bindings);
        }
        if *other.pod_identities != PodIdentities::default() {
            self.pod_identities_mut().take_from(&other.pod_identities);
        }
    }

    /// Takes out a Namespace that is gone.
    pub fn remove(&mut self, name: &str) {
        if self.namespaces.get(name).is_some() {
            Arc::make_mut(&mut self.namespaces).remove(name);
        }
    }

    /// Takes out the Namespaces that are not kept, by name: those that a list no longer has.
    pub fn retain(&mut self, is_kept: impl Fn(&str) -> bool) {
        if !self.namespaces().all(|metadata| is_kept(metadata.name())) {
            Arc::make_mut(&mut self.namespaces).retain(is_kept);
        }
    }

    /// The labels of a Namespace, if it is known.
    #[must_use]
    pub fn labels(&self, name: &str) -> Option<&PackedLabels> {
        self.namespace(name).map(|metadata| &metadata.labels)
    }

    /// What is kept of a Namespace, if it is known.
    #[must_use]
    pub fn namespace(&self, name: &str) -> Option<&NamespaceMetadata> {
        self.namespaces.get(name).map(AsRef::as_ref)
    }

    /// What is kept of every Namespace, which stays the same in memory as long as it does not change.
    pub(super) fn namespaces(&self) -> impl ExactSizeIterator<Item = &Arc<NamespaceMetadata>> {
        self.namespaces.iter()
    }

    /// Whether both share their Namespaces. If not, they may still be equal.
    #[must_use]
    pub fn has_namespaces_of(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.namespaces, &other.namespaces)
    }

    /// How many Namespaces are known.
    #[must_use]
    pub fn namespace_count(&self) -> usize {
        self.namespaces.len()
    }

    /// Adds a service account, or replaces what was known of it.
    pub fn insert_service_account(&mut self, namespace: &str, name: &str, account: ServiceAccount) {
        // A list that says what is known already changes nothing.
        if self.service_account(namespace, name) != Some(&account) {
            let accounts = self.service_accounts.entry(namespace.into()).or_default();
            Arc::make_mut(accounts).insert(name.into(), Arc::new(account));
        }
    }

    /// Takes out a service account that is gone.
    pub fn remove_service_account(&mut self, namespace: &str, name: &str) {
        let Some(names) = self.service_accounts.get_mut(namespace) else { return };
        Arc::make_mut(names).remove(name);
        if names.is_empty() {
            self.service_accounts.remove(namespace);
        }
    }

    /// Takes out the service accounts that are not kept, by namespace and name.
    pub fn retain_service_accounts(&mut self, is_kept: impl Fn(&str, &str) -> bool) {
        self.service_accounts.retain(|namespace, names| {
            if names.keys().any(|name| !is_kept(namespace, name)) {
                Arc::make_mut(names).retain(|name, _| is_kept(namespace, name));
            }
            !names.is_empty()
        });
    }

    /// A service account, if it is known.
    #[must_use]
    pub fn service_account(&self, namespace: &str, name: &str) -> Option<&ServiceAccount> {
        self.service_accounts.get(namespace)?.get(name).map(AsRef::as_ref)
    }

    /// The service accounts of a namespace, by name.
    pub fn service_accounts_of(&self, namespace: &str) -> impl Iterator<Item = (&str, &ServiceAccount)> {
        let accounts = self.service_accounts.get(namespace).into_iter().flat_map(|accounts| accounts.iter());
        accounts.map(|(name, account)| (name.as_ref(), account.as_ref()))
    }

    /// Every service account with its namespace and name.
    pub fn service_accounts(&self) -> impl Iterator<Item = (&str, &str, &ServiceAccount)> {
        let names = self.service_accounts.keys().map(AsRef::as_ref);
        names.flat_map(|of| self.service_accounts_of(of).map(move |(name, account)| (of, name, account)))
    }

    /// What is known of bindings, to be changed.
    pub fn bindings_mut(&mut self) -> &mut Bindings {
        Arc::make_mut(&mut self.bindings)
    }

    /// Whether any RoleBinding or ClusterRoleBinding names a service account ([`Bindings::name_account`]): whether its
    /// token is of any use at the API server. `None` where bindings are not known.
    #[must_use]
    pub fn is_bound(&self, namespace: &str, name: &str) -> Option<bool> {
        self.bindings.name_account(namespace, name)
    }

    /// Whether a service account may use an identity that AKS has bound to the cluster
    /// ([`Bindings::may_use_identity`]). `None` where that cannot be told.
    #[must_use]
    pub fn may_use_identity(&self, namespace: &str, name: &str, client_id: &str) -> Option<bool> {
        self.bindings.may_use_identity(namespace, name, client_id)
    }

    /// Those of these exceptions that a service account may use ([`Bindings::granted`]). `None` where that cannot be told.
    #[must_use]
    pub fn granted(&self, namespace: &str, name: &str, exceptions: &[Arc<str>]) -> Option<Vec<Arc<str>>> {
        self.bindings.granted(namespace, name, exceptions)
    }

    /// Whether any service account may use an exception ([`Bindings::grants_to_anybody`]). `None` where that cannot be told.
    #[must_use]
    pub fn grants_to_anybody(&self, exception: &str) -> Option<bool> {
        self.bindings.grants_to_anybody(exception)
    }

    /// The identities of AAD Pod Identity, and their bindings. Those of a cluster are looked up.
    #[must_use]
    pub fn pod_identities(&self) -> &PodIdentities {
        &self.pod_identities
    }

    /// The same, to be added to.
    pub fn pod_identities_mut(&mut self) -> &mut PodIdentities {
        Arc::make_mut(&mut self.pod_identities)
    }

    /// Whether any service account is known: files often name none, and then nothing can be told from that.
    #[must_use]
    pub fn knows_service_accounts(&self) -> bool {
        self.is_live || !self.service_accounts.is_empty()
    }
}

/// What files say: there is nobody else to ask.
impl GrantSource for Snapshot {
    fn may_use(&self, namespace: &str, account: &str, exception: &Arc<str>) -> Option<bool> {
        self.bindings.may_use_exception(namespace, account, exception)
    }

    fn missing_role(&self, namespace: &str, account: &str) -> Option<MissingRole<'_>> {
        self.bindings.missing_role(namespace, account)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::controls::NamespaceAnnotations;
    use crate::policy::labels::NAME_LABEL;

    #[test]
    fn what_is_told_again_changes_nothing() {
        let mut now = Snapshot::live();
        now.insert("a", Labels::from([("team".into(), "x".into())]));
        let mut before = now.clone();
        now.insert("a", Labels::from([("team".into(), "x".into())]));
        now.remove("b");
        now.retain(|_| true);
        now.insert_service_account("a", "default", ServiceAccount::default());
        assert!(now.has_namespaces_of(&before));
        let annotated =
            |value| NamespaceMetadata::new(Labels::new(), [(NamespaceAnnotations::UID_RANGE, value)]);
        let changes: [&dyn Fn(&mut Snapshot); 6] = [
            &|snapshot| snapshot.insert("a", Labels::new()),
            &|snapshot| snapshot.insert_namespace("a", annotated("1/2")),
            &|snapshot| snapshot.insert_namespace("a", annotated("1/3")),
            &|snapshot| snapshot.insert("b", Labels::new()),
            &|snapshot| snapshot.remove("b"),
            &|snapshot| snapshot.retain(|_| false),
        ];
        for change in changes {
            change(&mut now);
            assert!(!now.has_namespaces_of(&before));
            before = now.clone();
        }
    }

    #[test]
    fn a_clone_is_not_changed_by_what_comes_later() {
        let mut now = Snapshot::live();
        now.insert("a", Labels::from([("team".into(), "x".into())]));
        now.insert_service_account("a", "default", ServiceAccount::default());
        let before = now.clone();
        now.remove("a");
        now.insert_service_account("a", "trainer", ServiceAccount::default());
        now.remove_service_account("a", "default");
        assert_eq!(before.labels("a").unwrap().get(NAME_LABEL), Some("a"));
        assert!(
            before.service_account("a", "default").is_some()
                && before.service_account("a", "trainer").is_none()
        );
        assert!(now.labels("a").is_none());
        assert!(
            now.service_account("a", "default").is_none() && now.service_account("a", "trainer").is_some()
        );
        now.insert_service_account("b", "default", ServiceAccount::default());
        now.insert_service_account("b", "gone", ServiceAccount::default());
        now.insert("c", Labels::new());
        now.insert("d", Labels::new());
        now.retain(|name| name == "c");
        now.retain_service_accounts(|namespace, name| (namespace, name) == ("b", "default"));
        assert!(now.labels("c").is_some() && now.namespace_count() == 1);
        assert!(now.service_account("b", "default").is_some() && now.service_account("b", "gone").is_none());
        assert!(!now.service_accounts.contains_key("a"));
        now.remove_service_account("b", "default");
        now.remove_service_account("b", "default");
        assert!(now.service_accounts.is_empty() && now.is_live() && now.knows_service_accounts());
    }
}
