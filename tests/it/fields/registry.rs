//! The list of fields, `registry.txt`, as it is written.

use crate::controls::alternatives;

/// Some fields, and what becomes of them.
#[derive(Debug)]
pub(super) struct Entry {
    /// Its line, as a person counts them.
    pub(super) line: usize,
    /// The paths that it lists.
    pub(super) paths: Vec<String>,
    /// For what lies below the paths, in place of them: how many fields that is.
    pub(super) count_below: Option<usize>,
    /// What becomes of the fields.
    pub(super) decision: Decision,
}

/// What becomes of a field.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Decision {
    /// These controls judge it.
    JudgedBy(Vec<String>),
    /// It matters, and no control judges it yet.
    NotYet,
    /// Nothing that it can say matters.
    CannotMatter,
}

impl Entry {
    /// Whether it lists the field at this path.
    pub(super) fn lists(&self, path: &str) -> bool {
        self.paths.iter().any(|own| self.lists_by(own, path))
    }

    /// Whether it lists the field at this path by this path of its own.
    pub(super) fn lists_by(&self, own: &str, path: &str) -> bool {
        path.strip_prefix(own).is_some_and(|rest| match self.count_below {
            None => rest.is_empty(),
            Some(_) => rest.starts_with(['.', '[']),
        })
    }
}

/// Reads the list; the text says how it is written.
pub(super) fn read(text: &str) -> Result<Vec<Entry>, String> {
    let mut heading = "";
    let mut entries = Vec::new();
    for (index, line) in text.lines().enumerate() {
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        match line.strip_prefix("  ") {
            None => heading = line,
            Some(rest) => {
                let number = index + 1;
                let entry = entry(number, heading, rest)
                    .map_err(|fault| format!("line {number}: {fault}: {line}"))?;
                entries.push(entry);
            }
        }
    }
    Ok(entries)
}

fn entry(line: usize, heading: &str, text: &str) -> Result<Entry, &'static str> {
    let (field, rest) = text.split_once(": ").ok_or("write FIELD: DECISION")?;
    let (field, count_below, rest) = match field.strip_suffix(".**") {
        None => (field, None, rest),
        Some(field) => {
            let counted = rest.split_once(" fields ");
            let counted = counted.and_then(|(count, rest)| Some((count.parse().ok()?, rest)));
            let (count, rest) = counted.ok_or("write how many fields: FIELD.**: 7 fields DECISION")?;
            (field, Some(count), rest)
        }
    };
    let pattern = if heading == "pod" { field.to_owned() } else { format!("{heading}.{field}") };
    Ok(Entry { line, paths: alternatives(&pattern), count_below, decision: decision(rest)? })
}

fn decision(text: &str) -> Result<Decision, &'static str> {
    if let Some(controls) = text.strip_prefix("judged by ") {
        return Ok(Decision::JudgedBy(controls.split(", ").map(str::to_owned).collect()));
    }
    let (decision, reason) = text.split_once(": ").unwrap_or((text, ""));
    let decision = match decision {
        "not judged yet" => Decision::NotYet,
        "cannot matter" => Decision::CannotMatter,
        _ => return Err("decide: judged by CONTROLS, not judged yet: WHAT IT ALLOWS, or cannot matter: WHY"),
    };
    if reason.trim().is_empty() { Err("give a reason") } else { Ok(decision) }
}
