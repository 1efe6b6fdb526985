//! Reviews from namespaces without a policy: each is counted, and each namespace is logged once.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

use prometheus::IntCounter;

/// How many namespaces are logged before the policies change. Where policies match by name alone, a peer can make up
/// such namespaces.
const MAX_LOGGED: usize = 1024;

/// The counter, and the namespaces that were logged.
#[derive(Debug)]
pub(super) struct UnjudgedCounter {
    reviews: IntCounter,
    /// The number of policy changes so far, and the namespaces since the last.
    logged: Mutex<(u64, HashSet<Box<str>>)>,
}

impl UnjudgedCounter {
    pub(super) fn new(reviews: IntCounter) -> Self {
        Self { reviews, logged: Mutex::default() }
    }

    /// Counts a review. Returns whether its namespace is to be logged: once until the policies change.
    pub(super) fn count(&self, namespace: &str, changes: u64) -> bool {
        self.reviews.inc();
        let mut logged = self.logged.lock().unwrap_or_else(PoisonError::into_inner);
        if logged.0 != changes {
            *logged = (changes, HashSet::new());
        }
        let namespaces = &mut logged.1;
        !namespaces.contains(namespace)
            && namespaces.len() < MAX_LOGGED
            && namespaces.insert(namespace.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_namespace_is_logged_once_until_the_policies_change() {
        let unjudged = UnjudgedCounter::new(IntCounter::new("reviews", "Reviews.").unwrap());
        assert_eq!(["a", "a", "b", "a"].map(|name| unjudged.count(name, 0)), [true, false, true, false]);
        assert_eq!(["a", "a"].map(|name| unjudged.count(name, 1)), [true, false]);
        let invented = (0..5000).filter(|n| unjudged.count(&n.to_string(), 1)).count();
        assert_eq!(invented, MAX_LOGGED - 1);
        assert_eq!(unjudged.reviews.get(), 5006);
    }
}
