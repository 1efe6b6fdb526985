//! What a template of Argo Workflows makes itself: its own pod, or an object that is written as a text.

use crate::path::Path;
use crate::workload::adapters::argo_pod::Level;
use crate::workload::pattern::{Match, matches};
use crate::workload::template::{Part, Shape, Template};
use crate::workload::unresolved::UnresolvedReason;
use crate::yaml::{Node, Value};

/// Most templates that are found in one list before references to other workflows are left alone.
const MOST_FOLLOWED: usize = 100;

/// Longest manifest in a workflow that is itself in a text, all of which stands at one place: each level of them takes room on
/// the stack.
const LONGEST_TEXT_IN_TEXT: usize = 16 << 10;

/// Takes everything that a pattern leads to and that is an object.
pub(super) fn each<'o, 'd>(
    level: &Level<'o, 'd>,
    (path, node): (&Path<'d>, &'d Node),
    pattern: &str,
    take: &mut dyn FnMut(&Level<'o, 'd>, Path<'d>, &'d Node) -> Vec<Template<'d>>,
) -> Vec<Template<'d>> {
    let mut found = Vec::new();
    let mut alone = None;
    for matched in matches(node, pattern) {
        let level = match found.len() < MOST_FOLLOWED {
            true => level,
            false => alone.get_or_insert_with(|| level.alone()),
        };
        let (Match::Value(at, value) | Match::Unreadable(at, value)) = &matched;
        let at = path.join(at);
        match (&matched, &value.value) {
            (Match::Value(..), Value::Mapping(_)) => found.extend(take(level, at, value)),
            _ => found.push(level.object.unreadable(at, value, Shape::PartialPodSpec, "an object or a list")),
        }
    }
    found
}

/// What a template itself makes: its own pod, or an object.
pub(super) fn own<'d>(level: &Level<'_, 'd>, path: &Path<'d>, node: &'d Node) -> Vec<Template<'d>> {
    let mut found: Vec<Template<'d>> = level.pod(path, node).into_iter().collect();
    found.extend(each(level, (path, node), "resource", &mut resource));
    found
}

/// The object that a template makes, unless it only looks at one or deletes it.
fn resource<'d>(level: &Level<'_, 'd>, path: Path<'d>, node: &'d Node) -> Vec<Template<'d>> {
    let object = level.object;
    let action = node.text_of("action");
    if ["get", "delete"].contains(&action) {
        return Vec::new();
    }
    if node.get("manifestFrom").is_some() {
        let path = path.key("manifestFrom");
        let text = "the object that it makes comes from an artifact";
        let unresolved = object.unresolved(&path, UnresolvedReason::Reference, text);
        return vec![Template::unjudged(path, Shape::Reference, unresolved)];
    }
    let Some(manifest) = node.get("manifest") else { return Vec::new() };
    let path = path.key("manifest");
    let Value::String(text) = &manifest.value else {
        return vec![object.unreadable(path, manifest, Shape::Object, "a text")];
    };
    if object.node.span == manifest.span && text.len() > LONGEST_TEXT_IN_TEXT {
        let text = format!("{path} is a text in a text, of more than {LONGEST_TEXT_IN_TEXT} bytes");
        let unresolved = object.unresolved(&path, UnresolvedReason::Unparsable, text);
        return vec![Template::unjudged(path, Shape::Object, unresolved)];
    }
    let made = object.embedded_text(&path, manifest);
    // A patch changes an object that is there.
    let of_action =
        |made: Template<'d>| if action == "patch" { Template { part: Part::Overlay, ..made } } else { made };
    made.into_iter().map(of_action).collect()
}
