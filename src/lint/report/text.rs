//! A report for people: what to change, and at which line, in the words of the webhook's refusal. Pods that need the same
//! changes are shown together, and a table of the controls is at the end.
//!
//! Names and values of manifests are printed in ASCII, with control characters escaped: no manifest and no file name can
//! move the cursor of a terminal.

use std::io::{self, Write};

use crate::evaluate::{Line, Severity};
use crate::lint::misplaced::Misplaced;
use crate::lint::report::fold::{Fold, FoldedPod, fold};
use crate::lint::report::{
    Layout, ObjectReport, Report, SuggestedChange, exceptions, identity, statistics, unresolved,
};
use crate::text::{counted, one_line, printable};

/// How far in the lines are that belong to a headline.
const INDENT: usize = 2;
/// Longest path of a pod that is shown, in characters.
const LONGEST_PATH: usize = 200;
/// Most lines of a file that are named for one of several pods.
const MOST_LINES: usize = 6;

/// Writes what has to be changed, in many small pieces: `output` should be buffered.
///
/// # Errors
/// Those of `output`.
pub fn write(report: &Report, layout: Layout, output: &mut impl Write) -> io::Result<()> {
    let folds = fold(report, layout);
    for fold in &folds {
        write_fold(fold, layout, output)?;
    }
    if let ([fold], Some(standard)) = (folds.as_slice(), &report.standard) {
        write_standard_text(standard, fold, layout, output)?;
    }
    identity::write(report, layout, output)?;
    exceptions::write(report, layout, output)?;
    unresolved::write(report, layout, output)?;
    if layout.shows_notes {
        for object in &report.objects {
            write_misplaced(object, layout, output)?;
        }
        for misspelt in &report.misspelt {
            let text = one_line(&misspelt.warning()).to_string();
            writeln!(output, "{}", layout.wrapped("", INDENT, &text))?;
        }
    }
    for unread in &report.unread {
        let text = one_line(&format!("{unread} (not read, so not judged)")).to_string();
        writeln!(output, "{}", layout.wrapped("", INDENT, &text))?;
    }
    Ok(())
}

/// Writes the table of the controls, behind an empty line. For one pod it would only repeat what stands above.
///
/// # Errors
/// Those of `output`.
pub fn write_table(report: &Report, layout: Layout, output: &mut impl Write) -> io::Result<()> {
    if fold(report, layout).iter().map(|fold| fold.pods.len()).sum::<usize>() < 2 {
        return Ok(());
    }
    writeln!(output)?;
    statistics::write(report, layout, output)
}

/// One pod, or several with what they have in common behind them.
fn write_fold(fold: &Fold<'_>, layout: Layout, output: &mut impl Write) -> io::Result<()> {
    let Some(first) = fold.pods.first() else { return Ok(()) };
    let is_alone = fold.pods.len() == 1;
    let headline = if is_alone {
        let place = layout.place(&place(first.object));
        format!("{place}: {}: {}", subject(first), needs(fold, first, layout))
    } else {
        format!("{}: {}", counted_pods(fold), needs(fold, first, layout))
    };
    writeln!(output, "{}", layout.wrapped("", INDENT, &headline))?;
    if !is_alone {
        for folded in &fold.pods {
            let place = layout.place(&place(folded.object));
            let text = format!("{place}: {}{}", subject(folded), lines(folded));
            writeln!(output, "{}", layout.wrapped("  ", INDENT + 2, &text))?;
        }
    }
    write_changes(first, is_alone, layout, output)?;
    let filled_in = &first.summary.filled_in;
    if !filled_in.is_empty() {
        let text = layout.aside(&format!("podgate fills in: {}", filled_in.join(", ")));
        writeln!(output, "{}", layout.wrapped("  ", INDENT + 2, &text))?;
    }
    Ok(())
}

/// What Kubernetes says: one long line, which would bury the others in a report on many pods.
fn write_standard_text(
    standard: &str,
    fold: &Fold<'_>,
    layout: Layout,
    output: &mut impl Write,
) -> io::Result<()> {
    let [FoldedPod { pod, .. }] = fold.pods.as_slice() else { return Ok(()) };
    let detail = one_line(&pod.detail);
    let text = format!("Kubernetes says: violates PodSecurity \"{standard}\": {detail}");
    writeln!(output, "{}", layout.wrapped("  ", INDENT + 2, &text))
}

/// `denied (2 changes needed to meet "p") [PG-0001]`
fn needs(fold: &Fold<'_>, first: &FoldedPod<'_>, layout: Layout) -> String {
    let FoldedPod { pod, summary, .. } = first;
    let changes = summary.changes.iter().filter(|change| change.severity == summary.severity).count();
    let policies: Vec<String> = summary.policies.iter().map(|name| format!("\"{name}\"")).collect();
    let is_alone = fold.pods.len() == 1;
    let is_refused = pod.path.is_empty() || summary.is_object_refused;
    let words = outcome(is_refused, is_alone, first);
    let outcome = layout.outcome(summary.severity, &words);
    let each = if is_alone { "" } else { " in each" };
    let code = layout.aside(&format!("[{}]", summary.code));
    format!(
        "{outcome} ({} needed to meet {}{each}) {code}",
        counted(changes + summary.more, "change"),
        policies.join(" and "),
    )
}

