//! A finding, or several that one change fixes, in words for a person.
//!
//! ASCII only, and nothing of the pod but names and values of the offending fields.

use std::fmt::{self, Write as _};

use smallvec::SmallVec;

use crate::evaluate::injected::{Injector, injector_of};
use crate::evaluate::verdict::Judged;
use crate::finding::{Choices, Finding, Fix, Found, Subject};
use crate::pod::{ContainerKind, ContainerRef, Pod};
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
    let of = |push: &dyn Fn(&mut String)| {
        let mut text = String::new();
        push(&mut text);
        text
    };
    Some(Line {
        subject: of(&|text| push_subject(text, pod, group, containers)),
        field: of(&|text| push_field(text, judged.finding)),
        found: of(&|text| push_found(text, judged.finding)),
        fix: of(&|text| push_fix(text, judged)),
    })
}

/// Adds what is wrong with a group of findings: [`Line::fault`].
pub(super) fn push_fault(text: &mut String, pod: &Pod<'_>, group: &[Judged<'_, '_>], containers: usize) {
    let Some(judged) = group.first() else { return };
    push_subject(text, pod, group, containers);
    let subject = text.len();
    text.push_str(": ");
    let before = text.len();
    push_field(text, judged.finding);
    if text.len() == before {
        text.truncate(subject);
    }
    text.push(' ');
    push_found(text, judged.finding);
}

fn push_subject(text: &mut String, pod: &Pod<'_>, group: &[Judged<'_, '_>], containers: usize) {
    let Some(finding) = group.first().map(|judged| judged.finding) else { return };
    match finding.subject {
        Subject::Pod => {
            text.push_str("spec.");
            push_path(text, finding);
        }
        Subject::Metadata => {
            text.push_str("metadata.");
            let _ = finding.path.write_to(text);
        }
        Subject::Volume(_, name) => {
            text.push_str("volume ");
            push_quoted(text, name);
        }
        Subject::Namespace("") => text.push_str("its namespace"),
        Subject::Namespace(name) => {
            text.push_str("namespace ");
            push_quoted(text, name);
        }
        Subject::Container(_) => push_containers(text, pod, group, containers),
    }
}

/// The field of a container or volume. The value names the source of a volume.
fn push_field(text: &mut String, finding: &Finding<'_>) {
    match finding.subject {
        Subject::Container(_) | Subject::Namespace(_) => push_path(text, finding),
        Subject::Volume(..) if finding.path.steps().nth(1).is_some() => drop(finding.path.write_to(text)),
        Subject::Pod | Subject::Metadata | Subject::Volume(..) => {}
    }
}

/// The field as it is written, without the index into a list of names if the value itself is the name.
fn push_path(text: &mut String, finding: &Finding<'_>) {
    let _ = if matches!(finding.found, Found::Text(_)) && finding.path.has_index() {
        finding.path.before_index().write_to(text)
    } else {
        finding.path.write_to(text)
    };
}

fn push_found(text: &mut String, finding: &Finding<'_>) {
    match finding.found {
        Found::Absent => return text.push_str("not set"),
        Found::Text("unknown") if matches!(finding.subject, Subject::Volume(..)) => {
            return text.push_str("has no type that podgate knows");
        }
        Found::Text(_) if finding.path.has_index() => {}
        Found::Bool(_) | Found::Integer(_) | Found::Text(_) | Found::List(_) | Found::Hidden => {
            text.push_str("is ");
        }
    }
    let _ = finding.found.write_to(text);
}

/// Adds what to do.
pub(super) fn push_fix(text: &mut String, judged: &Judged<'_, '_>) {
    let Finding { subject, fix, .. } = judged.finding;
    let _ = match fix {
        Fix::OneOf(types) if matches!(subject, Subject::Volume(..)) => push_fix_of_volume(text, *types),
        Fix::Edit { .. } | Fix::Edits { .. } | Fix::OneOf(_) | Fix::Range { .. } => fix.write_to(text),
    };
    let injector = injector_of(*subject).filter(|_| !judged.is_filled_in());
    let parts = match (injector, judged.help()) {
        (Some(Injector { name, knob, .. }), _) => [" (injected by ", name, ": ", knob, ")"],
        (None, "") => return,
        (None, help) => [" (", help, ")", "", ""],
    };
    parts.into_iter().for_each(|part| text.push_str(part));
}

fn push_fix_of_volume(text: &mut String, types: Choices<'_>) -> fmt::Result {
    const CLAIM: &str = "persistentVolumeClaim";
    if !types.contains(CLAIM) {
        text.push_str(if types.iter().nth(1).is_none() { "use " } else { "use one of: " });
        return types.write_to(text, ", ");
    }
    text.push_str("use a persistentVolumeClaim");
    let others = types.iter().filter(|name| *name != CLAIM);
    for (index, name) in others.enumerate() {
        text.push_str(if index == 0 { "; also allowed: " } else { ", " });
        text.push_str(name);
    }
    Ok(())
}

fn push_quoted(text: &mut String, name: &str) {
    text.push('"');
    let _ = Printable(name).write_to(text);
    text.push('"');
}

/// Adds `container "a"`, `init container "b"`, `containers "a", "b"`, `all 3 containers`. There may be more of them than the
/// findings name: at `least` this many.
pub(super) fn push_containers(text: &mut String, pod: &Pod<'_>, findings: &[Judged<'_, '_>], least: usize) {
    let mut distinct = SmallVec::<[ContainerRef<'_>; 8]>::new();
    for container in findings.iter().filter_map(|judged| judged.finding.subject.container()) {
        if !distinct.contains(&container) {
            distinct.push(container);
        }
    }
    let count = distinct.len().max(least);
    if let ([container], 1) = (distinct.as_slice(), count) {
        text.push_str(match container.kind {
            ContainerKind::Init => "init container ",
            ContainerKind::Regular => "container ",
            ContainerKind::Ephemeral => "ephemeral container ",
        });
        return push_quoted(text, container.name);
    }
    if count == pod.containers().count() {
        let _ = write!(text, "all {count} containers");
        return;
    }
    text.push_str("containers ");
    let named = distinct.iter().take(4);
    let more = count.saturating_sub(named.len());
    for (index, container) in named.enumerate() {
        text.push_str(if index == 0 { "" } else { ", " });
        push_quoted(text, container.name);
    }
    if more > 0 {
        let _ = write!(text, " and {more} more");
    }
}

/// What to say beside a finding's path: `container "c": is 0; remove it`, with other words `instead` of its fix if they are
/// given.
#[must_use]
pub fn note(pod: &Pod<'_>, judged: &Judged<'_, '_>, instead: Option<&str>) -> String {
    /// Room for most.
    const USUAL: usize = 160;
    let mut text = String::with_capacity(USUAL);
    match judged.finding.subject {
        Subject::Container(_) | Subject::Volume(..) | Subject::Namespace(_) => {
            push_subject(&mut text, pod, &[*judged], 0);
            text.push_str(": ");
        }
        Subject::Pod | Subject::Metadata => {}
    }
    push_found(&mut text, judged.finding);
    text.push_str("; ");
    match instead {
        Some(fix) => text.push_str(fix),
        None => push_fix(&mut text, judged),
    }
    text
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
