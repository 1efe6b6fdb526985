//! A report of tests for people: a line for each case, and below it what differs.

use std::io::{self, Write};

use crate::policy_test::expectation::CaseDifference;
use crate::policy_test::report::{CaseReport, TestFileReport, TestReport};
use crate::text::{counted, one_line};

/// Writes the report, and a line that counts.
///
/// # Errors
/// Those of `output`.
pub fn write(report: &TestReport, output: &mut impl Write) -> io::Result<()> {
    for TestFileReport { file, cases } in &report.files {
        for case in cases {
            let word = if case.is_as_expected() { "ok" } else { "FAILED" };
            let CaseReport { name, line, .. } = case;
            writeln!(output, "{}:{line}: {word}: {}", one_line(file), one_line(name))?;
            write_failure(case, output)?;
        }
    }
    let all = report.cases().count();
    let failed = report.cases().filter(|case| !case.is_as_expected()).count();
    writeln!(output, "{}: {} as expected, {failed} not", counted(all, "case"), all - failed)
}

/// Writes what differs, in two columns, and what the author of the object would be told.
pub(super) fn write_failure(case: &CaseReport, output: &mut impl Write) -> io::Result<()> {
    if let Some(error) = &case.error {
        writeln!(output, "  could not be judged: {}", one_line(error))?;
    }
    let width = case.differences.iter().map(|difference| difference.what.chars().count()).max();
    let width = width.unwrap_or_default();
    for CaseDifference { what, expected, found } in &case.differences {
        writeln!(output, "  {:width$}  expected  {}", one_line(what).to_string(), one_line(expected))?;
        writeln!(output, "  {:width$}  found     {}", "", one_line(found))?;
    }
    if !case.is_as_expected() {
        for line in &case.said {
            writeln!(output, "  | {}", one_line(line))?;
        }
    }
    Ok(())
}
