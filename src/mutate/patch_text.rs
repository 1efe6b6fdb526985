//! The text of a JSON Patch (RFC 6902): operations, and the values in them.

use std::io::Write as _;

use serde::Serialize;

use crate::finding::Value;
use crate::json;

/// Longest patch, in bytes. In base 64 it is a third longer, and an answer has 256 KiB. Filling in 500 containers, the most
/// of one kind, takes some 100 KiB.
const LONGEST_PATCH: usize = 180 * 1024;

/// Changes, in order, as a JSON array.
#[derive(Debug, Default)]
pub struct PatchText {
    json: Vec<u8>,
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
    fn start(self) -> &'static [u8] {
        match self {
            Self::Add => br#"{"op":"add","path":"#,
            Self::Replace => br#"{"op":"replace","path":"#,
            Self::Remove => br#"{"op":"remove","path":"#,
        }
    }
}

impl PatchText {
    /// Adds an operation at a path, given as it stands in a JSON string; `write_value` writes its value, and a removal has none.
    pub(super) fn push(
        &mut self,
        kind: OperationKind,
        path: &str,
        write_value: impl FnOnce(&mut Vec<u8>),
    ) -> Result<(), PatchError> {
        self.json.push(if self.operations == 0 { b'[' } else { b',' });
        self.json.extend_from_slice(kind.start());
        self.json.push(b'"');
        self.json.extend_from_slice(path.as_bytes());
        self.json.push(b'"');
        if !matches!(kind, OperationKind::Remove) {
            self.json.extend_from_slice(br#","value":"#);
            write_value(&mut self.json);
        }
        self.json.push(b'}');
        self.operations += 1;
        if self.json.len() > LONGEST_PATCH { Err(PatchError::TooLong) } else { Ok(()) }
    }

    /// How many changes it has.
    #[must_use]
    pub fn operations(&self) -> usize {
        self.operations
    }

    /// The text; `None` if there is nothing to change.
    #[must_use]
    pub fn into_json(mut self) -> Option<Vec<u8>> {
        if self.operations == 0 {
            return None;
        }
        self.json.push(b']');
        Some(self.json)
    }
}

/// Writes a value of an edit.
pub(super) fn write_json(value: &Value<'_>, json: &mut Vec<u8>) {
    match value {
        Value::Bool(value) => json.extend_from_slice(if *value { b"true" } else { b"false" }),
        // A number can always be written, and a `Vec` takes every byte.
        Value::Integer(number) => drop(write!(json, "{number}")),
        Value::Text(text) => write_text(text, json),
        Value::ListOf(text) => {
            json.push(b'[');
            write_text(text, json);
            json.push(b']');
        }
        Value::Json(text) => json.extend_from_slice(text.as_bytes()),
    }
}

pub(super) fn write_text(text: &str, json: &mut Vec<u8>) {
    // A string can always be written, and a `Vec` takes every byte.
    drop(text.serialize(&mut serde_json::Serializer::new(json)));
}
