//! An object that is read for a review: how it is asked for, and how the watches call it.

use kube::core::ObjectMeta;

use crate::cluster::Resource;
use crate::cluster::fault::Call;

/// An object that can be read.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Key {
    Namespace(String),
    ServiceAccount { namespace: String, name: String },
}

impl Key {
    /// The object of an event.
    pub(super) fn of(resource: Resource, object: &ObjectMeta) -> Option<Self> {
        let name = object.name.clone()?;
        match resource {
            Resource::Namespaces => Some(Self::Namespace(name)),
            Resource::ServiceAccounts => {
                object.namespace.clone().map(|namespace| Self::ServiceAccount { namespace, name })
            }
            Resource::Secret => None,
        }
    }

    /// What its changes are told with.
    pub(super) fn resource(&self) -> Resource {
        match self {
            Self::Namespace(_) => Resource::Namespaces,
            Self::ServiceAccount { .. } => Resource::ServiceAccounts,
        }
    }

    /// The call that reads it.
    pub(super) fn call(&self, server: &str) -> Call {
        let (path, wanted) = match self {
            Self::Namespace(name) => (format!("namespaces/{name}"), "get namespaces"),
            Self::ServiceAccount { namespace, name } => {
                (format!("namespaces/{namespace}/serviceaccounts/{name}"), "get serviceaccounts")
            }
        };
        Call { method: "Get", url: format!("{server}/api/v1/{path}"), wanted: wanted.to_owned() }
    }
}

/// Whether an object can have this name. No other goes into the path of a URL.
pub(super) fn is_object_name(name: &str) -> bool {
    let is_inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-.".contains(&byte);
    (1..=253).contains(&name.len())
        && name.bytes().all(is_inner)
        && !name.starts_with('.')
        && !name.ends_with('.')
}
