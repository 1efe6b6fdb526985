//! Reads of single objects for reviews: those in flight, the answers of a moment ago, and how many more are allowed.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use futures::future::{BoxFuture, Shared};
use tokio::time::Instant;

use crate::cluster::budget::ReadBudget;
use crate::cluster::error::{ApiCall, ApiError};
use crate::cluster::event::{ClusterEvent, WatchedResource};
use crate::cluster::key::ObjectKey;
use crate::cluster::recent_reads::RecentReads;
use crate::cluster::watch_event::WatchEvent;
use crate::cluster::watched_object::ObjectContent;

/// What was read of an object; `None` when it does not exist.
pub(super) type ReadResult = Result<Option<ObjectContent>, ApiError>;

/// The reads in flight, recent answers, and the budget for more.
pub(super) struct SharedReads(Mutex<ReadTable>);

pub(super) struct ReadTable {
    pub(super) in_flight: HashMap<ObjectKey, ReadInFlight>,
    /// How many reads were started.
    pub(super) begun: u64,
    pub(super) kept: RecentReads,
    pub(super) budget: ReadBudget,
}

/// A read that is in flight.
pub(super) struct ReadInFlight {
    pub(super) number: u64,
    pub(super) answer: Shared<BoxFuture<'static, ReadResult>>,
}

/// Removes a read from those in flight when it ends, however it does.
pub(super) struct ReadGuard<'c> {
    pub(super) reads: &'c SharedReads,
    pub(super) key: &'c ObjectKey,
    pub(super) number: u64,
}

impl ReadGuard<'_> {
    /// Keeps what was read, unless something has happened to the object meanwhile.
    pub(super) fn keep(&self, answer: &ReadResult) {
        let Ok(content) = answer else { return };
        let mut state = self.reads.lock();
        if state.is_in_flight(self.key, self.number) {
            state.kept.put(self.key, content.as_ref(), Instant::now());
        }
    }
}

impl Drop for ReadGuard<'_> {
    fn drop(&mut self) {
        let mut state = self.reads.lock();
        if state.is_in_flight(self.key, self.number) {
            state.in_flight.remove(self.key);
        }
    }
}

impl SharedReads {
    pub(super) fn new() -> Self {
        let (in_flight, kept, budget) =
            (HashMap::new(), RecentReads::default(), ReadBudget::new(Instant::now()));
        Self(Mutex::new(ReadTable { in_flight, begun: 0, kept, budget }))
    }

    /// Spends one call of the budget on a read that is neither kept nor shared.
    pub(super) fn spend(&self, call: &ApiCall) -> Result<(), ApiError> {
        if self.lock().budget.spend(Instant::now(), 0) { Ok(()) } else { Err(ApiError::rate_limited(call)) }
    }

    /// These objects have changed: what was read of them, or is being read, is outdated.
    pub(super) fn outdate(&self, resource: WatchedResource, changes: &[WatchEvent]) {
        let mut state = self.lock();
        for change in changes {
            match change {
                WatchEvent::Apply(object) | WatchEvent::Delete(object) if !state.is_empty() => {
                    if let Some(key) = ObjectKey::of(resource, object) {
                        state.in_flight.remove(&key);
                        state.kept.forget(&key);
                    }
                }
                WatchEvent::InitDone => state.kept.is_watched(resource),
                WatchEvent::Init | WatchEvent::Apply(_) | WatchEvent::Delete(_) => {}
            }
        }
    }

    /// Notes the watches that have failed.
    pub(super) fn note_failures(&self, event: &ClusterEvent) {
        if let ClusterEvent::Failed(resource, _) = event {
            self.lock().kept.is_not_watched(*resource);
        }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, ReadTable> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ReadTable {
    fn is_in_flight(&self, key: &ObjectKey, number: u64) -> bool {
        self.in_flight.get(key).is_some_and(|read| read.number == number)
    }

    fn is_empty(&self) -> bool {
        self.in_flight.is_empty() && self.kept.is_empty()
    }
}
