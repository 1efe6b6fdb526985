//! Applies the changes of one resource to the snapshot; after a list, what was not in it is removed.

use std::collections::{HashMap, HashSet};

use kube::core::ObjectMeta;

use crate::cluster::watch_event::WatchEvent;
use crate::identity::ServiceAccount;
use crate::policy::Snapshot;

/// Applies the changes of one resource.
pub(super) struct SnapshotUpdater {
    kind: SnapshotPart,
    /// What the current list has had so far: names by namespace. Objects without one are under "".
    listed: HashMap<String, HashSet<String>>,
    is_listing: bool,
}

#[derive(Clone, Copy)]
enum SnapshotPart {
    Namespace,
    ServiceAccount,
}

impl SnapshotUpdater {
    pub(super) fn namespaces() -> Self {
        Self::of(SnapshotPart::Namespace)
    }

    pub(super) fn service_accounts() -> Self {
        Self::of(SnapshotPart::ServiceAccount)
    }

    fn of(kind: SnapshotPart) -> Self {
        Self { kind, listed: HashMap::new(), is_listing: false }
    }

    pub(super) fn take(&mut self, changes: Vec<WatchEvent>, snapshot: &mut Snapshot) {
        for change in changes {
            match change {
                WatchEvent::Init => {
                    self.listed.clear();
                    self.is_listing = true;
                }
                WatchEvent::Apply(object) => self.put(object, snapshot),
                WatchEvent::Delete(object) => {
                    self.remove(&object, snapshot);
                }
                WatchEvent::InitDone => {
                    self.remove_unlisted(snapshot);
                }
            }
        }
    }

    fn put(&mut self, object: ObjectMeta, snapshot: &mut Snapshot) {
        let namespace = object.namespace.unwrap_or_default();
        let name = object.name.unwrap_or_default();
        match self.kind {
            SnapshotPart::Namespace => snapshot.insert(&name, object.labels.unwrap_or_default()),
            SnapshotPart::ServiceAccount => {
                snapshot.insert_service_account(&namespace, &name, ServiceAccount::default())
            }
        }
        if self.is_listing {
            self.listed.entry(namespace).or_default().insert(name);
        }
    }

    fn remove(&self, object: &ObjectMeta, snapshot: &mut Snapshot) {
        let namespace = object.namespace.as_deref().unwrap_or_default();
        let name = object.name.as_deref().unwrap_or_default();
        match self.kind {
            SnapshotPart::Namespace => snapshot.remove(name),
            SnapshotPart::ServiceAccount => snapshot.remove_service_account(namespace, name),
        }
    }

    fn remove_unlisted(&mut self, snapshot: &mut Snapshot) {
        let listed = std::mem::take(&mut self.listed);
        let is_listed =
            |namespace: &str, name: &str| listed.get(namespace).is_some_and(|names| names.contains(name));
        match self.kind {
            SnapshotPart::Namespace => snapshot.retain(|name| is_listed("", name)),
            SnapshotPart::ServiceAccount => snapshot.retain_service_accounts(is_listed),
        }
        self.is_listing = false;
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn object(namespace: Option<&str>, name: &str) -> ObjectMeta {
        let (namespace, name) = (namespace.map(ToOwned::to_owned), Some(name.to_owned()));
        ObjectMeta { namespace, name, ..ObjectMeta::default() }
    }

    #[test]
    fn a_list_takes_out_what_it_does_not_have() {
        let mut snapshot = Snapshot::live();
        let mut namespaces = SnapshotUpdater::namespaces();
        let mut accounts = SnapshotUpdater::service_accounts();
        snapshot.insert("gone", BTreeMap::new());
        let there = |name| WatchEvent::Apply(object(None, name));
        namespaces.take(vec![WatchEvent::Init, there("a"), there("b")], &mut snapshot);
        assert!(snapshot.labels("gone").is_some(), "nothing goes before the list is whole");
        namespaces.take(vec![WatchEvent::InitDone, WatchEvent::Delete(object(None, "b"))], &mut snapshot);
        assert!(snapshot.labels("gone").is_none() && snapshot.labels("b").is_none());
        assert!(snapshot.labels("a").is_some());
        let account = |name| WatchEvent::Apply(object(Some("a"), name));
        accounts
            .take(vec![WatchEvent::Init, account("x"), account("y"), WatchEvent::InitDone], &mut snapshot);
        accounts.take(vec![WatchEvent::Init, account("y"), WatchEvent::InitDone], &mut snapshot);
        assert!(
            !snapshot.service_account("a", "x").is_some() && snapshot.service_account("a", "y").is_some()
        );
        assert!(snapshot.labels("a").is_some(), "the other resource is left alone");
    }
}
