//! The change that fixes a finding.

use std::fmt;
use std::hash::Hash;

use crate::finding::edit::{Edit, EditOp, Value};
use crate::finding::field_path::FieldPath;
use crate::finding::obstacle::Obstacles;
use crate::finding::subject::Subject;

/// The change that fixes a finding.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Fix<'p> {
    /// An edit of the field of the finding itself.
    Edit {
        /// What to do to it.
        op: EditOp<'p>,
        /// Whether it may be made without asking a person.
        safety: Safety,
    },
    /// Edits of other fields, all of them.
    Edits {
        /// The edits: at least one.
        edits: Vec<Edit<'p>>,
        /// Whether they may be made without asking a person.
        safety: Safety,
    },
    /// Set the field to one of these values.
    OneOf(Choices<'p>),
    /// Set the field to a number from the least to the most, both included.
    Range {
        /// The least.
        least: i64,
        /// The most.
        most: i64,
    },
}

/// The largest id of a user or group that the API server takes.
const LARGEST_ID: i64 = i32::MAX as i64;

/// Whether edits may be made without asking a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Safety {
    /// They only fill in a field that is absent, with a value that every pod which satisfies the control has and that
    /// the API server accepts there.
    Default,
    /// They are such a default once these are gone, which contradict it.
    DefaultWithout(Obstacles),
    /// They may change what the pod does: a person has to look at them.
    Review,
}

/// The allowed values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Choices<'p> {
    /// Those of the standard.
    Fixed(&'static [&'static str]),
    /// Those of a policy.
    OfPolicy(&'p [String]),
}

impl<'p> Fix<'p> {
    /// Whether it may be made without asking a person.
    #[must_use]
    pub fn is_default(&self) -> bool {
        match self {
            Self::Edit { safety, .. } | Self::Edits { safety, .. } => *safety == Safety::Default,
            Self::OneOf(_) | Self::Range { .. } => false,
        }
    }

    /// What two fixes have in common if they ask the same of a person, whether or not podgate may make them by itself.
    pub fn request(&self) -> impl Hash + Eq + use<'_, 'p> {
        match self {
            Self::Edit { op, .. } => (Some(op), [].as_slice(), None, None),
            Self::Edits { edits, .. } => (None, edits.as_slice(), None, None),
            Self::OneOf(choices) => (None, [].as_slice(), Some(*choices), None),
            Self::Range { least, most } => (None, [].as_slice(), None, Some((*least, *most))),
        }
    }

    /// Remove another field than that of the finding.
    #[must_use]
    pub fn remove_at(subject: Subject<'p>, path: impl Into<FieldPath<'p>>) -> Self {
        Self::Edits { edits: vec![Edit::new(subject, path, EditOp::Remove)], safety: Safety::Review }
    }

    /// Set the field, for a person to review.
    #[must_use]
    pub const fn set(value: Value<'p>) -> Self {
        Self::Edit { op: EditOp::Set(value), safety: Safety::Review }
    }

    /// Set the field, which is absent: by podgate itself if that is safe.
    #[must_use]
    pub const fn fill_in(value: Value<'p>, is_safe: bool) -> Self {
        let safety = if is_safe { Safety::Default } else { Safety::Review };
        Self::Edit { op: EditOp::Set(value), safety }
    }

    /// Set the field, which is absent: by podgate itself once these obstacles are gone.
    #[must_use]
    pub const fn fill_in_without(value: Value<'p>, obstacles: Obstacles) -> Self {
        Self::Edit { op: EditOp::Set(value), safety: Safety::DefaultWithout(obstacles) }
    }

    /// Set a user or group id to any but 0.
    #[must_use]
    pub const fn above_zero() -> Self {
        Self::Range { least: 1, most: LARGEST_ID }
    }

    /// Remove the field, or this item of its list.
    #[must_use]
    pub const fn remove() -> Self {
        Self::Edit { op: EditOp::Remove, safety: Safety::Review }
    }

