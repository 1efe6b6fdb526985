//! The objects that others take their pods from, as far as they are known: runtimes, templates of workflows, tasks.

use std::collections::HashMap;
use std::sync::LazyLock;

use crate::text::printable;
use crate::workload::referent_kinds::group_with;
use crate::workload::scope::{is_group_of_cluster, is_of_cluster};
use crate::yaml::Node;

/// Longest name of a file that is shown, in characters.
const LONGEST_FILE: usize = 200;

/// None of them.
static NONE: LazyLock<References> = LazyLock::new(References::default);

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
    /// Those that choose pods, rather than being named by them, by their namespace.
    pod_defaults: HashMap<String, Vec<usize>>,
}

impl References {
    /// None of them.
    pub(super) fn none() -> &'static Self {
        &NONE
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
        if is_pod_default(&referent) {
            self.pod_defaults.entry(referent.namespace.clone()).or_default().push(index);
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

    /// The PodDefaults of a namespace, in the order in which they were read. Of those of one name that differ, all.
    pub(super) fn pod_defaults(&self, namespace: &str) -> impl Iterator<Item = &Referent> {
        let indexes = self.pod_defaults.get(namespace).map(Vec::as_slice).unwrap_or_default();
        indexes.iter().filter_map(|index| self.referents.get(*index))
    }

    /// Whether there is another object of its name that differs: nobody can tell which of them is in the cluster.
    pub(super) fn is_contradicted(&self, referent: &Referent) -> bool {
        self.by_name.get(&name_of(referent)).is_some_and(Option::is_none)
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

/// Its kind, namespace and name.
fn name_of(referent: &Referent) -> (String, String, String) {
    let Referent { api_version, kind, namespace, name, .. } = referent;
    (key_of(api_version, kind), namespace.clone(), name.clone())
}

fn key_of(api_version: &str, kind: &str) -> String {
    format!("{}/{kind}", api_version.split_once('/').map_or("", |(group, _)| group))
}

fn is_pod_default(referent: &Referent) -> bool {
    referent.kind == "PodDefault" && referent.api_version.starts_with("kubeflow.org/")
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
}
