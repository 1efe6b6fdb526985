//! Mounts, by containers that an update brings, of what the pod had before: in words.

use crate::controls::text;
use crate::controls::{Control, Violation};
use crate::finding::Finding;

/// Beside a finding about a mount that is new, of a volume that is not.
pub(crate) const NEW_MOUNT: &str = "the pod has the volume already, but a new container must not mount it";

impl Control {
    /// Puts findings of this control (at least one, in the order of the walk) into words.
    #[must_use]
    pub fn in_words(&self, findings: &[Finding<'_>]) -> Violation {
        if !findings.iter().any(is_new_mount) {
            return (self.violation)(findings);
        }
        let (mounts, others): (Vec<_>, Vec<_>) = findings.iter().cloned().partition(is_new_mount);
        let containers = text::containers(&text::container_names(&mounts));
        let detail = format!("{containers} must not mount volumes of the pod that are not allowed");
        match others.as_slice() {
            [] => Violation { detail, ..(self.violation)(&mounts) },
            others => {
                let violation = (self.violation)(others);
                Violation { detail: [&violation.detail, "; ", &detail].concat(), ..violation }
            }
        }
    }
}

fn is_new_mount(finding: &Finding<'_>) -> bool {
    finding.help == NEW_MOUNT
}
