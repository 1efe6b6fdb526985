//! How many long reviews are evaluated at once, away from the threads that serve the sockets.
//!
//! Evaluating a review takes memory of up to eight times its size and, for the longest, a fifth of a second. So long
//! ones are evaluated a few at a time, on threads of their own: the memory and the cores that they use are bounded, and
//! no socket waits. Those of medium size have slots of their own, which the longest cannot use up.

use std::num::NonZero;
use std::sync::Arc;
use std::thread::available_parallelism;

use prometheus::IntGauge;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout_at};

use crate::server::review_size::ORDINARY_BYTES;

/// More would only take memory, 2 MiB each: so many cores evaluate some thousand such reviews a second.
const MAX_MEDIUM: usize = 8;

/// The concurrency limits of long reviews.
#[derive(Debug)]
pub(super) struct EvaluationSlots {
    medium: Arc<Semaphore>,
    /// A permit for each byte of the bodies that are evaluated at once.
    large: Arc<Semaphore>,
    /// The fewest permits that a large review takes, so that long reviews use half of the cores at most.
    min_large_permits: usize,
    waiting: IntGauge,
}

impl EvaluationSlots {
    /// Large reviews of so many bytes together are evaluated at once: a single one of the longest.
    pub(super) fn new(max_body_bytes: usize, waiting: IntGauge) -> Self {
        Self::on(available_parallelism().map_or(1, NonZero::get), max_body_bytes, waiting)
    }

    fn on(cores: usize, max_body_bytes: usize, waiting: IntGauge) -> Self {
        let large_permits = max_body_bytes.min(Semaphore::MAX_PERMITS);
        Self {
            medium: Arc::new(Semaphore::new(cores.min(MAX_MEDIUM))),
            large: Arc::new(Semaphore::new(large_permits)),
            min_large_permits: large_permits / (cores / 2).max(1),
            waiting,
        }
    }

    /// A slot to evaluate a review of so many bytes; `None` if there is none by the deadline.
    pub(super) async fn acquire(&self, bytes: usize, deadline: Instant) -> Option<OwnedSemaphorePermit> {
        let (slots, permits) = if bytes <= ORDINARY_BYTES {
            (&self.medium, 1)
        } else {
            (&self.large, u32::try_from(bytes.max(self.min_large_permits)).ok()?)
        };
        if let Ok(slot) = Arc::clone(slots).try_acquire_many_owned(permits) {
            return Some(slot);
        }
        let _waiting = WaitingGuard::new(&self.waiting);
        timeout_at(deadline, Arc::clone(slots).acquire_many_owned(permits)).await.ok()?.ok()
    }
}

/// Counts a review that waits, until it is dropped.
struct WaitingGuard<'g>(&'g IntGauge);

impl<'g> WaitingGuard<'g> {
    fn new(gauge: &'g IntGauge) -> Self {
        gauge.inc();
        Self(gauge)
    }
}

impl Drop for WaitingGuard<'_> {
    fn drop(&mut self) {
        self.0.dec();
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const LONGEST: usize = 8 << 20;

    fn slots(cores: usize) -> EvaluationSlots {
        EvaluationSlots::on(cores, LONGEST, IntGauge::new("waiting", "waiting").unwrap())
    }

    #[tokio::test(start_paused = true)]
    async fn long_reviews_use_half_of_the_cores() {
        for (cores, expected) in [(1, 1), (2, 1), (3, 1), (4, 2), (16, 8)] {
            let slots = slots(cores);
            let mut taken = Vec::new();
            while let Some(slot) = slots.acquire(ORDINARY_BYTES + 1, Instant::now()).await {
                taken.push(slot);
            }
            assert_eq!(taken.len(), expected, "{cores} cores");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_longest_are_evaluated_alone_and_keep_no_ordinary_one_waiting() {
        let slots = slots(16);
        let longest = slots.acquire(LONGEST, Instant::now()).await.unwrap();
        let soon = Instant::now() + Duration::from_secs(1);
        assert!(slots.acquire(ORDINARY_BYTES + 1, soon).await.is_none());
        assert!(slots.acquire(ORDINARY_BYTES, Instant::now()).await.is_some());
        assert_eq!(slots.waiting.get(), 0);
        drop(longest);
        assert!(slots.acquire(LONGEST, Instant::now()).await.is_some());
    }
}
