//! Why a JSON text could not be read: what, at which path, at which byte.

use std::fmt;

/// What a read came to.
pub type Result<T> = std::result::Result<T, Error>;

/// Why a text could not be read.
#[derive(Debug)]
pub struct Error(Box<Fault>);

#[derive(Debug)]
struct Fault {
    kind: ErrorKind,
    message: String,
    offset: usize,
    /// Innermost step first: filled in as the error travels up.
    path: Vec<Step>,
}

/// The kinds of [`Error`], as a caller may want to answer differently.
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

#[derive(Debug)]
pub(super) enum Step {
    Member(String),
    Item(usize),
}

impl Error {
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

    /// The field that was being read, as `spec.containers[0].name`; empty at the top.
    ///
    /// Of a deep path, both ends.
    #[must_use]
    pub fn path(&self) -> String {
        const LONGEST_END: usize = 60;
        let path = self.whole_path();
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
        self.0.path.extend(path.iter().rev().map(|key| Step::Member((*key).to_owned())));
        self
    }

    /// Whether it is of the member with this path.
    #[must_use]
    pub fn is_at(&self, path: &[&str]) -> bool {
        let is_step = |step: &Step, key: &str| matches!(step, Step::Member(name) if name == key);
        let steps = &self.0.path;
        steps.len() == path.len() && steps.iter().rev().zip(path).all(|(step, key)| is_step(step, key))
    }

    fn whole_path(&self) -> String {
        let mut path = String::new();
        for step in self.0.path.iter().rev() {
            match step {
                Step::Member(name) => {
                    if !path.is_empty() {
                        path.push('.');
                    }
                    path.push_str(name);
                }
                Step::Item(index) => path.push_str(&format!("[{index}]")),
            }
        }
        path
    }

    /// The same error, one step further out.
    #[cold]
    pub(super) fn inside(mut self, step: Step) -> Self {
        self.0.path.push(step);
        self
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.path();
        if !path.is_empty() {
            write!(f, "{path}: ")?;
        }
        write!(f, "{} (byte {})", self.0.message, self.0.offset)
    }
}

impl std::error::Error for Error {}

#[cold]
pub(super) fn fault(kind: ErrorKind, message: impl Into<String>, offset: usize) -> Error {
    Error(Box::new(Fault { kind, message: message.into(), offset, path: Vec::new() }))
}

/// A key as it may be printed: short, and without anything that moves a cursor.
pub(super) fn printable(key: &str) -> String {
    const LONGEST: usize = 64;
    let mut text: String = key.chars().take(LONGEST).flat_map(char::escape_default).collect();
    if key.chars().nth(LONGEST).is_some() {
        text.push_str("...");
    }
    text
}
