//! Containers of a custom resource that are at none of the places where its kind has its pods: podgate does not look at them, and
//! most likely nobody does, since API servers drop fields that a kind does not have. So they change no verdict, and are noted.

use crate::lint::misplaced::Misplaced;
use crate::path::Path;
use crate::text::{Printable, printable};
use crate::workload::{Template, holders};
use crate::yaml::Node;

/// Most places of one object that are noted.
const MOST: usize = 8;
/// Longest path that is shown, in characters.
const LONGEST_PATH: usize = 200;

/// A note for each place with containers that no template of the object has.
pub(super) fn find(node: &Node, kind: &str, templates: &[Template<'_>]) -> Vec<Misplaced> {
    let is_looked_at = |path: &Path<'_>| templates.iter().any(|template| path.starts_with(&template.path));
    let is_status = |path: &Path<'_>| path.first().and_then(|step| step.as_key()) == Some("status");
    let unlooked = holders(node).into_iter().filter(|(path, _)| !is_looked_at(path) && !is_status(path));
    unlooked.take(MOST).map(|(path, holder)| note(&path, holder, kind)).collect()
}

fn note(path: &Path<'_>, holder: &Node, kind: &str) -> Misplaced {
    let kind = Printable(kind);
    Misplaced {
        field: printable(&path.to_string(), LONGEST_PATH).to_string(),
        line: holder.span.line,
        column: holder.span.column,
        message: format!(
            "these containers are not looked at: no {kind} has pods there (podgate kinds {kind} says where)"
        ),
        belongs: String::new(),
    }
}
