//! What a verdict cannot be given for: parts of an object that are elsewhere, values that are not known yet, and kinds that
//! are not known.

use serde::Serialize;

use crate::path::Path;
use crate::text::printable;
use crate::workload::found_in::FoundIn;
use crate::yaml::{Node, Span};

/// Longest path in a sentence, in characters.
const LONGEST_PATH: usize = 200;

/// Something that a verdict lacks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Unresolved {
    /// Where, from the object on.
    pub path: String,
    /// Why.
    pub reason: UnresolvedReason,
    /// The kind that is not known or that is referred to, if it is about one.
    pub kind: Option<String>,
    /// The name of the object of that kind, if there is one.
    pub name: Option<String>,
    /// The reason in words.
    pub text: String,
    /// The object that it is in, if that is another one: the path and the line are then in it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<FoundIn>,
    /// The line of it, or of what it is missing from.
    #[serde(skip)]
    pub line: usize,
    /// Its column.
    #[serde(skip)]
    pub column: usize,
    /// Whether the object that is referred to is known, and is no help.
    #[serde(skip)]
    pub is_known: bool,
}

/// Why no verdict can be given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum UnresolvedReason {
    /// The object, or one of its containers, is not whole.
    Fragment,
    /// There is no container.
    NoContainers,
    /// It is not known where the kind has its pods.
    UnknownKind,
    /// Something of the pod is in an object that is referred to.
    Reference,
    /// A field that a rule looks at holds what a template is yet to replace.
    Placeholder,
    /// A field that a rule looks at holds a value of the wrong type.
    WrongType,
    /// A text that should hold an object cannot be read as one.
    Unparsable,
    /// What would be merged into the pod contradicts it, or itself: its operator refuses it, or nobody can tell what it does.
    Conflict,
}

impl UnresolvedReason {
    /// Whether all else of the pod is there: it is about a value alone, or about what would only be added.
    #[must_use]
    pub fn leaves_rest_whole(self) -> bool {
        matches!(self, Self::Placeholder | Self::WrongType | Self::Conflict)
    }
}

impl Unresolved {
    /// Something at a path of an object.
    #[must_use]
    pub fn new(object: &Node, path: &Path<'_>, reason: UnresolvedReason, text: String) -> Self {
        let Span { line, column, .. } = object.locate(path).span;
        Self {
            path: path.to_string(),
            reason,
            kind: None,
            name: None,
            text,
            from: None,
            line,
            column,
            is_known: false,
        }
    }

    /// The same, about an object of this kind and, unless it is empty, name.
    #[must_use]
    pub fn about(self, kind: &str, name: &str) -> Self {
        let name = Some(name.to_owned()).filter(|name| !name.is_empty());
        Self { kind: Some(kind.to_owned()), name, ..self }
    }

    /// The same about a reference to an object that is known, with why that is no help.
    #[must_use]
    pub fn although_known(self, why: Option<String>) -> Self {
        match why {
            Some(why) => Self { text: format!("{}: {why}", self.text), is_known: true, ..self },
            None => self,
        }
    }

    /// The same, in another object.
    #[must_use]
    pub fn in_other(self, origin: Option<FoundIn>) -> Self {
        Self { from: self.from.or(origin), ..self }
    }

    /// The same of an object that stands at a path of another.
    #[must_use]
    pub fn within(self, outer: &Path<'_>) -> Self {
        if self.from.is_some() {
            return self;
        }
        let joins = self.path.is_empty() || self.path.starts_with('[') || outer.is_empty();
        let separator = if joins { "" } else { "." };
        Self { path: format!("{outer}{separator}{}", self.path), ..self }
    }

    /// Containers in an object of a kind that is not known.
    #[must_use]
    pub fn of_unknown_kind(
        object: &Node,
        (api_version, kind): (&str, &str),
        name: &str,
        path: &Path<'_>,
    ) -> Self {
        let (shown, version) = (printable(kind, LONGEST_PATH), printable(api_version, LONGEST_PATH));
        // A key may be anything.
        let place = if path.is_empty() {
            String::new()
        } else {
            format!(" at {}", printable(&path.to_string(), LONGEST_PATH))
        };
        let text = format!(
            "the containers{place} are not judged: {shown} of {version} is no kind that podgate knows"
        );
        Self::new(object, path, UnresolvedReason::UnknownKind, text).about(kind, name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::yaml;

    #[test]
    fn a_path_goes_on_from_that_of_the_outer_object() {
        let node = yaml::read("{}").remove(0).expect("an object").root;
        let within = |outer: &[&'static str], path: &str| {
            let entry = Unresolved::new(&node, &Path::root(), UnresolvedReason::Fragment, String::new());
            let entry = Unresolved { path: path.to_owned(), ..entry };
            entry.within(&Path::from_keys(outer.iter().copied())).path
        };
        for (outer, path, expected) in [
            (&["a", "b"][..], "spec.c", "a.b.spec.c"),
            (&["a"], "[0].c", "a[0].c"),
            (&["a"], "", "a"),
            (&[], "spec", "spec"),
            (&[], "", ""),
        ] {
            assert_eq!(within(outer, path), expected, "{outer:?} {path}");
        }
    }
}
