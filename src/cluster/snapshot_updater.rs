//! Applies the changes of one resource to the snapshot; after a list, what was not in it is removed.

use std::collections::{HashMap, HashSet};

use crate::cluster::event::WatchedResource;
use crate::cluster::watch_event::WatchEvent;
use crate::cluster::watched_object::{ObjectContent, WatchedObject};
use crate::policy::{BindingKind, Snapshot};

/// Applies the changes of one resource.
pub(super) struct SnapshotUpdater {
    resource: WatchedResource,
    /// What the current list has had so far: names by namespace. Objects without one are under "".
    listed: HashMap<String, HashSet<String>>,
    is_listing: bool,
}

impl SnapshotUpdater {
    pub(super) fn of(resource: WatchedResource) -> Self {
        Self { resource, listed: HashMap::new(), is_listing: false }
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

    fn put(&mut self, object: WatchedObject, snapshot: &mut Snapshot) {
        let namespace = object.namespace.unwrap_or_default();
        let name = object.name.unwrap_or_default();
        match object.content {
            ObjectContent::Namespace(metadata) => snapshot.insert_namespace(&name, metadata),
            ObjectContent::Account(account) => snapshot.insert_service_account(&namespace, &name, account),
            ObjectContent::Binding(binding) => snapshot.bindings_mut().insert(&namespace, &name, binding),
            ObjectContent::ConfigMap(_) => {}
        }
        if self.is_listing {
            self.listed.entry(namespace).or_default().insert(name);
        }
    }

    fn remove(&self, object: &WatchedObject, snapshot: &mut Snapshot) {
        let namespace = object.namespace.as_deref().unwrap_or_default();
        let name = object.name.as_deref().unwrap_or_default();
        match object.content {
            ObjectContent::Namespace(_) => snapshot.remove(name),
            ObjectContent::Account(_) => snapshot.remove_service_account(namespace, name),
            ObjectContent::Binding(_) => snapshot.bindings_mut().remove(namespace, name),
            ObjectContent::ConfigMap(_) => {}
        }
    }

    fn remove_unlisted(&mut self, snapshot: &mut Snapshot) {
        let listed = std::mem::take(&mut self.listed);
        let is_listed =
            |namespace: &str, name: &str| listed.get(namespace).is_some_and(|names| names.contains(name));
        match self.resource {
            WatchedResource::Namespaces => snapshot.retain(|name| is_listed("", name)),
            WatchedResource::ServiceAccounts => snapshot.retain_service_accounts(is_listed),
            WatchedResource::RoleBindings => {
                snapshot.bindings_mut().retain(BindingKind::Role, is_listed);
            }
            WatchedResource::ClusterRoleBindings => {
                snapshot.bindings_mut().retain(BindingKind::ClusterRole, is_listed);
            }
            // They are never part of a snapshot.
            WatchedResource::Secret | WatchedResource::ConfigMap => {}
        }
        self.is_listing = false;
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::identity::ServiceAccount;
    use crate::policy::{Binding, NamespaceMetadata};

    fn object(namespace: Option<&str>, name: &str, content: ObjectContent) -> WatchedObject {
        WatchedObject { namespace: namespace.map(ToOwned::to_owned), name: Some(name.to_owned()), content }
    }

    fn labelled(name: &str) -> WatchedObject {
        object(None, name, ObjectContent::Namespace(NamespaceMetadata::default()))
    }

    #[test]
    fn a_list_takes_out_what_it_does_not_have() {
        let mut snapshot = Snapshot::live();
        let mut namespaces = SnapshotUpdater::of(WatchedResource::Namespaces);
        let mut accounts = SnapshotUpdater::of(WatchedResource::ServiceAccounts);
        snapshot.insert("gone", BTreeMap::new());
        let there = |name| WatchEvent::Apply(labelled(name));
        namespaces.take(vec![WatchEvent::Init, there("a"), there("b")], &mut snapshot);
        assert!(snapshot.labels("gone").is_some(), "nothing goes before the list is whole");
        namespaces.take(vec![WatchEvent::InitDone, WatchEvent::Delete(labelled("b"))], &mut snapshot);
        assert!(snapshot.labels("gone").is_none() && snapshot.labels("b").is_none());
        assert!(snapshot.labels("a").is_some());
        let account = |name| {
            let content = ObjectContent::Account(ServiceAccount::default());
            WatchEvent::Apply(object(Some("a"), name, content))
        };
        accounts
            .take(vec![WatchEvent::Init, account("x"), account("y"), WatchEvent::InitDone], &mut snapshot);
        accounts.take(vec![WatchEvent::Init, account("y"), WatchEvent::InitDone], &mut snapshot);
        assert!(snapshot.service_account("a", "x").is_none() && snapshot.service_account("a", "y").is_some());
        assert!(snapshot.labels("a").is_some(), "the other resource is left alone");
    }

    #[test]
    fn bindings_are_known_once_both_kinds_are_listed() {
        let mut snapshot = Snapshot::live();
        let mut roles = SnapshotUpdater::of(WatchedResource::RoleBindings);
        let mut cluster_roles = SnapshotUpdater::of(WatchedResource::ClusterRoleBindings);
        let binding = |namespace, account: &str| {
            let mut binding = Binding::default();
            binding.add("ServiceAccount", account, Some("a"));
            object(namespace, "b", ObjectContent::Binding(binding))
        };
        let is_bound = |snapshot: &Snapshot, accounts: &[&str]| {
            accounts.iter().map(|account| snapshot.is_bound("a", account)).collect::<Vec<_>>()
        };
        let list = |object| vec![WatchEvent::Init, WatchEvent::Apply(object), WatchEvent::InitDone];
        roles.take(list(binding(Some("a"), "x")), &mut snapshot);
        assert_eq!(is_bound(&snapshot, &["x", "y"]), [Some(true), None]);
        cluster_roles.take(list(binding(None, "y")), &mut snapshot);
        assert_eq!(is_bound(&snapshot, &["x", "y", "z"]), [Some(true), Some(true), Some(false)]);
        roles.take(vec![WatchEvent::Init, WatchEvent::InitDone], &mut snapshot);
        cluster_roles.take(vec![WatchEvent::Delete(binding(None, "y"))], &mut snapshot);
        assert_eq!(is_bound(&snapshot, &["x", "y"]), [Some(false), Some(false)]);
    }
}
