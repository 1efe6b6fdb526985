//! What is changed in a pod to give it an identity, or why it is refused.

use crate::finding::Edit;
use crate::json::JsonError;
use crate::policy::IdentityPolicy;

/// What is changed in a pod to give it an identity.
#[derive(Debug, Default)]
pub struct IdentityChange<'p> {
    /// The policy that gives it, if any does.
    pub policy: Option<&'p IdentityPolicy>,
    /// The service account that the policy gives, by its name or by its migration.
    pub account: Option<&'p str>,
    /// The changes; none if the pod has its identity, or is given none.
    pub edits: Vec<Edit<'p>>,
    /// What security policies will refuse of the changes, as warnings: each at most 120 characters.
    pub refused: Vec<String>,
    /// What else the pod's author should know, each at most 120 characters.
    pub warnings: Vec<String>,
}

/// Why a pod is refused while it is given an identity.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct IdentityError {
    /// The HTTP code of the refusal: 403 where a policy refuses the pod.
    pub code: u16,
    /// What is wrong, and what to do.
    pub message: String,
    /// The same in few words, as a trial says it.
    pub(super) brief: String,
}

impl IdentityError {
    pub(super) fn new(code: u16, message: impl Into<String>, brief: impl Into<String>) -> Self {
        Self { code, message: message.into(), brief: brief.into() }
    }

    /// A pod whose part cannot be read.
    pub(super) fn unreadable(part: &str, error: &JsonError) -> Self {
        let message = format!("{part} cannot be read: {error}");
        Self { code: 400, brief: message.clone(), message }
    }
}
