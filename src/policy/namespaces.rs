//! The Namespaces that are known, by name. There may be ten thousand, and every replica keeps them all: what they have in common
//! is kept once.

use std::borrow::Borrow;
use std::collections::HashSet;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use crate::controls::NamespaceAnnotations;
use crate::policy::labels::{LabelKeys, Labels, NAME_LABEL, PackedLabels};

/// So many more sets of keys than twice the Namespaces are kept before those are dropped that no Namespace has any longer.
const SPARE_KEYS: usize = 16;

/// What is kept of a Namespace.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct NamespaceMetadata {
    /// Its labels.
    pub labels: PackedLabels,
    /// The annotations that controls read; `None` where it has none of them, as most do.
    annotations: Option<Box<NamespaceAnnotations>>,
}

impl NamespaceMetadata {
    /// What is kept of a Namespace with these labels and annotations.
    pub fn new<'k>(labels: Labels, annotations: impl IntoIterator<Item = (&'k str, &'k str)>) -> Self {
        Self { labels: labels.into(), annotations: NamespaceAnnotations::among(annotations) }
    }

    /// Its name, which the API server makes a label of; empty before it is [complete](Self::complete).
    pub(super) fn name(&self) -> &str {
        self.labels.get(NAME_LABEL).unwrap_or_default()
    }

    /// The annotations that controls read.
    #[must_use]
    pub fn annotations(&self) -> &NamespaceAnnotations {
        self.annotations.as_deref().unwrap_or(NamespaceAnnotations::NONE)
    }

    /// Whether it has any of them.
    #[must_use]
    pub fn has_annotations(&self) -> bool {
        self.annotations.is_some()
    }

    /// The same, with the label of its name.
    #[must_use]
    pub fn complete(self, name: &str) -> Self {
        Self { labels: self.labels.with(NAME_LABEL, name), ..self }
    }
}

/// A Namespace without annotations.
impl From<Labels> for NamespaceMetadata {
    fn from(labels: Labels) -> Self {
        Self { labels: labels.into(), annotations: None }
    }
}

/// Namespaces, each found by its name.
#[derive(Debug, Default, Clone)]
pub(super) struct Namespaces {
    by_name: HashSet<NamedNamespace>,
    /// The keys of their labels, each set of them once.
    keys: HashSet<LabelKeys>,
}

/// A Namespace that is found by its name, which is among its labels and not kept again.
#[derive(Debug, Clone)]
struct NamedNamespace(Arc<NamespaceMetadata>);

impl Namespaces {
    pub(super) fn get(&self, name: &str) -> Option<&Arc<NamespaceMetadata>> {
        self.by_name.get(name).map(|NamedNamespace(metadata)| metadata)
    }

    /// Adds one that is complete, in place of the one with its name.
    pub(super) fn insert(&mut self, mut metadata: NamespaceMetadata) {
        metadata.labels.share_keys(&mut self.keys);
        self.by_name.replace(NamedNamespace(Arc::new(metadata)));
        // Whoever labels Namespaces may think of new keys again and again.
        if self.keys.len() > 2 * self.by_name.len() + SPARE_KEYS {
            self.keys = self.iter().map(|metadata| metadata.labels.shared_keys()).collect();
        }
    }

    pub(super) fn remove(&mut self, name: &str) {
        self.by_name.remove(name);
    }

    pub(super) fn retain(&mut self, is_kept: impl Fn(&str) -> bool) {
        self.by_name.retain(|NamedNamespace(metadata)| is_kept(metadata.name()));
    }

    pub(super) fn iter(&self) -> impl ExactSizeIterator<Item = &Arc<NamespaceMetadata>> {
        self.by_name.iter().map(|NamedNamespace(metadata)| metadata)
    }

    pub(super) fn len(&self) -> usize {
        self.by_name.len()
    }
}

impl PartialEq for NamedNamespace {
    fn eq(&self, other: &Self) -> bool {
        self.0.name() == other.0.name()
    }
}

impl Eq for NamedNamespace {}

impl Hash for NamedNamespace {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.name().hash(state);
    }
}

impl Borrow<str> for NamedNamespace {
    fn borrow(&self) -> &str {
        self.0.name()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labelled(name: &str, key: &str) -> NamespaceMetadata {
        NamespaceMetadata::from(Labels::from([(key.to_owned(), "x".to_owned())])).complete(name)
    }

    #[test]
    fn a_namespace_takes_the_place_of_the_one_with_its_name() {
        let mut namespaces = Namespaces::default();
        namespaces.insert(labelled("a", "team"));
        namespaces.insert(labelled("b", "team"));
        namespaces.insert(labelled("a", "group"));
        let labels = |name: &str| namespaces.get(name).map(|metadata| format!("{:?}", metadata.labels));
        assert_eq!(namespaces.len(), 2);
        assert_eq!(labels("a").unwrap(), "{\"group\": \"x\", \"kubernetes.io/metadata.name\": \"a\"}");
        assert_eq!(labels("b").unwrap(), "{\"kubernetes.io/metadata.name\": \"b\", \"team\": \"x\"}");
        assert_eq!(labels("c"), None);
    }

    #[test]
    fn keys_are_shared_and_do_not_pile_up() {
        let mut namespaces = Namespaces::default();
        for name in ["a", "b", "c"] {
            namespaces.insert(labelled(name, "team"));
        }
        assert_eq!(namespaces.keys.len(), 1);
        for index in 0..1000 {
            namespaces.insert(labelled("a", &format!("k{index}")));
            assert!(namespaces.keys.len() <= 2 * 3 + SPARE_KEYS);
        }
        let keys = |name: &str| namespaces.get(name).unwrap().labels.shared_keys();
        assert!(Arc::ptr_eq(&keys("b"), &keys("c")) && namespaces.keys.contains(&keys("a")));
    }
}
