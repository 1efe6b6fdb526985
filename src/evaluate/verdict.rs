//! What the policies say about one pod: each finding with its disposition, decided once.

use crate::controls::Control;
use crate::evaluate::context::Context;
use crate::evaluate::control_findings::ControlFindings;
use crate::evaluate::defaults::Defaults;
use crate::evaluate::obstacles::RefusedObstacles;
use crate::finding::{Finding, Sink};
use crate::pod::Pod;
use crate::policy::{Actions, ActiveControl, Rule, SecurityPolicy};

/// What the policies say about one pod.
#[derive(Debug, Default)]
pub struct Verdict<'p> {
    /// The rules that are violated, in the order of the policies.
    pub violations: Vec<RuleViolations<'p>>,
    pub(super) defaults: Defaults<'p>,
    /// What the policies that are only tried out would fill in.
    trials: Vec<Trial<'p>>,
}

/// What a policy in the mode `Warn` or `Audit` would fill in if it were enforced: what it says is what its findings would
/// come to then.
#[derive(Debug)]
struct Trial<'p> {
    policy: &'p SecurityPolicy,
    defaults: Defaults<'p>,
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
    dispositions: Vec<Disposition>,
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
        pod: &'p Pod<'_>,
        context: Context,
        most: impl Fn(usize) -> usize,
    ) -> Self {
        let mut verdict = Self::default();
        let mut kept = 0;
        for policy in policies {
            for rule in &policy.rules {
                let controls = violated(rule, pod, context, most(kept));
                if controls.is_empty() {
                    continue;
                }
                kept += controls.iter().map(|control| control.findings.kept().len()).sum::<usize>();
                verdict.violations.push(RuleViolations { policy, rule, controls });
            }
        }
        if context.fills_in_defaults && !pod.is_mirror() {
            verdict.fill_in_all(pod);
        }
        verdict.decide(pod);
        verdict
    }

    /// Fills in what a control would refuse the pod for, also for the findings that are not kept. Returns whether more is
    /// filled in once something else is fixed.
    pub(super) fn fill_in(
        defaults: &mut Defaults<'p>,
        policy: &'p SecurityPolicy,
        active: &'p ActiveControl,
        pod: &'p Pod<'_>,
    ) -> bool {
        let mut waits = false;
        active.check(pod, &mut |finding| waits |= defaults.add(&policy.name, active.control, &finding));
        waits
    }

    /// Fills in what the policies have filled in, and what those would that are only tried out.
    fn fill_in_all(&mut self, pod: &'p Pod<'_>) {
        let mut waits = false;
        for RuleViolations { policy, controls, .. } in &self.violations {
            // The rules of a policy come one after the other.
            if policy.would_fill_in_defaults && trial(&self.trials, policy).is_none() {
                self.trials.push(Trial { policy, defaults: Defaults::default() });
            }
            let defaults = match (policy.fills_in_defaults, self.trials.last_mut()) {
                (true, _) => &mut self.defaults,
                (false, Some(trial)) if policy.would_fill_in_defaults => &mut trial.defaults,
                (false, _) => continue,
            };
            for JudgedControl { active, .. } in controls.iter().filter(|control| control.active.enforced.deny)
            {
                waits |= Self::fill_in(defaults, policy, active, pod);
            }
        }
        if waits {
            self.fill_in_later(pod);
        }
    }

    /// Adds what is filled in once the author has fixed the rest.
    fn fill_in_later(&mut self, pod: &'p Pod<'_>) {
        let mut refused = RefusedObstacles::default();
        self.check_all(pod, |_, active| active.actions.deny, |_, _, finding| refused.add(finding));
        let mut defaults = std::mem::take(&mut self.defaults);
        self.check_all(
            pod,
            |policy, active| policy.fills_in_defaults && active.actions.deny,
            |policy, active, finding| defaults.add_later(&policy.name, active.control, finding, &refused),
        );
        self.defaults = defaults;
        let mut trials = std::mem::take(&mut self.trials);
        for Trial { policy: tried, defaults } in &mut trials {
            let is_own = |policy: &SecurityPolicy, active: &ActiveControl| {
                std::ptr::eq(policy, *tried) && active.enforced.deny
            };
            let mut refused = refused.clone();
            self.check_all(pod, is_own, |_, _, finding| refused.add(finding));
            self.check_all(pod, is_own, |policy, active, finding| {
                defaults.add_later(&policy.name, active.control, finding, &refused);
            });
        }
        self.trials = trials;
    }

    /// Every finding, kept or not, of the violated controls that are chosen.
    fn check_all(
        &self,
        pod: &'p Pod<'_>,
        is_chosen: impl Fn(&SecurityPolicy, &ActiveControl) -> bool,
        mut found: impl FnMut(&'p SecurityPolicy, &'p ActiveControl, &Finding<'p>),
    ) {
        for (policy, control) in self.controls().filter(|(policy, control)| is_chosen(policy, control.active))
        {
            control.active.check(pod, &mut |finding| found(policy, control.active, &finding));
        }
    }

    fn decide(&mut self, pod: &'p Pod<'_>) {
        let Self { violations, defaults, trials } = self;
        for RuleViolations { policy, controls, .. } in violations {
            let filling = Filling { defaults, trial: trial(trials, policy) };
            controls.iter_mut().for_each(|control| control.decide(filling, pod));
        }
    }

    /// What fills in for the findings of a policy.
    fn filling(&self, policy: &SecurityPolicy) -> Filling<'_, 'p> {
        Filling { defaults: &self.defaults, trial: trial(&self.trials, policy) }
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
        &self.defaults
    }

    /// The fields that would be filled in for a policy that is only tried out, with its name.
    pub(super) fn trials(&self) -> impl Iterator<Item = (&'p SecurityPolicy, &Defaults<'p>)> {
        self.trials.iter().map(|trial| (trial.policy, &trial.defaults))
    }

    /// The violated controls of a rule that are chosen and have findings that remain once defaults are filled in, each with
    /// at most this many of them. What is filled in only once the rest is fixed remains: these are the standard's own words
    /// for the pod as it would be.
    #[must_use]
    pub fn remaining(
        &self,
        violation: &RuleViolations<'p>,
        pod: &'p Pod<'_>,
        is_chosen: impl Fn(Actions) -> bool,
        most: usize,
    ) -> Vec<ControlFindings<'p>> {
        let chosen = violation.controls.iter().map(|control| control.active);
        chosen
            .filter(|active| is_chosen(active.actions))
            .filter_map(|active| {
                let filling = self.filling(violation.policy);
                let check = |sink: &mut Sink<'_, 'p>| {
                    active.check(pod, &mut |finding| {
                        if !filling.cover_now(&finding) {
                            sink(finding);
                        }
                    });
                };
                ControlFindings::of(active.control, check, most)
            })
            .collect()
    }

    /// Reports the findings of a control that the author of the pod has to fix.
    pub(super) fn check_remaining(
        &self,
        policy: &SecurityPolicy,
        active: &'p ActiveControl,
        pod: &'p Pod<'_>,
        sink: &mut Sink<'_, 'p>,
    ) {
        let filling = self.filling(policy);
        active.check(pod, &mut |finding| {
            if !filling.cover(&finding) {
                sink(finding);
            }
        });
    }
}

