//! Exceptions that end soon, and those that would let pods be and do not hold, for people and editors.

use std::io::{self, Write};

use crate::lint::report::{Layout, ObjectReport, Report};
use crate::text::one_line;

/// Writes what is to be said of exceptions, a line each.
///
/// # Errors
/// Those of `output`.
pub(super) fn write(report: &Report, layout: Layout, output: &mut impl Write) -> io::Result<()> {
    for object in report.objects.iter().filter(|_| layout.shows_notes) {
        let place = layout.place(&format!("{}:{}:{}", one_line(&object.file), object.line, object.column));
        for note in notes(object) {
            let text = format!("{place}: {}: {}", object.subject(), one_line(note));
            writeln!(output, "{}", layout.wrapped("", 2, &text))?;
        }
    }
    Ok(())
}

/// The same of an object, for editors.
///
/// # Errors
/// Those of `output`.
pub(super) fn write_concise(
    object: &ObjectReport,
    layout: Layout,
    output: &mut impl Write,
) -> io::Result<()> {
    for note in notes(object).filter(|_| layout.shows_notes) {
        let ObjectReport { file, line, column, .. } = object;
        writeln!(
            output,
            "{}:{line}:{column}: note: {} ({})",
            one_line(file),
            one_line(note),
            object.subject()
        )?;
    }
    Ok(())
}

fn notes(object: &ObjectReport) -> impl Iterator<Item = &str> {
    object.pods.iter().flat_map(|pod| &pod.exception_notes).map(String::as_str)
}
