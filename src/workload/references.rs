//! The objects that others take their pods from, as far as they are known: runtimes, templates of workflows, tasks.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock};

use aho_corasick::AhoCorasick;

use crate::text::printable;
use crate::workload::scope::{is_group_of_cluster, is_of_cluster};
use crate::yaml::Node;

/// Longest name of a file that is shown, in characters.
const LONGEST_FILE: usize = 200;

/// Kinds that others refer to, by their group.
const KINDS: [(&str, &[&str]); 7] = [
    ("serving.kserve.io", &["ServingRuntime", "ClusterServingRuntime", "LLMInferenceServiceConfig"]),
    ("ome.io", &["ServingRuntime", "ClusterServingRuntime"]),
    ("trainer.kubeflow.org", &["TrainingRuntime", "ClusterTrainingRuntime"]),
    ("argoproj.io", &["WorkflowTemplate", "ClusterWorkflowTemplate"]),
    ("tekton.dev", &["Task", "ClusterTask", "Pipeline", "StepAction"]),
    ("mlops.seldon.io", &["ServerConfig"]),
    ("kubeflow.org", &["WorkspaceKind", "TrainingRuntime", "ClusterTrainingRuntime"]),
];

/// Finds the names of all of them at once.
static NAMES: LazyLock<Option<AhoCorasick>> = LazyLock::new(|| {
    let names = KINDS.iter().flat_map(|(_, kinds)| kinds.iter());
    AhoCorasick::new(names).ok()
});

/// An object that others may take their pods from.
#[derive(Debug, Clone)]
pub struct Referent {
    /// The file that it is in.
    pub file: String,
    /// `apiVersion`.
    pub api_version: String,
    /// `kind`.
    pub kind: String,
    /// Its namespace; empty if it has none, or none is known.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// The object.
    pub node: Node,
}

/// All of them that are known.
#[derive(Debug, Default, Clone)]
pub struct References {
    referents: Vec<Referent>,
    /// By kind, namespace and name; `None` where two contradict each other: nobody can tell which of them is in the cluster.
    by_name: HashMap<(String, String, String), Option<usize>>,
    /// How many more values may be copied to put pods together; any number if nothing is said.
    room: Option<Arc<AtomicUsize>>,
}

impl References {
    /// None of them, and at most so many values in all pods that are put together: the objects are of people who may mean
    /// harm.
    #[must_use]
    pub fn within(most: usize) -> Self {
        Self { room: Some(Arc::new(AtomicUsize::new(most))), ..Self::default() }
    }

    /// Whether there is room for a copy of this, which then takes it. Once there was none, there is none for anything.
    pub(super) fn take_room_for(&self, copied: &Node) -> bool {
        self.take_room(|| size_of(copied))
    }

    /// The same for the object that a text holds.
    pub(super) fn take_room_for_text(&self, text: &str) -> bool {
        self.take_room(|| text.bytes().filter(|byte| b"\n,[{-".contains(byte)).count() + 1)
    }

    fn take_room(&self, size: impl FnOnce() -> usize) -> bool {
        let Some(room) = &self.room else { return true };
        let left = room.load(Ordering::Relaxed).checked_sub(size());
        room.store(left.unwrap_or_default(), Ordering::Relaxed);
        left.is_some()
    }

    /// Whether there is room for anything.
    #[must_use]
    pub fn has_room(&self) -> bool {
        self.room.as_ref().is_none_or(|room| room.load(Ordering::Relaxed) > 0)
    }

    /// Whether others may take their pods from an object of this kind.
    #[must_use]
    pub fn are_of(api_version: &str, kind: &str) -> bool {
        let group = api_version.split_once('/').map_or("", |(group, _)| group);
        KINDS.iter().any(|(of, kinds)| *of == group && kinds.contains(&kind))
    }

    /// Whether a text may hold such an object. Most do not, and need not be parsed for it.
    #[must_use]
    pub fn may_be_in(text: &str) -> bool {
        NAMES.as_ref().is_none_or(|names| names.is_match(text))
    }

    /// Adds one.
    pub fn add(&mut self, mut referent: Referent) {
        let index = self.referents.len();
        if is_of_cluster(&referent.api_version, &referent.kind) {
            referent.namespace.clear();
        }
        referent.node = referent.node.of_source(index + 1);
        let key = name_of(&referent);
        let is_same = |known: &Option<usize>| {
            let known = known.and_then(|known| self.referents.get(known));
            known.is_some_and(|known| known.node.to_json() == referent.node.to_json())
        };
        match self.by_name.get(&key) {
            Some(known) if is_same(known) => return,
            Some(_) => drop(self.by_name.insert(key, None)),
            None => drop(self.by_name.insert(key, Some(index))),
        }
        self.referents.push(referent);
    }

    /// Adds others.
    pub fn extend(&mut self, others: impl IntoIterator<Item = Referent>) {
        others.into_iter().for_each(|other| self.add(other));
    }

    /// Adds those of others of which none has the name.
    pub fn extend_unless_known(&mut self, others: Self) {
        let known = self.by_name.clone();
        let is_known = |other: &Referent| known.contains_key(&name_of(other));
        self.extend(others.referents.into_iter().filter(|other| !is_known(other)));
    }

