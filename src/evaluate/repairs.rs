//! What is filled in for a pod: of every container, however many there are, and in little room.

use std::collections::HashMap;

use crate::controls::{Control, Finding, Remedy, Value};
use crate::pod::{ContainerKind, ContainerRef, Field};

/// The fields that are filled in, container by container.
#[derive(Debug, Default)]
pub struct Repairs {
    /// What is filled in anywhere: each field once.
    kinds: Vec<Repair>,
    /// For each container by its list and its place there, a bit for each of `kinds`.
    of_containers: HashMap<(ContainerKind, u32), u32>,
}

/// A field that is filled in.
#[derive(Debug, Clone, Copy)]
pub struct Repair {
    /// The field, from the container on.
    pub field: Field,
    /// What it is given.
    pub value: Value,
    /// The control that asks for it.
    pub control: &'static Control,
}

impl Repairs {
    /// Has filled in what a finding asks for, if that is safe.
    pub(super) fn add(&mut self, finding: &Finding<'_>) {
        let (true, Remedy::Set(value), Some(at)) =
            (finding.is_safe, finding.remedy, finding.place.container())
        else {
            return;
        };
        let kind = self.kind(finding.field).unwrap_or_else(|| {
            self.kinds.push(Repair { field: finding.field, value, control: finding.control });
            self.kinds.len() - 1
        });
        // What has no room is not filled in, and the pod stays refused: more kinds than controls there are not.
        let (Some(bit), Some(key)) = (bit(kind), key(at)) else { return };
        *self.of_containers.entry(key).or_default() |= bit;
    }

    /// Whether filling in mends a finding: by its own remedy, or that of another for the same place.
    pub(super) fn mend(&self, finding: &Finding<'_>) -> bool {
        finding.is_safe
            && finding.place.container().is_some_and(|at| {
                let bit = self.kind(finding.field).and_then(bit).unwrap_or_default();
                self.bits(at) & bit != 0
            })
    }

    /// What is filled in for a container.
    pub fn of(&self, at: ContainerRef<'_>) -> impl Iterator<Item = &Repair> {
        let bits = self.bits(at);
        self.kinds
            .iter()
            .enumerate()
            .filter_map(move |(kind, repair)| (bits & bit(kind).unwrap_or_default() != 0).then_some(repair))
    }

    /// For how many containers anything is filled in.
    pub(super) fn containers(&self) -> usize {
        self.of_containers.len()
    }

    fn kind(&self, field: Field) -> Option<usize> {
        self.kinds.iter().position(|kind| kind.field == field)
    }

    fn bits(&self, at: ContainerRef<'_>) -> u32 {
        key(at).and_then(|key| self.of_containers.get(&key)).copied().unwrap_or_default()
    }
}

fn bit(kind: usize) -> Option<u32> {
    u32::try_from(kind).ok().and_then(|kind| 1u32.checked_shl(kind))
}

fn key(at: ContainerRef<'_>) -> Option<(ContainerKind, u32)> {
    Some((at.kind, u32::try_from(at.index).ok()?))
}
