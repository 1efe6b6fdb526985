//! What the policies say about one pod: each finding with its disposition, decided once.

use std::borrow::Cow;

use smallvec::SmallVec;

use crate::controls::{CheckedPod, Control};
use crate::evaluate::context::Context;
use crate::evaluate::control_findings::ControlFindings;
use crate::evaluate::defaults::Defaults;
use crate::evaluate::excepted::{Excepted, add_excepted};
use crate::evaluate::filling::{AllDefaults, Filling, ViolatedControl};
use crate::finding::{Finding, Sink};
use crate::policy::{Actions, ActiveControl, Rule, SecurityPolicy};

/// What the policies say about one pod.
#[derive(Debug)]
pub struct Verdict<'p> {
    /// The rules that are violated, in the order of the policies.
    pub violations: Vec<RuleViolations<'p>>,
    /// What exceptions let be, in the order of the policies.
    pub excepted: Vec<Excepted<'p>>,
    all_defaults: AllDefaults<'p>,
    /// What was judged.
    pub(super) checked: CheckedPod<'p>,
}

/// The controls of one rule that a pod violates.
#[derive(Debug)]
pub struct RuleViolations<'p> {
    /// The policy.
    pub policy: &'p SecurityPolicy,
    /// Its rule.
    pub rule: &'p Rule,
    /// The controls: at least one, in their order.
    pub controls: Vec<JudgedControl<'p>>,
}

/// The findings of one control, with the disposition of each.
#[derive(Debug)]
pub struct JudgedControl<'p> {
    /// The control as the policy has it.
    pub active: &'p ActiveControl,
    /// Its findings.
    pub findings: ControlFindings<'p>,
    /// One for each finding that was kept.
    dispositions: SmallVec<[Disposition; 8]>,
    /// How many of those that were not kept remain once defaults are filled in.
    pub(super) omitted_remaining: usize,
}

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

/// A finding with everything that was decided about it.
#[derive(Debug, Clone, Copy)]
pub struct Judged<'v, 'p> {
    /// The policy.
    pub policy: &'p SecurityPolicy,
    /// The control as the policy has it.
    pub active: &'p ActiveControl,
    /// The finding.
    pub finding: &'v Finding<'p>,
    /// What follows from it.
    pub disposition: Disposition,
}

impl Disposition {
    fn of(actions: Actions) -> Self {
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

    fn of(actions: Actions) -> Self {
        match actions {
            Actions { deny: true, .. } => Self::Deny,
            Actions { warn: true, .. } => Self::Warn,
            Actions { .. } => Self::Audit,
        }
    }
}

impl<'p> Verdict<'p> {
    /// Judges a pod; at most `most` findings of each control of a rule are kept, given how many were kept before.
    pub(super) fn new<'s: 'p>(
        policies: impl Iterator<Item = &'s SecurityPolicy>,
        checked: CheckedPod<'p>,
        context: Context<'_>,
        most: impl Fn(usize) -> usize,
    ) -> Self {
        let mut verdict = Self {
            violations: Vec::new(),
            excepted: Vec::new(),
            all_defaults: AllDefaults::default(),
            checked,
        };
        let mut kept = 0;
        for policy in policies {
            add_excepted(&mut verdict.excepted, policy, checked, context, most(0));
            for rule in &policy.rules {
                let controls = violated(rule, checked, context, most(kept));
                if controls.is_empty() {
                    continue;
                }
                kept += controls.iter().map(|control| control.findings.kept().len()).sum::<usize>();
                verdict.violations.push(RuleViolations { policy, rule, controls });
            }
        }
        if context.fills_in_defaults && !checked.pod.is_mirror() {
            let violated = || verdict.controls().map(|(policy, control)| control.of(policy));
            verdict.all_defaults = AllDefaults::new(violated, checked);
        }
        verdict.decide();
        verdict
    }

    fn decide(&mut self) {
        let Self { violations, all_defaults, checked, excepted: _ } = self;
        for RuleViolations { policy, controls, .. } in violations {
            controls.iter_mut().for_each(|control| control.decide(all_defaults.by(policy), *checked));
        }
    }

