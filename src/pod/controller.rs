//! Which controller makes a pod.

use crate::pod::{Owner, Pod};

/// The controller that makes a pod.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub enum Controller {
    /// The one among its owner references, if there is one.
    #[default]
    Written,
    /// One of this kind, for the pods of a template.
    OfKind(&'static str),
    /// Some operator's: nobody can tell its kind by the template.
    Unknown,
}

impl Pod<'_> {
    /// Puts in the controller that will make the pod. What a template says of owners reaches no pod.
    pub fn set_controller(&mut self, controller: Controller) {
        self.metadata.owner = match controller {
            Controller::Written => return,
            Controller::OfKind(kind) => Some(Owner { kind: kind.into(), ..Owner::default() }),
            Controller::Unknown => None,
        };
    }
}
