//! A kind that a file adds: whether it makes sense beside those that are known, and as a row of the table.

use crate::kinds::written::{CarriesWord, WrittenKind, WrittenTemplate};
use crate::policy::KIND_TABLE;
use crate::workload::{Carries, Kind, Kinds, TemplatePattern, WORKLOADS};

/// A kind that was added, and where.
#[derive(Debug)]
pub(super) struct AddedKind {
    pub(super) file: String,
    pub(super) line: usize,
    pub(super) row: Kind,
}

/// Whether the kind is one of Kubernetes' own.
pub(super) fn is_of_kubernetes(group: &str, kind: &str) -> bool {
    let group_of = |api_version: &'static str| api_version.split_once('/').map_or("", |(group, _)| group);
    WORKLOADS
        .iter()
        .filter(|workload| workload.kind == kind)
        .any(|workload| workload.api_versions().iter().any(|known| group_of(known) == group))
}

/// The row of the table that says already what an entry would: one of all versions, or of one of these.
pub(super) fn built_in(written: &WrittenKind) -> Option<String> {
    let versions = written.versions.as_deref().unwrap_or_default();
    let table = Kinds::default();
    let mut rows = table.iter().filter(|row| row.kind == written.kind && row.group == written.group);
    let overlaps = |row: &&Kind| {
        row.versions.is_empty() || row.versions.iter().any(|known| versions.iter().any(|own| own == known))
    };
    let row = rows.find(overlaps)?;
    let name = format!("{}/{}", row.group, row.kind);
    Some(match row.versions {
        [] => format!("podgate knows {name} already: podgate kinds {} lists where it has its pods", row.kind),
        versions => {
            format!("podgate knows {name} in version {} already: name only others", versions.join(" and "))
        }
    })
}

/// Where an entry that was read before says of the same versions.
pub(super) fn twice<'a>(written: &WrittenKind, added: &'a [AddedKind]) -> Option<&'a AddedKind> {
    let versions = written.versions.as_deref().unwrap_or_default();
    added.iter().filter(|other| other.row.kind == written.kind && other.row.group == written.group).find(
        |other| match other.row.versions {
            [] => versions.is_empty(),
            known => known.iter().any(|known| versions.iter().any(|own| own == known)),
        },
    )
}

/// What is wrong with what an entry carries, if something is.
pub(super) fn carries_fault(written: &WrittenKind) -> Option<&'static str> {
    match (&written.templates, written.carries) {
        (Some(_), Some(_)) => Some("needs only one of templates and carries"),
        (None, None) => Some(
            "needs one of templates and carries: where its pods are, or that it makes them of nothing that is written in \
             it (opaque) or makes none (nothing)",
        ),
        (Some(_), None) | (None, Some(_)) => None,
    }
}

/// The row of the table.
///
/// Rows borrow what lasts as long as the process, since nearly all are constants of the program. Those of a file are read once,
/// at the start, and are needed to the end: so they are never freed.
pub(super) fn row(written: WrittenKind) -> Kind {
    let WrittenKind { group, versions, kind, templates, carries } = written;
    let carries = match (templates, carries) {
        (Some(templates), _) => Carries::Templates(lasting(templates.into_iter().map(pattern).collect())),
        (None, Some(CarriesWord::Nothing)) => Carries::Nothing,
        (None, Some(CarriesWord::Opaque) | None) => Carries::Opaque,
    };
    let versions = versions.unwrap_or_default().into_iter().map(lasting_text).collect();
    Kind { group: lasting_text(group), versions: lasting(versions), kind: lasting_text(kind), carries }
}

fn pattern(WrittenTemplate { path, shape }: WrittenTemplate) -> TemplatePattern {
    let (shape, part) = shape.meaning();
    TemplatePattern { pattern: lasting_text(path), shape, part }
}

fn lasting<T>(items: Vec<T>) -> &'static [T] {
    Box::leak(items.into_boxed_slice())
}

fn lasting_text(text: String) -> &'static str {
    Box::leak(text.into_boxed_str())
}

/// What an object is that was given as a table of kinds, and what to do with it, if that is known.
pub(super) fn advice(kind: &str) -> Option<String> {
    match kind {
        "CustomResourceDefinition" => Some(format!(
            "a CustomResourceDefinition, and no {KIND_TABLE}: podgate kinds discover proposes entries from it"
        )),
        "SecurityPolicy" | "IdentityPolicy" => {
            Some(format!("a policy, and no {KIND_TABLE}: name its file with --policy"))
        }
        _ => None,
    }
}
