//! Where in the text something stands that another module names by its path in the object.

use crate::json::Error;
use crate::pod;
use crate::yaml::{Fault, Located, Node, Span, Step, Value};

/// Where a path of a pod leads: to its value or key, or to the nearest of what it would stand in.
pub(super) fn of_steps<'d>(node: &'d Node, path: &[pod::Step<'_>]) -> Located<'d> {
    let steps: Vec<Step<'_>> = path
        .iter()
        .map(|step| match step {
            pod::Step::Key(key) => Step::Key(key),
            pod::Step::Index(index) => Step::Index(*index),
        })
        .collect();
    node.locate(&steps)
}

/// A fault at a path of keys.
pub(super) fn fault(node: &Node, path: &[&str], message: &str) -> Fault {
    let steps: Vec<Step<'_>> = path.iter().copied().map(Step::Key).collect();
    at(node.locate(&steps).span, message)
}

/// An error of the JSON reader, at the place of its field.
pub(super) fn of_error(node: &Node, error: &Error) -> Fault {
    let message = error.to_string();
    // The bytes are those of the JSON that was made of the node, which nobody sees.
    let offset = format!(" (byte {})", error.offset());
    let message = message.strip_suffix(&offset).unwrap_or(&message);
    at(node.locate(&steps_of(node, &error.path())).span, message)
}

fn at(span: Span, message: &str) -> Fault {
    Fault { line: span.line, column: span.column, message: message.to_owned() }
}

/// Takes a dotted path apart along the node, since a key may itself hold dots and brackets. It ends
/// early at a key that the path shortens or escapes.
fn steps_of<'d>(node: &'d Node, path: &str) -> Vec<Step<'d>> {
    let mut steps = Vec::new();
    let mut node = node;
    let mut rest = path;
    while let Some((step, child, behind)) = next(node, rest) {
        steps.push(step);
        (node, rest) = (child, behind);
    }
    steps
}

/// The first step of a path, where it leads, and the path behind it.
fn next<'d, 'p>(node: &'d Node, path: &'p str) -> Option<(Step<'d>, &'d Node, &'p str)> {
    match &node.value {
        Value::Mapping(entries) => {
            let path = path.strip_prefix('.').unwrap_or(path);
            let behind = |key: &str| {
                path.strip_prefix(key).filter(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
            };
            let named = entries.iter().filter_map(|entry| behind(&entry.key).map(|rest| (entry, rest)));
            let (entry, rest) = named.max_by_key(|(entry, _)| entry.key.len())?;
            Some((Step::Key(&entry.key), &entry.value, rest))
        }
        Value::Sequence(items) => {
            let (index, rest) = path.strip_prefix('[')?.split_once(']')?;
            let index: usize = index.parse().ok()?;
            Some((Step::Index(index), items.get(index)?, rest))
        }
        Value::Null | Value::Bool(_) | Value::Int(_) | Value::Float(_) | Value::String(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use crate::yaml;

    use super::*;

    #[test]
    fn dotted_paths_are_taken_apart_along_the_node() {
        let text = "a:\n  b.c/d: 1\n  b: [x, {\"e[0]\": 2, e: [3]}]\n\"\": 4\n";
        let document = yaml::read(text).remove(0).expect("a document");
        for (path, written) in [
            ("a.b.c/d", "1"),
            ("a.b[0]", "x"),
            ("a.b[1].e[0]", "2"),
            ("a.b[1].e", "e"),
            ("a.b[7]", "b"),
            ("a.b[1].absent", "\"e[0]\": 2"),
            ("a.bc", "a"),
            ("", "4"),
        ] {
            let span = document.root.locate(&steps_of(&document.root, path)).span;
            assert_eq!(&text[span.start..span.end], written, "{path}");
        }
    }
}
