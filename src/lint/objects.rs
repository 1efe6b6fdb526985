//! Objects of the cluster that a verdict depends on, read from files: the Namespaces with labels and annotations, the service
//! accounts with what names them, and existing pods.
//!
//! Objects of other kinds are ignored: an export of a cluster holds more than is needed.

use std::collections::{BTreeMap, BTreeSet};

use crate::json::{self, Reader, members};
use crate::lint::account_object::{AccountObject, is_of_accounts};
use crate::lint::identity::MENTION;
use crate::lint::known_kinds::NAMESPACE;
use crate::lint::manifest::{self, Item};
use crate::lint::place;
use crate::lint::unread::{DocumentOrigin, Unread};
use crate::lint::wrong_types;
use crate::path::Path;
use crate::pod::Metadata;
use crate::policy::{NamespaceMetadata, Snapshot};
use crate::workload::{References, Referent, ReferentKinds};
use crate::yaml::{self, Node, ReadDocument, Stated, YamlError};

const POD: &str = "Pod";

/// The namespace that kubectl puts an object in that names none.
const DEFAULT_NAMESPACE: &str = "default";

/// The objects of files, as far as a verdict may depend on them.
#[derive(Debug, Default, Clone)]
pub struct Objects {
    /// The Namespaces, the service accounts, and the bindings that name them.
    pub snapshot: Snapshot,
    /// The Namespaces that come more than once, with other labels or annotations: some may be patches of others.
    pub contradicted: BTreeSet<String>,
    /// The pods of each namespace, as JSON.
    pub pods: BTreeMap<String, Vec<String>>,
    /// What others take their pods from.
    pub references: References,
}

impl Objects {
    pub(super) fn add_namespace(&mut self, name: String, metadata: NamespaceMetadata) {
        let known = self.snapshot.namespace(&name).cloned();
        self.snapshot.insert_namespace(&name, metadata);
        if known.is_some_and(|known| self.snapshot.namespace(&name) != Some(&known)) {
            self.contradicted.insert(name);
        }
    }
}

/// Whether a text may hold a Namespace. Most do not, and need not be parsed for it.
fn may_hold_namespace(text: &str) -> bool {
    let is_kind = |rest: &str| {
        let behind = rest.strip_prefix(NAMESPACE);
        behind.is_some_and(|behind| {
            behind.starts_with("List") || !behind.starts_with(|next: char| next.is_ascii_alphanumeric())
        })
    };
    // Escapes may hide the name.
    let is_escape =
        |rest: &str| rest.get(1..).is_some_and(|rest| rest.starts_with(['x', 'u', 'U', '\n', '\r']));
    let any = |first: char, is_it: &dyn Fn(&str) -> bool| {
        text.match_indices(first).any(|(at, _)| text.get(at..).is_some_and(is_it))
    };
    any('N', &is_kind) || any('\\', &is_escape)
}

/// What verdicts on other objects depend on.
#[derive(Debug, Default)]
pub(super) struct FoundObjects {
    /// The Namespaces.
    pub(super) namespaces: Vec<(String, NamespaceMetadata)>,
    /// What others take their pods from.
    pub(super) referents: Vec<Referent>,
    /// Service accounts, and what names them.
    pub(super) accounts: Vec<AccountObject>,
    /// The kinds that objects of the text refer to, and that are not among those.
    pub(super) asked_for: ReferentKinds,
    /// Whether it mentions identities.
    pub(super) mentions_identity: bool,
}

