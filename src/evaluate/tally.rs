//! Findings of which not every one was kept, counted by the changes that mend them.

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasher as _, Hash, RandomState};

use crate::controls::Finding;
use crate::pod::Place;

/// Counts findings one by one. Of each only a number is kept that is another for another: a hash of 64 bits whose key nobody
/// knows, so that two of them meet by chance alone, once in many million pods.
#[derive(Debug, Default)]
pub(super) struct Tally {
    key: RandomState,
    /// The fields at fault, each once.
    fields: HashSet<u64>,
    /// How many containers each change of them mends.
    containers: HashMap<u64, usize>,
    /// The changes that mend something else.
    others: usize,
}

impl Tally {
    pub(super) fn add(&mut self, finding: &Finding<'_>) {
        if !self.fields.insert(self.key.hash_one(field_of(finding))) {
            return;
        }
        match finding.place {
            Place::Container(_) => {
                let change = self.key.hash_one(change_of(finding));
                *self.containers.entry(change).or_default() += 1;
            }
            Place::Pod | Place::Volume(..) | Place::Annotation(_) => self.others += 1,
        }
    }

    /// How many changes a person has to make.
    pub(super) fn changes(&self) -> usize {
        self.containers.len() + self.others
    }

    /// How many containers the change mends that mends a finding.
    pub(super) fn containers(&self, finding: &Finding<'_>) -> usize {
        self.containers.get(&self.key.hash_one(change_of(finding))).copied().unwrap_or_default()
    }
}

/// The field at fault, told without the name of its container or volume, which may be long.
pub(super) fn field_of<'f>(finding: &'f Finding<'_>) -> impl Hash + Eq + use<'f> {
    let part = match finding.place {
        Place::Pod => (0, 0, ""),
        Place::Container(at) => (1 + at.kind as u8, at.index, ""),
        Place::Volume(index, _) => (4, index, ""),
        Place::Annotation(key) => (5, 0, key),
    };
    (part, finding.field)
}

/// What two findings of different containers have in common if one change of a person mends both.
pub(super) fn change_of<'f>(finding: &'f Finding<'_>) -> impl Hash + Eq + use<'f> {
    (finding.control.number, finding.field, finding.found, finding.remedy)
}
