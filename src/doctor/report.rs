//! What was found, for people and for programs.

use std::io::{self, Write};

use serde::Serialize;

use crate::doctor::diagnosis::{Diagnosis, DiagnosisSeverity};
use crate::doctor::health_check::HealthCheck;
use crate::text::{counted, printable};

/// The version of the JSON form. A change that could break a reader is a new one.
const VERSION: u32 = 1;

/// Everything that was found, the worst first.
#[derive(Debug, Serialize)]
pub struct DoctorReport {
    version: u32,
    /// What was found.
    pub findings: Vec<Diagnosis>,
    /// How much of it.
    pub summary: DoctorSummary,
}

/// How much was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct DoctorSummary {
    /// The checks that there are.
    pub checks: usize,
    /// The findings that are errors.
    pub errors: usize,
    /// Those that are warnings.
    pub warnings: usize,
    /// Those that are neither.
    pub infos: usize,
}

impl DoctorReport {
    pub(super) fn new(mut findings: Vec<Diagnosis>) -> Self {
        findings.sort_by_key(|finding| (finding.severity, finding.check));
        let count = |severity| findings.iter().filter(|finding| finding.severity == severity).count();
        let summary = DoctorSummary {
            checks: HealthCheck::ALL.len(),
            errors: count(DiagnosisSeverity::Error),
            warnings: count(DiagnosisSeverity::Warning),
            infos: count(DiagnosisSeverity::Info),
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
pub fn write_json(report: &DoctorReport, output: &mut impl Write) -> io::Result<()> {
    serde_json::to_writer(&mut *output, report)?;
    writeln!(output)
}

/// Writes a report for people: a line for each finding, the command that fixes it, and a summary.
///
/// # Errors
/// Those of `output`.
pub fn write_text(report: &DoctorReport, output: &mut impl Write) -> io::Result<()> {
    let shown = |text| printable(text, usize::MAX);
    for Diagnosis { check, severity, object, field, found, fix } in &report.findings {
        write!(output, "{}: {}: {}: ", severity.word(), check.id(), shown(object))?;
        if !field.is_empty() {
            write!(output, "{}: ", shown(field))?;
        }
        writeln!(output, "{}", shown(found))?;
        if !fix.is_empty() {
            writeln!(output, "  -> {}", shown(fix))?;
        }
    }
    let DoctorSummary { checks, errors, warnings, infos } = report.summary;
    let verdict = if report.is_well() { "all is well" } else { "not well" };
    writeln!(
        output,
        "{verdict}: {}, {} and {} from {checks} checks",
        counted(errors, "error"),
        counted(warnings, "warning"),
        counted(infos, "note")
    )
}
