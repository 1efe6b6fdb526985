//! A finding, or several that one change fixes, in words for a person.
//!
//! ASCII only, and nothing of the pod but names and values of the offending fields.

use crate::evaluate::injected::{Injector, injector_of};
use crate::evaluate::verdict::Judged;
use crate::finding::{Choices, Finding, Fix, Found, Subject};
use crate::pod::{ContainerKind, Pod};
use crate::text::Printable;

/// Longest warning: what the Kubernetes documentation recommends.
pub(super) const LONGEST_WARNING: usize = 120;

/// One change that fixes one or more findings.
#[derive(Debug, PartialEq, Eq)]
pub struct Line {
    /// Whose field it is: `container "trainer"`; for the pod's own fields, the field itself: `spec.hostIPC`.
    pub subject: String,
    /// The field of a container; otherwise empty.
    pub field: String,
    /// What was found: `is true`.
    pub found: String,
    /// What to do: `remove it`.
    pub fix: String,
}

/// The line for a [group](crate::evaluate::group) of findings, which may be of more containers than were kept: of at least
/// this many. `None` for an empty one.
#[must_use]
pub fn line(pod: &Pod<'_>, group: &[Judged<'_, '_>], containers: usize) -> Option<Line> {
    let judged = group.first()?;
    let finding = judged.finding;
    let (subject, field) = match finding.subject {
        Subject::Pod => (["spec.", &field(finding)].concat(), String::new()),
        Subject::Metadata => (format!("metadata.{}", finding.path), String::new()),
        Subject::Volume(_, name) => (format!("volume \"{}\"", Printable(name)), field_of_volume(finding)),
        Subject::Container(_) => (containers_of(pod, group, containers), field(finding)),
    };
    Some(Line { subject, field, found: found(finding), fix: fix(judged) })
}

/// The field as it is written, without the index into a list of names if the value itself is the name.
fn field(finding: &Finding<'_>) -> String {
    if matches!(finding.found, Found::Text(_)) && finding.path.has_index() {
        return finding.path.before_index().to_string();
    }
    finding.path.to_string()
}

/// The value names the source of a volume.
fn field_of_volume(finding: &Finding<'_>) -> String {
    if finding.path.steps().nth(1).is_none() { String::new() } else { finding.path.to_string() }
}

fn found(finding: &Finding<'_>) -> String {
    match finding.found {
        Found::Absent => "not set".to_owned(),
        Found::Bool(true) => "is true".to_owned(),
        Found::Bool(false) => "is false".to_owned(),
        Found::Text("unknown") if matches!(finding.subject, Subject::Volume(..)) => {
            "has no type that podgate knows".to_owned()
        }
        Found::Text(_) if finding.path.has_index() => finding.found.to_string(),
        Found::Integer(_) | Found::Text(_) | Found::List(_) | Found::Hidden => {
            format!("is {}", finding.found)
        }
    }
}

fn fix(judged: &Judged<'_, '_>) -> String {
    let Finding { subject, fix, .. } = judged.finding;
    let fix = match fix {
        Fix::OneOf(types) if matches!(subject, Subject::Volume(..)) => fix_of_volume(*types),
        Fix::Edit { .. } | Fix::Edits { .. } | Fix::OneOf(_) | Fix::Range { .. } => fix.to_string(),
    };
    if let Some(Injector { name, knob, .. }) = injector_of(*subject).filter(|_| !judged.is_filled_in()) {
        return format!("{fix} (injected by {name}: {knob})");
    }
    match judged.help() {
        "" => fix,
        help => [&fix, " (", help, ")"].concat(),
    }
}

fn fix_of_volume(types: Choices<'_>) -> String {
    const CLAIM: &str = "persistentVolumeClaim";
    if types.contains(CLAIM) {
        let others: Vec<&str> = types.iter().filter(|name| *name != CLAIM).collect();
        match others.as_slice() {
            [] => format!("use a {CLAIM}"),
            others => format!("use a {CLAIM}; also allowed: {}", others.join(", ")),
        }
    } else {
        format!("use one of: {}", types.iter().collect::<Vec<_>>().join(", "))
    }
}

/// `container "a"`, `init container "b"`, `containers "a", "b"`, `all 3 containers`. There may be more of them than the
/// findings name: at `least` this many.
pub(super) fn containers_of(pod: &Pod<'_>, findings: &[Judged<'_, '_>], least: usize) -> String {
    let mut containers: Vec<_> =
        findings.iter().filter_map(|judged| judged.finding.subject.container()).collect();
    containers.dedup();
    let mut distinct = Vec::new();
    for container in containers {
        if !distinct.contains(&container) {
            distinct.push(container);
        }
    }
    let count = distinct.len().max(least);
    if let ([container], 1) = (distinct.as_slice(), count) {
        let kind = match container.kind {
            ContainerKind::Init => "init container",
            ContainerKind::Regular => "container",
            ContainerKind::Ephemeral => "ephemeral container",
        };
        return format!("{kind} \"{}\"", Printable(container.name));
    }
    if count == pod.containers().count() {
        return format!("all {count} containers");
    }
    let names: Vec<String> =
        distinct.iter().take(4).map(|container| format!("\"{}\"", Printable(container.name))).collect();
    let more = match count.saturating_sub(names.len()) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    format!("containers {}{more}", names.join(", "))
}

/// What to say beside a finding's path: `container "c": is 0; remove it`, with other words `instead` of its fix if they are
/// given.
#[must_use]
pub fn note(pod: &Pod<'_>, judged: &Judged<'_, '_>, instead: Option<&str>) -> String {
    let Some(line) = line(pod, &[*judged], 0) else { return String::new() };
    let Line { subject, found, fix, .. } = line;
    let fix = instead.unwrap_or(&fix);
    match judged.finding.subject {
        Subject::Container(_) | Subject::Volume(..) => [&subject, ": ", &found, "; ", fix].concat(),
        Subject::Pod | Subject::Metadata => [&found, "; ", fix].concat(),
    }
}

/// A finding as one sentence: `container "c": securityContext.runAsUser is 0; remove it`.
#[must_use]
pub fn sentence(pod: &Pod<'_>, judged: &Judged<'_, '_>) -> String {
    let Some(line) = line(pod, &[*judged], 0) else { return String::new() };
    // What podgate fills in needs no advice on how to do so.
    let fix = if judged.is_filled_in() { judged.finding.fix.to_string() } else { line.fix.clone() };
    format!("{}; {fix}", line.fault())
}

impl Line {
    /// The part of the sentence that says what is wrong.
    #[must_use]
    pub fn fault(&self) -> String {
        let Self { subject, field, found, .. } = self;
        if field.is_empty() {
            [subject, " ", found].concat()
        } else {
            [subject, ": ", field, " ", found].concat()
        }
    }
}
