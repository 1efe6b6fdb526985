//! Turns for judging long reviews, away from the threads that serve the sockets.
//!
//! Judging a review takes memory of up to eight times its size and, for the longest, a fifth of a second. So long
//! ones are judged a few at a time, on threads of their own: what is in hand at once is bounded, and no socket
//! waits. Those of middle size have turns of their own, which the longest cannot use up.

use std::num::NonZero;
use std::sync::Arc;
use std::thread::available_parallelism;

use prometheus::IntGauge;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout_at};

use super::body::ORDINARY_BYTES;

/// More would only take memory, 2 MiB each: so many cores judge some thousand such reviews a second.
const MOST_MIDDLE: usize = 8;

/// Who may judge now.
#[derive(Debug)]
pub(super) struct Turns {
    middle: Arc<Semaphore>,
    /// A permit for each byte of the bodies that are judged at once.
    large: Arc<Semaphore>,
    /// The fewest permits that a turn takes, so that half of the cores at the most judge long reviews.
    least: usize,
    waiting: IntGauge,
}

impl Turns {
    /// Large reviews of so many bytes together are judged at once: a single one of the longest.
    pub(super) fn new(max_body_bytes: usize, waiting: IntGauge) -> Self {
        Self::on(available_parallelism().map_or(1, NonZero::get), max_body_bytes, waiting)
    }

    fn on(cores: usize, max_body_bytes: usize, waiting: IntGauge) -> Self {
        let at_once = max_body_bytes.min(Semaphore::MAX_PERMITS);
        Self {
            middle: Arc::new(Semaphore::new(cores.min(MOST_MIDDLE))),
            large: Arc::new(Semaphore::new(at_once)),
            least: at_once / (cores / 2).max(1),
            waiting,
        }
    }

    /// A turn to judge a review of so many bytes; none if there is none `until` then.
    pub(super) async fn take(&self, bytes: usize, until: Instant) -> Option<OwnedSemaphorePermit> {
        let (turns, permits) = if bytes <= ORDINARY_BYTES {
            (&self.middle, 1)
        } else {
            (&self.large, u32::try_from(bytes.max(self.least)).ok()?)
        };
        if let Ok(turn) = Arc::clone(turns).try_acquire_many_owned(permits) {
            return Some(turn);
        }
        let _shown = Waits::new(&self.waiting);
        timeout_at(until, Arc::clone(turns).acquire_many_owned(permits)).await.ok()?.ok()
    }
}

/// Somebody who waits, until it is dropped.
struct Waits<'g>(&'g IntGauge);

impl<'g> Waits<'g> {
    fn new(gauge: &'g IntGauge) -> Self {
        gauge.inc();
        Self(gauge)
    }
}

impl Drop for Waits<'_> {
    fn drop(&mut self) {
        self.0.dec();
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const LONGEST: usize = 8 << 20;

    fn turns(cores: usize) -> Turns {
        Turns::on(cores, LONGEST, IntGauge::new("waiting", "waiting").unwrap())
    }

    #[tokio::test(start_paused = true)]
    async fn half_of_the_cores_judge_long_reviews() {
        for (cores, expected) in [(1, 1), (2, 1), (3, 1), (4, 2), (16, 8)] {
            let turns = turns(cores);
            let mut taken = Vec::new();
            while let Some(turn) = turns.take(ORDINARY_BYTES + 1, Instant::now()).await {
                taken.push(turn);
            }
            assert_eq!(taken.len(), expected, "{cores} cores");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_longest_are_judged_alone_and_keep_no_ordinary_one_waiting() {
        let turns = turns(16);
        let longest = turns.take(LONGEST, Instant::now()).await.unwrap();
        let soon = Instant::now() + Duration::from_secs(1);
        assert!(turns.take(ORDINARY_BYTES + 1, soon).await.is_none());
        assert!(turns.take(ORDINARY_BYTES, Instant::now()).await.is_some());
        assert_eq!(turns.waiting.get(), 0);
        drop(longest);
        assert!(turns.take(LONGEST, Instant::now()).await.is_some());
    }
}
