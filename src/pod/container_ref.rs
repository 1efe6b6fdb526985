//! A container of a pod, as messages, patches and lines refer to it.

use crate::pod::container::ContainerKind;

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