/// What fills in for the findings of one policy: what is really filled in and, if it is only tried out, what it would.
#[derive(Debug, Clone, Copy)]
struct Filling<'v, 'p> {
    defaults: &'v Defaults<'p>,
    trial: Option<&'v Defaults<'p>>,
}

impl Filling<'_, '_> {
    fn cover(self, finding: &Finding<'_>) -> bool {
        self.defaults.cover(finding) || self.trial.is_some_and(|trial| trial.cover(finding))
    }

    fn cover_now(self, finding: &Finding<'_>) -> bool {
        self.defaults.cover_now(finding) || self.trial.is_some_and(|trial| trial.cover_now(finding))
    }

    fn is_empty(self) -> bool {
        self.defaults.is_empty() && self.trial.is_none_or(Defaults::is_empty)
    }
}

fn trial<'v, 'p>(trials: &'v [Trial<'p>], policy: &SecurityPolicy) -> Option<&'v Defaults<'p>> {
    trials.iter().find(|trial| std::ptr::eq(trial.policy, policy)).map(|trial| &trial.defaults)
}

/// The controls of a rule that a pod violates. Nothing is allocated if there are none.
fn violated<'p>(rule: &'p Rule, pod: &'p Pod<'_>, context: Context, most: usize) -> Vec<JudgedControl<'p>> {
    let concerned = rule.controls.iter().filter(|active| context.concerns(active));
    concerned
        .filter_map(|active| {
            let findings = ControlFindings::of(active.control, |sink| active.check(pod, sink), most)?;
            Some(JudgedControl { active, findings, dispositions: Vec::new(), omitted_remaining: 0 })
        })
        .collect()
}

impl<'p> JudgedControl<'p> {
    fn decide(&mut self, filling: Filling<'_, '_>, pod: &'p Pod<'_>) {
        let otherwise = Disposition::of(self.active.actions);
        let of_finding =
            |finding: &Finding<'_>| if filling.cover(finding) { Disposition::FilledIn } else { otherwise };
        self.dispositions = self.findings.kept().iter().map(of_finding).collect();
        self.omitted_remaining = self.findings.omitted();
        if self.omitted_remaining > 0 && !filling.is_empty() {
            let mut remaining = 0;
            self.active.check(pod, &mut |finding| remaining += usize::from(!filling.cover(&finding)));
            let filled_in = |disposition: &&Disposition| **disposition == Disposition::FilledIn;
            let kept = self.dispositions.len() - self.dispositions.iter().filter(filled_in).count();
            self.omitted_remaining = remaining - kept;
        }
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