    /// The same without these findings: those of which nobody can tell yet what comes of them.
    #[must_use]
    pub fn without(
        mut self,
        is_left_out: impl Fn(&ActiveControl, &Finding<'p>, Disposition) -> bool,
    ) -> Self {
        for violation in &mut self.violations {
            let controls = std::mem::take(&mut violation.controls).into_iter();
            violation.controls = controls.filter_map(|control| control.without(&is_left_out)).collect();
        }
        self.violations.retain(|violation| !violation.controls.is_empty());
        self
    }

    /// Whether the pod is refused as it is.
    #[must_use]
    pub fn is_denied(&self) -> bool {
        self.controls().any(|(_, control)| control.active.actions.deny)
    }

    /// Whether it would still be refused with what is filled in.
    #[must_use]
    pub fn is_denied_with_defaults(&self) -> bool {
        self.controls().any(|(_, control)| control.active.actions.deny && control.remains())
    }

    /// Whether some findings were not kept.
    pub(super) fn is_cut(&self) -> bool {
        self.controls().any(|(_, control)| control.findings.omitted() > 0)
    }

    /// Every control that is violated, with its policy.
    pub fn controls(&self) -> impl Iterator<Item = (&'p SecurityPolicy, &JudgedControl<'p>)> {
        self.violations
            .iter()
            .flat_map(|violation| violation.controls.iter().map(|control| (violation.policy, control)))
    }

    /// Every finding that was kept.
    pub fn judged(&self) -> impl Iterator<Item = Judged<'_, 'p>> {
        self.controls().flat_map(|(policy, control)| {
            control.judged().map(move |(finding, disposition)| Judged {
                policy,
                active: control.active,
                finding,
                disposition,
            })
        })
    }

    /// What is filled in: only what the pod would otherwise be refused for. A pod that is admitted as it is is never
    /// changed.
    #[must_use]
    pub fn defaults(&self) -> &Defaults<'p> {
        &self.all_defaults.real
    }

    /// What each policy would fill in that is only tried out.
    pub(super) fn trials(&self) -> impl Iterator<Item = (&'p SecurityPolicy, &Defaults<'p>)> {
        self.all_defaults.trials()
    }

    /// The violated controls of a rule that are chosen and have findings that remain once defaults are filled in, each with
    /// at most this many of them. What is filled in only once the rest is fixed remains: these are the standard's own words
    /// for the pod as it would be.
    #[must_use]
    pub fn remaining(
        &self,
        violation: &RuleViolations<'p>,
        is_chosen: impl Fn(Actions) -> bool,
        most: usize,
    ) -> Vec<ControlFindings<'p>> {
        let remaining = self.look_at_remaining(violation, is_chosen, most);
        remaining.into_iter().map(Cow::into_owned).collect()
    }

    /// As [`Verdict::remaining`], without a copy where nothing is filled in.
    pub(crate) fn look_at_remaining<'v>(
        &self,
        violation: &'v RuleViolations<'p>,
        is_chosen: impl Fn(Actions) -> bool,
        most: usize,
    ) -> Vec<Cow<'v, ControlFindings<'p>>> {
        let filling = self.all_defaults.by(violation.policy);
        let remains = |active: &ActiveControl, finding: &Finding<'_>| !filling.cover_now(active, finding);
        let chosen = violation.controls.iter().filter(|control| is_chosen(control.active.actions));
        chosen
            .filter_map(|JudgedControl { active, findings, .. }| {
                if findings.omitted() == 0 {
                    return findings.some(|finding| remains(active, finding), most);
                }
                let check = |sink: &mut Sink<'_, 'p>| {
                    active.check(self.checked, &mut |finding| {
                        if remains(active, &finding) {
                            sink(finding);
                        }
                    });
                };
                ControlFindings::of(active.control, check, most).map(Cow::Owned)
            })
            .collect()
    }

    /// Reports the findings of a control that the author of the pod has to fix.
    pub(super) fn check_remaining(
        &self,
        policy: &SecurityPolicy,
        active: &'p ActiveControl,
        sink: &mut Sink<'_, 'p>,
    ) {
        let filling = self.all_defaults.by(policy);
        active.check(self.checked, &mut |finding| {
            if !filling.cover(active, &finding) {
                sink(finding);
            }
        });
    }
}