/// The Namespaces of a text and what others take their pods from, as far as they can be read; and service accounts with
/// what names them, if some policy `gives_identities`.
pub(super) fn find_objects(
    file: &str,
    text: &str,
    default_namespace: &str,
    gives_identities: bool,
) -> FoundObjects {
    let asked_for = ReferentKinds::asked_for_in(text);
    let mentions_identity = text.contains(MENTION);
    let mut found = FoundObjects { asked_for, mentions_identity, ..FoundObjects::default() };
    let kinds = ReferentKinds::RARE;
    if !gives_identities && !may_hold_namespace(text) && !kinds.may_be_in(text) {
        return found;
    }
    let are_accounts = |api_version: &str, kind: &str| gives_identities && is_of_accounts(api_version, kind);
    let is_wanted = |stated: &Stated<'_>| {
        stated.kind == NAMESPACE
            || stated.kind.ends_with("List")
            || kinds.has(stated.api_version, stated.kind)
            || are_accounts(stated.api_version, stated.kind)
    };
    yaml::read_each(text, is_wanted, |document| {
        let Ok(ReadDocument::Document(document)) = document else { return };
        for item in manifest::items(&document.root).into_iter().flatten() {
            if item.is_namespace() {
                found.namespaces.extend(read_namespace(&item, text));
            } else if are_accounts(item.api_version, item.kind) {
                let read = AccountObject::read(&item, text, default_namespace);
                found.accounts.extend(read.ok().flatten());
            } else {
                found.referents.extend(referent(file, &item, default_namespace, kinds));
            }
        }
    });
    found
}

/// The objects of a text that are of these kinds, as far as they can be read.
pub(super) fn find_referents(
    file: &str,
    text: &str,
    default_namespace: &str,
    kinds: ReferentKinds,
) -> Vec<Referent> {
    let mut found = Vec::new();
    if !kinds.may_be_in(text) {
        return found;
    }
    let is_wanted =
        |stated: &Stated<'_>| stated.kind.ends_with("List") || kinds.has(stated.api_version, stated.kind);
    yaml::read_each(text, is_wanted, |document| {
        let Ok(ReadDocument::Document(document)) = document else { return };
        let items = manifest::items(&document.root).into_iter().flatten();
        found.extend(items.filter_map(|item| referent(file, &item, default_namespace, kinds)));
    });
    found
}

/// An object that others may take their pods from, if it is one.
fn referent(file: &str, item: &Item<'_>, default_namespace: &str, kinds: ReferentKinds) -> Option<Referent> {
    if !kinds.has(item.api_version, item.kind) {
        return None;
    }
    let namespace = match item.text_at("metadata.namespace") {
        "" => default_namespace,
        namespace => namespace,
    };
    Some(Referent {
        file: file.to_owned(),
        api_version: item.api_version.to_owned(),
        kind: item.kind.to_owned(),
        namespace: namespace.to_owned(),
        name: item.text_at("metadata.name").to_owned(),
        node: item.node.clone(),
    })
}

/// Adds the objects of a file, `text`, which errors call `file`; returns what could not be read.
pub fn read_objects(file: &str, text: &str, objects: &mut Objects) -> Vec<Unread> {
    let mut unread = Vec::new();
    for (index, document) in yaml::read(text).into_iter().enumerate() {
        let faults = match document {
            Ok(document) => add_document(file, &document, text, objects),
            Err(fault) => vec![fault],
        };
        let origin = DocumentOrigin { file, document: index + 1, text };
        unread.extend(faults.into_iter().map(|fault| Unread::in_document(&origin, fault)));
    }
    unread
}

fn add_document(file: &str, document: &yaml::Document, text: &str, objects: &mut Objects) -> Vec<YamlError> {
    let added = manifest::items(&document.root).into_iter().map(|item| match item {
        Ok(item) => add(file, &item, text, objects),
        Err(fault) => Err(vec![fault]),
    });
    added.filter_map(Result::err).flatten().collect()
}

fn add(file: &str, item: &Item<'_>, text: &str, objects: &mut Objects) -> Result<(), Vec<YamlError>> {
    objects.references.extend(referent(file, item, DEFAULT_NAMESPACE, ReferentKinds::ALL));
    if let Some(object) = AccountObject::read(item, text, DEFAULT_NAMESPACE)? {
        object.put(&mut objects.snapshot);
        return Ok(());
    }
    if item.api_version != "v1" {
        return Ok(());
    }
    match item.kind {
        NAMESPACE => {
            let (name, metadata) = read_namespace(item, text)?;
            objects.add_namespace(name, metadata);
        }
        POD => {
            let Facts { namespace, .. } = read_facts(item, text)?;
            let json = String::from_utf8_lossy(&item.node.to_json()).into_owned();
            objects.pods.entry(namespace).or_default().push(json);
        }
        _ => {}
    }
    Ok(())
}

