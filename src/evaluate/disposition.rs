//! What follows from a finding.

use crate::policy::Actions;

/// What follows from a finding: the strictest consequence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Disposition {
    /// The pod is refused for it.
    Denied,
    /// The user who made the request is warned.
    Warned,
    /// It is noted in the audit log.
    Audited,
    /// podgate's defaults fix it; those of a policy in the mode `Warn` or `Audit` would, if it were enforced.
    FilledIn,
    /// An exception lets it be.
    Excepted,
}

/// The strictest consequence that a policy asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// A note in the audit log.
    Audit,
    /// A warning.
    Warn,
    /// The pod is refused.
    Deny,
}

impl Disposition {
    pub(super) fn of(actions: Actions) -> Self {
        match Severity::of(actions) {
            Severity::Deny => Self::Denied,
            Severity::Warn => Self::Warned,
            Severity::Audit => Self::Audited,
        }
    }

    /// Its name in reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Denied => "denied",
            Self::Warned => "warned",
            Self::Audited => "audited",
            Self::FilledIn => "filledIn",
            Self::Excepted => "excepted",
        }
    }
}

impl Severity {
    /// Every severity, from lax to strict.
    pub const ALL: [Self; 3] = [Self::Audit, Self::Warn, Self::Deny];

    /// Its name in reports and metrics.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Audit => "audit",
            Self::Warn => "warn",
            Self::Deny => "deny",
        }
    }

    pub(super) fn of(actions: Actions) -> Self {
        match actions {
            Actions { deny: true, .. } => Self::Deny,
            Actions { warn: true, .. } => Self::Warn,
            Actions { .. } => Self::Audit,
        }
    }
}
