//! The findings of one rule: as many of each control as somebody may read, and a count of the rest.
//!
//! A pod can break one control in as many ways as it has items in its lists, and what is kept of a finding is larger than
//! what an item is written with. So a tenant would have us hold many times what they sent.

use crate::controls::{Control, Finding, Sink};

/// Most findings of one control that are kept. A pod that breaks it in as many ways has as many containers, ports or
/// volumes at fault: no real one does, and nobody reads on.
pub const MOST_FINDINGS: usize = 256;

/// The findings of one rule, in the order of its controls.
#[derive(Debug, Default, Clone)]
pub struct Findings<'p> {
    kept: Vec<Finding<'p>>,
    /// How many of the kept ones are of the control that was last found broken.
    of_control: usize,
    omitted: Vec<Omitted>,
}

/// How many findings of a control were not kept.
#[derive(Debug, Clone, Copy)]
pub struct Omitted {
    /// The control.
    pub control: &'static Control,
    /// How many.
    pub count: usize,
    /// How many of these stay if what is absent is filled in.
    pub(super) unrepaired: usize,
}

impl<'p> Findings<'p> {
    /// The findings of a walk, of each control at most so many. It is walked once to count them: a list that grows holds up
    /// to three times as much while it moves. A walk that finds nothing is the only one, and costs no allocation.
    pub(super) fn of(walk: impl Fn(&mut Sink<'_, 'p>), most: usize) -> Self {
        let (mut total, mut of_control, mut last) = (0, 0, None::<&Control>);
        walk(&mut |finding| {
            if last != Some(finding.control) {
                (last, of_control) = (Some(finding.control), 0);
            }
            of_control += 1;
            total += usize::from(of_control <= most);
        });
        let mut findings = Self::default();
        if total > 0 {
            findings.kept.reserve_exact(total);
            walk(&mut |finding| findings.push(finding, most));
        }
        findings
    }

    fn push(&mut self, finding: Finding<'p>, most: usize) {
        if self.kept.last().is_none_or(|last| last.control != finding.control) {
            self.of_control = 0;
        }
        if self.of_control < most {
            self.of_control += 1;
            self.kept.push(finding);
            return;
        }
        match self.omitted.last_mut().filter(|omitted| omitted.control == finding.control) {
            Some(omitted) => omitted.count += 1,
            None => self.omitted.push(Omitted { control: finding.control, count: 1, unrepaired: 1 }),
        }
    }

    /// Those that were kept.
    pub fn iter(&self) -> std::slice::Iter<'_, Finding<'p>> {
        self.kept.iter()
    }

    /// Those that were kept.
    #[must_use]
    pub fn as_slice(&self) -> &[Finding<'p>] {
        &self.kept
    }

    /// Whether there are none at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.kept.is_empty()
    }

    /// Those that were not, control by control.
    #[must_use]
    pub fn omitted(&self) -> &[Omitted] {
        &self.omitted
    }

    pub(super) fn omitted_mut(&mut self) -> &mut [Omitted] {
        &mut self.omitted
    }

    /// Counts a finding, kept or not, that stays if what is absent is filled in.
    pub(super) fn count_unrepaired(&mut self, control: &Control) {
        if let Some(omitted) = self.omitted.iter_mut().find(|omitted| omitted.control == control) {
            omitted.unrepaired += 1;
        }
    }

    /// Takes those that were kept from these counts.
    pub(super) fn forget_kept(&mut self, was_counted: impl Fn(&Finding<'p>) -> bool) {
        for omitted in &mut self.omitted {
            let kept = self.kept.iter().filter(|finding| finding.control == omitted.control);
            omitted.unrepaired -= kept.filter(|finding| was_counted(finding)).count();
        }
    }

    /// How many of a control were not kept.
    pub(super) fn omitted_of(&self, control: &Control) -> usize {
        let of_control = self.omitted.iter().find(|omitted| omitted.control == control);
        of_control.map_or(0, |omitted| omitted.count)
    }
}

impl<'f, 'p> IntoIterator for &'f Findings<'p> {
    type Item = &'f Finding<'p>;
    type IntoIter = std::slice::Iter<'f, Finding<'p>>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl<'p> FromIterator<Finding<'p>> for Findings<'p> {
    /// All of them.
    fn from_iter<I: IntoIterator<Item = Finding<'p>>>(findings: I) -> Self {
        Self { kept: findings.into_iter().collect(), ..Self::default() }
    }
}
