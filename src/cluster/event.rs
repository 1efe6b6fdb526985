//! What is told to those who log and count.

use crate::cluster::{Fault, Reason};

/// What is followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Resource {
    /// Every Namespace.
    Namespaces,
    /// Every ServiceAccount.
    ServiceAccounts,
    /// The one Secret with the certificates.
    Secret,
}

impl Resource {
    /// Everything that may be followed.
    pub const ALL: [Self; 3] = [Self::Namespaces, Self::ServiceAccounts, Self::Secret];

    /// As RBAC has it, and the label of a metric.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Namespaces => "namespaces",
            Self::ServiceAccounts => "serviceaccounts",
            Self::Secret => "secrets",
        }
    }
}

/// What happens while the cluster is followed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A resource is listed and its watch stands, for the first time or again. To be logged.
    Up(Resource),
    /// A resource cannot be followed any more, or for another reason than before. What is known of it stays.
    /// To be logged, with the fault's advice.
    Down(Resource, Fault),
    /// A call failed. Comes with every attempt, to be counted.
    Failed(Resource, Reason),
    /// Something was heard of a resource: to be noted, with the time.
    Heard(Resource),
    /// Namespaces and service accounts were both listed whole, and are published. Comes once.
    Synced,
}
