//! How often each control is violated: the table at the end of a report.

use std::collections::BTreeMap;
use std::io::{self, Write};

use crate::lint::report::{Layout, ObjectReport, Report};

/// How often a control is violated; what podgate fills in does not count.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct ControlCount {
    objects: usize,
    findings: usize,
}

/// Writes a line for each control that is violated, the one with the most objects first.
///
/// # Errors
/// Those of `output`.
pub fn write(report: &Report, layout: Layout, output: &mut impl Write) -> io::Result<()> {
    let mut rows: Vec<(&str, ControlCount)> = count(report, layout).into_iter().collect();
    rows.sort_by_key(|(control, count)| (std::cmp::Reverse(count.objects), *control));
    let Some(width) = rows.iter().map(|(control, _)| control.len()).max() else { return Ok(()) };
    let width = width.max("control".len());
    writeln!(output, "{:width$}  objects  findings", "control")?;
    for (control, ControlCount { objects, findings }) in rows {
        writeln!(output, "{control:width$}  {objects:>7}  {findings:>8}")?;
    }
    Ok(())
}

fn count(report: &Report, layout: Layout) -> BTreeMap<&'static str, ControlCount> {
    let mut counts: BTreeMap<_, ControlCount> = BTreeMap::new();
    for object in &report.objects {
        for (control, findings) in of_object(object, layout) {
            let count = counts.entry(control).or_default();
            count.objects += 1;
            count.findings += findings;
        }
    }
    counts
}

fn of_object(object: &ObjectReport, layout: Layout) -> BTreeMap<&'static str, usize> {
    let mut findings = BTreeMap::new();
    let all = object.pods.iter().flat_map(|pod| &pod.findings);
    for finding in all.filter(|finding| layout.shows(finding)) {
        *findings.entry(finding.control).or_default() += 1;
    }
    findings
}
