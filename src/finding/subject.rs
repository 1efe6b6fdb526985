//! The part of a pod that a finding is about.

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
        match self {
            Self::Pod => path.push("spec"),
            Self::Container(container) => {
                path.push("spec");
                path.push(container.kind.list());
                path.push(container.index);
            }
            Self::Volume(index, _) => {
                path.push("spec");
                path.push("volumes");
                path.push(index);
            }
            Self::Metadata => path.push("metadata"),
        }
        path.extend(field.steps());
        path
    }
}
