//! Policies and a pod → a verdict. The heart: pure, and for a pod that passes without an allocation.

mod code;
mod findings;
mod message;
mod repairs;
mod tally;

use std::fmt::Write as _;

use crate::controls::{Finding, Sink, Standard, Violation};
use crate::pod::Pod;
use crate::policy::{Actions, Basis, Rule, SecurityPolicy};

pub use code::{code, controls_of};
pub use findings::{Findings, MOST_FINDINGS, Omitted};
pub use message::{Line, Refusal, Subject, findings_of, lines, note, sentence};
pub use repairs::{Repair, Repairs};

/// Longest text of one rule's findings in the standard's words, in bytes. Each of them is told twice, in the refusal and in
/// the audit log, and an answer has 256 KiB. Two hundred containers with the longest names may break seven controls each.
const LONGEST_TEXT: usize = 100 * 1024;

/// What the policies say of one pod.
#[derive(Debug, Default)]
pub struct Verdict<'p> {
    /// The rules that are broken, in the order of the policies.
    pub breaches: Vec<Breach<'p>>,
    /// What is filled in.
    repairs: Repairs,
}

/// A rule of a policy that a pod breaks.
#[derive(Debug)]
pub struct Breach<'p> {
    /// The policy.
    pub policy: &'p SecurityPolicy,
    /// The rule.
    pub rule: &'p Rule,
    /// The ways in which the pod breaks it: at least one, in the order of the controls.
    pub findings: Findings<'p>,
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

/// Judges a pod by the policies that hold for it. Of each control that is broken at most [`MOST_FINDINGS`] findings are
/// kept, and fewer where many rules are broken in many ways.
pub fn evaluate<'s: 'p, 'p>(
    policies: impl Iterator<Item = &'s SecurityPolicy>,
    pod: &'p Pod<'_>,
) -> Verdict<'p> {
    judge(policies, pod, share)
}

/// How many findings of a control a rule may keep if the rules before it keep so many. Always one: a control that is broken
/// is never forgotten.
fn share(kept: usize) -> usize {
    // What one control may keep is an eighth of it: a pod that breaks more is hostile, and there are some twenty controls.
    const OF_ALL_RULES: usize = 8 * MOST_FINDINGS;
    (OF_ALL_RULES.saturating_sub(kept) / 8).max(1)
}

/// As [`evaluate`], with every finding: for whoever reads their own files, however many that are.
pub fn evaluate_whole<'s: 'p, 'p>(
    policies: impl Iterator<Item = &'s SecurityPolicy>,
    pod: &'p Pod<'_>,
) -> Verdict<'p> {
    judge(policies, pod, |_| usize::MAX)
}

/// What is filled in for a pod by the policies that hold for it, and nothing else of their verdict.
pub fn repairs<'s: 'p, 'p>(policies: impl Iterator<Item = &'s SecurityPolicy>, pod: &'p Pod<'_>) -> Repairs {
    let mut repairs = Repairs::default();
    for policy in policies.filter(|policy| policy.repairs) {
        for rule in policy.rules.iter().filter(|rule| rule.actions.deny) {
            walk(&rule.basis, pod, &mut |finding| repairs.add(&finding));
        }
    }
    repairs
}

fn judge<'s: 'p, 'p>(
    policies: impl Iterator<Item = &'s SecurityPolicy>,
    pod: &'p Pod<'_>,
    most: impl Fn(usize) -> usize,
) -> Verdict<'p> {
    let mut verdict = Verdict::default();
    let mut kept = 0;
    for policy in policies {
        for rule in &policy.rules {
            let is_repaired = policy.repairs && rule.actions.deny;
            let findings = Findings::of(|sink| walk(&rule.basis, pod, sink), most(kept));
            if findings.is_empty() {
                continue;
            }
            kept += findings.as_slice().len();
            if is_repaired {
                // Those that are not kept are filled in as well.
                walk(&rule.basis, pod, &mut |finding| verdict.repairs.add(&finding));
            }
            verdict.breaches.push(Breach { policy, rule, findings });
        }
    }
    verdict.count_unrepaired(pod);
    verdict
}

/// Gives every breach of what a rule judges by to a sink.
fn walk<'p>(basis: &'p Basis, pod: &'p Pod<'_>, sink: &mut Sink<'_, 'p>) {
    match basis {
        Basis::Standard(standard) => walk_standard(standard, pod, sink),
        Basis::Controls(settings) => settings.check(pod, sink),
    }
}

fn walk_standard<'p>(standard: &Standard, pod: &'p Pod<'_>, sink: &mut Sink<'_, 'p>) {
    for check in standard.checks() {
        check(pod, sink);
    }
}

