//! The identity that a pod is given: the service account by policy, and what its provider puts into the pod.

mod account_facts;
mod account_rules;
mod additions;
mod assign;
mod bound_identity;
mod change;
mod choose;
mod explain;
mod foretold;
mod inject;
mod migrate;
mod mountable_secrets;
mod plan;
mod promise;
mod request;
mod warning;

pub use account_facts::AccountFacts;
pub use account_rules::{AccountRefusal, account_refusal, account_warnings};
pub use change::{IdentityChange, IdentityError, IdentityOutcome};
pub use choose::Conflict;
pub use foretold::ForetoldAccounts;
pub use migrate::LegacyObjects;
pub use promise::{BrokenPromise, PromisedPod};
pub use request::IdentityRequest;
