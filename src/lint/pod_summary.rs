//! What people read about a pod: the changes to make, in the words of the webhook's refusal.

use std::collections::BTreeSet;

use crate::assess::Openness;
use crate::evaluate::{
    Disposition, Judged, JudgedControl, Line, Severity, Verdict, code, code_of, group, line,
};
use crate::lint::diagnostic::Diagnostic;
use crate::pod::Pod;
use crate::workload::FoundIn;

/// Most changes that are shown of a pod: past this nobody reads on, and each costs a comparison.
const MOST_CHANGES: usize = 100;

/// What has to be changed in a pod.
#[derive(Debug)]
pub struct PodSummary {
    /// The consequence if nothing is done.
    pub severity: Severity,
    /// The policies that ask for it.
    pub policies: Vec<String>,
    /// Whether the object that makes such pods is refused itself.
    pub is_object_refused: bool,
    /// The code of the refusal or warning, for `podgate explain`.
    pub code: String,
    /// The changes, in the order of the file.
    pub changes: Vec<SuggestedChange>,
    /// How many changes more there are.
    pub more: usize,
    /// The fields that are filled in by podgate, as `runAsNonRoot`.
    pub filled_in: Vec<String>,
}

/// A change to make, which may fix the same violation in several containers.
#[derive(Debug)]
pub struct SuggestedChange {
    /// The line of the first violation that it fixes.
    pub line: usize,
    /// Its column.
    pub column: usize,
    /// The line of the alias that puts the field there, if one does.
    pub alias: Option<usize>,
    /// The object that it is to be made in, if that is another one.
    pub from: Option<FoundIn>,
    /// The consequence if it is not made.
    pub severity: Severity,
    /// The change in words.
    pub text: Line,
    /// Whether it is to be made in every container of the pod.
    pub is_of_every_container: bool,
}

impl PodSummary {
    /// The summary of a pod whose strictest finding is of this `severity`.
    pub(super) fn new<'p>(
        pod: &'p Pod<'_>,
        verdict: &Verdict<'p>,
        diagnostics: &[Diagnostic<'_, '_>],
        severity: Severity,
        openness: Openness<'_>,
    ) -> Self {
        let to_do: Vec<&Diagnostic<'_, '_>> =
            diagnostics.iter().filter(|diagnostic| diagnostic.is_to_do()).collect();
        let code = if openness.is_any_open() {
            let of_severity = to_do.iter().filter(|diagnostic| diagnostic.severity == severity);
            code(of_severity.map(|diagnostic| diagnostic.judged.control()))
        } else {
            code_of(verdict, severity)
        };
        let groups = group(&to_do, |diagnostic| &diagnostic.judged, |diagnostic| diagnostic.severity.name());
        let more = groups.iter().skip(MOST_CHANGES).map(Vec::len).sum();
        let mut changes: Vec<SuggestedChange> =
            groups.iter().take(MOST_CHANGES).filter_map(|group| change_of(pod, group)).collect();
        changes.sort_by_key(|change| (change.line, change.column));
        let filled_in = diagnostics.iter().filter(|diagnostic| diagnostic.judged.is_filled_in());
        Self {
            severity,
            policies: policies(verdict, severity, openness),
            is_object_refused: is_object_refused(verdict, openness),
            code,
            changes,
            more,
            filled_in: field_names(filled_in),
        }
    }
}

/// The change that fixes a group, in the words of the refusal.
fn change_of(pod: &Pod<'_>, group: &[&Diagnostic<'_, '_>]) -> Option<SuggestedChange> {
    let findings: Vec<Judged<'_, '_>> = group.iter().map(|diagnostic| diagnostic.judged).collect();
    let Diagnostic { span, alias, referent, severity, .. } = group.first()?;
    Some(SuggestedChange {
        line: span.line,
        column: span.column,
        alias: alias.map(|alias| alias.line),
        from: referent.map(FoundIn::new),
        severity: *severity,
        text: line(pod, &findings, 0)?,
        is_of_every_container: is_of_every_container(pod, &findings),
    })
}

fn is_of_every_container(pod: &Pod<'_>, findings: &[Judged<'_, '_>]) -> bool {
    let named = findings.iter().filter_map(|judged| judged.finding.subject.container());
    let named: BTreeSet<_> = named.map(|container| (container.kind as u8, container.index)).collect();
    !named.is_empty() && named.len() == pod.containers().count()
}

/// The policies that are violated with this consequence, even with what is filled in.
fn policies(verdict: &Verdict<'_>, severity: Severity, openness: Openness<'_>) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for (policy, control) in verdict.controls() {
        let actions = control.active.actions;
        let is_wanted = match severity {
            Severity::Deny => actions.deny,
            Severity::Warn => actions.warn,
            Severity::Audit => actions.audit,
        };
        let name: &str = &policy.name;
        if is_wanted && is_to_do(control, openness) && !names.iter().any(|known| known == name) {
            names.push(name.to_owned());
        }
    }
    names
}

/// Whether a policy refuses an object for such pods, and not the pods alone.
fn is_object_refused(verdict: &Verdict<'_>, openness: Openness<'_>) -> bool {
    verdict.controls().any(|(policy, control)| {
        policy.refuses_templates && control.active.actions.deny && is_to_do(control, openness)
    })
}

/// Whether anything of a control is left to do: what is open may be done elsewhere.
fn is_to_do(control: &JudgedControl<'_>, openness: Openness<'_>) -> bool {
    if !openness.is_any_open() {
        return control.remains();
    }
    control.judged().any(|(finding, disposition)| {
        disposition != Disposition::FilledIn && !openness.is_open(control.active.control, finding)
    })
}

fn field_names<'r, 'v: 'r, 'p: 'v>(diagnostics: impl Iterator<Item = &'r Diagnostic<'v, 'p>>) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for name in diagnostics.map(|diagnostic| diagnostic.judged.finding.path.to_string()) {
        let name = name.strip_prefix("securityContext.").unwrap_or(&name);
        if !names.iter().any(|known| known == name) {
            names.push(name.to_owned());
        }
    }
    names
}
