//! Groups findings: each field once, and in one group what a person fixes with one change.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, BuildHasherDefault, Hash, Hasher, RandomState};

use crate::controls::Control;
use crate::evaluate::code::code;
use crate::evaluate::disposition::Severity;
use crate::evaluate::existing::{ExistingPod, PodPart};
use crate::evaluate::tally::{change_of, field_of};
use crate::evaluate::verdict::{Judged, JudgedControl, Verdict, is_superseded};
use crate::finding::{Finding, Subject};

/// The kept findings of one severity, each field once: where two rules find the same, the narrower one.
#[must_use]
pub fn findings_of<'v, 'p>(verdict: &'v Verdict<'p>, severity: Severity) -> Vec<Judged<'v, 'p>> {
    narrow(verdict.judged().filter(|judged| judged.severity() == severity), |judged| judged, keep_narrower)
}

/// The code of a pod's violations of one severity: of the controls that its author has to satisfy or, if there are none, of
/// those whose fields are missing. Every finding counts, kept or not, and of two rules about one field the narrower one: so
/// a pod has the same code wherever it is judged.
#[must_use]
pub fn code_of(verdict: &Verdict<'_>, severity: Severity) -> String {
    let of_severity = || verdict.controls().filter(|(_, control)| control.severity() == severity);
    let remains = of_severity().any(|(_, control)| control.remains());
    let key = RandomState::new();
    let mut narrowest: HashMap<u64, &'static Control, Hashed> = HashMap::default();
    for (policy, JudgedControl { active, .. }) in of_severity() {
        let mut add = |finding: Finding<'_>| {
            let kept = narrowest.entry(key.hash_one(field_of(&finding))).or_insert(active.control);
            if is_superseded(kept, active.control) {
                *kept = active.control;
            }
        };
        if remains {
            verdict.check_remaining(policy, active, &mut add);
        } else {
            active.check(verdict.checked, &mut add);
        }
    }
    code(narrowest.into_values())
}

/// Keeps one of the findings about the same field: `merge` merges the next one into the one that is kept.
pub fn narrow<'v, 'p: 'v, T>(
    items: impl Iterator<Item = T>,
    judged: impl Fn(&T) -> &Judged<'v, 'p>,
    merge: impl Fn(&mut T, T),
) -> Vec<T> {
    let mut narrowest: Vec<T> = Vec::new();
    let mut at = IndexOf::default();
    let field = |item: &T| Some(field_of(judged(item).finding));
    for item in items {
        let index = at.get_or_insert(&narrowest, field, field_of(judged(&item).finding));
        match narrowest.get_mut(index) {
            Some(kept) => merge(kept, item),
            None => narrowest.push(item),
        }
    }
    narrowest
}

/// Keeps the narrower of two rules' findings.
pub(super) fn keep_narrower<'v, 'p>(kept: &mut Judged<'v, 'p>, next: Judged<'v, 'p>) {
    if kept.is_superseded_by(&next) {
        *kept = next;
    }
}

/// Findings that a person fixes with one change: the same violation in several containers, unless `apart` distinguishes
/// them. In the order of a file.
pub fn group<'v, 'p: 'v, T: Clone, K: Hash + Eq>(
    items: &[T],
    judged: impl Fn(&T) -> &Judged<'v, 'p>,
    apart: impl Fn(&T) -> K,
) -> Vec<Vec<T>> {
    let mut groups: Vec<Vec<T>> = Vec::new();
    let mut at = IndexOf::default();
    let change = |item: &T| {
        let Judged { active, finding, .. } = judged(item);
        finding.subject.container().map(|_| (change_of(active, finding), apart(item)))
    };
    for item in items {
        let index = match change(item) {
            Some(own) => at.get_or_insert(&groups, |group| group.first().and_then(change), own),
            None => groups.len(),
        };
        match groups.get_mut(index) {
            Some(group) => group.push(item.clone()),
            None => groups.push(vec![item.clone()]),
        }
    }
    groups.sort_by_key(|group| group.first().map(|item| order(judged(item).finding.subject)));
    groups
}

/// The same, of findings alone, those of different parts of an existing pod apart.
pub(super) fn group_judged<'v, 'p>(
    findings: &[Judged<'v, 'p>],
    existing: Option<&ExistingPod<'_>>,
) -> Vec<Vec<Judged<'v, 'p>>> {
    group(findings, |judged| judged, |judged| PodPart::of(existing, judged.finding))
}

/// Lines come as a file has them: the pod, its volumes, its containers.
pub(super) fn order(subject: Subject<'_>) -> (u8, usize) {
    match subject {
        Subject::Metadata | Subject::Namespace(_) => (0, 0),
        Subject::Pod => (1, 0),
        Subject::Volume(index, _) => (2, index),
        Subject::Container(at) => (3 + at.kind as u8, at.index),
    }
}

/// How many items of a list are compared with each other. To hash one costs more than some thirty comparisons, most of which
/// end with the first number.
const COMPARED: usize = 32;

/// The index of something in a list. Of a long one only a hash of each item is kept, with a key that nobody knows: the item
/// itself is many times larger.
#[derive(Debug, Default)]
struct IndexOf {
    key: RandomState,
    indexes: HashMap<u64, usize, Hashed>,
}

/// For keys that are hashes already, which need not be hashed again.
type Hashed = BuildHasherDefault<HashAsItIs>;

#[derive(Debug, Default)]
struct HashAsItIs(u64);

impl Hasher for HashAsItIs {
    fn write(&mut self, bytes: &[u8]) {
        // Not for hashes, but right for anything.
        self.0 = bytes.iter().fold(self.0, |hash, byte| hash.rotate_left(8) ^ u64::from(*byte));
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

impl IndexOf {
    /// The index of the first item of the `list` with a key, or the one behind its end, where the caller then puts it. Items
    /// without a key are none of these.
    fn get_or_insert<T, K: Hash + Eq>(
        &mut self,
        list: &[T],
        key_of: impl Fn(&T) -> Option<K>,
        key: K,
    ) -> usize {
        if list.len() < COMPARED {
            let is_it = |item: &T| key_of(item).is_some_and(|other| other == key);
            return list.iter().position(is_it).unwrap_or(list.len());
        }
        if self.indexes.is_empty() {
            for (index, known) in
                list.iter().enumerate().filter_map(|(index, item)| Some((index, key_of(item)?)))
            {
                self.indexes.entry(self.key.hash_one(known)).or_insert(index);
            }
        }
        *self.indexes.entry(self.key.hash_one(key)).or_insert(list.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether a list is short or has become long, each key keeps its first index.
    #[test]
    fn a_key_has_one_index() {
        let keys = |count: usize| (0..count).chain(0..count).map(|key| (key % 7 != 3).then_some(key));
        for count in [0, 1, COMPARED - 1, COMPARED, COMPARED + 1, 3 * COMPARED] {
            let (mut list, mut at) = (Vec::new(), IndexOf::default());
            for key in keys(count) {
                let expected = key.and_then(|_| list.iter().position(|known| *known == key));
                let found = match key {
                    Some(key) => at.get_or_insert(&list, |known: &Option<usize>| *known, key),
                    None => list.len(),
                };
                assert_eq!(found, expected.unwrap_or(list.len()), "{key:?} of {count}");
                if found == list.len() {
                    list.push(key);
                }
            }
        }
    }
}
