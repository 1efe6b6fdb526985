//! What is done with a decision: counted, and logged in one line.
//!
//! Neither holds anything of the object but names, and nothing here is built when nobody listens.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tracing::field::{DisplayValue, display};

use super::metrics::Metrics;
use crate::admission::{Decision, Operation, Outcome, Webhook};
use crate::evaluate::Severity;
use crate::pod::Owner;

/// Logs a decision.
macro_rules! log {
    ($target:literal, $decision:ident, $took:ident) => {
        tracing::info!(
            target: $target,
            uid = text(&$decision.uid),
            webhook = webhook($decision.webhook),
            operation = operation($decision.operation),
            kind = text(&$decision.kind),
            subresource = text(&$decision.subresource),
            namespace = text(&$decision.namespace),
            name = text(&$decision.name),
            generate_name = text(&$decision.generate_name),
            owner = $decision.owner.as_ref().map(|owner| display(OwnerName(owner))),
            policy = list(&$decision.policies, Policies),
            decision = outcome($decision.outcome),
            code = $decision.code,
            refusal = text(&$decision.refusal_code),
            controls = list(&$decision.findings, Controls),
            patch_operations = ($decision.patch_operations > 0).then_some($decision.patch_operations),
            dry_run = $decision.is_dry_run.then_some(true),
            error = text(&$decision.error),
            micros = micros($took),
            "reviewed",
        )
    };
}

/// Counts and logs one decision.
pub(super) fn record(metrics: &Metrics, decision: &Decision<'_>, took: Duration) {
    metrics.review(decision.webhook, decision.operation, decision.outcome, took);
    for (control, severity) in &decision.findings {
        metrics.finding(control, mode(*severity));
    }
    metrics.pod_security(decision);
    if decision.is_unjudged && metrics.unjudged(&decision.namespace) {
        tracing::warn!(
            target: "podgate::unjudged",
            namespace = text(&decision.namespace),
            advice = "give its label a value that a policy asks for, or take the label off; podgate doctor names both",
            "no policy holds in a namespace: what is made there is let pass unjudged",
        );
    }
    // Verdicts are what the log is for. What cannot be judged is mostly what no API server sends, and whoever sets up
    // the log may leave some of it out.
    match decision.outcome {
        Outcome::Allowed | Outcome::Patched | Outcome::Denied => log!("podgate::review", decision, took),
        Outcome::Error => log!("podgate::failed", decision, took),
    }
}

/// The mode of a finding, as Pod Security Admission's metrics name it.
fn mode(severity: Severity) -> &'static str {
    match severity {
        Severity::Deny => "enforce",
        Severity::Warn => "warn",
        Severity::Audit => "audit",
    }
}

/// A field for a text, cut to the longest name that Kubernetes takes; none for an empty one.
fn text(text: &str) -> Option<&str> {
    const LONGEST: usize = 253;
    let end = (0..=text.len().min(LONGEST)).rev().find(|end| text.is_char_boundary(*end));
    end.and_then(|end| text.get(..end)).filter(|text| !text.is_empty())
}

/// A field for a list; none for an empty one.
fn list<'l, T, D: fmt::Display>(items: &'l [T], shown: impl FnOnce(&'l [T]) -> D) -> Option<DisplayValue<D>> {
    (!items.is_empty()).then(|| display(shown(items)))
}

/// `Job/train`, each part cut as every name is.
struct OwnerName<'o>(&'o Owner<'o>);

impl fmt::Display for OwnerName<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [kind, name] = [&self.0.kind, &self.0.name].map(|part| text(part).unwrap_or_default());
        write!(f, "{kind}/{name}")
    }
}

/// `ml-restricted,ml-trainers`
struct Policies<'n>(&'n [Arc<str>]);

impl fmt::Display for Policies<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        comma_separated(f, self.0.iter())
    }
}

/// `hostPorts,runAsNonRoot`
struct Controls<'c>(&'c [(&'static str, Severity)]);

impl fmt::Display for Controls<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        comma_separated(f, self.0.iter().map(|(control, _)| control))
    }
}

fn comma_separated(
    f: &mut fmt::Formatter<'_>,
    items: impl Iterator<Item = impl fmt::Display>,
) -> fmt::Result {
    for (index, item) in items.enumerate() {
        if index > 0 {
            f.write_str(",")?;
        }
        write!(f, "{item}")?;
    }
    Ok(())
}

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

fn micros(took: Duration) -> u64 {
    u64::try_from(took.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Lines wait in memory until they are written, so none may be as long as a peer likes.
    #[test]
    fn owners_are_cut_as_names_are() {
        let owner = Owner { kind: "k".repeat(300).into(), name: "é".repeat(300).into(), uid: "u".into() };
        assert_eq!(OwnerName(&owner).to_string(), format!("{}/{}", "k".repeat(253), "é".repeat(126)));
        let owner = Owner { kind: "Job".into(), name: "".into(), uid: "u".into() };
        assert_eq!(OwnerName(&owner).to_string(), "Job/");
    }
}
