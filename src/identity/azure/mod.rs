//! Azure workload identity.

mod check;

pub(super) use check::check;

/// The label of a pod that asks for an identity, with the value `true`.
pub const LABEL: &str = "azure.workload.identity/use";
/// What the keys of azure-workload-identity begin with.
const PREFIX: &str = "azure.workload.identity/";

/// Whether a key is one of azure-workload-identity, or so like one that somebody must have meant it.
pub(super) fn names_key(key: &str) -> bool {
    let lower = key.to_ascii_lowercase();
    key.starts_with(PREFIX) || (lower.contains("azure") && lower.contains("identity"))
}
