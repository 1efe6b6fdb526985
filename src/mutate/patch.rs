//! A JSON Patch as its text, which is what goes out: a tree of it takes ten times as much.

use json_patch::PatchOperation;

/// Longest patch, in bytes. In base 64 it is a third longer, and an answer has 256 KiB. What is filled in for 500 containers,
/// the most of one kind, has some 100 KiB.
const LONGEST_PATCH: usize = 180 * 1024;

/// The changes, in order, as a JSON array.
#[derive(Debug, Default)]
pub struct PatchText {
    json: Vec<u8>,
    operations: usize,
}

/// A patch that would be too long to be sent.
#[derive(Debug, thiserror::Error)]
#[error("what podgate fills in for it is over {} KiB: let it say more itself, or split it", LONGEST_PATCH / 1024)]
pub struct TooLong;

impl PatchText {
    pub(super) fn push(&mut self, operation: &PatchOperation) -> Result<(), TooLong> {
        self.json.push(if self.operations == 0 { b'[' } else { b',' });
        // Strings, booleans and lists of them: there is nothing that cannot be written, and a `Vec` takes every byte.
        serde_json::to_writer(&mut self.json, operation).map_err(|_| TooLong)?;
        self.operations += 1;
        if self.json.len() > LONGEST_PATCH { Err(TooLong) } else { Ok(()) }
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
