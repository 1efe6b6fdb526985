//! Labels and annotations of Azure workload identity on objects where nobody reads them.

use crate::identity::{AZURE_CLIENT_ID, AZURE_LABEL};
use crate::lint::manifest::Item;
use crate::lint::misplaced::Misplaced;
use crate::lint::report::IdentityNote;
use crate::path::Path;
use crate::text::Printable;
use crate::workload::{Shape, Template};
use crate::yaml::{Node, Value};

/// What the keys begin with, in a text that mentions any.
pub(in crate::lint) const MENTION: &str = "azure.workload.identity/";

/// The keys that have one right place.
pub(in crate::lint) const IDENTITY_KEYS: [&str; 2] = [AZURE_LABEL, AZURE_CLIENT_ID];

/// Whether a pod has any label or annotation of Azure workload identity.
pub(super) fn mentions_identity(pod: &Node) -> bool {
    ["labels", "annotations"].iter().any(|map| {
        let located = pod.locate(&Path::from_keys(["metadata", map]));
        let Value::Mapping(entries) = &located.node.value else { return false };
        located.exact && entries.iter().any(|entry| entry.key.starts_with(MENTION))
    })
}

/// The keys that have no effect on an object that makes pods, and on its templates.
pub(in crate::lint) fn misplaced_keys(item: &Item<'_>, templates: &[Template<'_>]) -> Vec<Misplaced> {
    let mut found = Vec::new();
    let is_itself_pod = templates.iter().any(|template| template.path.is_empty());
    if !is_itself_pod {
        let first = templates.iter().find(|template| template.shape == Shape::PodTemplate);
        let home = match first {
            Some(template) => format!("{}.metadata.labels", template.path),
            None => "the labels of its pods".to_owned(),
        };
        let is_asked = |template: &Template<'_>| {
            let path = Path::from_keys(["metadata", "labels", AZURE_LABEL]);
            template.pod.as_deref().is_some_and(|pod| pod.locate(&path).exact)
        };
        let is_on_template = templates.iter().any(is_asked);
        for (map, key, path) in keys_on(item.node) {
            let message = match (map, key) {
                ("labels", AZURE_LABEL) if is_on_template => continue,
                (_, AZURE_LABEL) => format!(
                    "is on the {}, not on its pods, so that they get no identity: write it as a label in {home}",
                    Printable(item.kind)
                ),
                _ => of_accounts(),
            };
            let span = item.node.locate(&path).span;
            let belongs = if key == AZURE_LABEL { format!("{home}[\"{key}\"]") } else { String::new() };
            found.push(Misplaced {
                field: path.to_string(),
                line: span.line,
                column: span.column,
                message,
                belongs,
            });
        }
    }
    for template in templates {
        let Some(pod) = template.pod.as_deref() else { continue };
        for (_, _, path) in keys_on(pod).filter(|(_, key, _)| *key == AZURE_CLIENT_ID) {
            let place = template.places.locate(pod, &path);
            if place.referent.is_some() {
                continue;
            }
            let (line, column) = (place.span.line, place.span.column);
            let (message, belongs) = (of_accounts(), String::new());
            found.push(Misplaced { field: place.field, line, column, message, belongs });
        }
    }
    found
}

/// The same of an object without pods.
pub(in crate::lint) fn keys_of_others(item: &Item<'_>, file: &str) -> Vec<IdentityNote> {
    let notes = keys_on(item.node).map(|(_, key, path)| {
        let span = item.node.locate(&path).span;
        let what = if key == AZURE_LABEL { "a label of pods" } else { "an annotation of a ServiceAccount" };
        IdentityNote {
            file: file.to_owned(),
            line: Some(span.line),
            column: Some(span.column),
            message: format!("{key} is {what}: on a {} nobody reads it", Printable(item.kind)),
        }
    });
    notes.collect()
}

fn of_accounts() -> String {
    "has no effect here: it is an annotation of the ServiceAccount that the pods run as".to_owned()
}

/// The keys that an object has, with where they stand.
fn keys_on(node: &Node) -> impl Iterator<Item = (&'static str, &'static str, Path<'static>)> {
    let maps = ["labels", "annotations"].into_iter();
    let all = maps.flat_map(|map| IDENTITY_KEYS.into_iter().map(move |key| (map, key)));
    let placed = all.map(|(map, key)| (map, key, Path::from_keys(["metadata", map, key])));
    placed.filter(|(_, _, path)| node.locate(path).exact)
}
