//! A report of one line per finding, for editors and `grep`: the place first, and never wrapped.

use std::io::{self, Write};

use crate::lint::misplaced::Misplaced;
use crate::lint::report::{FindingReport, Layout, ObjectReport, Report, exceptions, identity};
use crate::text::{Printable, one_line};
use crate::workload::Unresolved;

/// Writes `FILE:LINE:COLUMN: SEVERITY: CONTROL: what was found; the fix (OBJECT)` for each finding, and a line for
/// whatever was not read. What podgate fills in is left out.
///
/// # Errors
/// Those of `output`.
pub fn write(report: &Report, layout: Layout, output: &mut impl Write) -> io::Result<()> {
    for object in &report.objects {
        let findings = object.pods.iter().flat_map(|pod| &pod.findings);
        for finding in findings.filter(|finding| layout.shows(finding)) {
            write_finding(object, finding, output)?;
        }
        identity::write_concise(object, layout, output)?;
        exceptions::write_concise(object, layout, output)?;
        for note in object.misplaced.iter().filter(|_| layout.shows_notes) {
            let Misplaced { field, line, column, message, .. } = note;
            let place = one_line(&object.file);
            writeln!(output, "{place}:{line}:{column}: note: {field}: {message} ({})", object.subject())?;
        }
        for pod in object.pods.iter().filter(|pod| layout.shows_unresolved_of(pod)) {
            for unresolved in &pod.unresolved {
                write_unresolved(object, unresolved, output)?;
            }
        }
    }
    if layout.shows_notes {
        identity::write_concise_notes(report, output)?;
    }
    for misspelt in report.misspelt.iter().filter(|_| layout.shows_notes) {
        writeln!(output, "{}", one_line(&misspelt.warning()))?;
    }
    for unread in &report.unread {
        writeln!(output, "{}", one_line(&unread.to_string()))?;
    }
    Ok(())
}

fn write_finding(object: &ObjectReport, finding: &FindingReport, output: &mut impl Write) -> io::Result<()> {
    let FindingReport { control, severity, message, line, column, from, .. } = finding;
    let (file, subject) = match from {
        Some(from) => (
            &from.file,
            format!("{} {}, for {}", Printable(&from.kind), Printable(&from.name), object.subject()),
        ),
        None => (&object.file, object.subject()),
    };
    let file = one_line(file);
    let message = one_line(message);
    writeln!(output, "{file}:{line}:{column}: {}: {control}: {message} ({subject})", severity.name())
}

fn write_unresolved(
    object: &ObjectReport,
    unresolved: &Unresolved,
    output: &mut impl Write,
) -> io::Result<()> {
    let Unresolved { line, column, text, .. } = unresolved;
    let (file, subject) = (one_line(&object.file), object.subject());
    writeln!(output, "{file}:{line}:{column}: unresolved: {} ({subject})", one_line(text))
}
