//! What a field was found to hold.

use std::borrow::Cow;
use std::fmt;

use crate::text::Printable;

/// What a field was found to hold. It is printed as far as a person needs it, in ASCII.
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
    /// A value that may be a secret: it is never printed.
    Hidden,
}

/// What is found of a value that is not written as Kubernetes reads it.
const NOT_READABLE: &str = "not readable";

/// Most items of a list that are shown: enough to recognize it.
const MOST_ITEMS: usize = 8;

impl Found<'_> {
    /// A value that is not written as Kubernetes reads it, so that nobody knows what it is.
    pub const UNREADABLE: Self = Self::Text(NOT_READABLE);

    /// Adds it to a text, without the machinery of formatting.
    pub(crate) fn write_to(&self, text: &mut impl fmt::Write) -> fmt::Result {
        match self {
            Self::Absent => text.write_str("not set"),
            Self::Bool(value) => text.write_str(if *value { "true" } else { "false" }),
            Self::Integer(value) => write!(text, "{value}"),
            Self::Text("") => text.write_str("\"\""),
            Self::Text(found) => Printable(found).write_to(text),
            Self::List(items) => {
                text.write_str("[")?;
                for (index, item) in items.iter().take(MOST_ITEMS).enumerate() {
                    text.write_str(if index == 0 { "" } else { ", " })?;
                    Printable(item).write_to(text)?;
                }
                text.write_str(if items.len() > MOST_ITEMS { ", ...]" } else { "]" })
            }
            Self::Hidden => text.write_str("set (value not shown)"),
        }
    }
}

impl fmt::Display for Found<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write_to(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_shown_in_ascii_and_secrets_not_at_all() {
        let many: Vec<Cow<'_, str>> = (0..9).map(|number| number.to_string().into()).collect();
        for (found, shown) in [
            (Found::Absent, "not set"),
            (Found::Bool(true), "true"),
            (Found::Integer(-1), "-1"),
            (Found::Text(""), "\"\""),
            (Found::Text("a\n"), "a\\u{a}"),
            (Found::List(&["A".into(), "\n".into()]), "[A, \\u{a}]"),
            (Found::List(&many), "[0, 1, 2, 3, 4, 5, 6, 7, ...]"),
            (Found::Hidden, "set (value not shown)"),
        ] {
            assert_eq!(found.to_string(), shown);
        }
    }
}
