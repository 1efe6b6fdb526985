//! The spec of a pod that its operator puts together from several places of an object.

use crate::path::Path;
use crate::workload::kind::Object;
use crate::workload::template::{Part, Shape, Template};
use crate::workload::unresolved::Unresolved;
use crate::yaml::{Node, Value};

/// The spec of a pod while it is put together. What cannot be read is noted, and the rest goes on without it.
pub(super) struct Assembly<'o, 'd> {
    object: &'o Object<'d>,
    /// Where the spec that it began with stands.
    at: Path<'d>,
    /// What it is so far.
    pub(super) spec: Node,
    unresolved: Vec<Unresolved>,
}

impl<'o, 'd> Assembly<'o, 'd> {
    /// Begins with what is written at a path. What is absent stands where `written` does; of anything but an object no more
    /// than that is taken.
    pub(super) fn new(object: &'o Object<'d>, at: Path<'d>, written: &Node) -> Self {
        let spec = match written.value {
            Value::Mapping(_) => written.clone(),
            _ => Node::object(written.span, []),
        };
        Self { object, at, spec, unresolved: Vec::new() }
    }

    /// Notes something that is not known.
    pub(super) fn note(&mut self, unresolved: Unresolved) {
        self.unresolved.push(unresolved);
    }

    /// Notes a value that is a placeholder or of the wrong type. The rest of the pod is as it is written.
    pub(super) fn note_unreadable(&mut self, path: &Path<'_>, node: &Node, wanted: &str) {
        self.unresolved.push(self.object.unreadable_value(path, node, wanted));
    }

    /// Notes that a part of the pod, which may set anything, stands at this path and cannot be read.
    pub(super) fn note_unknown_part(&mut self, path: &Path<'_>, node: &Node) {
        self.unresolved.extend(self.object.unknown_part(path, node));
    }

    /// Adds an item to a list of the spec.
    pub(super) fn push(&mut self, list: &'static str, item: Node) {
        match self.spec.locate_mut(&[list.into()]) {
            Some(Node { value: Value::Sequence(items), .. }) => items.push(item),
            Some(other) if other.value != Value::Null => {
                self.unresolved.push(self.object.unreadable_value(
                    &self.at.clone().key(list),
                    other,
                    "a list",
                ));
                other.value = Value::Sequence(vec![item]);
            }
            _ => self.spec.set(list, Node::list(self.spec.span, vec![item])),
        }
    }

    /// Adds the items of the list at a key of `from`, which stands at a path.
    pub(super) fn push_all(&mut self, list: &'static str, path: &Path<'_>, from: &Node, key: &'static str) {
        let Some(added) = from.get(key) else { return };
        match &added.value {
            Value::Sequence(items) => items.iter().for_each(|item| self.push(list, item.clone())),
            _ => self.note_unreadable(&path.clone().key(key), added, "a list"),
        }
    }

    /// Copies fields that are called alike.
    pub(super) fn copy(&mut self, from: &Node, keys: &[&str]) {
        for key in keys {
            if let Some(value) = from.get(key) {
                self.spec.set(key, value.clone());
            }
        }
    }

    /// The template that it makes at a path, with the metadata of the pod if there is any.
    pub(super) fn template(
        self,
        path: Path<'d>,
        shape: Shape,
        part: Part,
        metadata: Option<Node>,
    ) -> Template<'d> {
        let mut pod = Node::object(self.spec.span, []);
        if let Some(metadata) = metadata {
            pod.set("metadata", metadata);
        }
        pod.set("spec", self.spec);
        let template = self.object.merged_pod(path, shape, part, pod);
        Template { unresolved: self.unresolved, ..template }
    }
}