/// Judges a pod by one standard: every breach, in the standard's order of controls, and at most [`MOST_FINDINGS`] of each.
#[must_use]
pub fn by_standard<'p>(standard: &Standard, pod: &'p Pod<'_>) -> Findings<'p> {
    Findings::of(|sink| walk_standard(standard, pod, sink), MOST_FINDINGS)
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
        self.breaches.iter().filter(|breach| breach.rule.actions.deny).any(|breach| self.stays(breach))
    }

    /// Whether anything of a breach is left once what is absent is filled in.
    fn stays(&self, breach: &Breach<'_>) -> bool {
        breach.findings.omitted().iter().any(|omitted| omitted.unrepaired > 0)
            || breach.findings.iter().any(|finding| !self.is_repaired(finding))
    }

    /// Whether not every finding was kept.
    fn is_cut(&self) -> bool {
        self.breaches.iter().any(|breach| !breach.findings.omitted().is_empty())
    }

    /// Every finding that was kept, with the strictest thing that comes of it.
    pub fn findings(&self) -> impl Iterator<Item = (Severity, &Finding<'p>)> {
        self.breaches.iter().flat_map(|breach| {
            let severity = Severity::of(breach.rule.actions);
            breach.findings.iter().map(move |finding| (severity, finding))
        })
    }

    /// What is filled in: only what the pod would otherwise be refused for. A pod that is admitted as it is, is never
    /// changed.
    #[must_use]
    pub fn repairs(&self) -> &Repairs {
        &self.repairs
    }

    /// Whether filling in mends a finding: its own remedy, or that of another for the same place.
    #[must_use]
    pub fn is_repaired(&self, finding: &Finding<'_>) -> bool {
        self.repairs.mend(finding)
    }

    /// Takes nothing to be filled in: for a pod that is there already, or that cannot be patched.
    pub fn expect_no_repair(&mut self) {
        self.repairs = Repairs::default();
        for omitted in self.breaches.iter_mut().flat_map(|breach| breach.findings.omitted_mut()) {
            omitted.unrepaired = omitted.count;
        }
    }

    /// The findings of a breach that stay once what is absent is filled in, of each control at most so many.
    #[must_use]
    pub fn unrepaired(&self, breach: &Breach<'p>, pod: &'p Pod<'_>, most: usize) -> Findings<'p> {
        let walk_unrepaired = |sink: &mut Sink<'_, 'p>| {
            walk(&breach.rule.basis, pod, &mut |finding| {
                if !self.is_repaired(&finding) {
                    sink(finding);
                }
            });
        };
        Findings::of(walk_unrepaired, most)
    }

    /// Of the findings that were not kept, counts those that stay once what is absent is filled in.
    fn count_unrepaired(&mut self, pod: &'p Pod<'_>) {
        let Self { breaches, repairs } = self;
        for breach in breaches.iter_mut().filter(|breach| !breach.findings.omitted().is_empty()) {
            for omitted in breach.findings.omitted_mut() {
                omitted.unrepaired = 0;
            }
            walk(&breach.rule.basis, pod, &mut |finding| {
                if !repairs.mend(&finding) {
                    breach.findings.count_unrepaired(finding.control);
                }
            });
            breach.findings.forget_kept(|finding| !repairs.mend(finding));
        }
    }
}

impl Breach<'_> {
    /// The breach, as far as these findings of it go, as an audit log or a warning of Kubernetes' own names it:
    /// `PodSecurity "restricted:latest": hostPort (container "c" uses hostPort 80)`.
    #[must_use]
    pub fn text_of(&self, findings: &Findings<'_>) -> String {
        let detail = Text::of(findings).detail;
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
    /// The words for findings in the order of their controls; empty for none. How many of a control were not kept is said
    /// after its details, and the end of what is over 100 KiB is left out.
    #[must_use]
    pub fn of(findings: &Findings<'_>) -> Self {
        let mut text = Self::default();
        let mut left_out = 0;
        for of_control in findings.as_slice().chunk_by(|one, other| one.control == other.control) {
            let Some(first) = of_control.first() else { continue };
            let Violation { reason, detail } = (first.control.violation)(of_control);
            if !text.reason.is_empty() {
                text.reason.push_str(", ");
                text.detail.push_str(", ");
            }
            text.reason.push_str(reason);
            text.detail.push_str(reason);
            if !detail.is_empty() {
                let _ = write!(text.detail, " ({detail}");
                match findings.omitted_of(first.control) {
                    0 => {}
                    more => drop(write!(text.detail, "; and {more} more")),
                }
                text.detail.push(')');
            }
            left_out += shorten(&mut text.detail);
        }
        if left_out > 0 {
            let _ = write!(text.detail, "... and {left_out} bytes more");
        }
        text
    }
}

/// Cuts a text to [`LONGEST_TEXT`], and says how much was cut.
fn shorten(text: &mut String) -> usize {
    let whole = text.len();
    let end = (0..=LONGEST_TEXT.min(whole)).rev().find(|end| text.is_char_boundary(*end));
    text.truncate(end.unwrap_or_default());
    whole - text.len()
}
