//! The warnings: what is said about a pod that is admitted with violations, or about a template.
//!
//! Each begins with `podgate: `, names the policy and what it would refuse, and has at most 120 characters: kubectl prints
//! it on one line, among the warnings of others.

use crate::evaluate::closing::{closing_warnings, distinct};
use crate::evaluate::disposition::Severity;
use crate::evaluate::existing::{ExistingPod, PodPart};
use crate::evaluate::group::{code_of, group_judged, keep_narrower, narrow};
use crate::evaluate::message::{LONGEST_WARNING, Line, line};
use crate::evaluate::root_image::root_image_warning;
use crate::evaluate::verdict::{Judged, Verdict};
use crate::pod::Pod;
use crate::policy::Actions;

/// Most warnings about violations: the API server cuts them all once they pass 4096 characters together, and some more
/// lines follow.
const MOST_WARNINGS: usize = 28;

impl<'p> Verdict<'p> {
    /// A warning for each violation that this new pod is admitted with, or would be if its policy were enforced.
    #[must_use]
    pub fn warnings(&self, pod: &'p Pod<'_>, existing: Option<&ExistingPod<'_>>) -> Vec<String> {
        let mut warnings = self.template_warnings(pod, existing);
        // What Enforce would say beside its defaults.
        let trials = self.trials().filter(|(policy, _)| policy.rules.iter().any(|rule| rule.actions.warn));
        let root = trials.filter_map(|(_, defaults)| root_image_warning(pod, defaults, true)).next();
        warnings.extend(root);
        warnings
    }

    /// A warning for each violation for which the pods of a template would be refused or warned about, once
    /// defaults are filled in; the same of a pod that is admitted.
    #[must_use]
    pub fn template_warnings(&self, pod: &'p Pod<'_>, existing: Option<&ExistingPod<'_>>) -> Vec<String> {
        let (mut warnings, closing) = self.warnings_and_closing(pod, existing);
        warnings.extend(closing);
        warnings
    }

    /// The same, and apart from them what is said at the end: what explains the code, and whom to ask.
    #[must_use]
    pub fn warnings_and_closing(
        &self,
        pod: &'p Pod<'_>,
        existing: Option<&ExistingPod<'_>>,
    ) -> (Vec<String>, Vec<String>) {
        let is_wanted = |actions: Actions| actions.deny || actions.warn;
        let controls =
            || self.controls().filter(|(_, control)| is_wanted(control.active.actions) && control.remains());
        let Some(severity) = controls().map(|(_, control)| control.severity()).max() else {
            return (Vec::new(), Vec::new());
        };
        let wanted =
            self.judged().filter(|judged| is_wanted(judged.active.actions) && !judged.is_filled_in());
        let wanted = wanted.map(|judged| (would_refuse(&judged), judged));
        // If two rules find the same, the narrower one counts, and the stricter outcome.
        let wanted = narrow(
            wanted,
            |(_, judged)| judged,
            |(is_refused, kept), (refuses, judged)| {
                *is_refused |= refuses;
                keep_narrower(kept, judged);
            },
        );
        let code = code_of(self, severity);
        let mut warnings = Vec::new();
        let mut more: usize = controls().map(|(_, control)| control.omitted_remaining).sum();
        for would_refuse in [true, false] {
            let of_kind = wanted.iter().filter(|(refuses, _)| *refuses == would_refuse);
            let of_kind: Vec<Judged<'_, '_>> = of_kind.map(|(_, judged)| *judged).collect();
            let groups = group_judged(&of_kind, existing);
            let room = MOST_WARNINGS.saturating_sub(warnings.len());
            for group in groups.iter().take(room) {
                let warning = warning(pod, group, existing, would_refuse, &code);
                warnings.extend(warning.filter(|warning| !warnings.contains(warning)));
            }
            more += groups.len().saturating_sub(room);
        }
        push_messages(&mut warnings, wanted.iter().map(|(_, judged)| judged), &code);
        if more > 0 {
            warnings.push(format!("podgate: and {more} more violations [{code}]"));
        }
        warnings.extend(self.failed_warnings());
        // Those that the warnings name come first: the reader is sent to them.
        let named = wanted.iter().map(|(_, judged)| judged.policy);
        let policies = distinct(named.chain(controls().map(|(policy, _)| policy)));
        (warnings, closing_warnings(&policies, &code))
    }
}

