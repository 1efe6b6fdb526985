//! The values for which a pod is refused, and which keep podgate from filling in other fields as long as they stand.

use std::collections::BTreeMap;

use crate::finding::{Finding, Found, Obstacles, Subject, is_sys_admin};
use crate::pod::ContainerKind;

/// Such values of the pod and of each container, by its list and its index there.
#[derive(Debug, Default, Clone)]
pub(super) struct RefusedObstacles {
    of_pod: Obstacles,
    of_containers: BTreeMap<(ContainerKind, usize), Obstacles>,
}

impl RefusedObstacles {
    /// Adds what is gone once a finding is fixed, which the pod is refused for.
    pub(super) fn add(&mut self, finding: &Finding<'_>) {
        let obstacle = obstacle_of(finding);
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

/// The obstacle that is gone once a finding is fixed.
fn obstacle_of(finding: &Finding<'_>) -> Obstacles {
    if !matches!(finding.subject, Subject::Pod | Subject::Container(_)) {
        return Obstacles::NONE;
    }
    match (finding.path.first_fields(), finding.found) {
        ("securityContext.privileged", Found::Bool(true)) => Obstacles::PRIVILEGED,
        ("securityContext.capabilities.add", Found::Text(added)) if is_sys_admin(added) => {
            Obstacles::SYS_ADMIN
        }
        ("securityContext.runAsUser", Found::Integer(0)) => Obstacles::ROOT_USER,
        _ => Obstacles::NONE,
    }
}
