//! What was read a moment ago, so that it need not be read again for the next review.
//!
//! To consider an object absent is strict, so that is kept for seconds and used instead of a call. Outdated labels, or an
//! outdated service account, might let a pod pass: they are kept for one second, only while a watch would report a change, and used only when the
//! budget for calls is spent.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use tokio::time::Instant;

use crate::cluster::event::WatchedResource;
use crate::cluster::key::ObjectKey;
use crate::cluster::watched_object::ObjectContent;

/// How long an absent object is remembered.
const ABSENT: Duration = Duration::from_secs(5);

/// How long what was read of an object is remembered: both webhooks are called for a pod within that time.
const FOUND: Duration = Duration::from_secs(1);

/// The most objects that are remembered: more than the budget allows to be read within [`ABSENT`].
const MOST_KEPT: usize = 256;

/// The answers.
#[derive(Default)]
pub(super) struct RecentReads {
    answers: HashMap<ObjectKey, (Instant, Option<ObjectContent>)>,
    watched: HashSet<WatchedResource>,
}

impl RecentReads {
    /// Whether it was not there a moment ago.
    pub(super) fn is_absent(&self, key: &ObjectKey, now: Instant) -> bool {
        self.answers.get(key).is_some_and(|(until, content)| now < *until && content.is_none())
    }

    /// What was read of it a moment ago.
    pub(super) fn content(&self, key: &ObjectKey, now: Instant) -> Option<ObjectContent> {
        let (until, content) = self.answers.get(key)?;
        content.clone().filter(|_| now < *until)
    }

    pub(super) fn put(&mut self, key: &ObjectKey, content: Option<&ObjectContent>, now: Instant) {
        if content.is_some() && !self.watched.contains(&key.resource()) {
            return;
        }
        self.answers.retain(|_, (until, _)| now < *until);
        if self.answers.len() < MOST_KEPT {
            let age = if content.is_some() { FOUND } else { ABSENT };
            self.answers.insert(key.clone(), (now + age, content.cloned()));
        }
    }

    /// It has changed.
    pub(super) fn forget(&mut self, key: &ObjectKey) {
        self.answers.remove(key);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.answers.is_empty()
    }

    /// All objects of a resource are known, and a watch reports their changes.
    pub(super) fn is_watched(&mut self, resource: WatchedResource) {
        self.watched.insert(resource);
    }

    /// No watch reports their changes any longer.
    pub(super) fn is_not_watched(&mut self, resource: WatchedResource) {
        if self.watched.remove(&resource) {
            self.answers.retain(|key, (_, content)| content.is_none() || key.resource() != resource);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::ServiceAccount;

    fn read() -> ObjectContent {
        ObjectContent::Account(ServiceAccount::default())
    }

    fn key(name: &str) -> ObjectKey {
        ObjectKey::Namespace(name.to_owned())
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_absent_is_kept_for_longer_than_what_is_there() {
        let start = Instant::now();
        let at = |millis| start + Duration::from_millis(millis);
        let mut kept = RecentReads::default();
        kept.put(&key("there"), Some(&read()), start);
        assert_eq!(kept.content(&key("there"), start), None, "nobody would tell of a change");
        kept.is_watched(WatchedResource::Namespaces);
        kept.put(&key("there"), Some(&read()), start);
        kept.put(&key("absent"), None, start);
        assert_eq!(kept.content(&key("there"), at(999)), Some(read()));
        assert_eq!(kept.content(&key("there"), at(1000)), None);
        assert!(!kept.is_absent(&key("there"), at(999)));
        assert!(kept.is_absent(&key("absent"), at(4999)) && !kept.is_absent(&key("absent"), at(5000)));
        assert_eq!(kept.content(&key("absent"), start), None);
        kept.put(&key("there"), Some(&read()), at(2000));
        kept.is_not_watched(WatchedResource::ServiceAccounts);
        assert!(kept.content(&key("there"), at(2000)).is_some());
        kept.is_not_watched(WatchedResource::Namespaces);
        assert_eq!(kept.content(&key("there"), at(2000)), None);
        assert!(kept.is_absent(&key("absent"), at(2000)));
        kept.forget(&key("absent"));
        assert!(!kept.is_absent(&key("absent"), at(2000)) && kept.is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn so_many_names_are_kept_and_no_more() {
        let start = Instant::now();
        let mut kept = RecentReads::default();
        for index in 0..100_000 {
            kept.put(&key(&format!("n{index}")), None, start);
        }
        assert_eq!(kept.answers.len(), MOST_KEPT);
        let later = start + ABSENT;
        kept.put(&key("later"), None, later);
        assert!(kept.answers.len() == 1 && kept.is_absent(&key("later"), later));
    }
}
