//! The objects in a document, as kubectl splits it.
//!
//! kubectl treats anything with a list at `items` as a list, whatever its kind, and lists nest
//! (k8s.io/apimachinery v0.37.2, `unstructured/unstructured.go` and `unstructured_list.go`). An item
//! without a kind or version takes both from its list: `PodList` holds Pods. The depth of lists is bounded by the depth of
//! YAML that is read.

use crate::lint::known_kinds::{NAMESPACE, is_near_workload, is_version_of_workload};
use crate::path::Path;
use crate::text::Printable;
use crate::workload::{Workload, holders};
use crate::yaml::{Node, Value, YamlError};

/// Where a list has its objects.
const ITEMS: &str = "items";

/// An object of a document.
#[derive(Debug)]
pub(super) struct Item<'d> {
    pub(super) node: &'d Node,
    /// `apiVersion`, perhaps that of its list.
    pub(super) api_version: &'d str,
    /// `kind`, likewise.
    pub(super) kind: &'d str,
}

impl Item<'_> {
    /// Something wrong with the object as a whole.
    pub(super) fn fault(&self, message: String) -> YamlError {
        fault(self.node, message)
    }

    /// The text at a path; empty if there is none.
    pub(super) fn text_at(&self, path: &str) -> &str {
        let located = self.node.locate(&Path::from_dotted(path));
        let text = as_text(located.node).filter(|_| located.exact);
        text.unwrap_or_default()
    }

    /// Whether it is a Namespace.
    pub(super) fn is_namespace(&self) -> bool {
        (self.api_version, self.kind) == ("v1", NAMESPACE)
    }
}

/// The objects of a document, those in lists included. An empty document has none.
pub(super) fn items(root: &Node) -> Vec<Result<Item<'_>, YamlError>> {
    let mut items = Vec::new();
    if root.value != Value::Null {
        collect(root, None, &mut items);
    }
    items
}

/// Whether a document is something else than a Kubernetes manifest: it does not say what it is, and nothing in it looks like
/// a pod. An item of a list is part of a manifest in any case.
pub(super) fn is_something_else(root: &Node) -> bool {
    root.value != Value::Null && type_of(root, None).is_err() && !looks_like_object(root)
}

/// Whether something without a right `apiVersion` and `kind` was meant to have pods all the same.
fn looks_like_object(node: &Node) -> bool {
    match &node.value {
        Value::Mapping(entries) => {
            let says = |key: &str| {
                let entry = entries.iter().find(|entry| entry.key.eq_ignore_ascii_case(key));
                entry.and_then(|entry| as_text(&entry.value))
            };
            match (says("apiVersion"), says("kind")) {
                (None, None) => false,
                (api_version, kind) => {
                    api_version.is_some_and(is_version_of_workload)
                        || kind.is_some_and(is_near_workload)
                        || !holders(node).is_empty()
                }
            }
        }
        // Objects in a list that is not one of Kubernetes.
        Value::Sequence(items) => items.iter().any(|item| type_of(item, None).is_ok()),
        Value::Null | Value::Bool(_) | Value::Int(_) | Value::Float(_) | Value::String(_) => false,
    }
}

fn as_text(node: &Node) -> Option<&str> {
    let Value::String(text) = &node.value else { return None };
    Some(text.as_str()).filter(|text| !text.is_empty())
}

/// `apiVersion` and `kind`.
type Type<'d> = (&'d str, &'d str);

