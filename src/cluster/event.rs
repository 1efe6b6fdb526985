//! Events of the watches, for whoever logs and counts.

use crate::cluster::error::{ApiError, Reason};

/// A resource that is watched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum WatchedResource {
    /// Every Namespace.
    Namespaces,
    /// Every ServiceAccount.
    ServiceAccounts,
    /// The one Secret with the certificates.
    Secret,
    /// The one ConfigMap that turns policies to Audit.
    ConfigMap,
    /// Every RoleBinding: only once somebody asks.
    RoleBindings,
    /// Every ClusterRoleBinding, likewise.
    ClusterRoleBindings,
}

impl WatchedResource {
    /// Every resource that may be watched.
    pub const ALL: [Self; 6] = [
        Self::Namespaces,
        Self::ServiceAccounts,
        Self::Secret,
        Self::ConfigMap,
        Self::RoleBindings,
        Self::ClusterRoleBindings,
    ];

    /// Whether it is only watched once somebody asks.
    pub(super) fn is_on_demand(self) -> bool {
        match self {
            Self::RoleBindings | Self::ClusterRoleBindings => true,
            Self::Namespaces | Self::ServiceAccounts | Self::Secret | Self::ConfigMap => false,
        }
    }

    /// As RBAC has it, and the label of a metric.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Namespaces => "namespaces",
            Self::ServiceAccounts => "serviceaccounts",
            Self::Secret => "secrets",
            Self::ConfigMap => "configmaps",
            Self::RoleBindings => "rolebindings",
            Self::ClusterRoleBindings => "clusterrolebindings",
        }
    }
}

/// An event of the watches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClusterEvent {
    /// A resource is listed and its watch is established, for the first time or again. To be logged.
    Up(WatchedResource),
    /// A resource can no longer be watched, or for another reason than before. What is known of it stays. To be
    /// logged, with the error's advice.
    Down(WatchedResource, ApiError),
    /// A call failed. Comes with every attempt, to be counted.
    Failed(WatchedResource, Reason),
    /// Something was received from a watch: to be noted, with the time.
    Received(WatchedResource),
    /// Namespaces and service accounts are both listed completely and published. Comes once.
    Synced,
}
