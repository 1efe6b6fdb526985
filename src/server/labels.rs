//! The words that metrics and log lines use for the parts of a decision.

use crate::admission::{Operation, Outcome, Webhook};
use crate::evaluate::Severity;

pub(super) fn webhook(webhook: Webhook) -> &'static str {
    match webhook {
        Webhook::Validate => "validate",
        Webhook::Mutate => "mutate",
    }
}

pub(super) fn operation(operation: Option<Operation>) -> &'static str {
    match operation {
        Some(Operation::Create) => "create",
        Some(Operation::Update) => "update",
        Some(Operation::Delete) => "delete",
        Some(Operation::Connect) => "connect",
        None => "unknown",
    }
}

pub(super) fn outcome(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Allowed => "allowed",
        Outcome::Patched => "patched",
        Outcome::Denied => "denied",
        Outcome::Error => "error",
    }
}

/// The mode of a finding that defaults fix.
pub(super) const FILLED_IN: &str = "filled_in";

/// The mode of a finding, as Pod Security Admission's metrics name it.
pub(super) fn mode(severity: Severity) -> &'static str {
    match severity {
        Severity::Deny => "enforce",
        Severity::Warn => "warn",
        Severity::Audit => "audit",
    }
}
