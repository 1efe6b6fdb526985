//! A report for people: what to change, and at which line, in the words of the webhook's refusal.
//!
//! Names and values of manifests are printed in ASCII, with control characters escaped: no manifest and no file name can
//! move the cursor of a terminal.

use std::io::{self, Write};

use crate::evaluate::{Line, Severity};
use crate::lint::misplaced::Misplaced;
use crate::lint::report::{ObjectReport, PodReport, PodSummary, Report, SuggestedChange, Summary};
use crate::text::{Printable, counted, one_line};

/// Longest value that is padded to line up with the others.
const WIDEST: usize = 48;

/// Writes what has to be changed, in many small pieces: `output` should be buffered.
///
/// # Errors
/// Those of `output`.
pub fn write(report: &Report, output: &mut impl Write) -> io::Result<()> {
    for object in &report.objects {
        for pod in &object.pods {
            if let Some(summary) = &pod.summary {
                write_pod(report, object, pod, summary, output)?;
            }
        }
        write_misplaced(object, output)?;
    }
    for unread in &report.unread {
        writeln!(output, "{}", one_line(&format!("{unread} (not read, so not judged)")))?;
    }
    Ok(())
}

/// Writes the counts, for standard error.
///
/// # Errors
/// Those of `output`.
pub fn write_summary(report: &Report, output: &mut impl Write) -> io::Result<()> {
    let Summary { files, objects, denied, warned, unread, unknown_namespaces, .. } = report.summary;
    write!(output, "{} with pods in {}", counted(objects, "object"), counted(files, "file"))?;
    let outcomes = [(denied, "denied"), (warned, "warned of"), (unread, "not read")];
    let mut separator = ": ";
    for (count, outcome) in outcomes.into_iter().filter(|(count, _)| *count > 0) {
        write!(output, "{separator}{count} {outcome}")?;
        separator = ", ";
    }
    if separator == ": " && objects > 0 {
        write!(output, ": all allowed")?;
    }
    writeln!(output)?;
    if unknown_namespaces > 0 {
        let objects = counted(unknown_namespaces, "object");
        writeln!(
            output,
            "nothing is known of the namespace of {objects}, so every policy was taken to hold there; \
             give the Namespaces with --objects"
        )?;
    }
    write_other_kinds(&report.summary, output)
}

fn write_other_kinds(summary: &Summary, output: &mut impl Write) -> io::Result<()> {
    if summary.other_kinds.is_empty() {
        return Ok(());
    }
    let kinds: Vec<String> = summary
        .other_kinds
        .iter()
        .map(|other| {
            format!("{} {} ({})", other.count, Printable(&other.kind), Printable(&other.api_version))
        })
        .collect();
    writeln!(output, "without a pod that podgate knows of: {}", kinds.join(", "))
}

fn write_pod(
    report: &Report,
    object: &ObjectReport,
    pod: &PodReport,
    summary: &PodSummary,
    output: &mut impl Write,
) -> io::Result<()> {
    let changes = summary.changes.iter().filter(|change| change.severity == summary.severity).count();
    let policies: Vec<String> = summary.policies.iter().map(|name| format!("\"{name}\"")).collect();
    writeln!(
        output,
        "{}:{}:{}: {}: {} ({} needed to meet {}) [{}]",
        one_line(&object.file),
        object.line,
        object.column,
        subject(object),
        outcome(pod, summary.severity),
        counted(changes + summary.more, "change"),
        policies.join(" and "),
        summary.code
    )?;
    write_changes(&object.file, summary, output)?;
    if !summary.filled_in.is_empty() {
        writeln!(output, "  podgate fills in: {}", summary.filled_in.join(", "))?;
    }
    match &report.standard {
        Some(standard) => {
            writeln!(
                output,
                "  Kubernetes says: violates PodSecurity \"{standard}\": {}",
                one_line(&pod.detail)
            )
        }
        None => Ok(()),
    }
}

/// Writes the fields that have no effect where they stand, a line each.
fn write_misplaced(object: &ObjectReport, output: &mut impl Write) -> io::Result<()> {
    for Misplaced { field, line, column, message, .. } in &object.misplaced {
        writeln!(output, "{}:{line}:{column}: note: {field}: {message}", one_line(&object.file))?;
    }
    Ok(())
}

/// `Job team/train`.
fn subject(object: &ObjectReport) -> String {
    let ObjectReport { kind, namespace, name, .. } = object;
    let separator = if namespace.is_empty() || name.is_empty() { "" } else { "/" };
    let name = format!("{}{separator}{}", Printable(namespace), Printable(name));
    format!("{} {name}", Printable(kind)).trim_end().to_owned()
}

/// What happens to the object. A template itself is never refused, only its pods.
fn outcome(pod: &PodReport, severity: Severity) -> &'static str {
    let is_pod = pod.path.is_empty();
    match severity {
        Severity::Deny if is_pod => "denied",
        Severity::Deny => "admitted with a warning, but its pods are denied",
        Severity::Warn => "admitted with a warning",
        Severity::Audit => "admitted with a note in the audit log",
    }
}

/// A line for each change, its parts below those of the others.
fn write_changes(file: &str, summary: &PodSummary, output: &mut impl Write) -> io::Result<()> {
    let places: Vec<String> = summary.changes.iter().map(|change| place(file, change)).collect();
    let texts = || summary.changes.iter().map(|change| &change.text);
    let width =
        |of: fn(&Line) -> &str| texts().map(|text| of(text).len()).max().unwrap_or_default().min(WIDEST);
    let widths = [width(|text| &text.subject), width(|text| &text.field), width(|text| &text.found)];
    let place_width = places.iter().map(String::len).max().unwrap_or_default();
    for (place, change) in places.iter().zip(&summary.changes) {
        let Line { subject, field, found, fix } = &change.text;
        write!(output, "  {place:place_width$}")?;
        for (part, width) in [subject, field, found].into_iter().zip(widths).filter(|(_, width)| *width > 0) {
            write!(output, "  {part:width$}")?;
        }
        write!(output, "  -> {fix}")?;
        if let Some(line) = change.alias {
            write!(output, " [by the alias on line {line}]")?;
        }
        let note = if change.severity == summary.severity { "" } else { lesser(change.severity) };
        writeln!(output, "{note}")?;
    }
    if summary.more > 0 {
        writeln!(output, "  and {} more; --format json has them all", summary.more)?;
    }
    Ok(())
}

fn place(file: &str, change: &SuggestedChange) -> String {
    format!("{}:{}:{}", one_line(file), change.line, change.column)
}

/// The mark of a change that matters less than others of the same pod.
fn lesser(severity: Severity) -> &'static str {
    match severity {
        Severity::Deny => "",
        Severity::Warn => " [only a warning]",
        Severity::Audit => " [only for the audit log]",
    }
}
