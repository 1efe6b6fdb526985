//! One change to a pod: fixes and identities consist of these, and a JSON Patch is made from them.

use std::fmt;

use crate::path::Path;

/// One change to a pod.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Edit<'p> {
    /// The path from the root of the pod to the field. Absent parents are created.
    pub path: Path<'p>,
    /// What to do there.
    pub op: EditOp<'p>,
}

/// What to do to a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum EditOp<'p> {
    /// Set this value, whether or not it has one.
    Set(Value<'p>),
    /// Remove it.
    Remove,
}

/// A value that an edit sets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Value<'p> {
    /// A boolean.
    Bool(bool),
    /// A string.
    Text(&'p str),
    /// A list with this one string.
    ListOf(&'p str),
}

/// The value as JSON.
impl From<Value<'_>> for serde_json::Value {
    fn from(value: Value<'_>) -> Self {
        match value {
            Value::Bool(value) => Self::from(value),
            Value::Text(text) => Self::from(text),
            Value::ListOf(text) => Self::from([text].as_slice()),
        }
    }
}

impl fmt::Display for EditOp<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Set(value) => write!(f, "set it to {value}"),
            Self::Remove => f.write_str("remove it"),
        }
    }
}

impl fmt::Display for Value<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bool(value) => write!(f, "{value}"),
            Self::Text(text) => f.write_str(text),
            Self::ListOf(text) => write!(f, "[{text}]"),
        }
    }
}
