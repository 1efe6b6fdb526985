//! The list of kinds as JSON, version 1: for other programs, which must be able to tell what they read.

use serde_json::{Value, json};

use crate::kinds::listing::{KindSource, ListedCarries, ListedKind, ListedKinds, ListedPlace};
use crate::kinds::words::{part_name, shape_name};

/// The version of the format. A change that could break a reader is a new one.
const VERSION: u32 = 1;

impl ListedKinds {
    /// The list.
    #[must_use]
    pub fn json(&self) -> Value {
        json!({ "version": VERSION, "kinds": self.kinds.iter().map(of_kind).collect::<Vec<_>>() })
    }
}

fn of_kind(listed: &ListedKind) -> Value {
    json!({
        "group": listed.group,
        "versions": listed.versions,
        "kind": listed.kind,
        "carries": carries_name(listed.carries),
        "places": listed.places.iter().map(of_place).collect::<Vec<_>>(),
        "source": source_name(listed.source),
    })
}

fn of_place(place: &ListedPlace) -> Value {
    let mut object = json!({ "path": place.path, "shape": shape_name(place.shape) });
    if let (Some(part), Value::Object(members)) = (place.part, &mut object) {
        members.insert("part".to_owned(), part_name(part).into());
    }
    object
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
