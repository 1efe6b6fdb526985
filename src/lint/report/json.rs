//! A report as JSON, version 1: for other programs, which must be able to tell what they read.

use std::io::{self, Write};

use serde::Serialize;

use crate::lint::report::Report;

/// The version of the format. A change that could break a reader is a new one.
const VERSION: u32 = 1;

#[derive(Serialize)]
struct Versioned<'r> {
    version: u32,
    #[serde(flatten)]
    report: &'r Report,
}

/// Writes the report on one line, in many small pieces: `output` should be buffered.
///
/// # Errors
/// Those of `output`.
pub fn write(report: &Report, output: &mut impl Write) -> io::Result<()> {
    serde_json::to_writer(&mut *output, &Versioned { version: VERSION, report })?;
    writeln!(output)
}