fn collect<'d>(node: &'d Node, of_list: Option<Type<'d>>, items: &mut Vec<Result<Item<'d>, YamlError>>) {
    let (api_version, kind) = match type_of(node, of_list) {
        Ok(of_node) => of_node,
        Err(fault) => return items.push(Err(fault)),
    };
    let object = Item { node, api_version, kind };
    let of_items = kind.strip_suffix("List").unwrap_or(kind);
    let is_workload = |kind| Workload::of_kind(api_version, kind).is_some();
    let is_list = kind == "List" || of_items != kind && (is_workload(of_items) || of_items == NAMESPACE);
    match child(node, ITEMS).map(|list| (list, &list.value)) {
        Some((_, Value::Sequence(nodes))) => {
            // What is a list to kubectl may be a pod to others, or be meant as one.
            if !is_list && (is_workload(kind) || is_near_workload(kind) || has_containers_beside_items(node))
            {
                items.push(Ok(object));
            }
            let of_items = (!of_items.is_empty()).then_some((api_version, of_items));
            nodes.iter().for_each(|node| collect(node, of_items, items));
        }
        Some((list, value)) if is_list && *value != Value::Null => {
            let message = format!("items: expected a list, found {}", name_of(value));
            items.push(Err(fault(list, message)));
        }
        _ if is_list => items.extend(misspelt_items(node).map(Err)),
        _ => items.push(Ok(object)),
    }
}

/// Whether an object holds containers elsewhere than in its items, which are objects of their own.
fn has_containers_beside_items(node: &Node) -> bool {
    let Value::Mapping(entries) = &node.value else { return false };
    entries.iter().any(|entry| entry.key != ITEMS && !holders(&entry.value).is_empty())
}

/// The fault of a list that has something else in place of its items.
fn misspelt_items(node: &Node) -> Option<YamlError> {
    let Value::Mapping(entries) = &node.value else { return None };
    let other = entries.iter().find(|entry| {
        let is_list = matches!(&entry.value.value, Value::Sequence(items) if !items.is_empty());
        entry.key != ITEMS && is_list
    })?;
    let key = Printable(&other.key);
    Some(fault(&other.value, format!("{key}: a list has its objects at {ITEMS}, did you mean that?")))
}

/// What an object says that it is, or else what its list says.
fn type_of<'d>(node: &'d Node, of_list: Option<Type<'d>>) -> Result<Type<'d>, YamlError> {
    if !matches!(node.value, Value::Mapping(_)) {
        let found = name_of(&node.value);
        return Err(fault(node, format!("expected a Kubernetes object, found {found}")));
    }
    let own = (text(node, "apiVersion")?, text(node, "kind")?);
    let missing = match own {
        (Some(api_version), Some(kind)) => return Ok((api_version, kind)),
        (None, None) => "neither apiVersion nor kind",
        (None, Some(_)) => "no apiVersion",
        (Some(_), None) => "no kind",
    };
    of_list.ok_or_else(|| fault(node, format!("not a Kubernetes object: it has {missing}")))
}

/// The text of a key; `None` where it is absent or empty.
fn text<'d>(node: &'d Node, key: &str) -> Result<Option<&'d str>, YamlError> {
    let Some(value) = child(node, key) else { return Ok(None) };
    match &value.value {
        Value::Null => Ok(None),
        Value::String(text) => Ok(Some(text.as_str()).filter(|text| !text.is_empty())),
        Value::Bool(_) | Value::Int(_) | Value::Float(_) | Value::Sequence(_) | Value::Mapping(_) => {
            let found = name_of(&value.value);
            Err(fault(value, format!("{key}: expected a string, found {found}")))
        }
    }
}

fn child<'d>(node: &'d Node, key: &str) -> Option<&'d Node> {
    let located = node.locate(&[key.into()]);
    located.exact.then_some(located.node)
}

fn fault(node: &Node, message: String) -> YamlError {
    let span = node.locate(&[]).span;
    YamlError { line: span.line, column: span.column, message }
}

fn name_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Int(_) | Value::Float(_) => "a number",
        Value::String(_) => "a string",
        Value::Sequence(_) => "a list",
        Value::Mapping(_) => "an object",
    }
}

#[cfg(test)]
mod tests {
    use crate::yaml;

    use super::*;

