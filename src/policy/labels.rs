//! Labels in little memory: those of every Namespace are kept, and every policy has a selector.
//!
//! A map of strings has room for eleven entries before it holds one, and two allocations for each. Here the keys are one
//! list, which may be shared with whoever has labels of the same keys, and all values are one text.

use std::collections::{BTreeMap, HashSet};
use std::fmt;
use std::sync::Arc;

use serde::Deserialize;

/// The label that the API server puts on every Namespace.
pub(super) const NAME_LABEL: &str = "kubernetes.io/metadata.name";

/// The labels of an object, as somebody wrote them.
pub type Labels = BTreeMap<String, String>;

/// The keys of labels, in order, each once.
pub(super) type LabelKeys = Arc<[Box<str>]>;

/// So many bits of a length are in one byte of a text, which so is ASCII. Lengths of legal values, of up to 63 bytes, are one byte.
const BITS: u32 = 6;
/// The bit of that byte which says that more of the length follows.
const MORE: u8 = 1 << BITS;

/// Labels that do not change.
#[derive(Clone, Default, PartialEq, Eq, Hash, Deserialize)]
#[serde(from = "Labels")]
pub struct PackedLabels {
    keys: LabelKeys,
    /// The values, in the order of the keys, each behind its length.
    values: Box<str>,
}

impl PackedLabels {
    /// The value of a label.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&str> {
        let at = self.keys.binary_search_by(|known| known.as_ref().cmp(key)).ok()?;
        self.values().nth(at)
    }

    /// Whether there is a label of this key.
    #[must_use]
    pub fn contains_key(&self, key: &str) -> bool {
        self.get(key).is_some()
    }

    /// Whether any label has a key that begins so.
    #[must_use]
    pub fn has_prefix(&self, prefix: &str) -> bool {
        let first = self.keys.partition_point(|key| key.as_ref() < prefix);
        self.keys.get(first).is_some_and(|key| key.starts_with(prefix))
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// Each key with its value, in the order of the keys.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.keys().zip(self.values())
    }

    /// The keys, in order.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.keys.iter().map(AsRef::as_ref)
    }

    /// The values, in the order of their keys.
    pub fn values(&self) -> impl Iterator<Item = &str> {
        let mut rest = self.values.as_ref();
        std::iter::from_fn(move || {
            let (value, others) = split_value(rest)?;
            rest = others;
            Some(value)
        })
    }

    /// The same with one more label, or with another value of it.
    #[must_use]
    pub(super) fn with(self, key: &str, value: &str) -> Self {
        if self.get(key) == Some(value) {
            return self;
        }
        let mut labels: BTreeMap<&str, &str> = self.iter().collect();
        labels.insert(key, value);
        labels.into_iter().collect()
    }

    /// Has its keys in common with all others whose keys were shared with the same set.
    pub(super) fn share_keys(&mut self, shared: &mut HashSet<LabelKeys>) {
        match shared.get(&self.keys) {
            Some(keys) => self.keys = Arc::clone(keys),
            None => {
                shared.insert(self.shared_keys());
            }
        }
    }

    /// Its keys, to be shared.
    pub(super) fn shared_keys(&self) -> LabelKeys {
        Arc::clone(&self.keys)
    }
}

/// Of several labels with the same key, the last counts.
impl<K: AsRef<str> + Ord, V: AsRef<str>> FromIterator<(K, V)> for PackedLabels {
    fn from_iter<L: IntoIterator<Item = (K, V)>>(labels: L) -> Self {
        let labels: BTreeMap<K, V> = labels.into_iter().collect();
        let mut values = String::new();
        for value in labels.values().map(AsRef::as_ref) {
            push_length(&mut values, value.len());
            values.push_str(value);
        }
        Self { keys: labels.keys().map(|key| key.as_ref().into()).collect(), values: values.into() }
    }
}

impl From<Labels> for PackedLabels {
    fn from(labels: Labels) -> Self {
        labels.into_iter().collect()
    }
}

/// The labels that a Namespace has at the least.
pub(super) fn minimal_labels(name: &str) -> PackedLabels {
    complete(name, Labels::new()).into()
}

