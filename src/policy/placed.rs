//! The faults of one document, each with its line and column: for policies, and for other files of podgate's own.

use serde_json::Value;

use crate::path::{Path, Step};
use crate::policy::error::PolicyError;
use crate::policy::schema::{At, Mismatch, describe, suggestion};
use crate::text::either;
use crate::yaml;

/// The faults of a document of a file.
pub(crate) struct PlacedFaults<'r> {
    file: &'r str,
    document: &'r yaml::Document,
    faults: Vec<PolicyError>,
    /// What does not fit the schema: whatever else is wrong there may only be a consequence.
    mismatched: Vec<Path<'static>>,
}

impl<'r> PlacedFaults<'r> {
    pub(crate) fn new(file: &'r str, document: &'r yaml::Document) -> Self {
        Self { file, document, faults: Vec::new(), mismatched: Vec::new() }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.faults.is_empty()
    }

    /// The faults, in the order of the text.
    pub(crate) fn in_order(mut self) -> Vec<PolicyError> {
        self.faults.sort_by_key(|fault| (fault.line, fault.column));
        self.faults
    }

    /// Reports a key that holds none of the `words`, or is missing.
    pub(crate) fn check_word(&mut self, key: &str, found: Option<&Value>, words: &[&str]) {
        let Some(found) = found else {
            let message = format!("the key \"{key}\" is missing, expected {}", either(words));
            return self.fault(&Path::root(), message);
        };
        if words.iter().all(|word| found != word) {
            let nearest = suggestion(found.as_str().unwrap_or_default(), words.iter().copied());
            let message = format!("expected {}, found {}{nearest}", either(words), describe(found));
            self.fault(&Path::from_dotted(key), message);
        }
    }

    /// Reports what does not fit the schema.
    pub(crate) fn mismatch(&mut self, Mismatch { path, at, message }: Mismatch) {
        let mut parent = path.clone();
        let last = parent.pop();
        let (shown, place) = match (at, last) {
            (At::Value, _) | (_, None) => (&path, self.place(&path)),
            (At::Parent, _) => (&parent, self.place(&parent)),
            (At::Key, Some(step)) => (&path, self.place_of_key(&parent, &step)),
        };
        self.faults.push(PolicyError::new(self.file, place.line, place.column, placed(shown, message)));
        self.mismatched.push(path);
    }

    /// Reports a fault, unless it may only be a consequence of what does not fit the schema in the same place.
    pub(crate) fn fault(&mut self, path: &Path<'_>, message: impl Into<String>) {
        if self.mismatched.iter().any(|other| other.starts_with(path) || path.starts_with(other)) {
            return;
        }
        self.faults.push(self.error(path, message));
    }

    /// A message about what is at a path, with its place.
    pub(crate) fn error(&self, path: &Path<'_>, message: impl Into<String>) -> PolicyError {
        let at = self.place(path);
        PolicyError::new(self.file, at.line, at.column, placed(path, message.into()))
    }

    /// The place of what is at a path: `policies/ml.yaml:9:5`.
    pub(crate) fn locate(&self, path: &Path<'_>) -> String {
        let at = self.place(path);
        format!("{}:{}:{}", self.file, at.line, at.column)
    }

    /// Where what is at a path is written.
    pub(crate) fn place(&self, path: &Path<'_>) -> yaml::Span {
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

/// A message with its path: `spec.match: needs one of ...`.
fn placed(path: &Path<'_>, message: String) -> String {
    if path.is_empty() { message } else { format!("{path}: {message}") }
}
