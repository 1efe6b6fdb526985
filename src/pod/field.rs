//! Where in a pod something stands: the one notion of place behind messages, patches and lines.

use std::fmt;

use crate::pod::ContainerKind;

/// A container of a pod: its list, its place in it, and its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ContainerRef<'p> {
    /// The list it stands in.
    pub kind: ContainerKind,
    /// The place in the list, from 0.
    pub index: usize,
    /// Its name, as the pod has it.
    pub name: &'p str,
}

/// The part of a pod that a field belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Place<'p> {
    /// The spec itself.
    Pod,
    /// A container.
    Container(ContainerRef<'p>),
    /// A volume: its place in the list and its name.
    Volume(usize, &'p str),
    /// An annotation, by its key.
    Annotation(&'p str),
}

impl<'p> Place<'p> {
    /// The container, if it is one.
    #[must_use]
    pub fn container(self) -> Option<ContainerRef<'p>> {
        match self {
            Self::Container(container) => Some(container),
            Self::Pod | Self::Volume(..) | Self::Annotation(_) => None,
        }
    }
}

/// A field, from its [`Place`] on: `securityContext.capabilities.add[2]` or `ports[0].hostPort`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Field {
    /// The names up to the first list, or all of them.
    pub name: &'static str,
    /// The place in the list, if there is one.
    pub index: Option<usize>,
    /// The names after it, or empty.
    pub rest: &'static str,
}

impl Field {
    /// A field without a list in its path.
    #[must_use]
    pub const fn named(name: &'static str) -> Self {
        Self { name, index: None, rest: "" }
    }

    /// An item of a list, or a field of such an item.
    #[must_use]
    pub const fn item(name: &'static str, index: usize, rest: &'static str) -> Self {
        Self { name, index: Some(index), rest }
    }
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)?;
        if let Some(index) = self.index {
            write!(f, "[{index}]")?;
        }
        if !self.rest.is_empty() {
            write!(f, ".{}", self.rest)?;
        }
        Ok(())
    }
}

/// One step of a path through an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step<'p> {
    /// A member of an object.
    Key(&'p str),
    /// An item of an array.
    Index(usize),
}

/// The steps from a pod (or template) to a field of it.
#[must_use]
pub fn steps<'p>(place: Place<'p>, field: Field) -> Vec<Step<'p>> {
    let mut steps = Vec::with_capacity(8);
    match place {
        Place::Pod => steps.push(Step::Key("spec")),
        Place::Container(container) => {
            steps.extend([Step::Key("spec"), Step::Key(container.kind.list()), Step::Index(container.index)]);
        }
        Place::Volume(index, _) => {
            steps.extend([Step::Key("spec"), Step::Key("volumes"), Step::Index(index)]);
        }
        Place::Annotation(key) => {
            steps.extend([Step::Key("metadata"), Step::Key("annotations"), Step::Key(key)]);
        }
    }
    steps.extend(keys(field.name));
    steps.extend(field.index.map(Step::Index));
    steps.extend(keys(field.rest));
    steps
}

fn keys<'p>(path: &'p str) -> impl Iterator<Item = Step<'p>> {
    path.split('.').filter(|key| !key.is_empty()).map(Step::Key)
}

/// A path as people write it: `spec.containers[0].name`, `metadata.annotations[a.b/c]`.
#[must_use]
pub fn dotted(steps: &[Step<'_>]) -> String {
    let mut path = String::new();
    for step in steps {
        match step {
            Step::Key(key) if key.contains(['.', '/']) => path.push_str(&format!("[{key}]")),
            Step::Key(key) => {
                if !path.is_empty() {
                    path.push('.');
                }
                path.push_str(key);
            }
            Step::Index(index) => path.push_str(&format!("[{index}]")),
        }
    }
    path
}
