//! The path from the subject of a finding to the field: any depth, any number of lists and keys.

use std::fmt;

use crate::path::{Path, Step, write_index, write_key};
use crate::text::PrintableKey;

/// A path below a [`Subject`](super::Subject): `securityContext.capabilities.add[2]`, `ports[0].hostPort`,
/// `annotations[example.com/a]`; empty for the subject itself. A path of fields alone costs no allocation, and a finding stays
/// small: a hostile pod has thousands.
#[derive(Debug, Default, Clone, PartialEq, Eq, Hash)]
pub struct FieldPath<'p> {
    /// The first segment; [`Segment::None`] if there is none.
    first: Segment<'p>,
    /// The others.
    more: Vec<Segment<'p>>,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Hash)]
enum Segment<'p> {
    /// None.
    #[default]
    None,
    /// Names of fields, with dots between them.
    Fields(&'p str),
    /// One key of a map, whatever it holds.
    Key(&'p str),
    /// An index into a list.
    Index(usize),
}

impl<'p> FieldPath<'p> {
    /// The same path, and then fields: `resources.limits`.
    #[must_use]
    pub fn fields(mut self, fields: &'p str) -> Self {
        if !fields.is_empty() {
            self.push(Segment::Fields(fields));
        }
        self
    }

    /// The same path, and then a key of a map, such as that of an annotation.
    #[must_use]
    pub fn key(mut self, key: &'p str) -> Self {
        self.push(Segment::Key(key));
        self
    }

    /// The same path, and then an item of a list.
    #[must_use]
    pub fn index(mut self, index: usize) -> Self {
        self.push(Segment::Index(index));
        self
    }

    fn push(&mut self, segment: Segment<'p>) {
        if self.first == Segment::None {
            self.first = segment;
            return;
        }
        if self.more.is_empty() {
            // An index, and mostly a field behind it.
            self.more.reserve_exact(2);
        }
        self.more.push(segment);
    }

    fn segments(&self) -> impl Iterator<Item = Segment<'p>> {
        let first = Some(self.first).filter(|first| *first != Segment::None);
        first.into_iter().chain(self.more.iter().copied())
    }

    /// Its steps.
    pub fn steps(&self) -> impl Iterator<Item = Step<'p>> {
        self.segments().flat_map(|segment| {
            let (fields, other) = match segment {
                Segment::None => ("", None),
                Segment::Fields(fields) => (fields, None),
                Segment::Key(key) => ("", Some(Step::from(key))),
                Segment::Index(index) => ("", Some(Step::from(index))),
            };
            fields.split('.').filter(|key| !key.is_empty()).map(Step::from).chain(other)
        })
    }

    /// The fields that it begins with, up to the first list or key of a map.
    #[must_use]
    pub fn first_fields(&self) -> &'p str {
        match self.first {
            Segment::Fields(fields) => fields,
            Segment::None | Segment::Key(_) | Segment::Index(_) => "",
        }
    }

    /// The fields that it consists of, if it consists of fields alone, as nearly every path does. Their names are
    /// Kubernetes' own and not from the pod.
    #[must_use]
    pub fn only_fields(&self) -> Option<&'p str> {
        match self.first {
            Segment::Fields(fields) if self.more.is_empty() => Some(fields),
            Segment::None | Segment::Fields(_) | Segment::Key(_) | Segment::Index(_) => None,
        }
    }

    /// Whether it consists of exactly these fields.
    #[must_use]
    pub fn is(&self, fields: &str) -> bool {
        self.segments().eq([Segment::Fields(fields)])
    }

    /// Whether it ends at, or passes through, an item of a list.
    #[must_use]
    pub fn has_index(&self) -> bool {
        self.segments().any(Segment::is_index)
    }

    /// The path up to its first list.
    #[must_use]
    pub fn before_index(&self) -> Self {
        let mut path = Self::default();
        self.segments().take_while(|segment| !segment.is_index()).for_each(|segment| path.push(segment));
        path
    }

    /// The key that it ends with, if it ends with a key of a map.
    #[must_use]
    pub fn last_key(&self) -> Option<&'p str> {
        match self.segments().last() {
            Some(Segment::Key(key)) => Some(key),
            _ => None,
        }
    }
}

impl Segment<'_> {
    fn is_index(self) -> bool {
        matches!(self, Self::Index(_))
    }
}

/// Fields, with dots between them.
impl<'p> From<&'p str> for FieldPath<'p> {
    fn from(fields: &'p str) -> Self {
        Self::default().fields(fields)
    }
}

impl<'p> From<FieldPath<'p>> for Path<'p> {
    fn from(path: FieldPath<'p>) -> Self {
        path.steps().collect()
    }
}

impl FieldPath<'_> {
    /// Adds it to a text, without the machinery of formatting.
    pub(crate) fn write_to(&self, text: &mut impl fmt::Write) -> fmt::Result {
        self.write_further(text, true, |text, key| PrintableKey(key).write_to(text))
    }

    /// Adds it to the text of a path that goes on with it, unless it is the first of it, with these words for keys.
    pub(super) fn write_further<W: fmt::Write>(
        &self,
        text: &mut W,
        is_first: bool,
        write: impl Fn(&mut W, &str) -> fmt::Result,
    ) -> fmt::Result {
        for (at, segment) in self.segments().enumerate() {
            let is_first = is_first && at == 0;
            match segment {
                Segment::None => {}
                // Names of Kubernetes' own, with the dots that belong between them.
                Segment::Fields(fields) => {
                    text.write_str(if is_first { "" } else { "." })?;
                    text.write_str(fields)?;
                }
                Segment::Key(key) => write_key(text, is_first, key, |text| write(text, key))?,
                Segment::Index(index) => write_index(text, index)?,
            }
        }
        Ok(())
    }
}

/// As every [`Path`](crate::path::Path) is written, in printable ASCII: keys are the words of whoever wrote the pod.
impl fmt::Display for FieldPath<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write_to(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::path::Path;

    #[test]
    fn paths_have_any_depth_and_any_number_of_lists() {
        let key = "nvidia.com/gpu";
        for (path, written, list) in [
            (FieldPath::default(), "", ""),
            (
                FieldPath::from("securityContext.privileged"),
                "securityContext.privileged",
                "securityContext.privileged",
            ),
            (FieldPath::from("ports").index(0).fields("hostPort"), "ports[0].hostPort", "ports"),
            (
                FieldPath::from("resources.limits").key(key),
                "resources.limits[nvidia.com/gpu]",
                "resources.limits[nvidia.com/gpu]",
            ),
            (
                FieldPath::from("a").index(1).fields("b").index(2).fields("c.d").index(3).key("e"),
                "a[1].b[2].c.d[3].e",
                "a",
            ),
        ] {
            assert_eq!(
                (path.to_string().as_str(), path.before_index().to_string().as_str()),
                (written, list)
            );
            assert_eq!(path.has_index(), written != list, "{written}");
        }
        let deep = FieldPath::from("a").index(1).fields("b").index(2).fields("c.d").index(3).key("e");
        assert_eq!(deep.steps().collect::<Path<'_>>().json_pointer(), "/a/1/b/2/c/d/3/e");
        assert_eq!((deep.last_key(), FieldPath::from("a").last_key()), (Some("e"), None));
        assert!(FieldPath::from("a.b").is("a.b") && !FieldPath::from("a").key("b").is("a.b"));
    }

    #[test]
    fn keys_are_made_safe_to_print() {
        let path = FieldPath::from("annotations").key("a/b\n\u{1b}");
        assert_eq!(path.to_string(), "annotations[a/b\\u{a}\\u{1b}]");
    }
}
