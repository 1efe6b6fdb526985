//! The list of kinds as JSON, version 1: for other programs, which must be able to tell what they read.

use serde::Serialize;

use crate::kinds::listing::{KindSource, ListedCarries, ListedKind, ListedKinds, ListedPlace};
use crate::kinds::words::part_name;
use crate::workload::Shape;

/// The version of the format. A change that could break a reader is a new one.
const VERSION: u32 = 1;

#[derive(Serialize)]
struct VersionedKinds<'l> {
    version: u32,
    kinds: Vec<KindObject<'l>>,
}

#[derive(Serialize)]
struct KindObject<'l> {
    group: &'l str,
    versions: &'l [&'static str],
    kind: &'l str,
    carries: &'static str,
    places: Vec<PlaceObject<'l>>,
    source: &'static str,
}

#[derive(Serialize)]
struct PlaceObject<'l> {
    path: &'l str,
    shape: Shape,
    #[serde(skip_serializing_if = "Option::is_none")]
    part: Option<&'static str>,
}

impl ListedKinds {
    /// The list on one line.
    ///
    /// # Errors
    /// None that is known: names and paths can always be written.
    pub fn json(&self) -> serde_json::Result<String> {
        let kinds = self.kinds.iter().map(object).collect();
        serde_json::to_string(&VersionedKinds { version: VERSION, kinds })
    }
}

fn object(listed: &ListedKind) -> KindObject<'_> {
    KindObject {
        group: listed.group,
        versions: &listed.versions,
        kind: listed.kind,
        carries: carries_name(listed.carries),
        places: listed.places.iter().map(of_place).collect(),
        source: source_name(listed.source),
    }
}

fn of_place(ListedPlace { path, shape, part }: &ListedPlace) -> PlaceObject<'_> {
    PlaceObject { path, shape: *shape, part: part.map(part_name) }
}

fn carries_name(carries: ListedCarries) -> &'static str {
    match carries {
        ListedCarries::Templates => "templates",
        ListedCarries::Adapter => "adapter",
        ListedCarries::Opaque => "opaque",
        ListedCarries::Nothing => "nothing",
    }
}

fn source_name(source: KindSource) -> &'static str {
    match source {
        KindSource::Kubernetes => "kubernetes",
        KindSource::Table => "table",
        KindSource::File => "file",
    }
}
