//! What was found, for people and for programs.

use std::fmt;
use std::io::{self, Write};

use serde::Serialize;

use super::{Check, Finding, Severity};

/// The version of the JSON form. A change that could break a reader is a new one.
const VERSION: u32 = 1;

/// Everything that was found, the worst first.
#[derive(Debug, Serialize)]
pub struct Report {
    version: u32,
    /// What was found.
    pub findings: Vec<Finding>,
    /// How much of it.
    pub summary: Summary,
}

/// How much was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// The checks that there are.
    pub checks: usize,
    /// The findings that are errors.
    pub errors: usize,
    /// Those that are warnings.
    pub warnings: usize,
    /// Those that are neither.
    pub infos: usize,
}

impl Report {
    pub(super) fn new(mut findings: Vec<Finding>) -> Self {
        findings.sort_by_key(|finding| (finding.severity, finding.check));
        let count = |severity| findings.iter().filter(|finding| finding.severity == severity).count();
        let summary = Summary {
            checks: Check::ALL.len(),
            errors: count(Severity::Error),
            warnings: count(Severity::Warning),
            infos: count(Severity::Info),
        };
        Self { version: VERSION, findings, summary }
    }

    /// Whether nothing is wrong.
    #[must_use]
    pub fn is_well(&self) -> bool {
        self.summary.errors == 0 && self.summary.warnings == 0
    }
}

/// Writes a report on one line of JSON.
///
/// # Errors
/// Those of `output`.
pub fn write_json(report: &Report, output: &mut impl Write) -> io::Result<()> {
    serde_json::to_writer(&mut *output, report)?;
    writeln!(output)
}

/// Writes a report for people: a line for each finding, the command that mends it, and a summary.
///
/// # Errors
/// Those of `output`.
pub fn write_text(report: &Report, output: &mut impl Write) -> io::Result<()> {
    for Finding { check, severity, object, field, found, mend } in &report.findings {
        write!(output, "{}: {}: {}: ", severity.word(), check.id(), Line(object))?;
        if !field.is_empty() {
            write!(output, "{}: ", Line(field))?;
        }
        writeln!(output, "{}", Line(found))?;
        if !mend.is_empty() {
            writeln!(output, "  -> {}", Line(mend))?;
        }
    }
    let Summary { checks, errors, warnings, infos } = report.summary;
    let verdict = if report.is_well() { "all is well" } else { "not well" };
    writeln!(
        output,
        "{verdict}: {}, {} and {} from {checks} checks",
        counted(errors, "error"),
        counted(warnings, "warning"),
        counted(infos, "note")
    )
}

fn counted(count: usize, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}

/// Text of others on one line of ASCII: nothing in it moves a cursor.
struct Line<'l>(&'l str);

impl fmt::Display for Line<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for character in self.0.chars() {
            match character {
                ' '..='~' => write!(f, "{character}")?,
                _ => write!(f, "{}", character.escape_unicode())?,
            }
        }
        Ok(())
    }
}
