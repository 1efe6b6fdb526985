//! What a verdict cannot be given for: parts of an object that are elsewhere, and kinds that are not known.
//!
//! A patch of kustomize has the kind of the object that it changes, but not its required parts. What it leaves out may stand
//! in that object, so it is neither refused for it nor allowed; what it forbids itself by writing it is refused as ever.

use serde::Serialize;

use crate::lint::manifest::Item;
use crate::path::Path;
use crate::pod::Pod;
use crate::text::{Printable, printable, quoted};
use crate::workload::Workload;
use crate::yaml::{Node, Span, Value};

/// Longest path in a sentence, in characters.
const LONGEST_PATH: usize = 200;

/// Something that a verdict lacks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Unresolved {
    /// Where, from the object on.
    pub path: String,
    /// Why.
    pub reason: UnresolvedReason,
    /// The kind that is not known or that is referred to, if it is about one.
    pub kind: Option<String>,
    /// The name of the object of that kind, if there is one.
    pub name: Option<String>,
    /// The reason in words.
    pub text: String,
    /// The line of it, or of what it is missing from.
    #[serde(skip)]
    pub line: usize,
    /// Its column.
    #[serde(skip)]
    pub column: usize,
}

/// Why no verdict can be given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum UnresolvedReason {
    /// The object, or one of its containers, is not whole.
    Fragment,
    /// There is no container.
    NoContainers,
    /// It is not known where the kind has its pods.
    UnknownKind,
}

impl Unresolved {
    fn new(node: &Node, path: &Path<'_>, reason: UnresolvedReason, text: String) -> Self {
        let Span { line, column, .. } = node.locate(path).span;
        Self { path: path.to_string(), reason, kind: None, name: None, text, line, column }
    }

    /// Containers in an object of a kind that is not known.
    pub(super) fn of_unknown_kind(item: &Item<'_>, name: &str, path: &Path<'_>) -> Self {
        let kind = Printable(item.kind);
        let version = Printable(item.api_version);
        // A key may be anything.
        let place = if path.is_empty() {
            String::new()
        } else {
            format!(" at {}", printable(&path.to_string(), LONGEST_PATH))
        };
        let text = format!(
            "the containers{place} are not judged: {kind} of {version} is no kind that podgate knows"
        );
        Self {
            kind: Some(item.kind.to_owned()),
            name: Some(name.to_owned()).filter(|name| !name.is_empty()),
            ..Self::new(item.node, path, UnresolvedReason::UnknownKind, text)
        }
    }
}

/// What an object lacks to be whole; nothing if it is.
pub(super) fn missing_parts(workload: &Workload, item: &Item<'_>, pod: Option<&Pod<'_>>) -> Vec<Unresolved> {
    let Item { node, api_version, .. } = item;
    let required = workload.required(api_version).iter().map(|path| Path::from_dotted(path));
    let absent = required.filter(|path| is_absent(node, path));
    let mut missing: Vec<Unresolved> = absent.map(|path| missing_part(node, &path)).collect();
    let template = workload.template_steps();
    match pod {
        None => missing.push(missing_part(node, &template)),
        Some(pod) => add_missing_of_pod(node, &template, pod, &mut missing),
    }
    missing
}

fn add_missing_of_pod(node: &Node, template: &Path<'_>, pod: &Pod<'_>, missing: &mut Vec<Unresolved>) {
    let spec = template.clone().key("spec");
    if pod.spec.containers.is_empty() {
        let text = format!("no {}", spec.clone().key("containers"));
        missing.push(Unresolved::new(node, &spec.key("containers"), UnresolvedReason::NoContainers, text));
    }
    for (at, container) in pod.containers().filter(|(_, container)| container.image.is_empty()) {
        let path = template.clone().key("spec").key(at.kind.list()).index(at.index);
        let text = format!("container {} has no image", quoted(&container.name));
        missing.push(Unresolved::new(node, &path, UnresolvedReason::Fragment, text));
    }
}

fn missing_part(node: &Node, path: &Path<'_>) -> Unresolved {
    Unresolved::new(node, path, UnresolvedReason::Fragment, format!("no {path}"))
}

fn is_absent(node: &Node, path: &Path<'_>) -> bool {
    let found = node.locate(path);
    !found.exact || found.node.value == Value::Null
}
