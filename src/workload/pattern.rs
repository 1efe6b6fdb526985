//! Patterns of paths: `spec.replicaSpecs.*.template`, `spec.roles[].template`. A key, `*` for each value of a map, and `[]`
//! for each item of a list.

use crate::path::Path;
use crate::yaml::{Node, Value};

/// What a pattern leads to in an object.
#[derive(Debug, PartialEq)]
pub(super) enum Match<'d> {
    /// A value that is not null.
    Value(Path<'d>, &'d Node),
    /// Something on the way that is of the wrong type: what is in it cannot be known.
    Unreadable(Path<'d>, &'d Node),
}

/// One step of a pattern.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Segment<'p> {
    Key(&'p str),
    EachValue,
    EachItem,
    /// One item of a list: not in the table, but objects name their pods so.
    Item(usize),
}

/// What is wrong with a pattern, if something is.
#[must_use]
pub fn fault(pattern: &str) -> Option<String> {
    let is_name = |key: &str| !key.is_empty() && !key.contains(['[', ']', '*', '{', '}', ' ']);
    let wrong = pattern.split('.').find(|part| {
        let name = part.trim_end_matches("[]");
        !(is_name(name) || name == "*")
    });
    wrong.map(|part| format!("`{part}` is no step of a path: write a key, key[] for each item of a list, or * for each value of a map"))
}

fn segments(pattern: &str) -> Vec<Segment<'_>> {
    let mut segments = Vec::new();
    for part in pattern.split('.').filter(|part| !part.is_empty()) {
        let (name, lists) = part.split_at(part.find('[').unwrap_or(part.len()));
        segments.push(if name == "*" { Segment::EachValue } else { Segment::Key(name) });
        let items = lists.split('[').skip(1).map(|item| item.trim_end_matches(']'));
        segments.extend(items.map(|item| item.parse().map_or(Segment::EachItem, Segment::Item)));
    }
    segments
}

/// Everything that a pattern leads to, in the order of the object. What is absent or null is left out.
pub(super) fn matches<'d>(object: &'d Node, pattern: &str) -> Vec<Match<'d>> {
    let mut found = Vec::new();
    follow(object, &segments(pattern), Path::root(), &mut found);
    found
}

fn follow<'d>(node: &'d Node, segments: &[Segment<'_>], path: Path<'d>, found: &mut Vec<Match<'d>>) {
    let Some((first, rest)) = segments.split_first() else {
        if node.value != Value::Null {
            found.push(Match::Value(path, node));
        }
        return;
    };
    match (first, &node.value) {
        (_, Value::Null) => {}
        (Segment::Key(key), Value::Mapping(entries)) => {
            if let Some(entry) = entries.iter().find(|entry| entry.key == *key) {
                follow(&entry.value, rest, path.key(entry.key.as_str()), found);
            }
        }
        (Segment::EachValue, Value::Mapping(entries)) => {
            for entry in entries {
                follow(&entry.value, rest, path.clone().key(entry.key.as_str()), found);
            }
        }
        (Segment::EachItem, Value::Sequence(items)) => {
            for (index, item) in items.iter().enumerate() {
                follow(item, rest, path.clone().index(index), found);
            }
        }
        (Segment::Item(index), Value::Sequence(items)) => {
            if let Some(item) = items.get(*index) {
                follow(item, rest, path.index(*index), found);
            }
        }
        _ => found.push(Match::Unreadable(path, node)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::yaml;

    #[test]
    fn a_pattern_finds_all_that_it_leads_to() {
        for (pattern, expected) in [
            ("spec.a", &["spec.a"][..]),
            ("spec.*.t", &["spec.a.t", "spec.b.t", "!spec.l", "!spec.s"]),
            ("spec.l[].t", &["spec.l[0].t", "!spec.l[1]"]),
            ("spec.l[]", &["spec.l[0]", "spec.l[1]"]),
            ("spec.s[]", &["!spec.s"]),
            ("spec.a[]", &["!spec.a"]),
            ("spec.none.t", &[]),
            ("spec.n.t[]", &[]),
            ("m[][].x", &["m[0][1].x"]),
            ("spec.l[0].t", &["spec.l[0].t"]),
        ] {
            let text = "{spec: {a: {t: 1}, b: {t: 2}, l: [{t: 3}, 5, null], s: '${X}', n: null}, m: [[null, {x: 1}]]}";
            let document = yaml::read(text).remove(0).expect(text);
            let found: Vec<String> = matches(&document.root, pattern)
                .iter()
                .map(|found| match found {
                    Match::Value(path, _) => path.to_string(),
                    Match::Unreadable(path, _) => format!("!{path}"),
                })
                .collect();
            assert_eq!(found, expected, "{pattern}");
        }
    }

    #[test]
    fn what_is_no_pattern_is_said_to_be_none() {
        for pattern in ["spec", "spec.a[].b", "spec.*.t", "a[][]", "x.y-z/w"] {
            assert_eq!(fault(pattern), None, "{pattern}");
        }
        for (pattern, part) in [
            ("", ""),
            ("spec..a", ""),
            ("spec.a[0]", "a[0]"),
            ("spec.a*", "a*"),
            ("spec.[]", "[]"),
            ("a{b}", "a{b}"),
        ] {
            assert!(fault(pattern).expect(pattern).starts_with(&format!("`{part}`")), "{pattern}");
        }
    }
}
