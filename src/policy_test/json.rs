//! A report of tests as JSON, version 1: for other programs.

use std::io::{self, Write};

use serde::Serialize;

use crate::policy_test::report::TestReport;

/// The version of the format. A change that could break a reader is a new one.
const VERSION: u32 = 1;

#[derive(Serialize)]
struct VersionedTests<'r> {
    version: u32,
    #[serde(flatten)]
    report: &'r TestReport,
}

/// Writes the report on one line.
///
/// # Errors
/// Those of `output`.
pub fn write(report: &TestReport, output: &mut impl Write) -> io::Result<()> {
    serde_json::to_writer(&mut *output, &VersionedTests { version: VERSION, report })?;
    writeln!(output)
}
