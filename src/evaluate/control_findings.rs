//! The findings of one control: as many as anyone would read, and a count of the rest.
//!
//! A pod can violate one control in as many ways as it has items in its lists, and a kept finding is larger than the text
//! of an item. Without a bound, a tenant could make us hold many times what they sent.

use std::borrow::Cow;

use crate::controls::{CheckedPod, Control};
use crate::finding::{Finding, Sink};
use crate::policy::ActiveControl;

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
    /// The findings of a check, at most this many; `None` if there are none. If there is more than one the check is run
    /// twice, first to count them, because a growing list takes up to three times the memory while it moves. A check that
    /// finds nothing costs no allocation.
    pub(super) fn of(
        control: &'static Control,
        check: impl Fn(&mut Sink<'_, 'p>),
        most: usize,
    ) -> Option<Self> {
        let (mut count, mut first) = (0usize, None);
        check(&mut |finding| {
            count += 1;
            if first.is_none() {
                first = Some(finding);
            }
        });
        let first = first?;
        if count == 1 && most > 0 {
            return Some(Self { control, omitted: 0, kept: vec![first] });
        }
        let mut kept = Vec::with_capacity(count.min(most));
        check(&mut |finding| {
            if kept.len() < most {
                kept.push(finding);
            }
        });
        Some(Self { control, omitted: count - kept.len(), kept })
    }

    /// Shows every finding of the check that these are of: those that were kept if there are no others, or else the check is
    /// run again.
    pub(super) fn each(
        &self,
        active: &'p ActiveControl,
        checked: CheckedPod<'p>,
        mut show: impl FnMut(&Finding<'p>),
    ) {
        if self.omitted == 0 {
            self.kept.iter().for_each(show);
        } else {
            active.check(checked, &mut |finding| show(&finding));
        }
    }

    /// Those that were kept and are wanted; `None` if there are none.
    #[must_use]
    pub fn retain(mut self, is_wanted: impl FnMut(&Finding<'p>) -> bool) -> Option<Self> {
        self.kept.retain(is_wanted);
        (!self.kept.is_empty()).then_some(self)
    }

    /// Those that are wanted, at most this many, if all were kept; `None` if there are none.
    pub(super) fn some(
        &self,
        is_wanted: impl Fn(&Finding<'p>) -> bool,
        most: usize,
    ) -> Option<Cow<'_, Self>> {
        let wanted = || self.kept.iter().filter(|finding| is_wanted(finding));
        let count = wanted().count();
        if count == self.kept.len() && count <= most {
            return Some(Cow::Borrowed(self));
        }
        let kept: Vec<Finding<'p>> = wanted().take(most).cloned().collect();
        (count > 0).then(|| Cow::Owned(Self { control: self.control, omitted: count - kept.len(), kept }))
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
