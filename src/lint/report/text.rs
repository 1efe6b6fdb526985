//! A report for people: what to change, and at which line, in the words of the webhook's refusal.
//!
//! Names and values of manifests come out in ASCII, and control characters escaped wherever they come
//! from: no manifest and no file's name can move the cursor of whoever reads this.

use std::fmt;
use std::io::{self, Write};

use crate::controls::Printable;
use crate::evaluate::{Line, Severity};
use crate::lint::report::{Advice, Change, Object, Pod, Report, Summary};

/// Longest value that is padded to line up with the others.
const WIDEST: usize = 48;

/// Writes what is to be done: nothing, if that is nothing. In many small pieces: `output` should be
/// buffered.
///
/// # Errors
/// Those of `output`.
pub fn write(report: &Report, output: &mut impl Write) -> io::Result<()> {
    for object in &report.objects {
        for pod in &object.pods {
            if let Some(advice) = &pod.advice {
                write_pod(report, object, pod, advice, output)?;
            }
        }
    }
    for unread in &report.unread {
        writeln!(output, "{}", Shown(&format!("{unread} (not read, so not judged)")))?;
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
        let counted = counted(unknown_namespaces, "object");
        writeln!(
            output,
            "nothing is known of the namespace of {counted}, so every policy was taken to hold there; \
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

fn counted(count: usize, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}

fn write_pod(
    report: &Report,
    object: &Object,
    pod: &Pod,
    advice: &Advice,
    output: &mut impl Write,
) -> io::Result<()> {
    let changes = advice.changes.iter().filter(|change| change.severity == advice.severity).count();
    let policies: Vec<String> = advice.policies.iter().map(|name| format!("\"{name}\"")).collect();
    writeln!(
        output,
        "{}:{}:{}: {}: {} ({} needed to meet {}) [{}]",
        Shown(&object.file),
        object.line,
        object.column,
        subject(object),
        outcome(pod, advice.severity),
        counted(changes + advice.more, "change"),
        policies.join(" and "),
        advice.code
    )?;
    write_changes(&object.file, advice, output)?;
    if !advice.filled_in.is_empty() {
        writeln!(output, "  podgate fills in: {}", advice.filled_in.join(", "))?;
    }
    match &report.standard {
        Some(standard) => {
            writeln!(output, "  Kubernetes says: violates PodSecurity \"{standard}\": {}", Shown(&pod.detail))
        }
        None => Ok(()),
    }
}

/// `Job team/train`.
fn subject(object: &Object) -> String {
    let Object { kind, namespace, name, .. } = object;
    let separator = if namespace.is_empty() || name.is_empty() { "" } else { "/" };
    let name = format!("{}{separator}{}", Printable(namespace), Printable(name));
    format!("{} {name}", Printable(kind)).trim_end().to_owned()
}

/// What becomes of the object. Of a template only the pods are ever refused.
fn outcome(pod: &Pod, severity: Severity) -> &'static str {
    let is_pod = pod.path.is_empty();
    match severity {
        Severity::Deny if is_pod => "denied",
        Severity::Deny => "admitted with a warning, but its pods are denied",
        Severity::Warn => "admitted with a warning",
        Severity::Audit => "admitted with a note in the audit log",
    }
}

/// A line for each change, its parts below those of the others.
fn write_changes(file: &str, advice: &Advice, output: &mut impl Write) -> io::Result<()> {
    let places: Vec<String> = advice.changes.iter().map(|change| place(file, change)).collect();
    let texts = || advice.changes.iter().map(|change| &change.text);
    let width =
        |of: fn(&Line) -> &str| texts().map(|text| of(text).len()).max().unwrap_or_default().min(WIDEST);
    let widths = [width(|text| &text.subject), width(|text| &text.field), width(|text| &text.found)];
    let place_width = places.iter().map(String::len).max().unwrap_or_default();
    for (place, change) in places.iter().zip(&advice.changes) {
        let Line { subject, field, found, remedy } = &change.text;
        write!(output, "  {place:place_width$}")?;
        for (part, width) in [subject, field, found].into_iter().zip(widths).filter(|(_, width)| *width > 0) {
            write!(output, "  {part:width$}")?;
        }
        write!(output, "  -> {remedy}")?;
        if let Some(line) = change.alias {
            write!(output, " [by the alias on line {line}]")?;
        }
        let note = if change.severity == advice.severity { "" } else { lesser(change.severity) };
        writeln!(output, "{note}")?;
    }
    if advice.more > 0 {
        writeln!(output, "  and {} more; --format json has them all", advice.more)?;
    }
    Ok(())
}

fn place(file: &str, change: &Change) -> String {
    format!("{}:{}:{}", Shown(file), change.line, change.column)
}

/// The mark of a change that matters less than others of the same pod.
fn lesser(severity: Severity) -> &'static str {
    match severity {
        Severity::Deny => "",
        Severity::Warn => " [only a warning]",
        Severity::Audit => " [only for the audit log]",
    }
}

/// Text of any language that may be shown: nothing in it moves a cursor or turns the writing round.
struct Shown<'s>(&'s str);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for character in self.0.chars() {
            match character {
                '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => {
                    write!(f, "{}", character.escape_unicode())?;
                }
                _ if character.is_control() => write!(f, "{}", character.escape_unicode())?,
                _ => write!(f, "{character}")?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_shown_moves_the_cursor() {
        assert_eq!(Shown("größe\n\u{1b}[2J\u{202e}x").to_string(), "größe\\u{a}\\u{1b}[2J\\u{202e}x");
    }
}
