//! What is filled in for a pod: for every container, however many there are, and in little memory.

use std::collections::BTreeMap;

use crate::controls::Control;
use crate::evaluate::obstacles::RefusedObstacles;
use crate::finding::{Edit, EditOp, FieldPath, Finding, Fix, Obstacles, Safety, Subject, Value};
use crate::pod::{ContainerKind, ContainerRef, Pod};

/// The fields that are filled in, container by container.
#[derive(Debug, Default)]
pub struct Defaults<'p> {
    /// What is filled in anywhere: each field once.
    fields: Vec<DefaultField<'p>>,
    /// For each container, by its list and its index there. Most pods have a few, which are not worth hashing.
    of_containers: BTreeMap<(ContainerKind, u32), FilledFields>,
}

/// A bit for each of the fields that are filled in for a container.
#[derive(Debug, Default, Clone, Copy)]
struct FilledFields {
    /// At once.
    now: u32,
    /// Once the author has changed what contradicts it, for which the pod is refused.
    later: u32,
}

/// A field that is filled in.
#[derive(Debug, Clone)]
pub struct DefaultField<'p> {
    /// The field, relative to the container.
    pub path: FieldPath<'p>,
    /// The value that it is given.
    pub value: Value<'p>,
    /// The control that asks for it.
    pub control: &'static Control,
    /// The name of the policy that has it filled in.
    pub policy: &'p str,
}

impl<'p> Defaults<'p> {
    /// Adds the fix of a finding, if podgate may make it by itself. Returns whether it may once something else is fixed.
    pub(super) fn add(&mut self, policy: &'p str, control: &'static Control, finding: &Finding<'p>) -> bool {
        if finding.is_auto_fixable() {
            self.set(policy, control, finding, |fields, bit| fields.now |= bit);
        }
        waits_for(finding).is_some()
    }

    /// Adds the fix of a finding that podgate makes once the obstacles are gone for which the pod is refused.
    pub(super) fn add_later(
        &mut self,
        policy: &'p str,
        control: &'static Control,
        finding: &Finding<'p>,
        refused: &RefusedObstacles,
    ) {
        if waits_for(finding).is_some_and(|obstacles| refused.of(finding).contain(obstacles)) {
            self.set(policy, control, finding, |fields, bit| fields.later |= bit);
        }
    }

    fn set(
        &mut self,
        policy: &'p str,
        control: &'static Control,
        finding: &Finding<'p>,
        set: impl Fn(&mut FilledFields, u32),
    ) {
        let (Fix::Edit { op: EditOp::Set(value), .. }, Some(at)) =
            (&finding.fix, finding.subject.container())
        else {
            return;
        };
        let field = self.position(&finding.path).unwrap_or_else(|| {
            let path = finding.path.clone();
            self.fields.push(DefaultField { path, value: value.clone(), control, policy });
            self.fields.len() - 1
        });
        // What does not fit is not filled in, and the pod stays refused. There are never more fields than controls.
        let (Some(bit), Some(key)) = (bit(field), key(at)) else { return };
        set(self.of_containers.entry(key).or_default(), bit);
    }

    /// Whether filling in fixes a finding, now or once the author has fixed the rest: by its own fix, or by that of
    /// another for the same field.
    pub(super) fn cover(&self, finding: &Finding<'_>) -> bool {
        self.has(finding, |fields| fields.now | fields.later)
    }

    /// Whether it fixes a finding of the pod as it is.
    pub(super) fn cover_now(&self, finding: &Finding<'_>) -> bool {
        self.has(finding, |fields| fields.now)
    }

    fn has(&self, finding: &Finding<'_>, bits: impl Fn(FilledFields) -> u32) -> bool {
        (finding.is_auto_fixable() || waits_for(finding).is_some())
            && finding.subject.container().is_some_and(|at| {
                let bit = self.position(&finding.path).and_then(bit).unwrap_or_default();
                bits(self.fields_of(at)) & bit != 0
            })
    }

    /// Whether nothing is filled in.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.of_containers.is_empty()
    }

    /// What is filled in for a container as it is.
    pub fn of(&self, at: ContainerRef<'_>) -> impl Iterator<Item = &DefaultField<'p>> {
        let bits = self.fields_of(at).now;
        self.fields.iter().enumerate().filter_map(move |(field, default)| {
            (bits & bit(field).unwrap_or_default() != 0).then_some(default)
        })
    }

    /// The edits that fill in everything, container by container.
    pub fn edits(&self, pod: &'p Pod<'_>) -> impl Iterator<Item = Edit<'p>> {
        pod.containers().flat_map(|(at, _)| {
            self.of(at).map(move |default| {
                let op = EditOp::Set(default.value.clone());
                Edit::new(Subject::Container(at), default.path.clone(), op)
            })
        })
    }

    /// For how many containers anything is filled in.
    pub(super) fn containers(&self) -> usize {
        self.of_containers.len()
    }

    fn position(&self, path: &FieldPath<'_>) -> Option<usize> {
        self.fields.iter().position(|default| default.path == *path)
    }

    fn fields_of(&self, at: ContainerRef<'_>) -> FilledFields {
        key(at).and_then(|key| self.of_containers.get(&key)).copied().unwrap_or_default()
    }
}

/// What has to be gone before podgate makes the fix of a finding by itself, if it then may.
fn waits_for(finding: &Finding<'_>) -> Option<Obstacles> {
    let Fix::Edit { safety: Safety::DefaultWithout(obstacles), .. } = finding.fix else { return None };
    Some(obstacles)
}

fn bit(field: usize) -> Option<u32> {
    u32::try_from(field).ok().and_then(|field| 1u32.checked_shl(field))
}

fn key(at: ContainerRef<'_>) -> Option<(ContainerKind, u32)> {
    Some((at.kind, u32::try_from(at.index).ok()?))
}
