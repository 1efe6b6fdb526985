//! The closing lines of a report, for people: the counts, and what was not judged.

use std::io::{self, Write};

use crate::lint::report::{Report, Summary};
use crate::text::{Printable, counted};

/// Writes the counts, for standard error.
///
/// # Errors
/// Those of `output`.
pub fn write(report: &Report, output: &mut impl Write) -> io::Result<()> {
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