/// Whether its policy refuses such a pod, or would if it were enforced.
fn would_refuse(judged: &Judged<'_, '_>) -> bool {
    judged.severity() == Severity::Deny || judged.active.enforced.deny
}

fn warning(
    pod: &Pod<'_>,
    group: &[Judged<'_, '_>],
    existing: Option<&ExistingPod<'_>>,
    would_refuse: bool,
    code: &str,
) -> Option<String> {
    let judged = group.first()?;
    let line = line(pod, group, 0)?;
    let fix = match PodPart::of(existing, judged.finding) {
        PodPart::Changeable => line.fix.as_str(),
        PodPart::Existing => "recreate the pod",
        PodPart::OldEphemeral => "it was there before: recreate the pod",
    };
    let verb = if would_refuse { "would refuse" } else { "warns of" };
    let start = format!("podgate: \"{}\" {verb}: ", judged.policy.name);
    Some(fitted(&start, &line, fix, &format!(" [{code}]")))
}

/// As much of a line as a warning has room for: the fix is cut first, since `podgate explain` gives it for the code.
fn fitted(start: &str, line: &Line, fix: &str, end: &str) -> String {
    let short_fix = fix.split([';', '(']).next().unwrap_or_default().trim_end();
    let whole = line.fault();
    let short = whole.replacen("securityContext.", "", 1);
    let candidates = [
        format!("{start}{whole}; {fix}{end}"),
        format!("{start}{whole}; {short_fix}{end}"),
        format!("{start}{short}; {short_fix}{end}"),
        format!("{start}{short}{end}"),
    ];
    if let Some(warning) = candidates.into_iter().find(|warning| warning.len() <= LONGEST_WARNING) {
        return warning;
    }
    if let Some(warning) = with_short_subject(start, line, end) {
        return warning;
    }
    let end = format!("...{end}");
    let room = LONGEST_WARNING.saturating_sub(start.len() + end.len());
    start.chars().chain(short.chars().take(room)).chain(end.chars()).collect()
}

/// The line with no more of a long name than there is room for: what is wrong matters more than the end of a name.
fn with_short_subject(start: &str, Line { subject, field, found, .. }: &Line, end: &str) -> Option<String> {
    /// A name that is cut shorter says nothing.
    const LEAST: usize = 20;
    let field = field.strip_prefix("securityContext.").unwrap_or(field);
    let rest =
        if field.is_empty() { format!("... {found}{end}") } else { format!("...: {field} {found}{end}") };
    let room = LONGEST_WARNING.saturating_sub(start.len() + rest.len());
    (LEAST..subject.len()).contains(&room).then(|| {
        let subject: String = subject.chars().take(room).collect();
        format!("{start}{}{rest}", subject.trim_end_matches('.'))
    })
}

/// What a policy has to say is often too long to stand beside a finding.
fn push_messages<'v, 'p: 'v>(
    warnings: &mut Vec<String>,
    wanted: impl Iterator<Item = &'v Judged<'v, 'p>>,
    code: &str,
) {
    for judged in wanted {
        let Some(message) = judged.active.message.as_deref() else { continue };
        if warnings.len() >= MOST_WARNINGS || warnings.iter().any(|warning| warning.contains(message)) {
            continue;
        }
        for part in in_lines(&format!("{}: {message} [{code}]", judged.control().id)) {
            if !warnings.contains(&part) {
                warnings.push(part);
            }
        }
    }
}

/// A text in as many warnings as it takes, word by word.
fn in_lines(text: &str) -> Vec<String> {
    const START: &str = "podgate:";
    let mut lines = Vec::new();
    let mut line = START.to_owned();
    for word in text.split(' ') {
        if line.len() + 1 + word.len() > LONGEST_WARNING && line.len() > START.len() {
            lines.push(std::mem::replace(&mut line, START.to_owned()));
        }
        line.push(' ');
        line.extend(word.chars().take(LONGEST_WARNING - START.len() - 1));
    }
    lines.push(line);
    lines
}
