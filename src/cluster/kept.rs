//! What was read a moment ago, so that it need not be read again for the next review.
//!
//! To take an object for absent is to be strict, so that is kept for seconds and goes before a call. But by labels that
//! have changed a pod might be let pass. So they are kept for a second, while the watch stands that would tell of a
//! change, and they only serve when no more calls can be made.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use tokio::time::Instant;

use crate::cluster::Resource;
use crate::cluster::key::Key;
use crate::policy::Labels;

/// How long it is known of an object that it is not there.
const ABSENT: Duration = Duration::from_secs(5);

/// How long it is known of an object how it is: both webhooks are asked about a pod within that time.
const FOUND: Duration = Duration::from_secs(1);

/// Most objects of which anything is kept: more than the limit on calls lets in within [`ABSENT`].
const MOST_KEPT: usize = 256;

/// The answers.
#[derive(Default)]
pub(super) struct Kept {
    answers: HashMap<Key, (Instant, Option<Labels>)>,
    watched: HashSet<Resource>,
}

impl Kept {
    /// Whether it was not there a moment ago.
    pub(super) fn is_absent(&self, key: &Key, now: Instant) -> bool {
        self.answers.get(key).is_some_and(|(until, labels)| now < *until && labels.is_none())
    }

    /// The labels that it had a moment ago.
    pub(super) fn labels(&self, key: &Key, now: Instant) -> Option<Labels> {
        let (until, labels) = self.answers.get(key)?;
        labels.clone().filter(|_| now < *until)
    }

    pub(super) fn put(&mut self, key: &Key, labels: Option<&Labels>, now: Instant) {
        if labels.is_some() && !self.watched.contains(&key.resource()) {
            return;
        }
        self.answers.retain(|_, (until, _)| now < *until);
        if self.answers.len() < MOST_KEPT {
            let age = if labels.is_some() { FOUND } else { ABSENT };
            self.answers.insert(key.clone(), (now + age, labels.cloned()));
        }
    }

    /// Something has happened to it.
    pub(super) fn forget(&mut self, key: &Key) {
        self.answers.remove(key);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.answers.is_empty()
    }

    /// All objects of a resource are known, and their changes will be told.
    pub(super) fn is_watched(&mut self, resource: Resource) {
        self.watched.insert(resource);
    }

    /// Nobody tells of their changes any more.
    pub(super) fn is_not_watched(&mut self, resource: Resource) {
        if self.watched.remove(&resource) {
            self.answers.retain(|key, (_, labels)| labels.is_none() || key.resource() != resource);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(name: &str) -> Key {
        Key::Namespace(name.to_owned())
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_absent_is_kept_for_longer_than_what_is_there() {
        let start = Instant::now();
        let at = |millis| start + Duration::from_millis(millis);
        let mut kept = Kept::default();
        kept.put(&key("there"), Some(&Labels::new()), start);
        assert_eq!(kept.labels(&key("there"), start), None, "nobody would tell of a change");
        kept.is_watched(Resource::Namespaces);
        kept.put(&key("there"), Some(&Labels::new()), start);
        kept.put(&key("absent"), None, start);
        assert_eq!(kept.labels(&key("there"), at(999)), Some(Labels::new()));
        assert_eq!(kept.labels(&key("there"), at(1000)), None);
        assert!(!kept.is_absent(&key("there"), at(999)));
        assert!(kept.is_absent(&key("absent"), at(4999)) && !kept.is_absent(&key("absent"), at(5000)));
        assert_eq!(kept.labels(&key("absent"), start), None);
        kept.put(&key("there"), Some(&Labels::new()), at(2000));
        kept.is_not_watched(Resource::ServiceAccounts);
        assert!(kept.labels(&key("there"), at(2000)).is_some());
        kept.is_not_watched(Resource::Namespaces);
        assert_eq!(kept.labels(&key("there"), at(2000)), None);
        assert!(kept.is_absent(&key("absent"), at(2000)));
        kept.forget(&key("absent"));
        assert!(!kept.is_absent(&key("absent"), at(2000)) && kept.is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn so_many_names_are_kept_and_no_more() {
        let start = Instant::now();
        let mut kept = Kept::default();
        for index in 0..100_000 {
            kept.put(&key(&format!("n{index}")), None, start);
        }
        assert_eq!(kept.answers.len(), MOST_KEPT);
        let later = start + ABSENT;
        kept.put(&key("later"), None, later);
        assert!(kept.answers.len() == 1 && kept.is_absent(&key("later"), later));
    }
}
