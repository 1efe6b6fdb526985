//! What is known of the cluster for one review, and what would have to be looked up for it.
//!
//! Judging asks nobody: it says what it wants, whoever can look it up does, and the review is judged again.

use crate::admission::ExistingPods;
use crate::policy::{Labels, Snapshot};

/// Something that a verdict hangs on and that the snapshot does not hold.
#[derive(Debug)]
pub enum Want {
    /// The labels of a Namespace: [`LookedUp::namespace`].
    Namespace(String),
    /// Whether there is a service account: [`LookedUp::service_account`].
    ServiceAccount {
        /// Where.
        namespace: String,
        /// Its name.
        name: String,
    },
    /// A look at the pods of a namespace: [`LookedUp::pod_warnings`].
    Pods(Box<ExistingPods>),
}

/// Why something could not be looked up. These words go to whoever sent the review, so there are no others: what the
/// API server said, and where it is, is for the log of whoever asked it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LookupError {
    /// Nobody can be asked.
    #[error("there is no cluster to ask")]
    NoCluster,
    /// It took too long.
    #[error("the API server did not answer in time")]
    Late,
    /// It failed.
    #[error("the API server could not tell")]
    Failed,
    /// It was not asked, because it had been asked too much.
    #[error("too many look-ups at once")]
    Limited,
}

/// What was looked up for one review.
#[derive(Debug, Default)]
pub struct LookedUp {
    /// The labels of the request's Namespace; `None` if there is no such Namespace.
    pub namespace: Option<Result<Option<Labels>, LookupError>>,
    /// Whether there is the service account that was asked for.
    pub service_account: Option<Result<bool, LookupError>>,
    /// What [`ExistingPods`] came to.
    pub pod_warnings: Option<Vec<String>>,
}

/// The snapshot, and what was looked up beside it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Known<'k> {
    pub(super) snapshot: &'k Snapshot,
    pub(super) looked_up: &'k LookedUp,
}

/// What is known of a Namespace.
#[derive(Debug, Clone, Copy)]
pub(super) enum OfNamespace<'k> {
    /// Its labels.
    Labels(&'k Labels),
    /// As far as anybody knows there is none.
    Absent,
    /// Nothing, for this reason.
    Unknown(LookupError),
}

impl<'k> OfNamespace<'k> {
    pub(super) fn labels(self) -> Option<&'k Labels> {
        match self {
            Self::Labels(labels) => Some(labels),
            Self::Absent | Self::Unknown(_) => None,
        }
    }
}

impl<'k> Known<'k> {
    pub(super) fn namespace(self, name: &str) -> Result<OfNamespace<'k>, Want> {
        match (&self.looked_up.namespace, self.snapshot.labels(name)) {
            (Some(Ok(Some(labels))), _) | (None, Some(labels)) => Ok(OfNamespace::Labels(labels)),
            (Some(Ok(None)), _) => Ok(OfNamespace::Absent),
            (Some(Err(reason)), _) => Ok(OfNamespace::Unknown(*reason)),
            (None, None) if self.snapshot.is_live() => Err(Want::Namespace(name.to_owned())),
            (None, None) => Ok(OfNamespace::Absent),
        }
    }

    /// Whether what is known of the Namespace may be older than what the API server goes by, and can be asked for.
    pub(super) fn may_be_stale(self) -> bool {
        self.snapshot.is_live() && self.looked_up.namespace.is_none()
    }

    /// Whether there is a service account; `Ok(Err)` when that cannot be told, with the reason.
    pub(super) fn service_account(
        self,
        namespace: &str,
        name: &str,
    ) -> Result<Result<bool, LookupError>, Want> {
        if self.snapshot.has_service_account(namespace, name) || !self.snapshot.knows_service_accounts() {
            return Ok(Ok(true));
        }
        match &self.looked_up.service_account {
            Some(Ok(is_there)) => Ok(Ok(*is_there)),
            Some(Err(reason)) => Ok(Err(*reason)),
            None if self.snapshot.is_live() => {
                Err(Want::ServiceAccount { namespace: namespace.to_owned(), name: name.to_owned() })
            }
            None => Ok(Ok(false)),
        }
    }
}
