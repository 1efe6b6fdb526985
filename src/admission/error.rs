//! Why a review is not judged, or not yet.

use crate::policy::Lookup;

/// Why a review is not judged, or not yet.
pub(super) enum Interrupt {
    Failed(ReviewError),
    /// A policy refuses the pod for its identity, for this reason.
    Denied(String),
    NeedsLookup(Lookup),
}

impl From<ReviewError> for Interrupt {
    fn from(error: ReviewError) -> Self {
        Self::Failed(error)
    }
}

impl From<Lookup> for Interrupt {
    fn from(lookup: Lookup) -> Self {
        Self::NeedsLookup(lookup)
    }
}

/// A review that cannot be judged: the code of its refusal, and why.
pub(super) struct ReviewError {
    pub(super) code: u16,
    pub(super) message: String,
}

impl ReviewError {
    pub(super) fn bad_request(message: impl Into<String>) -> Self {
        Self { code: 400, message: message.into() }
    }
}
