//! What was read: values with their places, and the way along a path to one of them.

use crate::path::Step;

/// One document of a YAML or JSON stream.
#[derive(Clone, Debug, PartialEq)]
pub struct Document {
    /// The value the document holds.
    pub root: Node,
    /// The line on which that value starts, counted from 1.
    pub line: usize,
}

/// What is read of a document.
#[derive(Debug)]
pub enum ReadDocument<'d> {
    /// All of it.
    Document(Document),
    /// It is in order, but nobody wants to know what is in it.
    Unwanted {
        /// `apiVersion`.
        api_version: &'d str,
        /// `kind`.
        kind: &'d str,
    },
}

/// A value and its place.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// What was read.
    pub value: Value,
    /// Where the value itself is written: without its key, tag and anchor; empty for a value that
    /// was left out. What an alias stands for lies where its anchor is.
    pub span: Span,
    /// The alias (`*name`) that put this value here, or whose merge did.
    pub alias: Option<Span>,
}

/// What a node holds, in the terms of JSON.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// `null`, `~` or nothing at all.
    Null,
    /// A boolean, in any of the spellings of YAML 1.1.
    Bool(bool),
    /// An integer from the least `i64` to the greatest `u64`; beyond that it is a float.
    Int(i128),
    /// A finite number.
    Float(f64),
    /// Text.
    String(String),
    /// A list.
    Sequence(Vec<Node>),
    /// Keys and values as written, each key once.
    Mapping(Vec<Entry>),
}

/// A key of a mapping and its value.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// The key as JSON has it, so the key `yes` is `true`.
    pub key: String,
    /// Where the key is written.
    pub key_span: Span,
    /// What it is set to.
    pub value: Node,
}

/// A stretch of the text that was read.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Span {
    /// The byte at which it starts.
    pub start: usize,
    /// The byte before which it ends.
    pub end: usize,
    /// The line of its start, counted from 1.
    pub line: usize,
    /// The column of its start, counted from 1 in characters.
    pub column: usize,
}

/// Where a path leads.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Located<'a> {
    /// The node at the path or, if there is none, its nearest ancestor.
    pub node: &'a Node,
    /// What to point at: the value if it is a scalar at the end of the path, else the key. Items
    /// of a list have no key, for them it is their name or else where they start.
    pub span: Span,
    /// The innermost alias on the way, as the place to point at besides its anchor.
    pub alias: Option<Span>,
    /// Whether the whole path exists.
    pub exact: bool,
}

impl Node {
    /// Follows a path as far as it exists.
    pub fn locate(&self, path: &[Step<'_>]) -> Located<'_> {
        let mut at = Located { node: self, span: self.head(), alias: self.alias, exact: true };
        for step in path {
            let Some((node, span)) = at.node.child(step) else {
                return Located { exact: false, ..at };
            };
            at = Located { node, span, alias: node.alias.or(at.alias), exact: true };
        }
        if at.node.is_scalar() && !at.node.span.is_empty() {
            at.span = at.node.span;
        }
        at
    }

    /// The child and where its name is written.
    fn child(&self, step: &Step<'_>) -> Option<(&Self, Span)> {
        match (&self.value, step) {
            (Value::Mapping(entries), Step::Key(key)) => {
                let entry = entries.iter().find(|entry| entry.key == *key)?;
                Some((&entry.value, entry.key_span))
            }
            (Value::Sequence(items), Step::Index(index)) => {
                let item = items.get(*index)?;
                Some((item, item.head()))
            }
            _ => None,
        }
    }

    /// Where to point for a node without a key: its `name`, or else what is written first in it.
    fn head(&self) -> Span {
        match &self.value {
            Value::Mapping(entries) => {
                let mut written = entries.iter().filter(|entry| self.span.contains(entry.key_span));
                let first = written.clone().next();
                written.find(|entry| entry.key == "name").or(first).map_or(self.span, Entry::span)
            }
            Value::Sequence(items) => items.first().map_or(self.span, Self::head),
            Value::Null | Value::Bool(_) | Value::Int(_) | Value::Float(_) | Value::String(_) => self.span,
        }
    }

    fn is_scalar(&self) -> bool {
        !matches!(self.value, Value::Sequence(_) | Value::Mapping(_))
    }
}

impl Entry {
    /// The key, with its value if that is a scalar on the same line.
    fn span(&self) -> Span {
        let value = self.value.span;
        let together =
            self.value.is_scalar() && value.line == self.key_span.line && value.start >= self.key_span.end;
        Span { end: if together { value.end } else { self.key_span.end }, ..self.key_span }
    }
}

impl Span {
    pub(super) fn is_empty(self) -> bool {
        self.start == self.end
    }

    fn contains(self, other: Self) -> bool {
        self.start <= other.start && other.end <= self.end
    }
}