/// The labels of a Namespace, with that of its name.
#[must_use]
pub fn complete(name: &str, mut labels: Labels) -> Labels {
    labels.insert(NAME_LABEL.to_owned(), name.to_owned());
    labels
}

impl fmt::Debug for PackedLabels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

/// The lowest bits of a length come first.
fn push_length(text: &mut String, mut length: usize) {
    loop {
        let low = u8::try_from(length % usize::from(MORE)).unwrap_or_default();
        length /= usize::from(MORE);
        if length == 0 {
            return text.push(char::from(low));
        }
        text.push(char::from(low | MORE));
    }
}

/// The first value behind its length, and what stands behind it.
fn split_value(text: &str) -> Option<(&str, &str)> {
    let mut length = 0;
    for (byte, place) in text.bytes().zip(0..) {
        length |= usize::from(byte & !MORE).checked_shl(BITS * place)?;
        if byte & MORE == 0 {
            let digits = usize::try_from(place).ok()? + 1;
            return text.get(digits..)?.split_at_checked(length);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_was_packed_is_found() {
        let labels: PackedLabels =
            [("b/x", "1"), ("a", ""), ("b/z", "é\n"), ("b/x", "2")].into_iter().collect();
        assert_eq!(labels.iter().collect::<Vec<_>>(), [("a", ""), ("b/x", "2"), ("b/z", "é\n")]);
        for (key, value) in
            [("a", Some("")), ("b/x", Some("2")), ("b/z", Some("é\n")), ("b/y", None), ("", None)]
        {
            assert_eq!(labels.get(key), value, "{key}");
        }
        for (prefix, expected) in [("b/", true), ("b/y", false), ("b/z", true), ("c", false), ("", true)] {
            assert_eq!(labels.has_prefix(prefix), expected, "{prefix}");
        }
        assert!(!labels.is_empty() && PackedLabels::default().is_empty());
        assert_eq!(format!("{labels:?}"), "{\"a\": \"\", \"b/x\": \"2\", \"b/z\": \"é\\n\"}");
    }

    #[test]
    fn the_same_keys_are_kept_once() {
        let mut shared = HashSet::new();
        let mut keys_of = |pairs: &[(&str, &str)]| {
            let mut labels: PackedLabels = pairs.iter().copied().collect();
            labels.share_keys(&mut shared);
            labels.shared_keys()
        };
        let first = keys_of(&[("a", "1"), ("b", "2")]);
        assert!(Arc::ptr_eq(&first, &keys_of(&[("b", "x"), ("a", "y")])));
        assert!(!Arc::ptr_eq(&first, &keys_of(&[("a", "1")])));
        assert_eq!(shared.len(), 2);
    }

    proptest! {
        #[test]
        fn packed_labels_are_a_map(
            labels in proptest::collection::btree_map("[a-c/.]{0,3}", "\\PC{0,140}|a{4090,4100}", 0..6),
            key in "[a-c/.]{0,3}",
            value in "[a-z]{0,70}",
        ) {
            let packed = PackedLabels::from(labels.clone());
            let pairs = |labels: &BTreeMap<String, String>| {
                labels.iter().map(|(key, value)| (key.clone(), value.clone())).collect::<Vec<_>>()
            };
            let unpacked = |labels: &PackedLabels| {
                labels.iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect::<Vec<_>>()
            };
            prop_assert_eq!(unpacked(&packed), pairs(&labels));
            prop_assert_eq!(packed.get(&key), labels.get(&key).map(String::as_str));
            prop_assert_eq!(packed.contains_key(&key), labels.contains_key(&key));
            prop_assert_eq!(packed.has_prefix(&key), labels.keys().any(|known| known.starts_with(&key)));
            let mut labels = labels;
            labels.insert(key.clone(), value.clone());
            let packed = packed.with(&key, &value);
            prop_assert_eq!(unpacked(&packed), pairs(&labels));
            prop_assert_eq!(packed, PackedLabels::from(labels));
        }
    }
}
