//! Argo's patches of pods, which are texts, and what they may meet: containers that Argo itself adds.

use crate::path::Path;
use crate::workload::kind::Object;
use crate::workload::merge::merge;
use crate::workload::object::give_image;
use crate::workload::placeholder::has_placeholder;
use crate::workload::unresolved::{Unresolved, UnresolvedReason};
use crate::yaml::{self, Node, Value};

/// The containers that Argo adds to each pod: its operator answers for them, and a patch for what it writes into them.
const OF_EXECUTOR: [&str; 3] = ["init", "wait", "supervisor"];

/// What a patch is: itself, or why it is not known.
pub(super) type Patch = Result<Node, Unresolved>;

/// The `podSpecPatch` of a workflow or a template.
pub(super) fn patch_of(object: &Object<'_>, path: &Path<'_>, owner: &Node) -> Option<Patch> {
    let written = owner.get("podSpecPatch")?;
    let path = path.clone().key("podSpecPatch");
    let Value::String(text) = &written.value else {
        return Some(Err(object.unreadable_value(&path, written, "a text")));
    };
    if text.trim().is_empty() {
        return None;
    }
    if let Some(unresolved) = object.unread_text(&path, text) {
        return Some(Err(unresolved));
    }
    let mut documents = yaml::read(text);
    let document = documents.pop().filter(|_| documents.is_empty());
    let problem = match document {
        Some(Ok(document)) if document.root.is_object() => {
            return Some(Ok(document.root.moved_to(written.span)));
        }
        _ if has_placeholder(text) => "it has a placeholder".to_owned(),
        Some(Err(error)) => error.message,
        _ => "it is no object".to_owned(),
    };
    let text = format!("{path} cannot be read: {problem}");
    Some(Err(object.unresolved(&path, UnresolvedReason::Unparsable, text)))
}

/// Merges patches into the spec of a pod. Whether all of them are known.
pub(super) fn apply<'p>(
    spec: &mut Node,
    patches: impl Iterator<Item = &'p Patch>,
    unresolved: &mut Vec<Unresolved>,
) -> bool {
    let written = names(spec);
    let mut are_known = true;
    for patch in patches {
        match patch {
            Ok(patch) => merge(spec, patch),
            Err(unknown) => {
                are_known = false;
                unresolved.push(unknown.clone());
            }
        }
    }
    for container in containers_mut(spec) {
        let name = container.text_of("name").to_owned();
        if OF_EXECUTOR.contains(&name.as_str()) && !written.contains(&name) {
            complete(container);
        }
    }
    are_known
}

fn names(spec: &Node) -> Vec<String> {
    let lists = ["containers", "initContainers"].into_iter();
    lists.flat_map(|list| spec.items_at(list)).map(|item| item.text_of("name").to_owned()).collect()
}

fn containers_mut(spec: &mut Node) -> Vec<&mut Node> {
    let Value::Mapping(entries) = &mut spec.value else { return Vec::new() };
    let lists =
        entries.iter_mut().filter(|entry| ["containers", "initContainers"].contains(&entry.key.as_str()));
    let items = lists.filter_map(|entry| {
        if let Value::Sequence(items) = &mut entry.value.value { Some(items) } else { None }
    });
    items.flatten().filter(|item| item.is_object()).collect()
}

/// The executor brings the images of what is only patched here.
pub(super) fn give_images(spec: &mut Node) {
    containers_mut(spec).into_iter().for_each(give_image);
}

/// Gives a container of the executor what a patch does not write: nobody asks its author for that.
fn complete(container: &mut Node) {
    let span = container.span;
    let boolean = |value| Node { value: Value::Bool(value), span, alias: None };
    let drop = Node::list(span, vec![Node::text(span, "ALL")]);
    let mut security = Node::object(
        span,
        [
            ("allowPrivilegeEscalation", boolean(false)),
            ("capabilities", Node::object(span, [("drop", drop)])),
            ("runAsNonRoot", boolean(true)),
            ("seccompProfile", Node::object(span, [("type", Node::text(span, "RuntimeDefault"))])),
        ],
    );
    if let Some(written) = container.get("securityContext") {
        merge(&mut security, written);
    }
    container.set("securityContext", security);
    give_image(container);
}
