//! What a self-managed certificate needs of a cluster; `cluster` implements it.

use std::fmt;
use std::time::Duration;

use futures::future::BoxFuture;

use crate::certificates::self_managed::ca_secret::SecretData;

/// The Secret, the two webhook configurations and the Lease.
///
/// Reads must be current, not from a cache: a compare-and-swap against an old version always fails. Every call may
/// be dropped at any point.
pub trait CertificateStore: Send + Sync + 'static {
    /// The Secret's data and resourceVersion. [`StoreError::NotFound`] and a Secret without a version both mean that
    /// there is none.
    fn read(&self) -> BoxFuture<'_, Result<VersionedSecret, StoreError>>;

    /// Replaces the Secret's data, or makes the Secret where `new` has no version.
    /// [`StoreError::Conflict`] when its version is not the newest, or when there is one by now.
    fn write<'a>(&'a self, new: &'a VersionedSecret) -> BoxFuture<'a, Result<VersionedSecret, StoreError>>;

    /// Every webhook entry of both configurations. A configuration that does not exist has none.
    fn bundles(&self) -> BoxFuture<'_, Result<Vec<WebhookBundle>, StoreError>>;

    /// Sets the `caBundle` of every entry of both configurations to these bytes (PEM, before base64).
    ///
    /// Each configuration is only changed while its version is the one in `seen`; otherwise
    /// [`StoreError::Conflict`] is returned: a process that was suspended between its look and this call must
    /// not undo what another has published since.
    fn publish<'a>(
        &'a self,
        bundle: &'a [u8],
        seen: &'a [WebhookBundle],
    ) -> BoxFuture<'a, Result<(), StoreError>>;

    /// Acquires or renews the Lease; whether this replica leads.
    fn lead(&self) -> BoxFuture<'_, Result<bool, StoreError>>;
}

/// The Secret at one version. By default one that does not exist.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct VersionedSecret {
    /// Its resourceVersion; none for a Secret that does not exist.
    pub version: Option<String>,
    /// Its data, without base64.
    pub data: SecretData,
}

/// Names the keys, and shows none of the values.
impl fmt::Debug for VersionedSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let keys: Vec<&String> = self.data.keys().collect();
        f.debug_struct("VersionedSecret").field("version", &self.version).field("keys", &keys).finish()
    }
}

/// One webhook entry of a configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebhookBundle {
    /// Its configuration, with the kind: `ValidatingWebhookConfiguration podgate`.
    pub configuration: String,
    /// The resourceVersion of that.
    pub version: String,
    /// The name of the webhook in it.
    pub webhook: String,
    /// Its `caBundle`, without base64. May be empty.
    pub bundle: Vec<u8>,
}

impl WebhookBundle {
    /// The entry, for people: `pods.podgate.dev of ValidatingWebhookConfiguration podgate`.
    #[must_use]
    pub fn name(&self) -> String {
        format!("{} of {}", self.webhook, self.configuration)
    }
}

/// Why the API server did not do what it was asked. The texts name the object and never show its content.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// Another writer was faster: read again. (409)
    #[error("it was changed by another: {0}")]
    Conflict(String),
    /// It does not exist. (404)
    #[error("it does not exist: {0}")]
    NotFound(String),
    /// The role does not allow it. (401, 403)
    #[error("the API server does not allow it: {0}")]
    Forbidden(String),
    /// Too many requests. (429)
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
    /// It does not answer.
    #[error("the API server does not answer: {0}")]
    Unreachable(String),
}
