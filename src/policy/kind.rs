//! The kinds of object that a policy file holds.

use serde_json::Value;

use crate::policy::schema;
use crate::policy::written::{IdentitySpec, Object, SecuritySpec};

/// The version of their API.
pub(super) const API_VERSION: &str = "podgate.dev/v1alpha1";

/// The kinds of object that a policy file holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PolicyKind {
    /// What pods may do: [`SecurityPolicy`](crate::policy::SecurityPolicy).
    SecurityPolicy,
    /// Which identity they get: [`IdentityPolicy`](crate::policy::IdentityPolicy).
    IdentityPolicy,
}

impl PolicyKind {
    /// Every kind.
    pub const ALL: [Self; 2] = [Self::SecurityPolicy, Self::IdentityPolicy];

    /// Its name, as in `kind`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::SecurityPolicy => "SecurityPolicy",
            Self::IdentityPolicy => "IdentityPolicy",
        }
    }

    /// The JSON Schema of its files, for editors.
    #[must_use]
    pub fn json_schema(self) -> Value {
        match self {
            Self::SecurityPolicy => schema::of::<Object<SecuritySpec>>(),
            Self::IdentityPolicy => schema::of::<Object<IdentitySpec>>(),
        }
    }
}
