//! Reviews from namespaces in which no policy holds: counted each time, and told once a namespace.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

use prometheus::IntCounter;

/// Most namespaces that are told of before the policies change. Where policies hold by name alone, a peer can invent
/// such namespaces.
const MOST_TOLD: usize = 1024;

/// The counter, and who was told of.
#[derive(Debug)]
pub(super) struct Unjudged {
    reviews: IntCounter,
    /// After how many changes of the policies, and which namespaces.
    told: Mutex<(u64, HashSet<Box<str>>)>,
}

impl Unjudged {
    pub(super) fn new(reviews: IntCounter) -> Self {
        Self { reviews, told: Mutex::default() }
    }

    /// Counts a review. Whether its namespace is to be told of: not again before there are more changes of the policies.
    pub(super) fn count(&self, namespace: &str, changes: u64) -> bool {
        self.reviews.inc();
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if told.0 != changes {
            *told = (changes, HashSet::new());
        }
        let namespaces = &mut told.1;
        !namespaces.contains(namespace) && namespaces.len() < MOST_TOLD && namespaces.insert(namespace.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_namespace_is_told_of_once_until_the_policies_change() {
        let unjudged = Unjudged::new(IntCounter::new("reviews", "Reviews.").unwrap());
        assert_eq!(["a", "a", "b", "a"].map(|name| unjudged.count(name, 0)), [true, false, true, false]);
        assert_eq!(["a", "a"].map(|name| unjudged.count(name, 1)), [true, false]);
        let invented = (0..5000).filter(|n| unjudged.count(&n.to_string(), 1)).count();
        assert_eq!(invented, MOST_TOLD - 1);
        assert_eq!(unjudged.reviews.get(), 5006);
    }
}
