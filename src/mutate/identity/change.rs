//! What is changed in a pod to give it an identity, or why it is refused.

use std::sync::Arc;

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
    /// What the enforced policy that is for the pod came to, if there is one.
    pub outcome: Option<(&'p IdentityPolicy, IdentityOutcome)>,
    /// The policy on trial that would change something, or refuse the pod.
    pub on_trial: Option<Arc<str>>,
    /// What security policies will refuse of the changes, as warnings: each at most 120 characters.
    pub refused: Vec<String>,
    /// What else the pod's author should know, each at most 120 characters.
    pub warnings: Vec<String>,
}

/// What an identity policy came to for a pod.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IdentityOutcome {
    /// podgate gave the pod its identity.
    Injected,
    /// The pod got its service account and label, and another webhook is to give it the token.
    Delegated,
    /// The pod had it already.
    Unchanged,
    /// The pod was left without: its author opted out, or the service account is not ready and the policy goes on.
    Skipped,
    /// The pod was refused.
    Refused,
    /// Nobody can tell which identity the pod gets, or whether: it was refused as well.
    Unresolved,
    /// Another webhook took the identity away, or did not give it.
    Unkept,
    /// The policy is on trial, and would have changed or refused the pod.
    DryRun,
}

impl IdentityOutcome {
    /// Its name in metrics.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Injected => "injected",
            Self::Delegated => "delegated",
            Self::Unchanged => "unchanged",
            Self::Skipped => "skipped",
            Self::Refused => "refused",
            Self::Unresolved => "unresolved",
            Self::Unkept => "unkept",
            Self::DryRun => "dry_run",
        }
    }
}

/// Why a pod is refused while it is given an identity.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct IdentityError {
    /// The HTTP code of the refusal: 403 where a policy refuses the pod.
    pub code: u16,
    /// What is wrong, and what to do.
    pub message: String,
    /// The policy that was followed, if it was one.
    pub policy: Option<Arc<str>>,
    /// The same in few words, as a trial says it.
    pub(super) brief: String,
}

impl IdentityError {
    pub(super) fn new(code: u16, message: impl Into<String>, brief: impl Into<String>) -> Self {
        Self { code, message: message.into(), policy: None, brief: brief.into() }
    }

    /// A pod whose part cannot be read.
    pub(super) fn unreadable(part: &str, error: &JsonError) -> Self {
        let message = format!("{part} cannot be read: {error}");
        Self::new(400, message.clone(), message)
    }

    /// The same, naming the policy that was followed, if none is named yet.
    pub(super) fn by(mut self, policy: Option<&IdentityPolicy>) -> Self {
        self.policy = self.policy.or_else(|| policy.map(|policy| Arc::clone(&policy.name)));
        self
    }

    /// What the policy came to.
    #[must_use]
    pub fn outcome(&self) -> IdentityOutcome {
        if self.code == 500 { IdentityOutcome::Unresolved } else { IdentityOutcome::Refused }
    }
}
