//! What is filled in for a pod, and what the policies would fill in that are only tried out.

use crate::controls::CheckedPod;
use crate::evaluate::control_findings::ControlFindings;
use crate::evaluate::defaults::{Defaults, Filler};
use crate::evaluate::obstacles::RefusedObstacles;
use crate::finding::Finding;
use crate::policy::{ActiveControl, SecurityPolicy};

/// What is filled in by any policy, and what would be by each that is only tried out.
#[derive(Debug, Default)]
pub(super) struct AllDefaults<'p> {
    pub(super) real: Defaults<'p>,
    trials: Vec<Trial<'p>>,
}

/// What a policy in the mode `Warn` or `Audit` would fill in if it were enforced: what it says is what its findings would
/// come to then.
#[derive(Debug)]
struct Trial<'p> {
    policy: &'p SecurityPolicy,
    defaults: Defaults<'p>,
}

/// What fills in for the findings of one policy: what is really filled in and, if it is only tried out, what it would.
#[derive(Debug, Clone, Copy)]
pub(super) struct Filling<'v, 'p> {
    real: &'v Defaults<'p>,
    trial: Option<&'v Defaults<'p>>,
}

/// A control that is violated.
#[derive(Debug, Clone, Copy)]
pub(super) struct ViolatedControl<'v, 'p> {
    pub(super) policy: &'p SecurityPolicy,
    pub(super) active: &'p ActiveControl,
    pub(super) findings: &'v ControlFindings<'p>,
}

impl<'p> AllDefaults<'p> {
    /// What is filled in for a pod that violates these controls: also for findings that are not kept.
    pub(super) fn new<'v, C>(violated: impl Fn() -> C, checked: CheckedPod<'p>) -> Self
    where
        'p: 'v,
        C: Iterator<Item = ViolatedControl<'v, 'p>>,
    {
        let mut all = Self::default();
        let mut waits = false;
        for control in violated().filter(|control| control.active.is_filling_in()) {
            waits |= control.fill_in(&mut all.real, checked, None);
        }
        // What is only tried out finds what is really filled in.
        for control in violated().filter(|control| control.active.would_fill_in()) {
            // The rules of a policy come one after the other.
            if all.by(control.policy).trial.is_none() {
                all.trials.push(Trial { policy: control.policy, defaults: Defaults::default() });
            }
            if let Some(trial) = all.trials.last_mut() {
                waits |= control.fill_in(&mut trial.defaults, checked, Some(&all.real));
            }
        }
        if waits {
            all.fill_in_later(&violated, checked);
        }
        all.ask(violated, checked);
        all
    }

    /// Asks those that find something, and do not fill it in themselves or are not the first to do so.
    fn ask<'v, C>(&mut self, violated: impl Fn() -> C, checked: CheckedPod<'p>)
    where
        'p: 'v,
        C: Iterator<Item = ViolatedControl<'v, 'p>>,
    {
        let Self { real, trials } = self;
        if !real.is_empty() {
            for control in violated() {
                control.each(checked, |finding| real.ask(control.active, finding, checked));
            }
        }
        for Trial { policy, defaults } in trials.iter_mut().filter(|trial| !trial.defaults.is_empty()) {
            for control in violated().filter(|control| std::ptr::eq(control.policy, *policy)) {
                control.each(checked, |finding| defaults.ask(control.active, finding, checked));
            }
        }
    }

    /// Adds what is filled in once the author has fixed the rest.
    fn fill_in_later<'v, C>(&mut self, violated: impl Fn() -> C, checked: CheckedPod<'p>)
    where
        'p: 'v,
        C: Iterator<Item = ViolatedControl<'v, 'p>>,
    {
        let mut refused = RefusedObstacles::default();
        for control in violated().filter(|control| control.active.actions.deny) {
            control.each(checked, |finding| refused.add(finding));
        }
        for control in violated().filter(|control| control.active.is_filling_in()) {
            control.fill_in_later(&mut self.real, checked, (None, &refused));
        }
        let real = &self.real;
        for Trial { policy: tried, defaults } in &mut self.trials {
            let is_own = |control: &ViolatedControl<'v, 'p>| {
                std::ptr::eq(control.policy, *tried) && control.active.enforced.deny
            };
            let mut refused = refused.clone();
            for control in violated().filter(is_own) {
                control.each(checked, |finding| refused.add(finding));
            }
            for control in violated().filter(is_own).filter(|control| control.active.would_fill_in()) {
                control.fill_in_later(defaults, checked, (Some(real), &refused));
            }
        }
    }

    /// What fills in for the findings of a policy.
    pub(super) fn by(&self, policy: &SecurityPolicy) -> Filling<'_, 'p> {
        let trial = self.trials.iter().find(|trial| std::ptr::eq(trial.policy, policy));
        Filling { real: &self.real, trial: trial.map(|trial| &trial.defaults) }
    }

    /// What each policy would fill in that is only tried out.
    pub(super) fn trials(&self) -> impl Iterator<Item = (&'p SecurityPolicy, &Defaults<'p>)> {
        self.trials.iter().map(|trial| (trial.policy, &trial.defaults))
    }
}

impl<'p> ViolatedControl<'_, 'p> {
    fn each(self, checked: CheckedPod<'p>, show: impl FnMut(&Finding<'p>)) {
        self.findings.each(self.active, checked, show);
    }

    /// Fills in what it refuses the pod for, beside what is `really` filled in if it is only tried out. Returns whether more is
    /// filled in once something else is fixed.
    fn fill_in(
        self,
        defaults: &mut Defaults<'p>,
        checked: CheckedPod<'p>,
        really: Option<&Defaults<'p>>,
    ) -> bool {
        let mut waits = false;
        self.each(checked, |finding| waits |= defaults.add(self.filler(), finding, really));
        waits
    }

    fn fill_in_later(
        self,
        defaults: &mut Defaults<'p>,
        checked: CheckedPod<'p>,
        (really, refused): (Option<&Defaults<'p>>, &RefusedObstacles),
    ) {
        self.each(checked, |finding| defaults.add_later(self.filler(), finding, really, refused));
    }

    fn filler(self) -> Filler<'p> {
        Filler { policy: self.policy, active: self.active }
    }
}

impl Filling<'_, '_> {
    /// Whether a finding is fixed, now or once the author has fixed the rest.
    pub(super) fn cover(self, active: &ActiveControl, finding: &Finding<'_>) -> bool {
        self.real.cover(active, finding) || self.trial.is_some_and(|trial| trial.cover(active, finding))
    }

    /// Whether a finding of the pod as it is is fixed.
    pub(super) fn cover_now(self, active: &ActiveControl, finding: &Finding<'_>) -> bool {
        self.real.cover_now(active, finding)
            || self.trial.is_some_and(|trial| trial.cover_now(active, finding))
    }

    /// Whether nothing is filled in.
    pub(super) fn is_empty(self) -> bool {
        self.real.is_empty() && self.trial.is_none_or(Defaults::is_empty)
    }
}
