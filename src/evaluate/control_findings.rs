//! The findings of one control: as many as anyone would read, and a count of the rest.
//!
//! A pod can violate one control in as many ways as it has items in its lists, and a kept finding is larger than the text
//! of an item. Without a bound, a tenant could make us hold many times what they sent.

use crate::controls::Control;
use crate::finding::{Finding, Sink};

/// Most findings of one control that are kept. A pod with more has that many offending containers, ports or
/// volumes: no real one does, and nobody reads on.
pub const MOST_FINDINGS: usize = 256;

/// The findings of one control: at least one.
#[derive(Debug, Clone)]
pub struct ControlFindings<'p> {
    /// The control.
    pub control: &'static Control,
    kept: Vec<Finding<'p>>,
    omitted: usize,
}

impl<'p> ControlFindings<'p> {
    /// The findings of a check, at most this many; `None` if there are none. The check is run once to count them, because
    /// a growing list takes up to three times the memory while it moves. A check that finds nothing is run only once, and
    /// costs no allocation.
    pub(super) fn of(
        control: &'static Control,
        check: impl Fn(&mut Sink<'_, 'p>),
        most: usize,
    ) -> Option<Self> {
        let mut count = 0usize;
        check(&mut |_| count += 1);
        if count == 0 {
            return None;
        }
        let mut kept = Vec::with_capacity(count.min(most));
        check(&mut |finding| {
            if kept.len() < most {
                kept.push(finding);
            }
        });
        Some(Self { control, omitted: count - kept.len(), kept })
    }

    /// Those that were kept and are wanted; `None` if there are none.
    #[must_use]
    pub fn retain(mut self, is_wanted: impl FnMut(&Finding<'p>) -> bool) -> Option<Self> {
        self.kept.retain(is_wanted);
        (!self.kept.is_empty()).then_some(self)
    }

    /// Those that were kept, in the order of the walk.
    #[must_use]
    pub fn kept(&self) -> &[Finding<'p>] {
        &self.kept
    }

    /// How many were not kept.
    #[must_use]
    pub fn omitted(&self) -> usize {
        self.omitted
    }
}
