//! One change to a pod: fixes and identities consist of these, and a JSON Patch is made from them.

use std::fmt;
use std::sync::Arc;

use crate::finding::field_path::FieldPath;
use crate::finding::subject::Subject;
use crate::path::Path;

/// One change to a pod: of a field, as a finding names it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Edit<'p> {
    /// The part of the pod that is changed.
    pub subject: Subject<'p>,
    /// The field of that part. Absent parents are created.
    pub path: FieldPath<'p>,
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
    /// Add these at the end of the list that it is, in this order: one at least. Every container of a pod is given the same ones,
    /// which are held once. Each is JSON text that is known to be valid.
    Append(Arc<[Arc<str>]>),
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

impl<'p> Edit<'p> {
    /// What to do to a field of a part.
    #[must_use]
    pub fn new(subject: Subject<'p>, path: impl Into<FieldPath<'p>>, op: EditOp<'p>) -> Self {
        Self { subject, path: path.into(), op }
    }

    /// The path from the root of the pod to the field.
    #[must_use]
    pub fn whole_path(&self) -> Path<'p> {
        self.subject.join(&self.path)
    }

    /// The same, with each item that is added to a list as a change of its own.
    pub(crate) fn one_by_one(&self) -> Vec<Self> {
        let of_item = |item: &Arc<str>| Self { op: EditOp::append(Arc::clone(item)), ..self.clone() };
        match &self.op {
            EditOp::Append(items) => items.iter().map(of_item).collect(),
            EditOp::Set(_) | EditOp::Remove | EditOp::Prepend(_) => vec![self.clone()],
        }
    }
}

impl EditOp<'_> {
    /// Adds one item, which is JSON text, at the end of a list.
    pub(crate) fn append(item: impl Into<Arc<str>>) -> Self {
        Self::Append([item.into()].into())
    }

    /// Adds one string at the end of a list.
    pub(crate) fn append_text(item: &str) -> Self {
        Self::append_texts([item])
    }

    /// Adds strings at the end of a list: one at least.
    pub(crate) fn append_texts<'t>(items: impl IntoIterator<Item = &'t str>) -> Self {
        Self::Append(items.into_iter().map(|item| serde_json::Value::from(item).to_string().into()).collect())
    }

    /// Adds it to a text, without the machinery of formatting.
    pub(crate) fn write_to(&self, text: &mut impl fmt::Write) -> fmt::Result {
        match self {
            Self::Set(value) => {
                text.write_str("set it to ")?;
                value.write_to(text)
            }
            Self::Remove => text.write_str("remove it"),
            Self::Append(items) => {
                for (index, item) in items.iter().enumerate() {
                    text.write_str(if index == 0 { "add " } else { ", " })?;
                    text.write_str(item.trim_matches('"'))?;
                }
                Ok(())
            }
            Self::Prepend(value) => {
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
