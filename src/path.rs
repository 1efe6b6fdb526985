//! Paths through an object, and the two forms in which they are written: dotted for people, JSON Pointer for patches.

use std::borrow::Cow;
use std::fmt;
use std::ops::Deref;

/// One step of a path.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Step<'a> {
    /// To the value of a key.
    Key(Cow<'a, str>),
    /// To an item of a list, counted from 0.
    Index(usize),
}

impl Step<'_> {
    /// The key, if it is one.
    #[must_use]
    pub fn as_key(&self) -> Option<&str> {
        match self {
            Self::Key(key) => Some(key),
            Self::Index(_) => None,
        }
    }

    /// The same step, borrowing nothing.
    #[must_use]
    pub fn into_owned(self) -> Step<'static> {
        match self {
            Self::Key(key) => Step::Key(Cow::Owned(key.into_owned())),
            Self::Index(index) => Step::Index(index),
        }
    }
}

impl<'a> From<&'a str> for Step<'a> {
    fn from(key: &'a str) -> Self {
        Self::Key(Cow::Borrowed(key))
    }
}

impl From<String> for Step<'_> {
    fn from(key: String) -> Self {
        Self::Key(Cow::Owned(key))
    }
}

impl From<usize> for Step<'_> {
    fn from(index: usize) -> Self {
        Self::Index(index)
    }
}

/// The steps from an object to something in it; without a step it is the object itself.
///
/// A plain list, not one with room of its own: paths are made of what is at fault only, and a `SmallVec` of what borrows
/// would not let a path that lives long stand for one that lives shorter.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Path<'a>(Vec<Step<'a>>);

impl<'a> Path<'a> {
    /// The path to the object itself.
    #[must_use]
    pub const fn root() -> Self {
        Self(Vec::new())
    }

    /// The path to the object itself, with room for so many steps.
    #[must_use]
    pub fn with_capacity(steps: usize) -> Self {
        Self(Vec::with_capacity(steps))
    }

    /// A path of keys alone: `["spec", "template"]`.
    pub fn from_keys<K: Into<Cow<'a, str>>>(keys: impl IntoIterator<Item = K>) -> Self {
        keys.into_iter().map(|key| Step::Key(key.into())).collect()
    }

    /// A path of keys alone, none of which has a dot in it: `spec.template`. Of an empty text, the root.
    #[must_use]
    pub fn from_dotted(keys: &'a str) -> Self {
        Self::from_keys(keys.split('.').filter(|key| !key.is_empty()))
    }

    /// One step further.
    pub fn push(&mut self, step: impl Into<Step<'a>>) {
        self.0.push(step.into());
    }

    /// Back by one step.
    pub fn pop(&mut self) -> Option<Step<'a>> {
        self.0.pop()
    }

    /// The path to the value of a key of this.
    #[must_use]
    pub fn key(self, key: impl Into<Cow<'a, str>>) -> Self {
        self.then(Step::Key(key.into()))
    }

    /// The path to an item of this, counted from 0.
    #[must_use]
    pub fn index(self, index: usize) -> Self {
        self.then(Step::Index(index))
    }

    fn then(mut self, step: Step<'a>) -> Self {
        self.0.push(step);
        self
    }

    /// This path, and from its end on another.
    #[must_use]
    pub fn join(&self, steps: &[Step<'a>]) -> Self {
        Self([self.steps(), steps].concat())
    }

    /// Its steps, from the object inwards.
    #[must_use]
    pub fn steps(&self) -> &[Step<'a>] {
        &self.0
    }

    /// The same path, borrowing nothing.
    #[must_use]
    pub fn into_owned(self) -> Path<'static> {
        self.0.into_iter().map(Step::into_owned).collect()
    }

    /// The path as RFC 6901 writes it: `/spec/containers/0/name`, `/metadata/annotations/a.b~1c`. Of the root, empty.
    #[must_use]
    pub fn json_pointer(&self) -> String {
        let mut pointer = String::new();
        for step in &self.0 {
            match step {
                Step::Key(key) => {
                    pointer.push('/');
                    pointer.push_str(&key.replace('~', "~0").replace('/', "~1"));
                }
                Step::Index(index) => pointer.push_str(&format!("/{index}")),
            }
        }
        pointer
    }
}

/// As people write it: `spec.containers[0].name`, `metadata.annotations[a.b/c]`. Of the root, empty.
///
/// Keys are written as they are. Where the text goes to a terminal or a log, see [`text`](crate::text).
impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write_to(f)
    }
}

impl Path<'_> {
    fn write_to(&self, text: &mut impl fmt::Write) -> fmt::Result {
        for (at, step) in self.0.iter().enumerate() {
            match step {
                Step::Key(key) => write_key(text, at == 0, key, |text| text.write_str(key))?,
                Step::Index(index) => write_index(text, *index)?,
            }
        }
        Ok(())
    }
}

