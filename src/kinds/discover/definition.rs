//! A CustomResourceDefinition, as far as it matters where its objects have pods.

use crate::kinds::discover::schema::{SchemaFindings, search};
use crate::kinds::names::{group_fault, kind_fault, version_fault};
use crate::path::Path;
use crate::yaml::{Node, Value};

/// The kind of the object.
pub(super) const KIND: &str = "CustomResourceDefinition";
/// The versions of its API that are read.
const API_VERSIONS: [&str; 2] = ["apiextensions.k8s.io/v1", "apiextensions.k8s.io/v1beta1"];

/// What a CustomResourceDefinition says.
#[derive(Debug)]
pub(super) struct Definition {
    pub(super) group: String,
    pub(super) kind: String,
    pub(super) versions: Vec<DefinedVersion>,
}

/// One version of the kind.
#[derive(Debug)]
pub(super) struct DefinedVersion {
    pub(super) name: String,
    pub(super) found: SchemaFindings,
}

/// A fault and where it is.
pub(super) type Fault = (Path<'static>, String);

/// Whether an object of the kind is only what kustomize is to change in another.
pub(super) fn is_patch(object: &Node) -> bool {
    let has = |key: &str| object.get_in(&["spec", key]).is_some();
    object.get("spec").is_none_or(|spec| matches!(spec.value, Value::Mapping(_)))
        && !["group", "names", "version", "versions"].into_iter().any(has)
}

/// Reads an object of the kind.
///
/// # Errors
/// Everything that is wrong with it, as far as it is read.
pub(super) fn read(object: &Node) -> Result<Definition, Vec<Fault>> {
    let mut faults = Vec::new();
    let api_version = object.text_of("apiVersion");
    if !API_VERSIONS.contains(&api_version) {
        let message = format!("expected {}", API_VERSIONS.join(" or "));
        faults.push((Path::from_dotted("apiVersion"), message));
    }
    let group = name(object, "spec.group", group_fault, &mut faults);
    let kind = name(object, "spec.names.kind", kind_fault, &mut faults);
    let versions = versions(object, &mut faults);
    if faults.is_empty() { Ok(Definition { group, kind, versions }) } else { Err(faults) }
}

/// The text at a path.
fn name(
    object: &Node,
    path: &'static str,
    fault: impl Fn(&str) -> Option<String>,
    faults: &mut Vec<Fault>,
) -> String {
    let keys: Vec<&str> = path.split('.').collect();
    let text = object.get_in(&keys).and_then(Node::as_text).unwrap_or_default();
    let fault = if text.is_empty() { Some("is missing".to_owned()) } else { fault(text) };
    faults.extend(fault.map(|fault| (Path::from_dotted(path), fault)));
    text.to_owned()
}

/// The versions that are served or, if none is, all.
fn versions(object: &Node, faults: &mut Vec<Fault>) -> Vec<DefinedVersion> {
    let spec = object.get("spec");
    // Of v1beta1, which may have one for all versions, and name the only version by itself.
    let common = spec.and_then(|spec| spec.get_in(&["validation", "openAPIV3Schema"]));
    let items = spec.map(|spec| spec.items_at("versions")).unwrap_or_default();
    let only = spec.map(|spec| spec.text_of("version")).unwrap_or_default();
    if items.is_empty() && version_fault(only).is_none() {
        return vec![DefinedVersion { name: only.to_owned(), found: search(common) }];
    }
    if items.is_empty() {
        faults.push((Path::from_dotted("spec.versions"), "expected a list of versions".to_owned()));
    }
    let is_served = |item: &&Node| item.get("served").is_none_or(|served| served.value != Value::Bool(false));
    let is_any_served = items.iter().any(|item| is_served(&item));
    let mut versions = Vec::new();
    for (index, item) in items.iter().enumerate().filter(|(_, item)| !is_any_served || is_served(item)) {
        let name = item.text_of("name");
        let is_again = versions.iter().any(|other: &DefinedVersion| other.name == name);
        if let Some(fault) = version_fault(name).or_else(|| is_again.then(|| "is named twice".to_owned())) {
            faults.push((Path::from_dotted("spec.versions").index(index).key("name"), fault));
        }
        let own = item.get_in(&["schema", "openAPIV3Schema"]);
        versions.push(DefinedVersion { name: name.to_owned(), found: search(own.or(common)) });
    }
    versions
}