    /// The object of a kind and name that another object of a namespace refers to.
    pub(super) fn find(&self, group: &str, kind: &str, namespace: &str, name: &str) -> Option<&Referent> {
        match self.named(group, kind, namespace, name) {
            Named::One(referent) => Some(referent),
            Named::None | Named::Contradicted => None,
        }
    }

    /// What is known of a name.
    fn named(&self, group: &str, kind: &str, namespace: &str, name: &str) -> Named<'_> {
        let namespace = if is_group_of_cluster(group, kind) { "" } else { namespace };
        let key = (format!("{group}/{kind}"), namespace.to_owned(), name.to_owned());
        match self.by_name.get(&key) {
            None => Named::None,
            Some(None) => Named::Contradicted,
            Some(Some(index)) => self.referents.get(*index).map_or(Named::None, Named::One),
        }
    }

    /// Why an object that is known by a name does not help whoever refers to it: it is there twice, or `lacks` what is wanted.
    /// `None` if none is known, or nothing can be said.
    pub(super) fn why_unusable(
        &self,
        (group, kind): (&str, &str),
        namespace: &str,
        name: &str,
        lacks: Option<&str>,
    ) -> Option<String> {
        match self.named(group_with(group, kind), kind, namespace, name) {
            Named::None => None,
            Named::Contradicted => Some(
                "of that name there are two that differ, and nobody can tell which is in the cluster: leave out one"
                    .to_owned(),
            ),
            Named::One(referent) => {
                lacks.map(|lacks| format!("the one in {} has no {lacks}", printable(&referent.file, LONGEST_FILE)))
            }
        }
    }

    /// Those of a kind that objects of a namespace may refer to, in the order in which they were read.
    pub(super) fn all<'r>(
        &'r self,
        group: &'r str,
        kind: &'r str,
        namespace: &'r str,
    ) -> impl Iterator<Item = &'r Referent> {
        let namespace = if is_group_of_cluster(group, kind) { "" } else { namespace };
        let key = format!("{group}/{kind}");
        self.referents.iter().filter(move |referent| {
            key_of(&referent.api_version, &referent.kind) == key && referent.namespace == namespace
        })
    }

    /// The object that a place in the text belongs to, if it is one of these.
    pub(super) fn of_source(&self, source: usize) -> Option<&Referent> {
        self.referents.get(source.checked_sub(1)?)
    }
}

/// What is known of a name.
enum Named<'r> {
    None,
    One(&'r Referent),
    /// Two that differ.
    Contradicted,
}

/// The group that has a kind to refer to: that of the object that refers to it, if it has one, else that of another.
fn group_with<'g>(own: &'g str, kind: &str) -> &'g str {
    let has = |(_, kinds): &&(&'static str, &[&str])| kinds.contains(&kind);
    let is_own = KINDS.iter().filter(has).any(|(group, _)| *group == own);
    if is_own { own } else { KINDS.iter().find(has).map_or(own, |(group, _)| group) }
}

/// Its kind, namespace and name.
fn name_of(referent: &Referent) -> (String, String, String) {
    let Referent { api_version, kind, namespace, name, .. } = referent;
    (key_of(api_version, kind), namespace.clone(), name.clone())
}

fn key_of(api_version: &str, kind: &str) -> String {
    format!("{}/{kind}", api_version.split_once('/').map_or("", |(group, _)| group))
}

/// How many values a tree has.
fn size_of(node: &Node) -> usize {
    let entries = node.entries().iter().map(|entry| &entry.value);
    1 + entries.chain(node.items()).map(size_of).sum::<usize>()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::yaml;

    fn referent(kind: &str, namespace: &str, name: &str, spec: &str) -> Referent {
        Referent {
            file: "a.yaml".to_owned(),
            api_version: "serving.kserve.io/v1alpha1".to_owned(),
            kind: kind.to_owned(),
            namespace: namespace.to_owned(),
            name: name.to_owned(),
            node: yaml::read(spec).remove(0).expect(spec).root,
        }
    }

    #[test]
    fn an_object_is_found_by_its_name_unless_it_is_contradicted() {
        let mut references = References::default();
        references.extend([
            referent("ServingRuntime", "ml", "a", "{x: 1}"),
            referent("ServingRuntime", "ml", "a", "{x: 1}"),
            referent("ServingRuntime", "ml", "b", "{x: 1}"),
            referent("ServingRuntime", "ml", "b", "{x: 2}"),
            referent("ClusterServingRuntime", "ignored", "c", "{x: 1}"),
        ]);
        let found =
            |kind, namespace, name| references.find("serving.kserve.io", kind, namespace, name).is_some();
        assert!(found("ServingRuntime", "ml", "a") && !found("ServingRuntime", "", "a"));
        assert!(!found("ServingRuntime", "ml", "b"), "which of them?");
        assert!(found("ClusterServingRuntime", "other", "c"));
        assert_eq!(references.all("serving.kserve.io", "ServingRuntime", "ml").count(), 3);
    }

    #[test]
    fn texts_without_the_name_of_a_kind_are_not_parsed() {
        assert!(References::may_be_in("kind: ServingRuntime"));
        assert!(References::may_be_in("kind: Task\n"));
        assert!(!References::may_be_in("kind: Deployment"));
    }
}
