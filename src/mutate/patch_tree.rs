//! Edits of a pod, put together in a tree, → operations of a JSON Patch.
//!
//! The pod is scanned once to see which nodes of the tree exist. So an absent object is added once, whole, whatever it will
//! hold; and the patch applies to the pod exactly as it was received, including `null`s.

use std::borrow::Cow;
use std::cmp::Reverse;
use std::num::NonZeroU32;

use crate::finding::{Edit, EditOp};
use crate::json::{self, Reader, write_string};
use crate::mutate::patch_text::{OperationKind, PatchError, PatchText, write_json};
use crate::mutate::place::Place;
use crate::mutate::pointer::JsonPointer;
use crate::path::{Path, Step};
use crate::pod::Pod;

/// Collects edits, and makes a patch from them.
///
/// The nodes are in one list and point to each other by their index in it, and each key and each operation is held
/// once: a pod may have 1,500 containers, each with eight nodes.
#[derive(Debug, Default)]
pub(super) struct PatchTree<'p> {
    /// The root is the first.
    nodes: Vec<Node>,
    keys: Vec<Cow<'p, str>>,
    ops: Vec<EditOp<'p>>,
}

/// The index of a node; that of the root stands for none, since it is nobody's child.
type NodeIndex = u32;

const ROOT: NodeIndex = 0;

/// A part of the pod in which an edit is made.
#[derive(Debug)]
struct Node {
    step: NodeStep,
    /// The index of what is done to it.
    op: Option<NonZeroU32>,
    presence: Presence,
    first_child: NodeIndex,
    last_child: NodeIndex,
    next_sibling: NodeIndex,
}

/// The step to a node from its parent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum NodeStep {
    /// The index of a key.
    Key(u32),
    /// An item of a list.
    Index(u32),
    /// New items at the end of a list.
    End,
    /// A new item at the start of a list.
    Start,
}

/// What the pod has at a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Presence {
    Absent,
    Null,
    Present,
}

impl<'p> PatchTree<'p> {
    /// Adds an edit. If several set or remove the same path, the last one counts.
    pub(super) fn add(&mut self, edit: Edit<'p>) {
        if self.nodes.is_empty() {
            self.nodes.push(Node::new(NodeStep::Index(0)));
        }
        let mut at = self.place_of(edit.whole_path());
        match edit.op {
            EditOp::Append(_) => at = self.new_child(at, NodeStep::End),
            EditOp::Prepend(_) => at = self.new_child(at, NodeStep::Start),
            EditOp::Set(_) | EditOp::Remove => {}
        }
        let op = NonZeroU32::new(index_of(&mut self.ops, edit.op).saturating_add(1));
        if let Some(node) = self.node_mut(at) {
            node.op = op;
        }
    }

    /// The node of a path.
    fn place_of(&mut self, path: Path<'p>) -> NodeIndex {
        let mut at = ROOT;
        for step in path {
            let step = match step {
                Step::Key(key) => NodeStep::Key(index_of(&mut self.keys, key)),
                Step::Index(index) => NodeStep::at(index),
            };
            at = self.child(at, step);
        }
        at
    }

    /// Adds what makes the edits in a pod, which is also given as its JSON text, to a patch.
    ///
    /// # Errors
    /// When the patch would be too long. A partial one is never sent.
    pub(super) fn build(
        mut self,
        pod: &Pod<'_>,
        text: &str,
        patch: &mut PatchText,
    ) -> Result<(), PatchError> {
        // Most pods are not changed, or only in lists that they have.
        if self.nodes.is_empty() {
            return Ok(());
        }
        if !self.knows(ROOT, Place::Pod(pod)) {
            return self.build_by_text(text, patch);
        }
        self.write(ROOT, &mut JsonPointer::root(), patch)
    }

    /// The same by the text alone.
    pub(super) fn build_by_text(mut self, text: &str, patch: &mut PatchText) -> Result<(), PatchError> {
        self.find(ROOT, &mut Reader::over(text))?;
        self.write(ROOT, &mut JsonPointer::root(), patch)
    }

