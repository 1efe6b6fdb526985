//! What is filled in for a pod: for every container, however many there are, and in little memory.

use std::collections::HashMap;

use crate::controls::Control;
use crate::finding::{Edit, EditOp, FieldPath, Finding, Fix, Safety, Subject, Value};
use crate::pod::{ContainerKind, ContainerRef, Pod};

/// The fields that are filled in, container by container.
#[derive(Debug, Default)]
pub struct Defaults<'p> {
    /// What is filled in anywhere: each field once.
    fields: Vec<DefaultField<'p>>,
    /// For each container, by its list and its index there, a bit for each of `fields`.
    of_containers: HashMap<(ContainerKind, u32), u32>,
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
}

impl<'p> Defaults<'p> {
    /// Adds the fix of a finding, if podgate may make it by itself.
    pub(super) fn add(&mut self, control: &'static Control, finding: &Finding<'p>) {
        let (Fix::Edit { op: EditOp::Set(value), safety: Safety::Default, .. }, Some(at)) =
            (&finding.fix, finding.subject.container())
        else {
            return;
        };
        let field = self.position(&finding.path).unwrap_or_else(|| {
            self.fields.push(DefaultField { path: finding.path.clone(), value: *value, control });
            self.fields.len() - 1
        });
        // What does not fit is not filled in, and the pod stays refused. There are never more fields than controls.
        let (Some(bit), Some(key)) = (bit(field), key(at)) else { return };
        *self.of_containers.entry(key).or_default() |= bit;
    }

    /// Whether filling in fixes a finding: by its own fix, or by that of another for the same field.
    pub(super) fn cover(&self, finding: &Finding<'_>) -> bool {
        finding.is_auto_fixable()
            && finding.subject.container().is_some_and(|at| {
                let bit = self.position(&finding.path).and_then(bit).unwrap_or_default();
                self.bits(at) & bit != 0
            })
    }

    /// Whether nothing is filled in.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.of_containers.is_empty()
    }

    /// What is filled in for a container.
    pub fn of(&self, at: ContainerRef<'_>) -> impl Iterator<Item = &DefaultField<'p>> {
        let bits = self.bits(at);
        self.fields.iter().enumerate().filter_map(move |(field, default)| {
            (bits & bit(field).unwrap_or_default() != 0).then_some(default)
        })
    }

    /// The edits that fill in everything, container by container.
    pub fn edits(&self, pod: &'p Pod<'_>) -> impl Iterator<Item = Edit<'p>> {
        pod.containers().flat_map(|(at, _)| {
            self.of(at).map(move |default| Edit {
                path: Subject::Container(at).join(&default.path),
                op: EditOp::Set(default.value),
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

    fn bits(&self, at: ContainerRef<'_>) -> u32 {
        key(at).and_then(|key| self.of_containers.get(&key)).copied().unwrap_or_default()
    }
}

fn bit(field: usize) -> Option<u32> {
    u32::try_from(field).ok().and_then(|field| 1u32.checked_shl(field))
}

fn key(at: ContainerRef<'_>) -> Option<(ContainerKind, u32)> {
    Some((at.kind, u32::try_from(at.index).ok()?))
}
