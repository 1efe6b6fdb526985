//! Lists of containers, wherever an object of a kind that is not known has them.
//!
//! What looks like containers may be something else, so it is never refused for it: it is left open.

use crate::path::Path;
use crate::yaml::{Entry, Node, Value};

/// The lists of a pod's spec that hold containers.
pub const CONTAINER_LISTS: [&str; 3] = ["containers", "initContainers", "ephemeralContainers"];

/// What holds lists of containers: the path of each, and itself. The depth is bounded by that of YAML which is read.
#[must_use]
pub fn holders(root: &Node) -> Vec<(Path<'_>, &Node)> {
    let mut found = Vec::new();
    search(root, &mut Path::root(), &mut found);
    found
}

fn search<'d>(node: &'d Node, path: &mut Path<'d>, found: &mut Vec<(Path<'d>, &'d Node)>) {
    match &node.value {
        Value::Mapping(entries) => {
            if entries.iter().any(holds_containers) {
                found.push((path.clone(), node));
            }
            for entry in entries {
                path.push(entry.key.as_str());
                search(&entry.value, path, found);
                path.pop();
            }
        }
        Value::Sequence(items) => {
            for (index, item) in items.iter().enumerate() {
                path.push(index);
                search(item, path, found);
                path.pop();
            }
        }
        Value::Null | Value::Bool(_) | Value::Int(_) | Value::Float(_) | Value::String(_) => {}
    }
}

fn holds_containers(entry: &Entry) -> bool {
    let Value::Sequence(items) = &entry.value.value else { return false };
    CONTAINER_LISTS.contains(&entry.key.as_str()) && items.iter().any(is_container)
}

fn is_container(item: &Node) -> bool {
    let Value::Mapping(entries) = &item.value else { return false };
    entries.iter().any(|entry| entry.key == "name" || entry.key == "image")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::yaml;

    #[test]
    fn containers_are_found_at_any_depth() {
        for (text, expected) in [
            ("spec: {containers: [{name: a}]}", &["spec"][..]),
            ("spec: {a: [{b: {initContainers: [{image: a}]}}]}", &["spec.a[0].b"]),
            ("spec: {containers: [{name: a}], initContainers: [{name: b}]}", &["spec"]),
            ("containers: [{name: a}]", &[""]),
            ("a: {ephemeralContainers: [5, {name: a}]}\nb: {containers: [{name: a}]}", &["a", "b"]),
            ("spec: &s {containers: [{name: a}]}\nmore: *s", &["spec", "more"]),
            // The schema of a custom resource, text, and lists of something else.
            ("properties: {containers: {type: array, items: {name: {}}}}", &[]),
            ("data: {pod: 'containers: [{name: a}]'}", &[]),
            ("spec: {containers: [a, b]}", &[]),
            ("spec: {containers: [{resource: cpu}]}", &[]),
            ("spec: {containers: []}", &[]),
        ] {
            let document = yaml::read(text).remove(0).expect(text);
            let found = holders(&document.root);
            let paths: Vec<String> = found.iter().map(|(path, _)| path.to_string()).collect();
            assert_eq!(paths, expected, "{text}");
        }
    }
}
