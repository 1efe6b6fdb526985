//! What a self-managed certificate needs of a cluster, as somebody else provides it.

use std::collections::BTreeMap;
use std::time::Duration;

use futures::future::BoxFuture;

use super::super::stored::Data;

/// The Secret, the two webhook configurations and the Lease.
///
/// Reads must be current, not from a cache: compare-and-swap on what is long gone only ever fails. Every call
/// may be dropped before it is done, at any point.
pub trait Store: Send + Sync + 'static {
    /// The Secret's data and resourceVersion. [`StoreError::NotFound`] and [`Versioned::absent`] both say that
    /// there is none.
    fn read(&self) -> BoxFuture<'_, Result<Versioned, StoreError>>;

    /// Replaces the Secret's data, or makes the Secret where `new` has no version.
    /// [`StoreError::Conflict`] when its version is not the newest, or when there is one by now.
    fn write<'a>(&'a self, new: &'a Versioned) -> BoxFuture<'a, Result<Versioned, StoreError>>;

    /// Every webhook entry of both configurations. A configuration that does not exist has none.
    fn bundles(&self) -> BoxFuture<'_, Result<Vec<Published>, StoreError>>;

    /// Sets the `caBundle` of every entry of both configurations to these bytes (PEM, before base64).
    ///
    /// Each configuration is only changed while its version is the one in `seen`, and else
    /// [`StoreError::Conflict`] is returned: a process that was suspended between its look and this call must
    /// not undo what another has published since.
    fn publish<'a>(
        &'a self,
        bundle: &'a [u8],
        seen: &'a [Published],
    ) -> BoxFuture<'a, Result<(), StoreError>>;

    /// Acquires or renews the Lease; whether this replica leads.
    fn lead(&self) -> BoxFuture<'_, Result<bool, StoreError>>;
}

/// The Secret at one version. Deliberately without `Debug`: it holds the keys.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Versioned {
    /// Its resourceVersion; none for a Secret that does not exist.
    pub version: Option<String>,
    /// Its data, without base64.
    pub data: Data,
}

impl Versioned {
    /// No Secret.
    #[must_use]
    pub fn absent() -> Self {
        Self { version: None, data: BTreeMap::new() }
    }
}

/// One webhook entry of a configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Published {
    /// Its configuration, with the kind: `ValidatingWebhookConfiguration podgate`.
    pub configuration: String,
    /// The resourceVersion of that.
    pub version: String,
    /// The name of the webhook in it.
    pub webhook: String,
    /// Its `caBundle`, without base64. May be empty.
    pub bundle: Vec<u8>,
}

impl Published {
    /// The entry, for people: `pods.podgate.dev of ValidatingWebhookConfiguration podgate`.
    #[must_use]
    pub fn name(&self) -> String {
        format!("{} of {}", self.webhook, self.configuration)
    }
}

/// Why the API server did not do what it was asked. The texts name the object and never hold its content.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// Somebody else was faster: look again. (409)
    #[error("it was changed by another: {0}")]
    Conflict(String),
    /// It does not exist. (404)
    #[error("it does not exist: {0}")]
    NotFound(String),
    /// The role does not allow it. (401, 403)
    #[error("the API server does not allow it: {0}")]
    Forbidden(String),
    /// Later, please. (429)
    #[error("the API server is too busy: {message}")]
    TooManyRequests {
        /// What it says.
        message: String,
        /// How long to wait, if it says.
        retry_after: Option<Duration>,
    },
    /// It refuses the object as it is. (400, 422)
    #[error("the API server refuses it: {0}")]
    Invalid(String),
    /// It fails. (500 and above)
    #[error("the API server fails: {0}")]
    Server(String),
    /// It says nothing, or is not there.
    #[error("the API server does not answer: {0}")]
    Unreachable(String),
}
