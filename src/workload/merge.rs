//! Merging parts of pods as operators do: a strategic merge of two pod specs, and the replacement of single fields.

use crate::yaml::{Node, Value};

/// The lists of a pod's spec that are merged item by item, and the key that tells items apart.
const KEYED: [(&str, &str); 12] = [
    ("containers", "name"),
    ("initContainers", "name"),
    ("ephemeralContainers", "name"),
    ("volumes", "name"),
    ("imagePullSecrets", "name"),
    ("hostAliases", "ip"),
    ("topologySpreadConstraints", "topologyKey"),
    ("env", "name"),
    ("ports", "containerPort"),
    ("volumeMounts", "mountPath"),
    ("volumeDevices", "devicePath"),
    ("resourceClaims", "name"),
];
/// The key of a patch that says how it is meant.
const DIRECTIVE: &str = "$patch";

/// Merges a patch into a value as Kubernetes' strategic merge does: objects key by key, the lists of containers, volumes and
/// so on by name, other lists and all else replaced; `null` removes.
pub(super) fn merge(base: &mut Node, patch: &Node) {
    merge_at("", base, patch);
}

/// The same with a patch that its operator has read into types before: there `null` is what is not written.
pub(super) fn merge_typed(base: &mut Node, patch: &Node) {
    merge(base, &without_nulls(patch));
}

fn without_nulls(node: &Node) -> Node {
    let mut kept = node.clone();
    match &mut kept.value {
        Value::Mapping(entries) => {
            entries.retain(|entry| entry.value.value != Value::Null);
            for entry in entries {
                entry.value = without_nulls(&entry.value);
            }
        }
        Value::Sequence(items) => {
            for item in items {
                *item = without_nulls(item);
            }
        }
        Value::Null | Value::Bool(_) | Value::Int(_) | Value::Float(_) | Value::String(_) => {}
    }
    kept
}

fn merge_at(key: &str, base: &mut Node, patch: &Node) {
    match (&mut base.value, &patch.value) {
        (Value::Mapping(_), Value::Mapping(entries)) => {
            if patch.text_of(DIRECTIVE) == "replace" {
                *base = patch.clone();
                base.remove(DIRECTIVE);
                return;
            }
            for entry in entries {
                merge_entry(base, &entry.key, &entry.value);
            }
        }
        (Value::Sequence(items), Value::Sequence(patches)) => match key_of_list(key) {
            Some(name) => merge_items(items, name, patches),
            None => *base = patch.clone(),
        },
        // One of them is of the wrong type, and nobody knows which: nor is this of the right one.
        (Value::Mapping(_), Value::Sequence(_)) | (Value::Sequence(_), Value::Mapping(_)) => {
            *base = Node::text(patch.span, "");
        }
        // What should be an object or a list and is none: a placeholder, say, whose value is not known. It stays, so that
        // it is told.
        (known, Value::Mapping(_) | Value::Sequence(_)) if *known != Value::Null => {}
        _ => *base = patch.clone(),
    }
}

fn merge_entry(base: &mut Node, key: &str, patch: &Node) {
    if patch.value == Value::Null {
        base.remove(key);
        return;
    }
    match base.locate_mut(&[key.into()]) {
        Some(known) => merge_at(key, known, patch),
        None => base.set(key, patch.clone()),
    }
}

fn key_of_list(key: &str) -> Option<&'static str> {
    KEYED.iter().find(|(list, _)| *list == key).map(|(_, name)| *name)
}

/// Merges lists whose items a key tells apart. New items go last: the order has no
/// part in a verdict.
fn merge_items(items: &mut Vec<Node>, name: &str, patches: &[Node]) {
    for patch in patches {
        let id = patch.get(name).map(|id| &id.value);
        let known = items.iter().position(|item| id.is_some() && item.get(name).map(|id| &id.value) == id);
        match known {
            Some(known) if patch.text_of(DIRECTIVE) == "delete" => drop(items.remove(known)),
            Some(known) => {
                if let Some(item) = items.get_mut(known) {
                    merge_at("", item, patch);
                }
            }
            None if patch.text_of(DIRECTIVE) == "delete" => {}
            None => items.push(patch.clone()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::yaml;

    fn merged(base: &str, patch: &str, merge: fn(&mut Node, &Node)) -> String {
        let [mut base, patch] = [base, patch].map(|text| yaml::read(text).remove(0).expect(text).root);
        merge(&mut base, &patch);
        String::from_utf8(base.to_json()).expect("UTF-8")
    }

    #[test]
    fn a_patch_changes_what_it_names() {
        for (base, patch, expected) in [
            ("{a: 1, b: {c: 2}}", "{b: {d: 3}, e: 4}", r#"{"a":1,"b":{"c":2,"d":3},"e":4}"#),
            ("{a: 1, b: 2}", "{a: null}", r#"{"b":2}"#),
            ("{a: {b: 1}}", "{a: {$patch: replace, c: 2}}", r#"{"a":{"c":2}}"#),
            (
                "{containers: [{name: a, image: x}, {name: b}]}",
                "{containers: [{name: a, image: z}, {name: c}, {name: b, $patch: delete}]}",
                r#"{"containers":[{"name":"a","image":"z"},{"name":"c"}]}"#,
            ),
            ("{drop: [A]}", "{drop: [B]}", r#"{"drop":["B"]}"#),
            // What is not known stays so.
            ("{a: '${X}'}", "{a: {b: 1}}", r#"{"a":"${X}"}"#),
            ("{a: {b: 1}}", "{a: '${X}'}", r#"{"a":"${X}"}"#),
            ("{a: {b: 1}}", "{a: [c]}", r#"{"a":""}"#),
            ("{volumes: [{name: a}]}", "{volumes: {name: a}}", r#"{"volumes":""}"#),
        ] {
            assert_eq!(merged(base, patch, merge), expected, "{base} {patch}");
        }
    }

    #[test]
    fn what_was_read_into_types_has_no_null() {
        let merged =
            merged("{a: 1, b: {c: 2}}", "{a: null, b: {c: null, d: [{e: null, f: 1}]}}", merge_typed);
        assert_eq!(merged, r#"{"a":1,"b":{"c":2,"d":[{"f":1}]}}"#);
    }
}
