//! Counts findings, not all of which were kept, by the changes that fix them.

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasher as _, Hash, RandomState};

use crate::evaluate::existing::PodPart;
use crate::evaluate::injected::injector_of;
use crate::evaluate::verdict::Judged;
use crate::finding::{Finding, Subject};
use crate::policy::ActiveControl;

/// Counts findings one by one. Only a hash of each is kept, of 64 bits and with a key that nobody knows, so that two
/// collide only by chance, once in many million pods.
#[derive(Debug, Default)]
pub(super) struct Tally {
    key: RandomState,
    /// The offending fields, each once.
    fields: HashSet<u64>,
    /// How many containers each change of containers fixes.
    containers: HashMap<u64, usize>,
    /// The changes that fix something else.
    others: usize,
    /// Whether an ephemeral container violates anything that was there before: one change for all of them.
    has_old: bool,
}

impl Tally {
    pub(super) fn add(&mut self, active: &ActiveControl, finding: &Finding<'_>, part: PodPart) {
        if !self.fields.insert(self.key.hash_one(field_of(finding))) {
            return;
        }
        match finding.subject {
            _ if part == PodPart::OldEphemeral => self.has_old = true,
            Subject::Container(_) => {
                let change = self.key.hash_one((change_of(active, finding), part));
                *self.containers.entry(change).or_default() += 1;
            }
            Subject::Pod | Subject::Volume(..) | Subject::Metadata | Subject::Namespace(_) => {
                self.others += 1
            }
        }
    }

    /// How many changes a person has to make.
    pub(super) fn changes(&self) -> usize {
        self.containers.len() + self.others + usize::from(self.has_old)
    }

    /// How many containers are fixed by the change that fixes a finding.
    pub(super) fn containers(&self, judged: &Judged<'_, '_>, part: PodPart) -> usize {
        let change = change_of(judged.active, judged.finding);
        self.containers.get(&self.key.hash_one((change, part))).copied().unwrap_or_default()
    }
}

/// The offending field, without the name of its container or volume, which may be long.
pub(super) fn field_of<'f>(finding: &'f Finding<'_>) -> impl Hash + Eq + use<'f> {
    let part = match finding.subject {
        Subject::Pod => (0, 0),
        Subject::Container(at) => (1 + at.kind as u8, at.index),
        Subject::Volume(index, _) => (4, index),
        Subject::Metadata => (5, 0),
        Subject::Namespace(_) => (6, 0),
    };
    (part, &finding.path)
}

/// What two findings of different containers have in common if a person fixes both with one change.
pub(super) fn change_of<'f>(active: &'f ActiveControl, finding: &'f Finding<'_>) -> impl Hash + Eq + use<'f> {
    let injector = injector_of(finding.subject).map(|injector| injector.name);
    let asked = (finding.fix.request(), finding.help, injector);
    (active.control.number, active.message.as_deref(), &finding.path, finding.found, asked)
}
