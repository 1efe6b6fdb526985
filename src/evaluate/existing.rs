//! What an update of an existing pod can still change: a new ephemeral container, and nothing else that a control judges.

use std::collections::HashSet;

use crate::finding::{Finding, Subject};
use crate::pod::{ContainerKind, Pod};

/// A pod as it was before an update, as far as advice depends on it.
#[derive(Debug)]
pub struct ExistingPod<'p> {
    /// The names of its ephemeral containers, which can be neither changed nor removed.
    ephemeral_containers: HashSet<&'p str>,
}

/// The part of a pod that a finding is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum PodPart {
    /// New with this request: a new pod as a whole, or a new ephemeral container.
    New,
    /// The spec or metadata of an existing pod.
    Existing,
    /// An ephemeral container that was there before.
    OldEphemeral,
}

impl<'p> ExistingPod<'p> {
    /// A pod as it was.
    #[must_use]
    pub fn new(old: &'p Pod<'_>) -> Self {
        let containers = &old.spec.ephemeral_containers;
        Self { ephemeral_containers: containers.iter().map(|container| container.name.as_ref()).collect() }
    }
}

impl ExistingPod<'_> {
    /// Whether the update can fix a finding: only in an ephemeral container that it adds.
    #[must_use]
    pub fn can_fix(&self, finding: &Finding<'_>) -> bool {
        PodPart::of(Some(self), finding) == PodPart::New
    }
}

impl PodPart {
    /// The part that a finding is about, of a pod that was `existing` before, or of a new one.
    pub(super) fn of(existing: Option<&ExistingPod<'_>>, finding: &Finding<'_>) -> Self {
        match (existing, finding.subject) {
            (None, _) => Self::New,
            (Some(existing), Subject::Container(at)) if at.kind == ContainerKind::Ephemeral => {
                if existing.ephemeral_containers.contains(at.name) { Self::OldEphemeral } else { Self::New }
            }
            // It can be changed at any time, though not by this update.
            (Some(_), Subject::Namespace(_)) => Self::New,
            (Some(_), _) => Self::Existing,
        }
    }
}
