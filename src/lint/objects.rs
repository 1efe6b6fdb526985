//! Objects of the cluster that a verdict hangs on, read from files: the Namespaces and their labels.
//!
//! Objects of other kinds are passed over: whoever exports a cluster exports more than is needed.

use std::collections::BTreeMap;

use crate::json::{Reader, members};
use crate::lint::manifest::{self, Item};
use crate::lint::{Unread, place};
use crate::pod::Metadata;
use crate::policy::Snapshot;
use crate::yaml::{self, Fault};

/// The kind of a Namespace.
pub(super) const NAMESPACE: &str = "Namespace";

/// Adds the Namespaces of a file, `text`, which errors call `file`; returns what could not be read.
pub fn read_objects(file: &str, text: &str, namespaces: &mut Snapshot) -> Vec<Unread> {
    let mut unread = Vec::new();
    for (index, document) in yaml::read(text).into_iter().enumerate() {
        let faults = match document {
            Ok(document) => add_document(&document, namespaces),
            Err(fault) => vec![fault],
        };
        let origin = super::Origin { file, document: index + 1 };
        unread.extend(faults.into_iter().map(|fault| Unread::in_document(&origin, fault)));
    }
    unread
}

fn add_document(document: &yaml::Document, namespaces: &mut Snapshot) -> Vec<Fault> {
    let mut faults = Vec::new();
    for item in manifest::items(&document.root) {
        match item {
            Ok(item) if item.is_namespace() => match read_namespace(&item) {
                Ok((name, labels)) => namespaces.insert(&name, labels),
                Err(fault) => faults.push(fault),
            },
            Ok(_) => {}
            Err(fault) => faults.push(fault),
        }
    }
    faults
}

/// The name and labels of a Namespace.
pub(super) fn read_namespace(item: &Item<'_>) -> Result<(String, BTreeMap<String, String>), Fault> {
    let json = item.node.to_json();
    let mut metadata = Metadata::default();
    let read = Reader::new(&json).map(Reader::refusing_misspelt_case).and_then(|mut reader| {
        let reader = &mut reader;
        members!(reader, { "metadata" => metadata.read(reader)? })
    });
    if let Err(error) = read {
        return Err(place::of_error(item.node, &error));
    }
    if metadata.name.is_empty() {
        return Err(place::fault(item.node, &["metadata", "name"], "metadata.name: not set"));
    }
    let labels = metadata.labels.unwrap_or_default();
    let owned = labels.into_iter().map(|(key, value)| (key.into_owned(), value.into_owned()));
    Ok((metadata.name.into_owned(), owned.collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn namespaces_are_found_among_other_objects() {
        let mut namespaces = Snapshot::default();
        let text = "apiVersion: v1\nkind: Namespace\nmetadata: {name: a, labels: {team: x}}\n---\n\
                    {\"apiVersion\":\"v1\",\"kind\":\"List\",\"items\":[\
                    {\"apiVersion\":\"v1\",\"kind\":\"Namespace\",\"metadata\":{\"name\":\"b\"}},\
                    {\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\"}]}\n---\n# nothing\n";
        assert_eq!(read_objects("f", text, &mut namespaces), []);
        let label =
            |name: &str, key: &str| namespaces.labels(name).and_then(|labels| labels.get(key)).cloned();
        assert_eq!(label("a", "team").as_deref(), Some("x"));
        assert_eq!(label("b", "kubernetes.io/metadata.name").as_deref(), Some("b"));
        assert!(namespaces.labels("c").is_none());
    }

    #[test]
    fn what_cannot_be_read_is_named_with_its_line() {
        let table = [
            (
                "apiVersion: v1\nkind: Namespace\nmetadata:\n  labels:\n    a.b/c: yes\n  name: x",
                "f:5:12: metadata.labels.a.b/c: expected a string, found a boolean",
            ),
            ("apiVersion: v1\nkind: Namespace\nmetadata: {}", "f:3:1: metadata.name: not set"),
            (
                "apiVersion: v1\nkind: Namespace\nmetadata: {name: x, Labels: {}}",
                "f:3:21: metadata.Labels: unknown field, did you mean labels?",
            ),
            ("a: [", "f:1:4: unclosed bracket '['"),
            ("a: b", "f:1:1: not a Kubernetes object: it has neither apiVersion nor kind"),
        ];
        for (text, expected) in table {
            let faults = read_objects("f", text, &mut Snapshot::default());
            let faults: Vec<String> = faults.iter().map(ToString::to_string).collect();
            assert_eq!(faults, [expected], "{text}");
        }
    }
}
