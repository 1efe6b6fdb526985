//! The values for which a pod is refused, and which keep podgate from filling in other fields as long as they stand.

use std::collections::HashMap;

use crate::finding::{Finding, Obstacles};
use crate::pod::ContainerKind;

/// Such values of the pod and of each container, by its list and its index there.
#[derive(Debug, Default, Clone)]
pub(super) struct RefusedObstacles {
    of_pod: Obstacles,
    of_containers: HashMap<(ContainerKind, usize), Obstacles>,
}

impl RefusedObstacles {
    /// Adds what is gone once a finding is fixed, which the pod is refused for.
    pub(super) fn add(&mut self, finding: &Finding<'_>) {
        let obstacle = Obstacles::of(finding);
        if obstacle == Obstacles::NONE {
            return;
        }
        let known = match finding.subject.container() {
            Some(at) => self.of_containers.entry((at.kind, at.index)).or_default(),
            None => &mut self.of_pod,
        };
        *known = *known | obstacle;
    }

    /// Those of the container that a finding is about, with those of the pod.
    pub(super) fn of(&self, finding: &Finding<'_>) -> Obstacles {
        let own = finding.subject.container().and_then(|at| self.of_containers.get(&(at.kind, at.index)));
        own.copied().unwrap_or_default() | self.of_pod
    }
}
