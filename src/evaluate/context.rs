//! What a verdict depends on besides the policies and the pod.

use crate::controls::PodOrigin;
use crate::pod::Changes;
use crate::policy::ActiveControl;

/// What a verdict depends on besides the policies and the pod: what is done to the pod.
#[derive(Debug, Clone, Copy)]
pub struct Context<'p> {
    /// What is new about the pod: [`Changes::ALL`] for a pod that is created. A control is checked only if it depends on
    /// any of this.
    pub changes: Changes,
    /// Whether the mutating webhook fills in what the pod leaves out: not for an existing pod. (Nor for a mirror pod, which
    /// the pod itself tells.)
    pub fills_in_defaults: bool,
    /// Where the pod comes from.
    pub origin: PodOrigin<'p>,
}

impl Context<'_> {
    /// A pod, or the pods of a template, that are created through both webhooks.
    pub const CREATE: Self =
        Self { changes: Changes::ALL, fills_in_defaults: true, origin: PodOrigin::UNKNOWN };

    /// Whether a control has to be checked.
    pub(super) fn concerns(self, active: &ActiveControl) -> bool {
        self.changes.intersect(active.control.depends_on()) || self.changes == Changes::ALL
    }
}
