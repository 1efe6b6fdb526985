//! A document of a policy file, and the faults found in it.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::Value;

use crate::controls::Control;
use crate::path::{Path, Step};
use crate::policy::placed::PlacedFaults;
use crate::policy::policies::Policies;
use crate::policy::schema::Mismatch;
use crate::yaml;

/// What is wrong with a text that is printed in refusals or reports.
pub const ONE_LINE: &str = "must be one line of at most 200 ASCII characters";

/// Reads one document of a file.
pub(super) struct DocumentReader<'r> {
    pub(super) document: &'r yaml::Document,
    pub(super) policies: &'r mut Policies,
    faults: PlacedFaults<'r>,
}

impl<'r> DocumentReader<'r> {
    pub(super) fn new(file: &'r str, document: &'r yaml::Document, policies: &'r mut Policies) -> Self {
        Self { document, policies, faults: PlacedFaults::new(file, document) }
    }

    /// Hands the faults over, in the order of the text.
    pub(super) fn finish(self) {
        self.policies.faults.extend(self.faults.in_order());
    }

    /// Whether nothing is wrong so far.
    pub(super) fn is_in_order(&self) -> bool {
        self.faults.is_empty()
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
        self.faults.check_word(key, found, words);
    }

    /// Reports what does not fit the schema.
    pub(super) fn mismatch(&mut self, mismatch: Mismatch) {
        let message = misplaced_control(&mismatch.path).unwrap_or(mismatch.message);
        self.faults.mismatch(Mismatch { message, ..mismatch });
    }

    /// Reports a fault, unless it may only be a consequence of what does not fit the schema in the same place.
    pub(super) fn fault(&mut self, path: &Path<'_>, message: impl Into<String>) {
        self.faults.fault(path, message);
    }

    /// Keeps where an exception is written.
    pub(super) fn note_place(&mut self, exception: &Arc<str>, path: &Path<'_>) {
        let place = self.faults.locate(path);
        self.policies.places.insert(Arc::clone(exception), place);
    }

    /// Reports what is legal and hardly meant.
    pub(super) fn warn(&mut self, path: &Path<'_>, message: impl Into<String>) {
        self.policies.warnings.push(self.faults.error(path, message));
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

/// Whether a text can stand in a line of a message.
pub fn is_one_line(text: &str) -> bool {
    !text.trim().is_empty() && text.len() <= 200 && text.bytes().all(|byte| (b' '..=b'~').contains(&byte))
}

/// The path of a field as messages write it: `spec.match`.
pub(super) fn path(dotted: &str) -> Path<'_> {
    Path::from_dotted(dotted)
}
