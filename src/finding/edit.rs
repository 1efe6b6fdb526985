//! One change to a pod: fixes and identities consist of these, and a JSON Patch is made from them.

use std::fmt;
use std::sync::Arc;

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
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum EditOp<'p> {
    /// Set this value, whether or not it has one.
    Set(Value<'p>),
    /// Remove it.
    Remove,
    /// Add this value at the end of the list that it is.
    Append(Value<'p>),
    /// Add this value at the start of the list that it is.
    Prepend(Value<'p>),
}

/// A value that an edit sets.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Value<'p> {
    /// A boolean.
    Bool(bool),
    /// A whole number.
    Integer(i64),
    /// A string.
    Text(&'p str),
    /// A list with this one string.
    ListOf(&'p str),
    /// Anything, as JSON text, which is known to be valid.
    Json(Arc<str>),
}

/// The value as JSON.
impl From<&Value<'_>> for serde_json::Value {
    fn from(value: &Value<'_>) -> Self {
        match value {
            Value::Bool(value) => Self::from(*value),
            Value::Integer(value) => Self::from(*value),
            Value::Text(text) => Self::from(*text),
            Value::ListOf(text) => Self::from([*text].as_slice()),
            Value::Json(text) => serde_json::from_str(text).unwrap_or_default(),
        }
    }
}

impl EditOp<'_> {
    /// Adds it to a text, without the machinery of formatting.
    pub(crate) fn write_to(&self, text: &mut impl fmt::Write) -> fmt::Result {
        match self {
            Self::Set(value) => {
                text.write_str("set it to ")?;
                value.write_to(text)
            }
            Self::Remove => text.write_str("remove it"),
            Self::Append(value) | Self::Prepend(value) => {
                text.write_str("add ")?;
                value.write_to(text)
            }
        }
    }
}

impl Value<'_> {
    fn write_to(&self, text: &mut impl fmt::Write) -> fmt::Result {
        match self {
            Self::Bool(value) => text.write_str(if *value { "true" } else { "false" }),
            Self::Integer(value) => write!(text, "{value}"),
            Self::Text(value) => text.write_str(value),
            Self::ListOf(value) => {
                text.write_str("[")?;
                text.write_str(value)?;
                text.write_str("]")
            }
            Self::Json(json) => text.write_str(json),
        }
    }
}

impl fmt::Display for EditOp<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write_to(f)
    }
}

impl fmt::Display for Value<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write_to(f)
    }
}
