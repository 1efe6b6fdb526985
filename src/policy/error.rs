//! What is wrong with a policy file or another of podgate's own, and where.

use std::fmt;

use crate::text::one_line_of_yaml;

/// A fault in a policy file or another of podgate's own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyError {
    /// The file, as it was named.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
    /// The column, from 1, in characters.
    pub column: usize,
    /// What is wrong, and what to do.
    pub message: String,
}

impl PolicyError {
    /// The message may quote the file, so it is made one line of printable characters.
    pub(crate) fn new(file: &str, line: usize, column: usize, message: impl Into<String>) -> Self {
        Self { file: file.to_owned(), line, column, message: one_line_of_yaml(&message.into()).to_string() }
    }
}

impl fmt::Display for PolicyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}: {}", self.file, self.line, self.column, self.message)
    }
}
