//! A finding: one breach of one control, with all that a message, a patch and a line number need.

use std::borrow::Cow;
use std::fmt;

use crate::controls::Control;
use crate::pod::{Field, Place};

/// One breach of a control. Borrows from the pod.
#[derive(Debug, Clone)]
pub struct Finding<'p> {
    /// The control that is broken.
    pub control: &'static Control,
    /// The part of the pod that breaks it.
    pub place: Place<'p>,
    /// The field of that part.
    pub field: Field,
    /// What stands there.
    pub found: Found<'p>,
    /// What to do about it.
    pub remedy: Remedy<'p>,
    /// Whether the remedy only fills in a field that is absent, with a value that every pod which this
    /// control lets pass has, and that the API server will take.
    pub is_safe: bool,
    /// A few words more on the remedy, or empty.
    pub hint: &'static str,
}

/// What a field was found to hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Found<'p> {
    /// Nothing.
    Absent,
    /// A boolean.
    Bool(bool),
    /// A whole number.
    Integer(i64),
    /// A string, as the pod has it.
    Text(&'p str),
    /// A list of strings, as the pod has them.
    List(&'p [Cow<'p, str>]),
}

/// The change that mends a finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Remedy<'p> {
    /// Give the field this value.
    Set(Value),
    /// Remove the field, or this item of its list.
    Remove,
    /// Give the field one of these values.
    Choose(&'p [&'static str]),
}

/// A value that a remedy sets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Value {
    /// A boolean.
    Bool(bool),
    /// A string.
    Text(&'static str),
    /// A list with this one string.
    ListOf(&'static str),
}

impl<'p> Finding<'p> {
    /// A finding whose remedy is not safe, without a hint.
    #[must_use]
    pub fn new(
        control: &'static Control,
        place: Place<'p>,
        field: Field,
        found: Found<'p>,
        remedy: Remedy<'p>,
    ) -> Self {
        Self { control, place, field, found, remedy, is_safe: false, hint: "" }
    }

    /// Whether `later`, of the same place, may stand for it: not the standard's for a policy's own, which is
    /// the narrower and offers less.
    #[must_use]
    pub fn yields_to(&self, later: &Self) -> bool {
        self.control.level().is_some() || later.control.level().is_none()
    }

    /// The same, safe to mend by itself if `is_safe`.
    #[must_use]
    pub fn safe_if(self, is_safe: bool) -> Self {
        Self { is_safe, ..self }
    }

    /// The same, with a few words more on its remedy.
    #[must_use]
    pub fn hint(self, hint: &'static str) -> Self {
        Self { hint, ..self }
    }
}

/// Most items of a list that are shown: enough to know it again.
const MOST_ITEMS: usize = 8;

impl fmt::Display for Found<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Absent => f.write_str("not set"),
            Self::Bool(value) => write!(f, "{value}"),
            Self::Integer(value) => write!(f, "{value}"),
            Self::Text("") => f.write_str("\"\""),
            Self::Text(text) => write!(f, "{}", Printable(text)),
            Self::List(items) => {
                f.write_str("[")?;
                for (index, item) in items.iter().take(MOST_ITEMS).enumerate() {
                    let separator = if index == 0 { "" } else { ", " };
                    write!(f, "{separator}{}", Printable(item))?;
                }
                f.write_str(if items.len() > MOST_ITEMS { ", ...]" } else { "]" })
            }
        }
    }
}

impl fmt::Display for Remedy<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Set(value) => write!(f, "set it to {value}"),
            Self::Remove => f.write_str("remove it"),
            Self::Choose(values) => write!(f, "use {}", values.join(" or ")),
        }
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bool(value) => write!(f, "{value}"),
            Self::Text(text) => f.write_str(text),
            Self::ListOf(text) => write!(f, "[{text}]"),
        }
    }
}

/// The key of an annotation as it may be shown: whole if Kubernetes takes it.
#[derive(Debug, Clone, Copy)]
pub struct PrintableKey<'p>(pub &'p str);

impl fmt::Display for PrintableKey<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        /// A domain of 253 characters, a slash, and a name of 63.
        const LONGEST: usize = 317;
        print(self.0, LONGEST, f)
    }
}

/// Text of the pod's author as it may be shown: on one line, in ASCII, and not long.
///
/// A name is a DNS label once the API server has validated it, but a mutating webhook and a linter
/// see it before.
#[derive(Debug, Clone, Copy)]
pub struct Printable<'p>(pub &'p str);

impl fmt::Display for Printable<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        /// A DNS label, the longest name that Kubernetes takes for a container or volume.
        const LONGEST: usize = 63;
        print(self.0, LONGEST, f)
    }
}

fn print(text: &str, longest: usize, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    for character in text.chars().take(longest) {
        match character {
            ' '..='~' => write!(f, "{character}")?,
            _ => write!(f, "{}", character.escape_unicode())?,
        }
    }
    if text.chars().nth(longest).is_some() {
        f.write_str("...")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_of_the_author_cannot_move_a_cursor_or_flood_a_line() {
        assert_eq!(Printable("a\n\u{1b}[2J\u{202e}").to_string(), "a\\u{a}\\u{1b}[2J\\u{202e}");
        assert_eq!(Printable(&"x".repeat(64)).to_string(), format!("{}...", "x".repeat(63)));
        assert_eq!(Found::List(&["A".into(), "B".into()]).to_string(), "[A, B]");
    }
}