    /// Set the field to one of these values of the standard.
    #[must_use]
    pub const fn one_of(values: &'static [&'static str]) -> Self {
        Self::OneOf(Choices::Fixed(values))
    }
}

impl Fix<'_> {
    /// Adds it to a text, without the machinery of formatting.
    pub(crate) fn write_to(&self, text: &mut impl fmt::Write) -> fmt::Result {
        match self {
            Self::Edit { op, .. } => op.write_to(text),
            Self::Edits { edits, .. } => match edits.as_slice() {
                [edit] => edit.op.write_to(text),
                edits => write!(text, "make {} changes", edits.len()),
            },
            Self::OneOf(choices) => {
                text.write_str("use ")?;
                choices.write_to(text, " or ")
            }
            Self::Range { least, most: LARGEST_ID } => write!(text, "set it to a number above {}", least - 1),
            Self::Range { least, most } => write!(text, "use a number from {least} to {most}"),
        }
    }
}

impl fmt::Display for Fix<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write_to(f)
    }
}

impl<'p> Choices<'p> {
    /// The values, in order.
    pub fn iter(self) -> impl Iterator<Item = &'p str> {
        let (fixed, of_policy): (&[&str], &[String]) = match self {
            Self::Fixed(values) => (values, &[]),
            Self::OfPolicy(values) => (&[], values),
        };
        fixed.iter().copied().chain(of_policy.iter().map(String::as_str))
    }

    /// Whether a value is among them.
    #[must_use]
    pub fn contains(self, value: &str) -> bool {
        self.iter().any(|own| own == value)
    }

    /// Adds the values to a text, with these words between them.
    pub(crate) fn write_to(self, text: &mut impl fmt::Write, between: &str) -> fmt::Result {
        for (index, value) in self.iter().enumerate() {
            text.write_str(if index == 0 { "" } else { between })?;
            text.write_str(value)?;
        }
        Ok(())
    }
}

/// `a or b or c`
impl fmt::Display for Choices<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write_to(f, " or ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fix_is_edits_a_choice_or_a_range() {
        let of_policy = ["/mnt".to_owned(), "/srv".to_owned()];
        let item = |index| FieldPath::from("volumes").index(index);
        let two = vec![
            Edit::new(Subject::Pod, item(0), EditOp::Remove),
            Edit::new(Subject::Pod, item(1), EditOp::Set(Value::Text("x"))),
        ];
        let both_added = Fix::Edit { op: EditOp::append_texts(["x", "y"]), safety: Safety::Default };
        for (fix, words, is_default) in [
            (Fix::set(Value::Bool(true)), "set it to true", false),
            (Fix::fill_in(Value::ListOf("ALL"), true), "set it to [ALL]", true),
            (Fix::fill_in(Value::Text("x"), false), "set it to x", false),
            (both_added, "add x, y", true),
            (Fix::remove(), "remove it", false),
            (Fix::remove_at(Subject::Pod, item(0)), "remove it", false),
            (Fix::Edits { edits: two, safety: Safety::Default }, "make 2 changes", true),
            (Fix::one_of(&["a", "b"]), "use a or b", false),
            (Fix::OneOf(Choices::OfPolicy(&of_policy)), "use /mnt or /srv", false),
            (Fix::above_zero(), "set it to a number above 0", false),
            (Fix::fill_in_without(Value::Bool(false), Obstacles::PRIVILEGED), "set it to false", false),
            (Fix::Range { least: 1000, most: 1999 }, "use a number from 1000 to 1999", false),
        ] {
            assert_eq!((fix.to_string().as_str(), fix.is_default()), (words, is_default));
        }
        let (own, theirs) = (Fix::fill_in(Value::Bool(true), true), Fix::set(Value::Bool(true)));
        assert!(own != theirs && own.request() == theirs.request());
        assert!(Choices::OfPolicy(&of_policy).contains("/srv") && !Choices::Fixed(&["a"]).contains("b"));
    }
}
