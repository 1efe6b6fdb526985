//! The warnings: what is said about a pod that is admitted with violations, or about a template.

use crate::evaluate::code::code;
use crate::evaluate::group::{group_judged, keep_narrower, narrow};
use crate::evaluate::message::line;
use crate::evaluate::verdict::{Judged, JudgedControl, Severity, Verdict};
use crate::pod::Pod;
use crate::policy::Actions;

/// Most warnings: the API server cuts them all once they pass 4096 characters together.
const MOST_WARNINGS: usize = 30;

impl Verdict<'_> {
    /// A warning for each violation that this pod is admitted with, each at most 120 characters,
    /// unless the policy gives its own message.
    #[must_use]
    pub fn warnings(&self, pod: &Pod<'_>) -> Vec<String> {
        let omitted = self.omitted(|actions| actions.warn, |control| control.findings.omitted());
        self.warnings_of(pod, |judged| judged.active.actions.warn, "breaks the policy", omitted)
    }

    /// A warning for each violation for which the pods of a template would be refused or warned about, once
    /// defaults are filled in.
    #[must_use]
    pub fn template_warnings(&self, pod: &Pod<'_>) -> Vec<String> {
        let is_wanted = |actions: Actions| actions.deny || actions.warn;
        let omitted = self.omitted(is_wanted, |control| control.omitted_remaining);
        let is_wanted = |judged: &Judged<'_, '_>| is_wanted(judged.active.actions) && !judged.is_filled_in();
        self.warnings_of(pod, is_wanted, "would be refused", omitted)
    }

    fn omitted(
        &self,
        is_wanted: impl Fn(Actions) -> bool,
        count: impl Fn(&JudgedControl<'_>) -> usize,
    ) -> usize {
        let wanted = self.controls().filter(|(_, control)| is_wanted(control.active.actions));
        wanted.map(|(_, control)| count(control)).sum()
    }

    fn warnings_of(
        &self,
        pod: &Pod<'_>,
        is_wanted: impl Fn(&Judged<'_, '_>) -> bool,
        consequence: &str,
        omitted: usize,
    ) -> Vec<String> {
        let wanted = self.judged().filter(|judged| is_wanted(judged));
        let wanted = wanted.map(|judged| (judged.severity() == Severity::Deny, judged));
        // If two rules find the same, the narrower one counts, and the stricter outcome.
        let wanted = narrow(
            wanted,
            |(_, judged)| judged,
            |(is_denied, kept), (denies, judged)| {
                *is_denied |= denies;
                keep_narrower(kept, judged);
            },
        );
        let code = code(wanted.iter().map(|(_, judged)| judged.control()));
        let mut warnings = Vec::new();
        let mut more = omitted;
        for (is_denied, consequence) in [(true, consequence), (false, "breaks the policy")] {
            let of_kind = wanted.iter().filter(|(of, _)| *of == is_denied).map(|(_, judged)| *judged);
            let groups = group_judged(&of_kind.collect::<Vec<_>>());
            let room = MOST_WARNINGS.saturating_sub(warnings.len());
            let lines = groups.iter().take(room).filter_map(|group| line(pod, group, 0));
            for warning in lines.map(|line| line.warning(consequence, &code)) {
                if !warnings.contains(&warning) {
                    warnings.push(warning);
                }
            }
            more += groups.len().saturating_sub(room);
        }
        // What a policy has to say is often too long to stand beside a finding.
        for judged in wanted.iter().map(|(_, judged)| judged) {
            let Some(message) = judged.active.message.as_deref() else { continue };
            if warnings.len() < MOST_WARNINGS && !warnings.iter().any(|warning| warning.contains(message)) {
                warnings.push(format!("{}: {message} [{code}]", judged.control().id));
            }
        }
        if more > 0 {
            warnings.push(format!("and {more} more faults; podgate lint shows them all"));
        }
        warnings
    }
}