/// Writes the fields that have no effect where they stand, a line each.
fn write_misplaced(object: &ObjectReport, layout: Layout, output: &mut impl Write) -> io::Result<()> {
    for Misplaced { field, line, column, message, .. } in &object.misplaced {
        let place = layout.place(&format!("{}:{line}:{column}", one_line(&object.file)));
        writeln!(output, "{}", layout.wrapped("", INDENT, &format!("{place}: note: {field}: {message}")))?;
    }
    Ok(())
}

/// What happens to the object. One that makes pods is refused itself only where a policy says so.
fn outcome(is_refused: bool, is_alone: bool, first: &FoldedPod<'_>) -> String {
    let admitted = if first.is_warned_of { "admitted with a warning" } else { "admitted" };
    match first.summary.severity {
        Severity::Deny if is_refused => "denied".to_owned(),
        Severity::Deny => {
            format!("{admitted}, but {} pods are denied", if is_alone { "its" } else { "their" })
        }
        Severity::Warn => admitted.to_owned(),
        Severity::Audit => "admitted with a note in the audit log".to_owned(),
    }
}

fn place(object: &ObjectReport) -> String {
    format!("{}:{}:{}", one_line(&object.file), object.line, object.column)
}

/// `3 objects`, or `3 pods` if some are of one object.
fn counted_pods(fold: &Fold<'_>) -> String {
    let is_shared = fold.pods.iter().any(|folded| folded.object.pods.len() > 1);
    counted(fold.pods.len(), if is_shared { "pod" } else { "object" })
}

/// What people call a pod: of several of one object, by its path.
fn subject(FoldedPod { object, pod, .. }: &FoldedPod<'_>) -> String {
    match object.pods.len() {
        0 | 1 => object.subject(),
        _ => format!("{}, {}", object.subject(), printable(&pod.path, LONGEST_PATH)),
    }
}

/// The lines to change: ` (lines 4, 7)`.
fn lines(folded: &FoldedPod<'_>) -> String {
    let own = folded.summary.changes.iter().filter(|change| change.from.is_none());
    let mut lines: Vec<usize> = own.map(|change| change.line).collect();
    lines.sort_unstable();
    lines.dedup();
    let shown: Vec<String> = lines.iter().take(MOST_LINES).map(ToString::to_string).collect();
    let more = if lines.len() > MOST_LINES { ", ..." } else { "" };
    match lines.len() {
        0 => String::new(),
        1 => format!(" (line {}{more})", shown.join(", ")),
        _ => format!(" (lines {}{more})", shown.join(", ")),
    }
}

/// A line for each change, with its place if it is that of one pod.
fn write_changes(
    FoldedPod { summary, .. }: &FoldedPod<'_>,
    is_alone: bool,
    layout: Layout,
    output: &mut impl Write,
) -> io::Result<()> {
    let place = |change: &SuggestedChange| match change.from {
        Some(_) => String::new(),
        None => format!("{}:{}", change.line, change.column),
    };
    let places: Vec<String> = summary.changes.iter().map(place).collect();
    let width = places.iter().map(String::len).max().unwrap_or_default();
    for (place, change) in places.iter().zip(&summary.changes) {
        let start = if is_alone { format!("  {place:width$}  ") } else { "  - ".to_owned() };
        let mut text = change_of(change, is_alone, layout);
        if change.severity != summary.severity {
            text.push_str(lesser(change.severity));
        }
        writeln!(output, "{}", layout.wrapped(&start, start.len() + 2, &text))?;
    }
    if summary.more > 0 {
        writeln!(output, "  and {} more; --format json has them all", summary.more)?;
    }
    Ok(())
}

/// `container "c": securityContext.runAsUser is 0 -> set it to a number above 0`
fn change_of(change: &SuggestedChange, is_alone: bool, layout: Layout) -> String {
    let Line { subject, field, found, fix } = &change.text;
    let subject = if change.is_of_every_container && !is_alone { "every container" } else { subject };
    let fault =
        if field.is_empty() { format!("{subject} {found}") } else { format!("{subject}: {field} {found}") };
    let alias = match change.alias {
        Some(line) if is_alone => format!(" [by the alias on line {line}]"),
        Some(_) => " [by an alias]".to_owned(),
        None => String::new(),
    };
    let from = match &change.from {
        Some(from) => format!(" ({})", from.text(change.line)),
        None => String::new(),
    };
    format!("{fault} {}{alias}{from}", layout.fix(&format!("-> {fix}")))
}

/// The mark of a change that matters less than others of the same pod.
fn lesser(severity: Severity) -> &'static str {
    match severity {
        Severity::Deny => "",
        Severity::Warn => " [only a warning]",
        Severity::Audit => " [only for the audit log]",
    }
}
