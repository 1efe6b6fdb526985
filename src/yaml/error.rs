//! Why a document could not be read.

use std::fmt;

use crate::yaml::node::Span;

/// Why a document could not be read, and where.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("line {line}, column {column}: {message}")]
pub struct YamlError {
    /// The line, counted from 1.
    pub line: usize,
    /// The column, counted from 1 in characters.
    pub column: usize,
    /// What is wrong.
    pub message: String,
}

impl YamlError {
    pub(super) fn at(place: Span, message: impl fmt::Display) -> Self {
        Self { line: place.line, column: place.column, message: message.to_string() }
    }
}
