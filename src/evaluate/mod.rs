//! Policies and a pod → a verdict. The heart: pure, and for a pod that passes without an allocation.

mod code;
mod message;

use std::collections::HashSet;

use crate::controls::{Finding, Standard, Violation};
use crate::pod::{ContainerKind, Field, Pod};
use crate::policy::{Actions, Basis, Rule, SecurityPolicy};

pub use code::{code, controls_of};
pub use message::{Line, Refusal, Subject, findings_of, lines, note, sentence};

/// What the policies say of one pod.
#[derive(Debug, Default)]
pub struct Verdict<'p> {
    /// The rules that are broken, in the order of the policies.
    pub breaches: Vec<Breach<'p>>,
    /// The places that are filled in.
    repaired: HashSet<Repaired>,
}

/// A field of a container: its list, its place there, and the field.
type Repaired = (ContainerKind, usize, Field);

/// A rule of a policy that a pod breaks.
#[derive(Debug)]
pub struct Breach<'p> {
    /// The policy.
    pub policy: &'p SecurityPolicy,
    /// The rule.
    pub rule: &'p Rule,
    /// Each way in which the pod breaks it: at least one, in the order of the controls.
    pub findings: Vec<Finding<'p>>,
}

/// The strictest thing that comes of a finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// A note in the audit log.
    Audit,
    /// A warning.
    Warn,
    /// The pod is refused.
    Deny,
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

    fn of(actions: Actions) -> Self {
        match actions {
            Actions { deny: true, .. } => Self::Deny,
            Actions { warn: true, .. } => Self::Warn,
            Actions { .. } => Self::Audit,
        }
    }
}

/// Judges a pod by the policies that hold for it.
pub fn evaluate<'s: 'p, 'p>(
    policies: impl Iterator<Item = &'s SecurityPolicy>,
    pod: &'p Pod<'_>,
) -> Verdict<'p> {
    let mut verdict = Verdict::default();
    for policy in policies {
        for rule in &policy.rules {
            let findings = findings(&rule.basis, pod);
            if !findings.is_empty() {
                verdict.breaches.push(Breach { policy, rule, findings });
            }
        }
    }
    verdict.repaired = verdict.repairs().filter_map(repaired).collect();
    verdict
}

/// Every breach of what a rule judges by.
fn findings<'p>(basis: &'p Basis, pod: &'p Pod<'_>) -> Vec<Finding<'p>> {
    match basis {
        Basis::Standard(standard) => by_standard(standard, pod),
        Basis::Controls(settings) => {
            let mut findings = Vec::new();
            settings.check(pod, &mut findings);
            findings
        }
    }
}

/// Judges a pod by one standard: every breach, in the standard's order of controls.
#[must_use]
pub fn by_standard<'p>(standard: &Standard, pod: &'p Pod<'_>) -> Vec<Finding<'p>> {
    let mut findings = Vec::new();
    for check in standard.checks() {
        check(pod, &mut findings);
    }
    findings
}

impl<'p> Verdict<'p> {
    /// Whether the pod is refused as it is.
    #[must_use]
    pub fn is_denied(&self) -> bool {
        self.breaches.iter().any(|breach| breach.rule.actions.deny)
    }

    /// Whether it would still be refused with what is filled in by itself.
    #[must_use]
    pub fn is_denied_after_repair(&self) -> bool {
        self.findings().any(|(severity, finding)| severity == Severity::Deny && !self.is_repaired(finding))
    }

    /// Every finding, with the strictest thing that comes of it.
    pub fn findings(&self) -> impl Iterator<Item = (Severity, &Finding<'p>)> {
        self.breaches.iter().flat_map(|breach| {
            let severity = Severity::of(breach.rule.actions);
            breach.findings.iter().map(move |finding| (severity, finding))
        })
    }

    /// The findings that are mended by filling in what is absent, each place once: only what the pod
    /// would otherwise be refused for. A pod that is admitted as it is, is never changed.
    pub fn repairs(&self) -> impl Iterator<Item = &Finding<'p>> {
        let refused = |breach: &&Breach<'p>| breach.policy.repairs && breach.rule.actions.deny;
        self.breaches
            .iter()
            .filter(refused)
            .flat_map(|breach| &breach.findings)
            .filter(|finding| finding.is_safe)
    }

    /// Whether filling in mends a finding: its own remedy, or that of another for the same place.
    #[must_use]
    pub fn is_repaired(&self, finding: &Finding<'_>) -> bool {
        finding.is_safe && repaired(finding).is_some_and(|place| self.repaired.contains(&place))
    }

    /// Takes nothing to be filled in: for a pod that is there already, or that cannot be patched.
    pub fn expect_no_repair(&mut self) {
        self.repaired.clear();
    }
}

fn repaired(finding: &Finding<'_>) -> Option<Repaired> {
    finding.place.container().map(|at| (at.kind, at.index, finding.field))
}

impl Breach<'_> {
    /// The breach as an audit log or a warning of Kubernetes' own names it:
    /// `PodSecurity "restricted:latest": hostPort (container "c" uses hostPort 80)`.
    #[must_use]
    pub fn text(&self) -> String {
        let detail = Text::of(&self.findings).detail;
        match &self.rule.basis {
            Basis::Standard(standard) => format!("PodSecurity \"{standard}\": {detail}"),
            Basis::Controls(_) => format!("policy \"{}\": {detail}", self.policy.name),
        }
    }
}

/// Findings in the standard's own words.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Text {
    /// The reasons, joined with `, `.
    pub reason: String,
    /// The reasons with their details, where there are any, in brackets; likewise.
    pub detail: String,
}

impl Text {
    /// The words for findings in the order of their controls; empty for none.
    #[must_use]
    pub fn of(findings: &[Finding<'_>]) -> Self {
        let mut text = Self::default();
        for of_control in findings.chunk_by(|one, other| one.control == other.control) {
            let Some(first) = of_control.first() else { continue };
            let Violation { reason, detail } = (first.control.violation)(of_control);
            if !text.reason.is_empty() {
                text.reason.push_str(", ");
                text.detail.push_str(", ");
            }
            text.reason.push_str(reason);
            text.detail.push_str(reason);
            if !detail.is_empty() {
                text.detail.push_str(&format!(" ({detail})"));
            }
        }
        text
    }
}
