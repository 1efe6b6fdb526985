//! What is returned for a review.

use crate::admission::decision::Decision;
use crate::policy::Lookup;

/// The result of a review.
#[derive(Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "almost every reply is an answer, and a box for it would be an allocation"
)]
pub enum Reply<'b> {
    /// An answer.
    Answer(Answer<'b>),
    /// Something has to be looked up first.
    NeedsLookup(Lookup),
}

/// What is sent back, and what was decided.
#[derive(Debug)]
pub struct Answer<'b> {
    /// The AdmissionReview to send, as JSON.
    pub body: Vec<u8>,
    /// What was decided: for the log line and the counters.
    pub decision: Decision<'b>,
}

/// A body without a readable uid: there is nothing to answer to, so the caller answers HTTP 400.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct Unanswerable {
    /// One printable line that says why.
    pub message: String,
}

impl<'b> Reply<'b> {
    /// The answer, unless something has to be looked up first.
    #[must_use]
    pub fn answer(self) -> Option<Answer<'b>> {
        match self {
            Self::Answer(answer) => Some(answer),
            Self::NeedsLookup(_) => None,
        }
    }
}
