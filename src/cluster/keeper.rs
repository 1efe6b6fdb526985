//! Changes of one resource, taken into the snapshot; after a list, what was not in it is taken out.

use std::collections::{HashMap, HashSet};

use kube::core::ObjectMeta;

use crate::cluster::follow::Change;
use crate::policy::Snapshot;

/// Takes in the changes of one resource.
pub(super) struct Keeper {
    kind: Kind,
    /// What the list that is under way has had so far: names by namespace. Objects without one are under "".
    listed: HashMap<String, HashSet<String>>,
    is_listing: bool,
}

#[derive(Clone, Copy)]
enum Kind {
    Namespace,
    ServiceAccount,
}

impl Keeper {
    pub(super) fn namespaces() -> Self {
        Self::of(Kind::Namespace)
    }

    pub(super) fn service_accounts() -> Self {
        Self::of(Kind::ServiceAccount)
    }

    fn of(kind: Kind) -> Self {
        Self { kind, listed: HashMap::new(), is_listing: false }
    }
    pub(super) fn take(&mut self, changes: Vec<Change>, snapshot: &mut Snapshot) {
        for change in changes {
            match change {
                Change::Begun => {
                    self.listed.clear();
                    self.is_listing = true;
                }
                Change::There(object) => self.put(object, snapshot),
                Change::Gone(object) => {
                    self.remove(&object, snapshot);
                }
                Change::Listed => {
                    self.remove_unlisted(snapshot);
                }
            }
        }
    }

    fn put(&mut self, object: ObjectMeta, snapshot: &mut Snapshot) {
        let namespace = object.namespace.unwrap_or_default();
        let name = object.name.unwrap_or_default();
        match self.kind {
            Kind::Namespace => snapshot.insert(&name, object.labels.unwrap_or_default()),
            Kind::ServiceAccount => snapshot.insert_service_account(&namespace, &name),
        }
        if self.is_listing {
            self.listed.entry(namespace).or_default().insert(name);
        }
    }

    fn remove(&self, object: &ObjectMeta, snapshot: &mut Snapshot) {
        let namespace = object.namespace.as_deref().unwrap_or_default();
        let name = object.name.as_deref().unwrap_or_default();
        match self.kind {
            Kind::Namespace => snapshot.remove(name),
            Kind::ServiceAccount => snapshot.remove_service_account(namespace, name),
        }
    }

    fn remove_unlisted(&mut self, snapshot: &mut Snapshot) {
        let listed = std::mem::take(&mut self.listed);
        let is_listed =
            |namespace: &str, name: &str| listed.get(namespace).is_some_and(|names| names.contains(name));
        match self.kind {
            Kind::Namespace => snapshot.retain(|name| is_listed("", name)),
            Kind::ServiceAccount => snapshot.retain_service_accounts(is_listed),
        }
        self.is_listing = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(namespace: Option<&str>, name: &str) -> ObjectMeta {
        let (namespace, name) = (namespace.map(ToOwned::to_owned), Some(name.to_owned()));
        ObjectMeta { namespace, name, ..ObjectMeta::default() }
    }

    #[test]
    fn a_list_takes_out_what_it_does_not_have() {
        let mut snapshot = Snapshot::live();
        let mut namespaces = Keeper::namespaces();
        let mut accounts = Keeper::service_accounts();
        snapshot.insert("gone", BTreeMap::new());
        let there = |name| Change::There(object(None, name));
        namespaces.take(vec![Change::Begun, there("a"), there("b")], &mut snapshot);
        assert!(snapshot.labels("gone").is_some(), "nothing goes before the list is whole");
        namespaces.take(vec![Change::Listed, Change::Gone(object(None, "b"))], &mut snapshot);
        assert!(snapshot.labels("gone").is_none() && snapshot.labels("b").is_none());
        assert!(snapshot.labels("a").is_some());
        let account = |name| Change::There(object(Some("a"), name));
        accounts.take(vec![Change::Begun, account("x"), account("y"), Change::Listed], &mut snapshot);
        accounts.take(vec![Change::Begun, account("y"), Change::Listed], &mut snapshot);
        assert!(!snapshot.has_service_account("a", "x") && snapshot.has_service_account("a", "y"));
        assert!(snapshot.labels("a").is_some(), "the other resource is left alone");
    }

    use std::collections::BTreeMap;
}
