//! An object that is read for a review: its path, and its name in the watches.

use crate::cluster::error::ApiCall;
use crate::cluster::event::WatchedResource;
use crate::cluster::watched_object::WatchedObject;

/// An object that can be read.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum ObjectKey {
    Namespace(String),
    ServiceAccount { namespace: String, name: String },
}

impl ObjectKey {
    /// The object of an event.
    pub(super) fn of(resource: WatchedResource, object: &WatchedObject) -> Option<Self> {
        let name = object.name.clone()?;
        match resource {
            WatchedResource::Namespaces => Some(Self::Namespace(name)),
            WatchedResource::ServiceAccounts => {
                object.namespace.clone().map(|namespace| Self::ServiceAccount { namespace, name })
            }
            WatchedResource::Secret
            | WatchedResource::ConfigMap
            | WatchedResource::RoleBindings
            | WatchedResource::ClusterRoleBindings => None,
        }
    }

    /// The resource whose watch reports its changes.
    pub(super) fn resource(&self) -> WatchedResource {
        match self {
            Self::Namespace(_) => WatchedResource::Namespaces,
            Self::ServiceAccount { .. } => WatchedResource::ServiceAccounts,
        }
    }

    /// The call that reads it.
    pub(super) fn call(&self, server: &str) -> ApiCall {
        let (path, wanted) = match self {
            Self::Namespace(name) => (format!("namespaces/{name}"), "get namespaces"),
            Self::ServiceAccount { namespace, name } => {
                (format!("namespaces/{namespace}/serviceaccounts/{name}"), "get serviceaccounts")
            }
        };
        ApiCall { method: "Get", url: format!("{server}/api/v1/{path}"), wanted: wanted.to_owned() }
    }
}

/// Whether an object can have this name. No other is put into the path of a URL.
pub(super) fn is_object_name(name: &str) -> bool {
    let is_inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-.".contains(&byte);
    (1..=253).contains(&name.len())
        && name.bytes().all(is_inner)
        && !name.starts_with('.')
        && !name.ends_with('.')
}
