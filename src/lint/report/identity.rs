//! What is wrong with the identities of pods, for people and editors.

use std::io::{self, Write};

use crate::evaluate::Severity;
use crate::lint::report::{
    IdentityNote, IdentityReport, Layout, ObjectReport, ObjectVerdict, PodReport, Report,
};
use crate::text::one_line;
use crate::workload::Unresolved;

impl PodReport {
    /// Adds something that is wrong with the identity, and what follows from it.
    pub(in crate::lint) fn add_identity(&mut self, found: IdentityReport) {
        let follows = match found.severity {
            Severity::Deny => ObjectVerdict::Deny,
            Severity::Warn => ObjectVerdict::Warn,
            Severity::Audit => ObjectVerdict::Allow,
        };
        self.identity.push(found);
        self.raise(follows);
    }

    /// Adds something that the verdict lacks.
    pub(in crate::lint) fn add_unresolved(&mut self, entry: Unresolved) {
        self.unresolved.push(entry);
        self.raise(ObjectVerdict::Unresolved);
    }

    /// Whether it is refused.
    pub(in crate::lint) fn is_refused(&self) -> bool {
        self.verdict == ObjectVerdict::Deny
    }

    fn raise(&mut self, verdict: ObjectVerdict) {
        self.verdict = self.verdict.max(verdict);
        self.allowed = self.verdict.is_allowed();
    }
}

impl IdentityReport {
    /// `FILE:LINE:COLUMN`, in the file where it is.
    fn place(&self, object: &ObjectReport) -> String {
        let file = self.from.as_ref().map_or(&object.file, |from| &from.file);
        format!("{}:{}:{}", one_line(file), self.line, self.column)
    }
}

impl IdentityNote {
    /// `FILE:LINE:COLUMN: `, as far as it is known.
    fn place(&self) -> String {
        match (self.file.as_str(), self.line, self.column) {
            ("", _, _) => String::new(),
            (file, Some(line), Some(column)) => format!("{}:{line}:{column}: ", one_line(file)),
            (file, _, _) => format!("{}: ", one_line(file)),
        }
    }
}

/// Writes what is wrong with the identities of pods, for people.
///
/// # Errors
/// Those of `output`.
pub(super) fn write(report: &Report, layout: Layout, output: &mut impl Write) -> io::Result<()> {
    for object in &report.objects {
        for pod in &object.pods {
            for found in pod.identity.iter().filter(|found| found.severity >= layout.least) {
                let words = match found.severity {
                    Severity::Deny if pod.path.is_empty() => "denied",
                    Severity::Deny => "admitted, but its pods are denied",
                    Severity::Warn | Severity::Audit => "warning",
                };
                let (place, subject) = (layout.place(&found.place(object)), object.subject());
                let outcome = layout.outcome(found.severity, words);
                let text = format!("{place}: {subject}: {outcome}: {}", one_line(&found.message));
                writeln!(output, "{}", layout.wrapped("", 2, &text))?;
            }
        }
    }
    for note in report.identity.iter().filter(|_| layout.shows_notes) {
        let place = layout.place(&note.place());
        let text = format!("{place}warning: {}", one_line(&note.message));
        writeln!(output, "{}", layout.wrapped("", 2, &text))?;
    }
    Ok(())
}

/// Writes what is wrong with the identities of the pods of an object, a line each, for editors.
///
/// # Errors
/// Those of `output`.
pub(super) fn write_concise(
    object: &ObjectReport,
    layout: Layout,
    output: &mut impl Write,
) -> io::Result<()> {
    let found = object.pods.iter().flat_map(|pod| &pod.identity);
    for found in found.filter(|found| found.severity >= layout.least) {
        let (place, message) = (found.place(object), one_line(&found.message));
        writeln!(output, "{place}: {}: identity: {message} ({})", found.severity.name(), object.subject())?;
    }
    Ok(())
}

/// The same of what identities depend on.
///
/// # Errors
/// Those of `output`.
pub(super) fn write_concise_notes(report: &Report, output: &mut impl Write) -> io::Result<()> {
    for note in &report.identity {
        writeln!(output, "{}warning: identity: {}", note.place(), one_line(&note.message))?;
    }
    Ok(())
}