/// The controls of a rule that a pod violates. Nothing is allocated if there are none.
fn violated<'p>(
    rule: &'p Rule,
    checked: CheckedPod<'p>,
    context: Context<'_>,
    most: usize,
) -> Vec<JudgedControl<'p>> {
    let concerned = rule.controls().filter(|active| context.concerns(active));
    concerned
        .filter_map(|active| {
            let findings = ControlFindings::of(active.control, |sink| active.check(checked, sink), most)?;
            Some(JudgedControl { active, findings, dispositions: SmallVec::new(), omitted_remaining: 0 })
        })
        .collect()
}

impl<'p> JudgedControl<'p> {
    fn of(&self, policy: &'p SecurityPolicy) -> ViolatedControl<'_, 'p> {
        ViolatedControl { policy, active: self.active, findings: &self.findings }
    }

    fn decide(&mut self, filling: Filling<'_, '_>, checked: CheckedPod<'p>) {
        let active = self.active;
        let otherwise = Disposition::of(active.actions);
        let of_finding = |finding: &Finding<'_>| {
            if filling.cover(active, finding) { Disposition::FilledIn } else { otherwise }
        };
        self.dispositions = self.findings.kept().iter().map(of_finding).collect();
        self.omitted_remaining = self.findings.omitted();
        if self.omitted_remaining > 0 && !filling.is_empty() {
            let mut remaining = 0;
            active.check(checked, &mut |finding| remaining += usize::from(!filling.cover(active, &finding)));
            let filled_in = |disposition: &&Disposition| **disposition == Disposition::FilledIn;
            let kept = self.dispositions.len() - self.dispositions.iter().filter(filled_in).count();
            self.omitted_remaining = remaining - kept;
        }
    }

    /// The same without these of the findings that were kept; `None` if none is left.
    fn without(
        self,
        is_left_out: &impl Fn(&ActiveControl, &Finding<'p>, Disposition) -> bool,
    ) -> Option<Self> {
        let Self { active, findings, dispositions, omitted_remaining } = self;
        let is_kept: Vec<bool> = findings
            .kept()
            .iter()
            .zip(&dispositions)
            .map(|(finding, disposition)| !is_left_out(active, finding, *disposition))
            .collect();
        let mut of_findings = is_kept.iter().copied();
        let findings = findings.retain(|_| of_findings.next().unwrap_or(true))?;
        let dispositions =
            dispositions.into_iter().zip(&is_kept).filter(|(_, is_kept)| **is_kept).map(|(kept, _)| kept);
        Some(Self { active, findings, dispositions: dispositions.collect(), omitted_remaining })
    }

    /// The strictest consequence that the policy asks for.
    #[must_use]
    pub fn severity(&self) -> Severity {
        Severity::of(self.active.actions)
    }

    /// The findings that were kept, with the disposition of each.
    pub fn judged(&self) -> impl Iterator<Item = (&Finding<'p>, Disposition)> {
        self.findings.kept().iter().zip(self.dispositions.iter().copied())
    }

    /// Whether any of its findings remains once defaults are filled in.
    #[must_use]
    pub fn remains(&self) -> bool {
        self.omitted_remaining > 0
            || self.dispositions.iter().any(|disposition| *disposition != Disposition::FilledIn)
    }
}

impl<'p> Judged<'_, 'p> {
    /// Its control.
    #[must_use]
    pub fn control(&self) -> &'static Control {
        self.active.control
    }

    /// The strictest consequence that the policy asks for.
    #[must_use]
    pub fn severity(&self) -> Severity {
        Severity::of(self.active.actions)
    }

    /// Whether podgate's defaults fix it.
    #[must_use]
    pub fn is_filled_in(&self) -> bool {
        self.disposition == Disposition::FilledIn
    }

    /// More words on its fix: the policy's own, or ours; may be empty.
    #[must_use]
    pub fn help(&self) -> &'p str {
        self.active.message.as_deref().unwrap_or(self.finding.help)
    }

    /// Whether `later`, of the same field, may replace it: a finding of the standard never replaces one of an
    /// extended control, which is narrower and offers less.
    #[must_use]
    pub fn is_superseded_by(&self, later: &Self) -> bool {
        is_superseded(self.control(), later.control())
    }
}

/// Whether a finding of the `later` control may replace one of the `earlier` about the same field.
pub(super) fn is_superseded(earlier: &Control, later: &Control) -> bool {
    earlier.level().is_some() || later.level().is_none()
}