    /// `version kind @line` for each object, the message for what is none.
    fn found(text: &str) -> Vec<String> {
        let documents = yaml::read(text);
        let roots = documents.iter().map(|document| &document.as_ref().expect(text).root);
        let describe = |item: Result<Item<'_>, YamlError>| match item {
            Ok(item) => format!("{} {} @{}", item.api_version, item.kind, item.node.span.line),
            Err(fault) => fault.to_string(),
        };
        roots.flat_map(items).map(describe).collect()
    }

    #[test]
    fn lists_are_taken_apart_as_kubectl_does() {
        let table: &[(&str, &[&str])] = &[
            ("{apiVersion: v1, kind: Pod}", &["v1 Pod @1"]),
            ("{apiVersion: v1, kind: List, items: []}", &[]),
            ("{apiVersion: v1, kind: List}", &[]),
            ("{apiVersion: v1, kind: PodList, items: null}", &[]),
            (
                "{apiVersion: v1, kind: PodList, items: [{}, {kind: X, apiVersion: z}]}",
                &["v1 Pod @1", "z X @1"],
            ),
            ("{apiVersion: apps/v1, kind: DeploymentList, items: [{kind: Pod}]}", &["apps/v1 Deployment @1"]),
            (
                "{apiVersion: v1, kind: List, items: [{apiVersion: v1, kind: List, items: [\n{apiVersion: v1, kind: Pod}]}]}",
                &["v1 Pod @2"],
            ),
            ("{apiVersion: x/v1, kind: Odd, items: [{apiVersion: v1, kind: Pod}]}", &["v1 Pod @1"]),
            ("{apiVersion: x/v1, kind: DenyList, spec: {}}", &["x/v1 DenyList @1"]),
            ("{apiVersion: v1, kind: Pod, items: [{}]}", &["v1 Pod @1", "v1 Pod @1"]),
            ("null\n---\n~", &[]),
        ];
        for (text, expected) in table {
            assert_eq!(&found(text), expected, "{text}");
        }
    }

    #[test]
    fn what_has_no_pod_may_be_something_else() {
        for text in [
            "{name: site, private: true}",
            "{on: push, jobs: {}}",
            "[{op: add, path: /spec/replicas, value: 3}]",
            "{apiVersion: v2, name: trainer, version: 0.1.0}",
            "{apiVersion: v1, name: trainer}",
            "resources: [a.yaml]",
            "{compilerOptions: {}}",
            "{kind: pipeline, steps: [{name: a, image: b}]}",
            "{kind: {enabled: true}, apiVersion: 1}",
            "{sidecars: {containers: [{name: a, image: b}]}}",
            "text",
            "5",
        ] {
            let root = yaml::read(text).remove(0).expect(text).root;
            assert!(is_something_else(&root), "{text}");
        }
        for text in [
            "{apiVersion: v1, kind: ConfigMap}",
            "{kind: Pod, spec: {}}",
            "{kind: deploymnet}",
            "{apiVersion: apps/v1, metadata: {name: a}}",
            "{apiVersion: apps/v1, Kind: Deployment}",
            "{apiVersion: v1, kind: 5, spec: {containers: [{name: a}]}}",
            "{apiversion: v1, spec: {containers: [{name: a}]}}",
            "[{apiVersion: v1, kind: Pod}]",
            "{apiVersion: v1, kind: List, items: [{a: b}]}",
            "null",
        ] {
            let root = yaml::read(text).remove(0).expect(text).root;
            assert!(!is_something_else(&root), "{text}");
        }
    }

    #[test]
    fn what_is_no_object_is_said_to_be_none() {
        for (text, expected) in [
            ("replicas: 1", "line 1, column 1: not a Kubernetes object: it has neither apiVersion nor kind"),
            ("apiVersion: v1\nkind: ''", "line 1, column 1: not a Kubernetes object: it has no kind"),
            ("kind: Pod", "line 1, column 1: not a Kubernetes object: it has no apiVersion"),
            ("kind: 5", "line 1, column 7: kind: expected a string, found a number"),
            ("- a", "line 1, column 3: expected a Kubernetes object, found a list"),
            ("text", "line 1, column 1: expected a Kubernetes object, found a string"),
            (
                "apiVersion: v1\nkind: List\nitems: {a: b}",
                "line 3, column 9: items: expected a list, found an object",
            ),
            (
                "apiVersion: v1\nkind: List\nitems:\n- {a: b}",
                "line 4, column 4: not a Kubernetes object: it has neither apiVersion nor kind",
            ),
        ] {
            assert_eq!(found(text), [expected], "{text}");
        }
    }
}
