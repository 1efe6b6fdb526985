//! Why a JSON text could not be read: what, at which path, at which byte.

use std::fmt;

use crate::path::{Path, Step};
use crate::text::{prefix, printable};

/// Longest key that a path keeps whole, in bytes. The longest that Kubernetes accepts has 317.
const LONGEST_KEPT: usize = 512;
/// Longest key that is printed, in characters.
const LONGEST_KEY: usize = 64;
/// Longest beginning and end of a path that are printed, in bytes.
const LONGEST_END: usize = 60;

/// The result of a read.
pub type Result<T> = std::result::Result<T, JsonError>;

/// Why a text could not be read.
#[derive(Debug)]
pub struct JsonError(Box<ErrorDetails>);

#[derive(Debug)]
struct ErrorDetails {
    kind: ErrorKind,
    message: String,
    offset: usize,
    /// Innermost step first: filled in as the error travels up.
    path: Vec<Step<'static>>,
}

/// The kinds of [`JsonError`], as a caller may want to answer differently.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorKind {
    /// Not JSON, or JSON that means different things to different readers.
    Syntax,
    /// A key that comes twice; the path ends with it.
    Repeated,
    /// JSON of another type than the field has.
    Type,
    /// Over one of the limits of this module.
    Limit,
}

impl JsonError {
    /// What kind of fault it is.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// The byte at which reading stopped.
    #[must_use]
    pub fn offset(&self) -> usize {
        self.0.offset
    }

    /// The path to the value that was being read; the root at the top. Keys are cut only where they are longer than any
    /// that Kubernetes accepts.
    #[must_use]
    pub fn path(&self) -> Path<'_> {
        self.0.path.iter().rev().cloned().collect()
    }

    /// The path, fit to be printed: keys in ASCII and shortened; of a deep path both ends only.
    fn printable_path(&self) -> String {
        let printable = |step: &Step<'_>| match step {
            Step::Key(key) => printable(key, LONGEST_KEY).to_string().into(),
            Step::Index(index) => Step::Index(*index),
        };
        let path: Path<'_> = self.0.path.iter().rev().map(printable).collect();
        let path = path.to_string();
        let ends = (path.get(..LONGEST_END), path.get(path.len().saturating_sub(LONGEST_END)..));
        match ends {
            (Some(first), Some(last)) if path.len() > 2 * LONGEST_END => format!("{first}...{last}"),
            _ => path,
        }
    }

    /// The same error of a part of a larger text: the part's path, and the byte at which it begins.
    #[must_use]
    pub fn within(mut self, path: &[&str], offset: usize) -> Self {
        self.0.offset += offset;
        self.0.path.extend(path.iter().rev().map(|key| Step::from((*key).to_owned())));
        self
    }

    /// Whether it is of the member with this path.
    #[must_use]
    pub fn is_at(&self, path: &[&str]) -> bool {
        self.0.path.iter().rev().map(Step::as_key).eq(path.iter().copied().map(Some))
    }

    /// The same error, of a member of what is around it.
    #[cold]
    pub(super) fn inside_key(self, key: &str) -> Self {
        self.inside(prefix(key, LONGEST_KEPT).to_owned().into())
    }

    /// The same error, of an item of what is around it.
    #[cold]
    pub(super) fn inside_item(self, index: usize) -> Self {
        self.inside(index.into())
    }

    fn inside(mut self, step: Step<'static>) -> Self {
        self.0.path.push(step);
        self
    }
}

impl fmt::Display for JsonError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.printable_path();
        if !path.is_empty() {
            write!(f, "{path}: ")?;
        }
        write!(f, "{} (byte {})", self.0.message, self.0.offset)
    }
}

impl std::error::Error for JsonError {}

#[cold]
pub(super) fn fault(kind: ErrorKind, message: impl Into<String>, offset: usize) -> JsonError {
    JsonError(Box::new(ErrorDetails { kind, message: message.into(), offset, path: Vec::new() }))
}
