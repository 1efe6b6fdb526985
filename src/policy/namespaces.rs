//! What is known of the cluster's Namespaces: their labels, by name.

use std::collections::{BTreeMap, HashMap};

/// The label that the API server puts on every Namespace.
const NAME_LABEL: &str = "kubernetes.io/metadata.name";

/// The labels of Namespaces, by name. Whoever knows the cluster fills it; a verdict only reads it.
#[derive(Debug, Default, Clone)]
pub struct Namespaces {
    labels: HashMap<String, BTreeMap<String, String>>,
}

impl Namespaces {
    /// Adds a Namespace, or replaces what was known of it. The label of its name is added as the API
    /// server would.
    pub fn insert(&mut self, name: &str, mut labels: BTreeMap<String, String>) {
        labels.insert(NAME_LABEL.to_owned(), name.to_owned());
        self.labels.insert(name.to_owned(), labels);
    }

    /// The labels of a Namespace, if it is known.
    #[must_use]
    pub fn labels(&self, name: &str) -> Option<&BTreeMap<String, String>> {
        self.labels.get(name)
    }

    /// The labels that a Namespace has at the least.
    pub(super) fn minimal_labels(name: &str) -> BTreeMap<String, String> {
        BTreeMap::from([(NAME_LABEL.to_owned(), name.to_owned())])
    }
}
