//! What no verdict could be given for, for people: a line for each, with its place.

use std::io::{self, Write};

use crate::lint::report::{ObjectReport, ObjectVerdict, Report};
use crate::text::{Printable, one_line};

/// Most lines for one object: a list of many is one mistake.
const MOST_LINES: usize = 8;

/// Writes what is unresolved about pods that are not refused anyway, in many small pieces: `output` should be buffered.
///
/// # Errors
/// Those of `output`.
pub fn write(report: &Report, output: &mut impl Write) -> io::Result<()> {
    for object in &report.objects {
        write_object(object, output)?;
    }
    Ok(())
}

fn write_object(object: &ObjectReport, output: &mut impl Write) -> io::Result<()> {
    let pods = || object.pods.iter().filter(|pod| pod.verdict == ObjectVerdict::Unresolved);
    let unresolved = || pods().flat_map(|pod| &pod.unresolved);
    for entry in unresolved().take(MOST_LINES) {
        writeln!(
            output,
            "{}:{}:{}: {} is unresolved: {}",
            one_line(&object.file),
            entry.line,
            entry.column,
            subject(object),
            one_line(&entry.text)
        )?;
    }
    match unresolved().count().saturating_sub(MOST_LINES) {
        0 => Ok(()),
        more => {
            let file = one_line(&object.file);
            writeln!(
                output,
                "{file}: {} has {more} more that are unresolved; --format json has them all",
                subject(object)
            )
        }
    }
}

/// `RayJob team/tune`.
fn subject(object: &ObjectReport) -> String {
    let ObjectReport { kind, namespace, name, .. } = object;
    let separator = if namespace.is_empty() || name.is_empty() { "" } else { "/" };
    let name = format!("{}{separator}{}", Printable(namespace), Printable(name));
    format!("{} {name}", Printable(kind)).trim_end().to_owned()
}
