//! How much may be copied to put the pods of an object together: whoever wrote it may mean harm.

use std::cell::Cell;

use crate::yaml::Node;

/// How many more values may be copied for the pods of an object. Once there was no room for one, there is none for anything.
#[derive(Debug)]
pub struct CopyBudget {
    left: Cell<usize>,
}

impl CopyBudget {
    /// At most so many values.
    #[must_use]
    pub fn of(most: usize) -> Self {
        Self { left: Cell::new(most) }
    }

    /// Whether there is room for a copy of this, which then takes it.
    pub(super) fn take_for(&self, copied: &Node) -> bool {
        self.take(size_of(copied))
    }

    /// The same for the object that a text holds.
    pub(super) fn take_for_text(&self, text: &str) -> bool {
        self.take(text.bytes().filter(|byte| b"\n,[{-".contains(byte)).count() + 1)
    }

    /// Whether there is room for anything.
    #[must_use]
    pub fn has_room(&self) -> bool {
        self.left.get() > 0
    }

    fn take(&self, size: usize) -> bool {
        let left = self.left.get().checked_sub(size);
        self.left.set(left.unwrap_or_default());
        left.is_some()
    }
}

/// How many values a tree has.
fn size_of(node: &Node) -> usize {
    let entries = node.entries().iter().map(|entry| &entry.value);
    1 + entries.chain(node.items()).map(size_of).sum::<usize>()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::yaml;

    #[test]
    fn what_found_no_room_leaves_none() {
        let node = yaml::read("{a: [1, 2], b: {c: 3}}").remove(0).expect("an object").root;
        let budget = CopyBudget::of(13);
        assert!(budget.take_for(&node), "six values");
        assert!(budget.take_for_text("a: 1\nb: [1]") && budget.has_room());
        assert!(!budget.take_for(&node) && !budget.has_room());
        assert!(!budget.take_for_text(""));
    }
}