/// The name of a Namespace, and what is kept of it.
pub(super) fn read_namespace(
    item: &Item<'_>,
    text: &str,
) -> Result<(String, NamespaceMetadata), Vec<YamlError>> {
    read_facts(item, text).map(|facts| (facts.name, facts.kept))
}

/// What is read of an object's metadata.
struct Facts {
    name: String,
    namespace: String,
    kept: NamespaceMetadata,
}

fn read_facts(item: &Item<'_>, text: &str) -> Result<Facts, Vec<YamlError>> {
    let json = item.node.to_json();
    let Ok(metadata) = read_metadata(&json) else {
        return Err(wrong_types::all(item.node, text, |json| read_metadata(json).map(drop)));
    };
    if metadata.name.is_empty() {
        let path = Path::from_dotted("metadata.name");
        return Err(vec![place::fault(item.node, &path, "metadata.name: not set")]);
    }
    let namespace = if metadata.namespace.is_empty() { DEFAULT_NAMESPACE } else { &metadata.namespace };
    let labels = metadata.labels.iter().flatten();
    let labels = labels.map(|(key, value)| (key.to_string(), value.to_string())).collect();
    // They are texts, or `null`, which is read as an empty one.
    let annotations = item.node.get_in(&["metadata", "annotations"]).map(Node::entries).unwrap_or_default();
    let annotations =
        annotations.iter().map(|entry| (entry.key.as_str(), entry.value.as_text().unwrap_or_default()));
    Ok(Facts {
        name: metadata.name.to_string(),
        namespace: namespace.to_owned(),
        kept: NamespaceMetadata::new(labels, annotations),
    })
}

