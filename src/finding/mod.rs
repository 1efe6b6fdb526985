//! Findings, fixes and edits: what a control's check reports, and what everything above is made from.
//!
//! One finding becomes a line of a refusal, a diagnostic of the linter, a change of a JSON Patch. It borrows from the
//! pod and from the policy, so that reporting one costs no allocation. It does not name its control: the caller of the
//! check knows it.

mod edit;
mod field_path;
mod fix;
mod found;
mod made;
mod obstacle;
mod subject;

pub use edit::{Edit, EditOp, Value};
pub use field_path::FieldPath;
pub use fix::{Choices, Fix, Safety};
pub use found::Found;
pub use obstacle::{Obstacles, is_sys_admin};
pub use subject::Subject;

use crate::path::Path;

/// One violation of a control.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Finding<'p> {
    /// The part of the pod that violates it.
    pub subject: Subject<'p>,
    /// The field of that part; empty for the part itself.
    pub path: FieldPath<'p>,
    /// What the field holds.
    pub found: Found<'p>,
    /// The change that fixes it.
    pub fix: Fix<'p>,
    /// More words on the fix, or empty.
    pub help: &'p str,
}

/// Takes the findings of a check one by one. The caller decides how many of them are kept. A check can be run
/// again, and then reports the same ones in the same order.
pub type Sink<'s, 'p> = dyn FnMut(Finding<'p>) + 's;

impl<'p> Finding<'p> {
    /// A finding without help.
    #[must_use]
    pub fn new(subject: Subject<'p>, path: impl Into<FieldPath<'p>>, found: Found<'p>, fix: Fix<'p>) -> Self {
        Self { subject, path: path.into(), found, fix, help: "" }
    }

    /// The same, with more words on its fix.
    #[must_use]
    pub fn help(self, help: &'p str) -> Self {
        Self { help, ..self }
    }

    /// The path from the root of the pod, or of the template, to the field.
    #[must_use]
    pub fn whole_path(&self) -> Path<'p> {
        self.subject.join(&self.path)
    }

    /// The same, of which podgate makes the fix only once these obstacles are gone.
    #[must_use]
    pub fn filled_in_without(mut self, obstacles: Obstacles) -> Self {
        if let Fix::Edit { safety, .. } | Fix::Edits { safety, .. } = &mut self.fix {
            *safety = match *safety {
                Safety::Default => Safety::DefaultWithout(obstacles),
                Safety::DefaultWithout(others) => Safety::DefaultWithout(obstacles | others),
                Safety::Review => Safety::Review,
            };
        }
        self
    }

    /// Whether its fix only fills in a field that is absent, so that podgate may make it by itself.
    #[must_use]
    pub fn is_auto_fixable(&self) -> bool {
        self.fix.is_default()
    }

    /// The edits of its fix; none if a person has to choose.
    pub fn edits(&self) -> impl Iterator<Item = Edit<'p>> {
        let (own, others) = match &self.fix {
            Fix::Edit { op, .. } => {
                (Some(Edit::new(self.subject, self.path.clone(), op.clone())), [].as_slice())
            }
            Fix::Edits { edits, .. } => (None, edits.as_slice()),
            Fix::OneOf(_) | Fix::Range { .. } => (None, [].as_slice()),
        };
        own.into_iter().chain(others.iter().cloned())
    }
}
