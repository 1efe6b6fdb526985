//! What no verdict could be given for, for people: a line for each pod, with its place.

use std::io::{self, Write};

use crate::lint::report::{
    Layout, ObjectReport, ObjectVerdict, PodReport, Report, Unresolved, UnresolvedReason,
};
use crate::text::one_line;

/// Most lines for one object: a kind that is not known is one thing to learn.
const MOST_LINES: usize = 8;
/// Most things that are said to be missing of one pod.
const MOST_MISSING: usize = 3;
/// What to do about a fragment.
const ABOUT_FRAGMENTS: &str =
    " (a fragment, as a patch is: judge the whole object, kubectl kustomize DIR | podgate lint -)";
/// What to do about an object that is elsewhere.
const ABOUT_REFERENCES: &str = " (name its file, too, or give it with --objects)";
/// What to do about what a template has yet to fill in.
const ABOUT_PLACEHOLDERS: &str = " (judge what is rendered: helm template CHART | podgate lint -)";
/// What to do about what its own controller fills in when it runs: no chart has it.
const ABOUT_PARAMETERS: &str = " (what is filled in when it runs: judge it with a value in its place)";
/// The groups of those kinds.
const WITH_PARAMETERS: [&str; 2] = ["argoproj.io", "tekton.dev"];

/// Writes what is unresolved about pods, of those that are refused anyway in few words, in many small pieces: `output` should be
/// buffered.
///
/// # Errors
/// Those of `output`.
pub fn write(report: &Report, layout: Layout, output: &mut impl Write) -> io::Result<()> {
    for object in &report.objects {
        let pods = || object.pods.iter().filter(|pod| layout.shows_unresolved_of(pod));
        for pod in pods().take(MOST_LINES) {
            write_pod(object, pod, layout, output)?;
        }
        let more = pods().count().saturating_sub(MOST_LINES);
        if more > 0 {
            let (file, subject) = (one_line(&object.file), object.subject());
            writeln!(
                output,
                "{file}: {subject} has {more} more that are unresolved; --format json has them all"
            )?;
        }
    }
    Ok(())
}

fn write_pod(
    object: &ObjectReport,
    pod: &PodReport,
    layout: Layout,
    output: &mut impl Write,
) -> io::Result<()> {
    let Some(first) = pod.unresolved.first() else { return Ok(()) };
    // What is in another object has its place there.
    let (line, column) =
        if first.from.is_some() { (object.line, object.column) } else { (first.line, first.column) };
    let missing: Vec<String> = pod.unresolved.iter().take(MOST_MISSING).map(words).collect();
    let more = match pod.unresolved.len().saturating_sub(MOST_MISSING) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let (is, advice) = match pod.verdict {
        ObjectVerdict::Deny => ("is unresolved besides", ""),
        ObjectVerdict::Unresolved | ObjectVerdict::Allow | ObjectVerdict::Warn => {
            ("is unresolved", advice(object, pod))
        }
    };
    let place = layout.place(&format!("{}:{line}:{column}", one_line(&object.file)));
    let missing = missing.join(", ");
    let text = format!("{place}: {} {is}: {}{more}{advice}", object.subject(), one_line(&missing));
    writeln!(output, "{}", layout.wrapped("", 2, &text))
}

fn words(entry: &Unresolved) -> String {
    match &entry.from {
        Some(origin) => format!("{} ({})", entry.text, origin.text(entry.line)),
        None => entry.text.clone(),
    }
}

/// What to do about what is said first.
fn advice(object: &ObjectReport, pod: &PodReport) -> &'static str {
    // Those of Kubernetes' own groups are patched by kustomize; what is missing of others is for their operators to say.
    let group = object.api_version.split('/').next().unwrap_or_default();
    let is_own = !group.contains('.');
    let first = pod.unresolved.first();
    match first.map(|entry| entry.reason) {
        Some(UnresolvedReason::Fragment | UnresolvedReason::NoContainers) if is_own => ABOUT_FRAGMENTS,
        // What is known already need not be named.
        Some(UnresolvedReason::Reference) if first.is_some_and(|entry| entry.is_known) => "",
        Some(UnresolvedReason::Reference) => ABOUT_REFERENCES,
        Some(UnresolvedReason::Placeholder) if WITH_PARAMETERS.contains(&group) => ABOUT_PARAMETERS,
        Some(UnresolvedReason::Placeholder) => ABOUT_PLACEHOLDERS,
        Some(
            UnresolvedReason::Fragment
            | UnresolvedReason::NoContainers
            | UnresolvedReason::UnknownKind
            | UnresolvedReason::WrongType
            | UnresolvedReason::Unparsable
            | UnresolvedReason::Conflict,
        )
        | None => "",
    }
}