fn read_metadata(json: &[u8]) -> json::Result<Metadata<'_>> {
    let mut metadata = Metadata::default();
    let mut reader = Reader::new(json)?.refusing_misspelt_case();
    let reader = &mut reader;
    members!(reader, { "metadata" => metadata.read(reader)? })?;
    Ok(metadata)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::ServiceAccount;

    #[test]
    fn namespaces_are_found_among_other_objects() {
        let mut objects = Objects::default();
        let text = "apiVersion: v1\nkind: Namespace\nmetadata: {name: a, labels: {team: x}}\n---\n\
                    {\"apiVersion\":\"v1\",\"kind\":\"List\",\"items\":[\
                    {\"apiVersion\":\"v1\",\"kind\":\"Namespace\",\"metadata\":{\"name\":\"b\"}},\
                    {\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\"}]}\n---\n# nothing\n";
        assert_eq!(read_objects("f", text, &mut objects), []);
        let namespaces = objects.snapshot;
        let label = |name: &str, key: &str| {
            namespaces.labels(name).and_then(|labels| labels.get(key)).map(ToOwned::to_owned)
        };
        assert_eq!(label("a", "team").as_deref(), Some("x"));
        assert_eq!(label("b", "kubernetes.io/metadata.name").as_deref(), Some("b"));
        assert!(namespaces.labels("c").is_none());
    }

    #[test]
    fn a_text_that_holds_a_namespace_is_known_to() {
        for (text, expected) in [
            ("apiVersion: v1\nkind: Namespace\nmetadata: {name: a}", true),
            ("{\"apiVersion\":\"v1\",\"kind\":\"Namespace\",\"metadata\":{\"name\":\"a\"}}", true),
            ("apiVersion: v1\nkind: NamespaceList\nitems: [{metadata: {name: a}}]", true),
            ("apiVersion: v1\nkind: \"N\\x61mespace\"\nmetadata: {name: a}", true),
            ("apiVersion: v1\nkind: \"Name\\\n  space\"\nmetadata: {name: a}", true),
            ("{\"apiVersion\":\"v1\",\"kind\":\"\\u004eamespace\",\"metadata\":{\"name\":\"a\"}}", true),
            ("apiVersion: v1\nkind: 'Namespace' # x\nmetadata: {name: a}", true),
            ("scope: Namespaced\npattern: ^\\d\\.$", false),
            ("kind: NamespaceSelector", false),
        ] {
            assert_eq!(may_hold_namespace(text), expected, "{text}");
            assert_eq!(!find_objects("", text, "", false).namespaces.is_empty(), expected, "{text}");
        }
    }

    #[test]
    fn service_accounts_are_whole_and_so_are_their_rights() {
        let text = r#"
apiVersion: v1
kind: ServiceAccount
metadata:
  name: trainer
  namespace: team
  annotations: {azure.workload.identity/client-id: 0a, note: x}
  labels: {azure.workload.identity/use: "true"}
automountServiceAccountToken: false
imagePullSecrets: [{name: pull}]
---
apiVersion: v1
kind: ServiceAccountList
items: [{metadata: {name: bare}, secrets: null}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: use}
rules: [{apiGroups: [cid.wi.aks.azure.com], resources: [0a], verbs: [use-managed-identity]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: use}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: use}
subjects: [{kind: ServiceAccount, name: trainer, namespace: team}]
"#;
        let expected = ServiceAccount::new(
            [("azure.workload.identity/client-id", "0a")],
            [("azure.workload.identity/use", "true")],
        )
        .with_pull_secrets(["pull"])
        .with_automount(Some(false));
        let mut objects = Objects::default();
        assert_eq!(read_objects("f", text, &mut objects), []);
        let mut found = Snapshot::default();
        for object in find_objects("f", text, "default", true).accounts {
            object.put(&mut found);
        }
        for known in [&objects.snapshot, &found] {
            assert_eq!(known.service_account("team", "trainer"), Some(&expected));
            assert_eq!(known.service_account("default", "bare"), Some(&ServiceAccount::default()));
            assert_eq!(known.is_bound("team", "trainer"), Some(true));
            assert_eq!(known.is_bound("default", "bare"), Some(false));
            assert_eq!(known.may_use_identity("team", "trainer", "0A"), Some(true));
            assert_eq!(known.may_use_identity("team", "trainer", "0b"), Some(false));
        }
        assert!(find_objects("f", text, "default", false).accounts.is_empty());
        assert_eq!(Objects::default().snapshot.is_bound("team", "trainer"), None);
    }

    #[test]
    fn what_cannot_be_read_is_named_with_its_line() {
        let table = [
            (
                "apiVersion: v1\nkind: Namespace\nmetadata:\n  labels:\n    a.b/c: yes\n  name: x",
                "f:5:12: metadata.labels[a.b/c]: expected a string, found yes, which YAML reads as true: quote it",
            ),
            ("apiVersion: v1\nkind: Namespace\nmetadata: {}", "f:3:1: metadata.name: not set"),
            (
                "apiVersion: v1\nkind: Namespace\nmetadata: {name: x, Labels: {}}",
                "f:3:21: metadata.Labels: unknown field, did you mean labels?",
            ),
            (
                "apiVersion: v1\nkind: ServiceAccount\nmetadata:\n  name: x\n  annotations: {a: 1}\n\
                 automountServiceAccountToken: 'no'\nsecrets: [a]",
                "f:5:20: metadata.annotations.a: expected a string, found the number 1: quote it\n\
                 f:6:31: automountServiceAccountToken: expected true or false, found the string \"no\": remove the \
                 quotes\n\
                 f:7:11: secrets[0]: expected an object, found the string a",
            ),
            (
                "apiVersion: rbac.authorization.k8s.io/v1\nkind: RoleBinding\nmetadata: {name: x}\nsubjects: {}",
                "f:4:1: subjects: expected an array, found an object",
            ),
            (
                "apiVersion: v1\nkind: ServiceAccount\nmetadata: {namespace: a}",
                "f:3:1: metadata.name: not set",
            ),
            ("a: [", "f:1:4: unclosed bracket '['"),
            ("a: b", "f:1:1: not a Kubernetes object: it has neither apiVersion nor kind"),
        ];
        for (text, expected) in table {
            let faults = read_objects("f", text, &mut Objects::default());
            let faults: Vec<String> = faults.iter().map(ToString::to_string).collect();
            assert_eq!(faults.join("\n"), expected, "{text}");
        }
    }
}
