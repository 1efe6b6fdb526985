//! Why a document could not be read.

use std::fmt;

use crate::text::cut;
use crate::yaml::node::Span;

/// How deep lists and mappings may nest. Schemas of custom resources, the deepest files that are
/// common, stay well below; a tree of this depth can be walked by recursion.
pub(super) const MAX_DEPTH: usize = 64;
/// What is said of a text that nests deeper.
pub(super) const TOO_DEEP: &str = "lists and mappings nest deeper than 64 levels";

/// What is said of a line that looks like one of a template.
pub(super) const OF_TEMPLATES: &str = " looks like an unrendered template: render it first (`helm template`)";

/// Longest text of a file that a message shows, in bytes.
const LONGEST_SHOWN: usize = 80;

/// A text of the file as a message shows it.
pub(super) fn shown(text: &str) -> String {
    cut(text, LONGEST_SHOWN)
}

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
    /// What is wrong without the advice to render a chart, if that was given: for texts that something else fills in.
    #[must_use]
    pub fn without_advice(&self) -> Option<&str> {
        let (message, advice) = self.message.rsplit_once("; line ")?;
        advice.ends_with(OF_TEMPLATES).then_some(message)
    }

    pub(super) fn at(place: Span, message: impl fmt::Display) -> Self {
        Self { line: place.line, column: place.column, message: message.to_string() }
    }
}
