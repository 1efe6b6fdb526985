//! The part of a pod that a finding is about.

use std::fmt::Write as _;

use crate::finding::field_path::FieldPath;
use crate::path::Path;
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
        let Some(fields) = field.only_fields() else { return self.join(field).to_string() };
        match self.place() {
            (root, None) => [root, ".", fields].concat(),
            (root, Some((list, index))) => {
                let mut text =
                    String::with_capacity(root.len() + list.len() + fields.len() + "..[0000].".len());
                // Writing to a text cannot fail.
                let _ = write!(text, "{root}.{list}[{index}].{fields}");
                text
            }
        }
    }

    /// The field of the object that this part is in and, of an item of a list, the list and the index.
    fn place(self) -> (&'static str, Option<(&'static str, usize)>) {
        match self {
            Self::Pod => ("spec", None),
            Self::Container(container) => ("spec", Some((container.kind.list(), container.index))),
            Self::Volume(index, _) => ("spec", Some(("volumes", index))),
            Self::Metadata => ("metadata", None),
        }
    }
}
