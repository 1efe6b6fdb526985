//! The text of a JSON Patch (RFC 6902): operations, and the values in them.

use std::fmt::Write as _;
use std::sync::Arc;

use crate::finding::Value;
use crate::json::{self, write_string};

/// Longest patch, in bytes. In base 64 it is a third longer, and an answer has 256 KiB. Filling in 500 containers, the most
/// of one kind, takes some 100 KiB.
pub(super) const LONGEST_PATCH: usize = 180 * 1024;

/// Room for the patch of a pod of one container.
const USUAL_PATCH: usize = 2048;

/// Changes, in order, as a JSON array.
#[derive(Debug, Default)]
pub struct PatchText {
    json: String,
    operations: usize,
}

/// Why there is no patch.
#[derive(Debug, thiserror::Error)]
pub enum PatchError {
    /// It would be too long to be sent.
    #[error("what podgate fills in for it is over {} KiB: let it say more itself, or split it", LONGEST_PATCH / 1024)]
    TooLong,
    /// The pod cannot be read again.
    #[error("{0}")]
    Unreadable(#[from] json::JsonError),
}

/// An operation of a patch, as far as it comes before its value.
#[derive(Clone, Copy)]
pub(super) enum OperationKind {
    Add,
    Replace,
    Remove,
}

impl OperationKind {
    /// Its text up to the path.
    fn start(self) -> &'static str {
        match self {
            Self::Add => r#"{"op":"add","path":""#,
            Self::Replace => r#"{"op":"replace","path":""#,
            Self::Remove => r#"{"op":"remove","path":""#,
        }
    }
}

impl PatchText {
    /// Adds an operation at a path, given as it stands in a JSON string; `write_value` writes its value, and a removal has none.
    pub(super) fn push(
        &mut self,
        kind: OperationKind,
        path: &str,
        write_value: impl FnOnce(&mut String),
    ) -> Result<(), PatchError> {
        if self.operations == 0 {
            self.json.reserve(USUAL_PATCH);
        }
        self.json.push(if self.operations == 0 { '[' } else { ',' });
        self.json.push_str(kind.start());
        self.json.push_str(path);
        if matches!(kind, OperationKind::Remove) {
            self.json.push_str("\"}");
        } else {
            self.json.push_str(r#"","value":"#);
            write_value(&mut self.json);
            self.json.push('}');
        }
        self.operations += 1;
        if self.json.len() > LONGEST_PATCH { Err(PatchError::TooLong) } else { Ok(()) }
    }

    /// Adds an operation for each item, which is JSON text, at the end of a list.
    pub(super) fn push_each(&mut self, end: &str, items: &[Arc<str>]) -> Result<(), PatchError> {
        items.iter().try_for_each(|item| self.push(OperationKind::Add, end, |json| json.push_str(item)))
    }

    /// How many changes it has.
    #[must_use]
    pub fn operations(&self) -> usize {
        self.operations
    }

    /// The text; `None` if there is nothing to change.
    #[must_use]
    pub fn into_json(mut self) -> Option<String> {
        if self.operations == 0 {
            return None;
        }
        self.json.push(']');
        Some(self.json)
    }
}

/// Writes a value of an edit.
pub(super) fn write_json(value: &Value<'_>, json: &mut String) {
    match value {
        Value::Bool(value) => json.push_str(if *value { "true" } else { "false" }),
        // Writing to a text cannot fail.
        Value::Integer(number) => drop(write!(json, "{number}")),
        Value::Text(text) => write_string(text, json),
        Value::ListOf(text) => {
            json.push('[');
            write_string(text, json);
            json.push(']');
        }
        Value::Json(text) => json.push_str(text),
    }
}