    /// Records what the model of the pod tells of the nodes below one that is there. Whether that is all of them.
    fn knows(&mut self, at: NodeIndex, place: Place<'_, '_>) -> bool {
        let mut next = self.node(at).map_or(ROOT, |node| node.first_child);
        while next != ROOT {
            let at = next;
            let Some(Node { step, next_sibling, .. }) = self.node(at) else { return false };
            next = *next_sibling;
            let told = match *step {
                // It is not there yet.
                NodeStep::End | NodeStep::Start => continue,
                NodeStep::Index(index) => place.item(index),
                NodeStep::Key(_) => self.key(*step).and_then(|key| place.member(key)),
            };
            let Some((place, is_there)) = told else { return false };
            if is_there {
                if let Some(node) = self.node_mut(at) {
                    node.presence = Presence::Present;
                }
                if !self.knows(at, place) {
                    return false;
                }
            }
        }
        true
    }

    fn node(&self, index: NodeIndex) -> Option<&Node> {
        get(&self.nodes, index)
    }

    fn op(&self, node: &Node) -> Option<&EditOp<'p>> {
        get(&self.ops, node.op?.get() - 1)
    }

    fn key(&self, step: NodeStep) -> Option<&str> {
        match step {
            NodeStep::Key(key) => get(&self.keys, key).map(AsRef::as_ref),
            NodeStep::Index(_) | NodeStep::End | NodeStep::Start => None,
        }
    }

    fn node_mut(&mut self, index: NodeIndex) -> Option<&mut Node> {
        self.nodes.get_mut(usize::try_from(index).ok()?)
    }

    /// The children of a node, in the order in which they were added.
    fn children(&self, parent: NodeIndex) -> impl Iterator<Item = (NodeIndex, &Node)> {
        let child = |index: NodeIndex| {
            let index = Some(index).filter(|index| *index != ROOT)?;
            Some((index, self.node(index)?))
        };
        let first = self.node(parent).and_then(|parent| child(parent.first_child));
        std::iter::successors(first, move |(_, node)| child(node.next_sibling))
    }

    /// The child at a step, which is created if there is none. Edits come container by container, so the last one is
    /// checked first.
    fn child(&mut self, parent: NodeIndex, step: NodeStep) -> NodeIndex {
        let last = self.node(parent).map_or(ROOT, |parent| parent.last_child);
        if last != ROOT && self.node(last).is_some_and(|last| last.step == step) {
            return last;
        }
        if let Some(index) = self.child_where(parent, |other| other == step) {
            return index;
        }
        self.new_child(parent, step)
    }

    fn new_child(&mut self, parent: NodeIndex, step: NodeStep) -> NodeIndex {
        let last = self.node(parent).map_or(ROOT, |parent| parent.last_child);
        // A path has a step for each node: so many that they could not be counted would not fit into memory.
        let new = NodeIndex::try_from(self.nodes.len()).unwrap_or(ROOT);
        self.nodes.push(Node::new(step));
        if let Some(last) = self.node_mut(last).filter(|_| last != ROOT) {
            last.next_sibling = new;
        }
        if let Some(parent) = self.node_mut(parent) {
            parent.last_child = new;
            if parent.first_child == ROOT {
                parent.first_child = new;
            }
        }
        new
    }

    fn child_where(&self, parent: NodeIndex, is_meant: impl Fn(NodeStep) -> bool) -> Option<NodeIndex> {
        self.children(parent).find(|(_, child)| is_meant(child.step)).map(|(index, _)| index)
    }

    /// Records whether a node and those below it exist.
    fn find(&mut self, at: NodeIndex, reader: &mut Reader<'_>) -> json::Result<()> {
        let presence = if reader.null()? { Presence::Null } else { Presence::Present };
        if let Some(node) = self.node_mut(at) {
            node.presence = presence;
        }
        // What is added to a list is not in it yet.
        let is_new = |step: NodeStep| matches!(step, NodeStep::End | NodeStep::Start);
        let first = self.children(at).map(|(_, child)| child.step).find(|step| !is_new(*step));
        match (presence, first) {
            (Presence::Null | Presence::Absent, _) => Ok(()),
            (Presence::Present, None | Some(NodeStep::End | NodeStep::Start)) => reader.skip().map(drop),
            (Presence::Present, Some(NodeStep::Key(_))) => reader
                .object(|reader, key| {
                    let child = self.child_where(at, |step| self.key(step) == Some(key));
                    self.find_or_skip(child, reader)
                })
                .map(drop),
            (Presence::Present, Some(NodeStep::Index(_))) => {
                // Edits come in the order of the list, so the next child is mostly the one that is looked for.
                let mut next = self.children(at).next().map_or(ROOT, |(index, _)| index);
                reader.array(|reader, index| {
                    let step = NodeStep::at(index);
                    match self.node(next) {
                        Some(node) if next != ROOT && node.step == step => {
                            let found = next;
                            next = node.next_sibling;
                            self.find(found, reader)
                        }
                        _ => {
                            let child = self.child_where(at, |other| other == step);
                            self.find_or_skip(child, reader)
                        }
                    }
                })
            }
        }
    }

    fn find_or_skip(&mut self, child: Option<NodeIndex>, reader: &mut Reader<'_>) -> json::Result<()> {
        match child {
            Some(child) => self.find(child, reader),
            None => reader.skip().map(drop),
        }
    }

    /// Writes the operations for the children of a node. What moves the items that others name comes last: first what is taken
    /// out of a list, from its end on, then what is put at its start.
    fn write(
        &self,
        parent: NodeIndex,
        at: &mut JsonPointer,
        patch: &mut PatchText,
    ) -> Result<(), PatchError> {
        let is_taken_out = |child: &Node| {
            matches!(child.step, NodeStep::Index(_)) && matches!(self.op(child), Some(EditOp::Remove))
        };
        let mut later: Vec<(NodeIndex, &Node)> = Vec::new();
        for (index, child) in self.children(parent) {
            if child.step == NodeStep::Start || is_taken_out(child) {
                later.push((index, child));
            } else {
                self.write_child(index, child, at, patch)?;
            }
        }
        later.sort_by_key(|(_, child)| match child.step {
            NodeStep::Index(index) => (false, Reverse(index)),
            NodeStep::Key(_) | NodeStep::End | NodeStep::Start => (true, Reverse(0)),
        });
        for (index, child) in later {
            self.write_child(index, child, at, patch)?;
        }
        Ok(())
    }

    fn write_child(
        &self,
        index: NodeIndex,
        child: &Node,
        at: &mut JsonPointer,
        patch: &mut PatchText,
    ) -> Result<(), PatchError> {
        let before = match child.step {
            NodeStep::Key(_) => at.push_key(self.key(child.step).unwrap_or_default()),
            NodeStep::Index(index) => at.push_index(Some(index)),
            NodeStep::End => at.push_index(None),
            NodeStep::Start => at.push_index(Some(0)),
        };
        match (child.presence, self.op(child)) {
            (Presence::Present, None) => self.write(index, at, patch)?,
            (_, Some(EditOp::Append(items))) => patch.push_each(at.as_json(), items)?,
            (Presence::Present | Presence::Null, Some(EditOp::Remove)) => {
                patch.push(OperationKind::Remove, at.as_json(), |_| {})?;
            }
            (Presence::Present, Some(_)) => {
                patch.push(OperationKind::Replace, at.as_json(), |json| {
                    self.write_value(index, child, json)
                })?;
            }
            (Presence::Null | Presence::Absent, _) if self.has_value(index, child) => {
                patch.push(child.making(), at.as_json(), |json| self.write_value(index, child, json))?;
            }
            (Presence::Null | Presence::Absent, _) => {}
        }
        at.truncate(before);
        Ok(())
    }

    /// Whether a node will hold anything if the pod has nothing there.
    fn has_value(&self, index: NodeIndex, node: &Node) -> bool {
        match self.op(node) {
            Some(EditOp::Set(_) | EditOp::Append(_) | EditOp::Prepend(_)) => true,
            Some(EditOp::Remove) => false,
            None => self.children(index).any(|(index, child)| self.has_value(index, child)),
        }
    }

    /// Writes what a node will hold if the pod has nothing there; of one at the end of a list all items.
    fn write_value(&self, index: NodeIndex, node: &Node, json: &mut String) {
        match self.op(node) {
            Some(EditOp::Set(value) | EditOp::Prepend(value)) => return write_json(value, json),
            Some(EditOp::Append(items)) => return json.push_str(&items.join(",")),
            Some(EditOp::Remove) | None => {}
        }
        let mut members: Vec<(NodeIndex, &Node)> =
            self.children(index).filter(|(index, child)| self.has_value(*index, child)).collect();
        members.sort_by_key(|(_, child)| (child.step != NodeStep::Start, self.key(child.step)));
        let is_list = members.iter().all(|(_, child)| self.key(child.step).is_none());
        json.push(if is_list { '[' } else { '{' });
        for (at, (index, child)) in members.into_iter().enumerate() {
            if at > 0 {
                json.push(',');
            }
            if let Some(key) = self.key(child.step) {
                write_string(key, json);
                json.push(':');
            }
            self.write_value(index, child, json);
        }
        json.push(if is_list { ']' } else { '}' });
    }
}

