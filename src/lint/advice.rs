//! What people read of a pod's verdict: the changes to make, in the words of the webhook's refusal.

use std::collections::HashMap;

use crate::controls::Finding;
use crate::evaluate::{Line, Severity, Verdict, code, lines};
use crate::lint::judge::Placed;
use crate::pod::Pod;

/// Most changes that are shown of a pod: past this nobody reads on, and each costs a comparison.
const MOST_CHANGES: usize = 100;

/// What is to be done about a pod.
#[derive(Debug)]
pub struct Advice {
    /// What comes of it if nothing is done.
    pub severity: Severity,
    /// The policies that ask for it.
    pub policies: Vec<String>,
    /// The code of the refusal or warning, for `podgate explain`.
    pub code: String,
    /// The changes, in the order of the file.
    pub changes: Vec<Change>,
    /// How many changes more there are.
    pub more: usize,
    /// The fields that are filled in by podgate, as `runAsNonRoot`.
    pub filled_in: Vec<&'static str>,
}

/// A change to make, which may mend the same fault of several containers.
#[derive(Debug)]
pub struct Change {
    /// The line of the first fault that it mends.
    pub line: usize,
    /// Its column.
    pub column: usize,
    /// The line of the alias that puts the fault there, if that is what does.
    pub alias: Option<usize>,
    /// What comes of it if it is not made.
    pub severity: Severity,
    /// The change in words.
    pub text: Line,
}

impl Advice {
    /// The advice for a pod of whose findings this is the strictest `severity`.
    pub(super) fn new(
        pod: &Pod<'_>,
        verdict: &Verdict<'_>,
        placed: &[Placed<'_>],
        severity: Severity,
    ) -> Self {
        let to_do = narrowest(placed.iter().filter(|placed| !placed.is_filled_in));
        let of_severity = to_do.iter().filter(|placed| placed.severity == severity);
        let code = code(of_severity.map(|placed| placed.finding.control));
        let (groups, more) = group(&to_do);
        let mut changes: Vec<Change> = groups.iter().flat_map(|group| changes_of(pod, group)).collect();
        changes.sort_by_key(|change| (change.line, change.column));
        let filled_in = placed.iter().filter(|placed| placed.is_filled_in);
        Self {
            severity,
            policies: policies(verdict, severity),
            code,
            changes,
            more,
            filled_in: field_names(filled_in),
        }
    }
}

/// The findings, each field once: with the strictest thing that comes of it and, where that is equal,
/// of the narrower rule.
fn narrowest<'r, 'v>(placed: impl Iterator<Item = &'r Placed<'v>>) -> Vec<&'r Placed<'v>> {
    let mut narrowest: Vec<&Placed<'v>> = Vec::new();
    let mut known = HashMap::new();
    for placed in placed {
        let index = *known.entry(placed.field.as_str()).or_insert(narrowest.len());
        match narrowest.get_mut(index) {
            Some(other) if other.severity < placed.severity => *other = placed,
            Some(other) if other.severity == placed.severity && other.finding.yields_to(placed.finding) => {
                *other = placed;
            }
            Some(_) => {}
            None => narrowest.push(placed),
        }
    }
    narrowest
}

/// Puts the faults together that one change in several containers mends, and counts those that are
/// too many to show.
fn group<'r, 'v>(placed: &[&'r Placed<'v>]) -> (Vec<Vec<&'r Placed<'v>>>, usize) {
    let mut groups: Vec<Vec<&Placed<'v>>> = Vec::new();
    let mut more = 0;
    for placed in placed {
        let is_full = groups.len() == MOST_CHANGES;
        let is_same =
            |group: &&mut Vec<&Placed<'v>>| group.first().is_some_and(|other| is_same_change(other, placed));
        match groups.iter_mut().find(is_same) {
            Some(group) => group.push(placed),
            None if is_full => more += 1,
            None => groups.push(vec![placed]),
        }
    }
    (groups, more)
}

fn is_same_change(one: &Placed<'_>, other: &Placed<'_>) -> bool {
    let of_container = |placed: &Placed<'_>| placed.finding.place.container().is_some();
    let (first, second) = (one.finding, other.finding);
    of_container(one)
        && of_container(other)
        && one.severity == other.severity
        && (first.control, first.field) == (second.control, second.field)
        && (first.found, first.remedy) == (second.found, second.remedy)
}

/// The words for a group: those of the refusal, which has the last word on what goes together.
fn changes_of<'r>(pod: &Pod<'_>, group: &'r [&Placed<'_>]) -> impl Iterator<Item = Change> + use<'r> {
    let findings: Vec<&Finding<'_>> = group.iter().map(|placed| placed.finding).collect();
    let first = group.first().copied();
    let to_change = move |text| {
        let Placed { span, alias, severity, .. } = first?;
        let alias = alias.map(|alias| alias.line);
        Some(Change { line: span.line, column: span.column, alias, severity: *severity, text })
    };
    lines(pod, &findings).into_iter().filter_map(to_change)
}

/// The policies that are broken with this consequence, even with what is filled in.
fn policies(verdict: &Verdict<'_>, severity: Severity) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for breach in &verdict.breaches {
        let actions = breach.rule.actions;
        let is_wanted = match severity {
            Severity::Deny => actions.deny,
            Severity::Warn => actions.warn,
            Severity::Audit => actions.audit,
        };
        let name: &str = &breach.policy.name;
        if is_wanted
            && !names.iter().any(|known| known == name)
            && breach.findings.iter().any(|finding| !verdict.is_repaired(finding))
        {
            names.push(name.to_owned());
        }
    }
    names
}

fn field_names<'r, 'v: 'r>(placed: impl Iterator<Item = &'r Placed<'v>>) -> Vec<&'static str> {
    let mut names = Vec::new();
    for name in placed.map(|placed| placed.finding.field.name) {
        let name = name.strip_prefix("securityContext.").unwrap_or(name);
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names
}
