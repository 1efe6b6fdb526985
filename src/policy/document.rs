//! A document of a policy file, and the faults found in it, each with its line and column.

use serde::Deserialize;
use serde_json::Value;

use crate::controls::Control;
use crate::path::{Path, Step};
use crate::policy::error::PolicyError;
use crate::policy::policies::Policies;
use crate::policy::schema::{At, Mismatch, describe, suggestion};
use crate::text::either;
use crate::yaml;

/// Reads one document of a file.
pub(super) struct DocumentReader<'r> {
    file: &'r str,
    pub(super) document: &'r yaml::Document,
    pub(super) policies: &'r mut Policies,
    pub(super) faults: Vec<PolicyError>,
    /// What does not fit the schema: whatever else is wrong there may only be a consequence.
    mismatched: Vec<Path<'static>>,
}

impl<'r> DocumentReader<'r> {
    pub(super) fn new(file: &'r str, document: &'r yaml::Document, policies: &'r mut Policies) -> Self {
        Self { file, document, policies, faults: Vec::new(), mismatched: Vec::new() }
    }

    /// Hands the faults over, in the order of the text.
    pub(super) fn finish(mut self) {
        self.faults.sort_by_key(|fault| (fault.line, fault.column));
        self.policies.faults.append(&mut self.faults);
    }

    /// Decodes what fits the schema.
    pub(super) fn decode<T: for<'de> Deserialize<'de>>(&mut self, object: Value) -> Option<T> {
        match serde_json::from_value(object) {
            Ok(object) => Some(object),
            Err(error) => {
                self.fault(&Path::root(), error.to_string());
                None
            }
        }
    }

    /// Reports a key that holds none of the `words`, or is missing.
    pub(super) fn check_word(&mut self, key: &str, found: Option<&Value>, words: &[&str]) {
        let Some(found) = found else {
            let message = format!("the key \"{key}\" is missing, expected {}", either(words));
            return self.fault(&Path::root(), message);
        };
        if words.iter().all(|word| found != word) {
            let nearest = suggestion(found.as_str().unwrap_or_default(), words.iter().copied());
            self.fault(&path(key), format!("expected {}, found {}{nearest}", either(words), describe(found)));
        }
    }

    /// Reports what does not fit the schema.
    pub(super) fn mismatch(&mut self, Mismatch { path, at, message }: Mismatch) {
        let mut parent = path.clone();
        let last = parent.pop();
        let (shown, place) = match (at, last) {
            (At::Value, _) | (_, None) => (&path, self.place(&path)),
            (At::Parent, _) => (&parent, self.place(&parent)),
            (At::Key, Some(step)) => (&path, self.place_of_key(&parent, &step)),
        };
        let message = misplaced_control(shown).unwrap_or(message);
        self.faults.push(PolicyError::new(self.file, place.line, place.column, placed(shown, message)));
        self.mismatched.push(path);
    }

    /// Reports a fault, unless it may only be a consequence of what does not fit the schema in the same place.
    pub(super) fn fault(&mut self, path: &Path<'_>, message: impl Into<String>) {
        if self.mismatched.iter().any(|other| other.starts_with(path) || path.starts_with(other)) {
            return;
        }
        let at = self.place(path);
        self.faults.push(PolicyError::new(self.file, at.line, at.column, placed(path, message.into())));
    }

    fn place(&self, path: &Path<'_>) -> yaml::Span {
        self.document.root.locate(path).span
    }

    fn place_of_key(&self, parent: &Path<'_>, step: &Step<'_>) -> yaml::Span {
        let parent = self.document.root.locate(parent);
        match (&parent.node.value, step) {
            (yaml::Value::Mapping(entries), Step::Key(key)) => {
                entries.iter().find(|entry| entry.key == *key).map_or(parent.span, |entry| entry.key_span)
            }
            _ => parent.span,
        }
    }
}

/// The message for a control of the standard among the extended ones, or the other way round.
fn misplaced_control(path: &Path<'_>) -> Option<String> {
    let keys: Vec<&str> = path.iter().filter_map(Step::as_key).collect();
    let is_of_standard = |id: &str| Control::named(id).map(|control| control.level().is_some());
    match *keys.as_slice() {
        ["spec", "controls", id] if is_of_standard(id) == Some(true) => {
            Some(format!("{id} is a rule of the standard: spec.standard turns it on"))
        }
        ["spec", "standard", "except", id] if is_of_standard(id) == Some(false) => {
            Some(format!("{id} is no control of the standard: give it a mode of its own in spec.controls"))
        }
        _ => None,
    }
}

/// The path of a field as messages write it: `spec.match`.
pub(super) fn path(dotted: &str) -> Path<'_> {
    Path::from_dotted(dotted)
}

/// A message with its path: `spec.match: needs one of ...`.
fn placed(path: &Path<'_>, message: String) -> String {
    if path.is_empty() { message } else { format!("{path}: {message}") }
}