impl Node {
    fn new(step: NodeStep) -> Self {
        Self {
            step,
            op: None,
            presence: Presence::Absent,
            first_child: ROOT,
            last_child: ROOT,
            next_sibling: ROOT,
        }
    }

    /// How what the pod does not have is made. An item of a list that is `null` is replaced: adding at its index would make
    /// room for a new one.
    fn making(&self) -> OperationKind {
        match (self.presence, self.step) {
            (Presence::Null | Presence::Present, NodeStep::Index(_)) => OperationKind::Replace,
            (Presence::Absent, _) | (_, NodeStep::Key(_) | NodeStep::End | NodeStep::Start) => {
                OperationKind::Add
            }
        }
    }
}

impl NodeStep {
    /// An item past what can be counted here does not exist: a review has 200,000 at most.
    fn at(index: usize) -> Self {
        Self::Index(u32::try_from(index).unwrap_or(u32::MAX))
    }
}

fn get<T>(list: &[T], index: u32) -> Option<&T> {
    list.get(usize::try_from(index).ok()?)
}

/// The index of an item in a list of few, to which it is added if it is not there.
fn index_of<T: PartialEq>(list: &mut Vec<T>, item: T) -> u32 {
    let index = list.iter().position(|other| *other == item).unwrap_or_else(|| {
        list.push(item);
        list.len() - 1
    });
    u32::try_from(index).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::finding::{FieldPath, Subject, Value};
    use crate::pod::{ContainerKind, ContainerRef};

    fn edit<'p>(subject: Subject<'p>, path: impl Into<FieldPath<'p>>, op: EditOp<'p>) -> Edit<'p> {
        Edit::new(subject, path, op)
    }

    fn container<'p>(index: usize) -> Subject<'p> {
        Subject::Container(ContainerRef { kind: ContainerKind::Regular, index, name: "" })
    }

    fn patch(pod: &str, edits: Vec<Edit<'_>>) -> String {
        let (mut tree, mut patch) = (PatchTree::default(), PatchText::default());
        edits.into_iter().for_each(|edit| tree.add(edit));
        tree.build_by_text(pod, &mut patch).expect("a patch");
        patch.into_json().unwrap_or_default()
    }

    #[test]
    fn parents_are_made_once_and_nulls_are_replaced() {
        let set = || {
            vec![
                edit(container(0), "securityContext.runAsNonRoot", EditOp::Set(Value::Bool(true))),
                edit(container(0), "securityContext.capabilities.drop", EditOp::Set(Value::ListOf("ALL"))),
            ]
        };
        for (container, expected) in [
            (
                "{}",
                r#"[{"op":"add","path":"/spec/containers/0/securityContext","value":{"capabilities":{"drop":["ALL"]},"runAsNonRoot":true}}]"#,
            ),
            (
                "null",
                r#"[{"op":"replace","path":"/spec/containers/0","value":{"securityContext":{"capabilities":{"drop":["ALL"]},"runAsNonRoot":true}}}]"#,
            ),
            (
                r#"{"securityContext":null}"#,
                r#"[{"op":"add","path":"/spec/containers/0/securityContext","value":{"capabilities":{"drop":["ALL"]},"runAsNonRoot":true}}]"#,
            ),
            (
                r#"{"securityContext":{"capabilities":{}}}"#,
                r#"[{"op":"add","path":"/spec/containers/0/securityContext/runAsNonRoot","value":true},{"op":"add","path":"/spec/containers/0/securityContext/capabilities/drop","value":["ALL"]}]"#,
            ),
            (
                r#"{"securityContext":{"runAsNonRoot":false,"capabilities":{"drop":null}}}"#,
                r#"[{"op":"replace","path":"/spec/containers/0/securityContext/runAsNonRoot","value":true},{"op":"add","path":"/spec/containers/0/securityContext/capabilities/drop","value":["ALL"]}]"#,
            ),
        ] {
            let pod = format!(r#"{{"spec":{{"containers":[{container}]}}}}"#);
            assert_eq!(patch(&pod, set()), expected, "{container}");
        }
        let label = |op| edit(Subject::Metadata, FieldPath::from("labels").key("a.b/c~d"), op);
        assert_eq!(
            patch("{}", vec![label(EditOp::Set(Value::Text("x")))]),
            r#"[{"op":"add","path":"/metadata","value":{"labels":{"a.b/c~d":"x"}}}]"#
        );
        assert_eq!(
            patch(r#"{"metadata":{"labels":{"a.b/c~d":"x"}}}"#, vec![label(EditOp::Remove)]),
            r#"[{"op":"remove","path":"/metadata/labels/a.b~1c~0d"}]"#
        );
        assert_eq!(patch(r#"{"metadata":{}}"#, vec![label(EditOp::Remove)]), "");
    }

    #[test]
    fn lists_grow_at_both_ends_and_are_made_where_there_are_none() {
        let item = |text: &str| Value::Json(text.into());
        let append = |texts: &[&str]| EditOp::Append(texts.iter().map(|text| Arc::from(*text)).collect());
        let edits = || {
            vec![
                edit(Subject::Pod, "containers", EditOp::Prepend(item(r#"{"name":"first"}"#))),
                edit(container(0), "env", append(&[r#"{"name":"A"}"#])),
                edit(container(0), "env", append(&[r#"{"name":"B"}"#])),
                edit(container(1), "env", append(&[r#"{"name":"A"}"#, r#"{"name":"B"}"#])),
                edit(
                    container(0),
                    FieldPath::from("volumeMounts").index(1),
                    EditOp::Set(item(r#"{"name":"m"}"#)),
                ),
            ]
        };
        let pod = r#"{"spec":{"containers":[{"volumeMounts":[{},{}]},{"env":[{"name":"X"}]}]}}"#;
        assert_eq!(
            patch(pod, edits()),
            r#"[{"op":"add","path":"/spec/containers/0/env","value":[{"name":"A"},{"name":"B"}]},{"op":"replace","path":"/spec/containers/0/volumeMounts/1","value":{"name":"m"}},{"op":"add","path":"/spec/containers/1/env/-","value":{"name":"A"}},{"op":"add","path":"/spec/containers/1/env/-","value":{"name":"B"}},{"op":"add","path":"/spec/containers/0","value":{"name":"first"}}]"#
        );
        let volumes = || FieldPath::from("volumes");
        let taken_out = vec![
            edit(Subject::Pod, volumes().index(0), EditOp::Remove),
            edit(Subject::Volume(2, "v"), FieldPath::default(), EditOp::Remove),
            edit(Subject::Volume(1, "w"), "name", EditOp::Set(Value::Text("n"))),
            edit(Subject::Pod, volumes(), append(&["3"])),
        ];
        assert_eq!(
            patch(r#"{"spec":{"volumes":[{},{},{}]}}"#, taken_out),
            r#"[{"op":"add","path":"/spec/volumes/1/name","value":"n"},{"op":"add","path":"/spec/volumes/-","value":3},{"op":"remove","path":"/spec/volumes/2"},{"op":"remove","path":"/spec/volumes/0"}]"#
        );
        let both = || {
            vec![
                edit(Subject::Pod, "volumes", append(&["1"])),
                edit(Subject::Pod, "volumes", EditOp::Prepend(item("0"))),
            ]
        };
        for (pod, expected) in [
            ("{}", r#"[{"op":"add","path":"/spec","value":{"volumes":[0,1]}}]"#),
            (r#"{"spec":{"volumes":null}}"#, r#"[{"op":"add","path":"/spec/volumes","value":[0,1]}]"#),
            (
                r#"{"spec":{"volumes":[]}}"#,
                r#"[{"op":"add","path":"/spec/volumes/-","value":1},{"op":"add","path":"/spec/volumes/0","value":0}]"#,
            ),
        ] {
            assert_eq!(patch(pod, both()), expected);
        }
    }
}
