//! What keeps a service account from having its identity.

/// What keeps a service account from having its identity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountFault {
    /// What is wrong, as it stands behind the name of the account: `lacks the annotation ...`. In printable ASCII.
    pub what: String,
    /// The same in few words, for where there is little room: `client-id is no GUID`.
    pub brief: String,
    /// What to do.
    pub fix: String,
}