/// Writes a key as it stands in the dotted form of a path, the first step of it or a further one, with these words for it.
pub(crate) fn write_key<W: fmt::Write>(
    text: &mut W,
    is_first: bool,
    key: &str,
    write: impl FnOnce(&mut W) -> fmt::Result,
) -> fmt::Result {
    if key.bytes().any(|byte| matches!(byte, b'.' | b'/')) {
        text.write_str("[")?;
        write(text)?;
        return text.write_str("]");
    }
    text.write_str(if is_first { "" } else { "." })?;
    write(text)
}

/// Writes an index as it stands in the dotted form of a path.
pub(crate) fn write_index(text: &mut impl fmt::Write, index: usize) -> fmt::Result {
    text.write_str("[")?;
    write_number(text, index)?;
    text.write_str("]")
}

/// Writes a number digit by digit: the machinery of formatting takes many times as long.
pub(crate) fn write_number(text: &mut impl fmt::Write, number: usize) -> fmt::Result {
    if number >= 10 {
        write_number(text, number / 10)?;
    }
    let digit = u8::try_from(number % 10).unwrap_or_default();
    text.write_char(char::from(b'0' + digit))
}

impl<'a> Deref for Path<'a> {
    type Target = [Step<'a>];

    fn deref(&self) -> &[Step<'a>] {
        &self.0
    }
}

impl<'a> FromIterator<Step<'a>> for Path<'a> {
    fn from_iter<I: IntoIterator<Item = Step<'a>>>(steps: I) -> Self {
        Self(steps.into_iter().collect())
    }
}

impl<'a> Extend<Step<'a>> for Path<'a> {
    fn extend<I: IntoIterator<Item = Step<'a>>>(&mut self, steps: I) {
        self.0.extend(steps);
    }
}

impl<'a> IntoIterator for Path<'a> {
    type Item = Step<'a>;
    type IntoIter = std::vec::IntoIter<Step<'a>>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_path_has_one_dotted_form_and_one_pointer() {
        let annotation = Path::from_dotted("metadata.annotations").key("a.b/c");
        let container = Path::from_dotted("spec.containers").index(0);
        for (path, dotted, pointer) in [
            (Path::root(), "", ""),
            (Path::from_dotted(""), "", ""),
            (Path::from_dotted("spec"), "spec", "/spec"),
            (container.clone().key("name"), "spec.containers[0].name", "/spec/containers/0/name"),
            (container.index(12), "spec.containers[0][12]", "/spec/containers/0/12"),
            (annotation.clone(), "metadata.annotations[a.b/c]", "/metadata/annotations/a.b~1c"),
            (annotation.key("d"), "metadata.annotations[a.b/c].d", "/metadata/annotations/a.b~1c/d"),
            (Path::from_keys(["~1", "~/"]), "~1[~/]", "/~01/~0~1"),
            (Path::root().key("").key(""), ".", "//"),
            (Path::root().index(10).index(987), "[10][987]", "/10/987"),
            (Path::root().index(1).key("a"), "[1].a", "/1/a"),
            (Path::root().key("a.b"), "[a.b]", "/a.b"),
            (Path::root().key("é\n"), "é\n", "/é\n"),
        ] {
            assert_eq!((path.to_string().as_str(), path.json_pointer().as_str()), (dotted, pointer));
        }
    }

    #[test]
    fn paths_are_put_together_and_taken_apart() {
        let template = Path::from_dotted("spec.template");
        let field = Path::from_dotted("spec.containers").index(1);
        let whole = template.join(&field);
        assert_eq!(whole.to_string(), "spec.template.spec.containers[1]");
        assert!(whole.starts_with(&template) && !template.starts_with(&field));
        let mut grown = template;
        grown.extend(field.clone());
        assert_eq!(grown, whole);
        assert_eq!(grown.pop(), Some(Step::Index(1)));
        grown.push(1);
        assert_eq!(grown.clone().into_owned(), whole);
        let keys: Vec<Option<&str>> = field.steps().iter().map(Step::as_key).collect();
        assert_eq!(keys, [Some("spec"), Some("containers"), None]);
        assert_eq!(field, ["spec".into(), String::from("containers").into(), 1.into()].into_iter().collect());
    }

    #[test]
    fn a_step_is_no_larger_than_a_key() {
        assert_eq!(size_of::<Step<'_>>(), size_of::<String>());
    }

    /// A path that lives long serves for one that lives shorter.
    #[test]
    fn paths_are_covariant() {
        let fixed: Path<'static> = Path::from_dotted("metadata.labels");
        let key = String::from("a");
        let label: Path<'_> = fixed.join(&[Step::from(key.as_str())]);
        assert_eq!(label.to_string(), "metadata.labels.a");
    }
}
