//! The list of kinds as a table, for people.

use std::fmt::Write as _;

use crate::kinds::listing::{ListedCarries, ListedKind, ListedKinds};
use crate::kinds::words::shape_name;

/// The heads of the columns.
const HEADS: [&str; 4] = ["GROUP/VERSION", "KIND", "SHAPE", "WHERE"];

impl ListedKinds {
    /// The table, and behind it the kinds without pods.
    #[must_use]
    pub fn text(&self) -> String {
        let (without, with): (Vec<&ListedKind>, Vec<&ListedKind>) =
            self.kinds.iter().partition(|listed| listed.carries == ListedCarries::Nothing);
        let mut text = String::new();
        if !with.is_empty() {
            push_table(&mut text, with.into_iter().flat_map(rows).collect());
        }
        if !without.is_empty() {
            let gap = if text.is_empty() { "" } else { "\n" };
            let _ = writeln!(text, "{gap}Known to make no pods:");
            for listed in without {
                let _ = writeln!(text, "  {}  {}", group_and_versions(listed), listed.kind);
            }
        }
        text
    }
}

/// A row for each place of a kind; only the first names the kind.
fn rows(listed: &ListedKind) -> Vec<[String; 4]> {
    let (group, kind) = (group_and_versions(listed), listed.kind.to_owned());
    if listed.places.is_empty() {
        return vec![[group, kind, "opaque".to_owned(), "-".to_owned()]];
    }
    let row = |(index, (path, shape)): (usize, (&str, &str))| {
        let (group, kind) = if index == 0 { (group.clone(), kind.clone()) } else { Default::default() };
        [group, kind, shape.to_owned(), if path.is_empty() { "the object" } else { path }.to_owned()]
    };
    let places = listed.places.iter().map(|place| (place.path.as_str(), shape_name(place.shape)));
    places.enumerate().map(row).collect()
}

fn push_table(text: &mut String, rows: Vec<[String; 4]>) {
    let rows: Vec<[String; 4]> = [HEADS.map(str::to_owned)].into_iter().chain(rows).collect();
    let width =
        |of: fn(&[String; 4]) -> &String| rows.iter().map(|row| of(row).len()).max().unwrap_or_default();
    let (first, second, third) =
        (width(|[first, ..]| first), width(|[_, second, ..]| second), width(|[.., third, _]| third));
    for [group, kind, shape, path] in &rows {
        let _ = writeln!(text, "{group:first$}  {kind:second$}  {shape:third$}  {path}");
    }
}

/// `apps/v1,v1beta2`; `kubeflow.org` for all versions.
pub(super) fn group_and_versions(listed: &ListedKind) -> String {
    let versions = listed.versions.join(",");
    match (listed.group, listed.versions.is_empty()) {
        ("", _) => versions,
        (group, true) => group.to_owned(),
        (group, false) => format!("{group}/{versions}"),
    }
}
