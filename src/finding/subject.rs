//! The part of a pod that a finding is about.

use std::fmt::Write as _;

use crate::finding::field_path::FieldPath;
use crate::path::{Path, write_index};
use crate::pod::ContainerRef;

/// A part of a pod: what people name when they talk about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Subject<'p> {
    /// The spec itself.
    Pod,
    /// A container.
    Container(ContainerRef<'p>),
    /// A volume: its index in the list and its name.
    Volume(usize, &'p str),
    /// The metadata: labels and annotations.
    Metadata,
}

impl<'p> Subject<'p> {
    /// The container, if it is one.
    #[must_use]
    pub fn container(self) -> Option<ContainerRef<'p>> {
        match self {
            Self::Container(container) => Some(container),
            Self::Pod | Self::Volume(..) | Self::Metadata => None,
        }
    }

    /// The path from the root of the pod, or of the template, to a field of this part.
    #[must_use]
    pub fn join(self, field: &FieldPath<'p>) -> Path<'p> {
        // Most paths have five to seven steps.
        let mut path = Path::with_capacity(8);
        let (root, item) = self.place();
        path.push(root);
        if let Some((list, index)) = item {
            path.push(list);
            path.push(index);
        }
        path.extend(field.steps());
        path
    }

    /// The same path as people write it.
    #[must_use]
    pub fn dotted(self, field: &FieldPath<'p>) -> String {
        /// Room for most paths.
        const USUAL: usize = 80;
        let mut text = String::with_capacity(USUAL);
        let (root, item) = self.place();
        text.push_str(root);
        // Writing to a text cannot fail.
        if let Some((list, index)) = item {
            text.push('.');
            text.push_str(list);
            let _ = write_index(&mut text, index);
        }
        let _ = field.write_further(&mut text, false, |text, key| text.write_str(key));
        text
    }

    /// The field of the object that this part is in and, of an item of a list, the list and the index.
    pub(crate) fn place(self) -> (&'static str, Option<(&'static str, usize)>) {
        match self {
            Self::Pod => ("spec", None),
            Self::Container(container) => ("spec", Some((container.kind.list(), container.index))),
            Self::Volume(index, _) => ("spec", Some(("volumes", index))),
            Self::Metadata => ("metadata", None),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pod::ContainerKind;

    /// The text is put together without the path, and is that of the path.
    #[test]
    fn a_path_is_dotted_as_every_path_is() {
        let container = ContainerRef { kind: ContainerKind::Init, index: 12, name: "c" };
        for subject in
            [Subject::Pod, Subject::Container(container), Subject::Volume(3, "v"), Subject::Metadata]
        {
            for field in [
                FieldPath::default(),
                FieldPath::from("hostPID"),
                FieldPath::from("securityContext.capabilities.add").index(10),
                FieldPath::from("ports").index(0).fields("hostPort"),
                FieldPath::from("annotations").key("example.com/a"),
                FieldPath::from("annotations").key("a/b").index(1).key("c").fields("d.e"),
                FieldPath::default().key("plain").index(0),
                FieldPath::default().index(7),
                FieldPath::from("labels").key("").key("é\n"),
            ] {
                assert_eq!(subject.dotted(&field), subject.join(&field).to_string());
            }
        }
    }
}
