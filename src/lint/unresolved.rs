//! What an object of Kubernetes' own kinds lacks to be whole.
//!
//! A patch of kustomize has the kind of the object that it changes, but not its required parts. What it leaves out may stand
//! in that object, so it is neither refused for it nor allowed; what it forbids itself by writing it is refused as ever.

use crate::lint::manifest::Item;
use crate::path::Path;
use crate::workload::{Unresolved, UnresolvedReason, Workload};
use crate::yaml::{Node, Value};

/// What an object lacks to be whole, besides its template; nothing if it is.
pub(super) fn missing_parts(workload: &Workload, item: &Item<'_>) -> Vec<Unresolved> {
    let required = workload.required(item.api_version).iter().map(|path| Path::from_dotted(path));
    let absent = required.filter(|path| is_absent(item.node, path));
    absent.map(|path| missing_part(item.node, &path)).collect()
}

/// That something is not there.
pub(super) fn missing_part(node: &Node, path: &Path<'_>) -> Unresolved {
    Unresolved::new(node, path, UnresolvedReason::Fragment, format!("no {path}"))
}

fn is_absent(node: &Node, path: &Path<'_>) -> bool {
    let found = node.locate(path);
    !found.exact || found.node.value == Value::Null
}
