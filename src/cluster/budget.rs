//! How often the API server is asked for what a review lacks: a token bucket, with the time handed in.
//!
//! Anybody who reaches the port can send reviews that lack something. Without a limit each would be a call.

use std::time::Duration;

use tokio::time::Instant;

/// Calls in a second, in the long run: a fiftieth of what an API server bears easily from one client.
const A_SECOND: u32 = 20;

/// Calls at once, after a while without any: as many namespaces may be made together.
const BURST: u32 = 50;

/// Calls that are left for objects of which nothing is known yet.
pub(super) const FOR_UNKNOWN: u32 = BURST / 2;

/// Between two calls, in the long run.
const BETWEEN: Duration = Duration::from_millis(1000 / A_SECOND as u64);

/// What may still be spent.
pub(super) struct Budget {
    /// When all that was spent is earned back.
    full_at: Instant,
}

impl Budget {
    pub(super) fn new(now: Instant) -> Self {
        Self { full_at: now }
    }

    /// Takes one call, if there is one to be had and these are left for others.
    pub(super) fn spend(&mut self, now: Instant, left: u32) -> bool {
        let full_at = self.full_at.max(now) + BETWEEN;
        if full_at.saturating_duration_since(now) > BETWEEN * BURST.saturating_sub(left) {
            return false;
        }
        self.full_at = full_at;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spent(budget: &mut Budget, now: Instant, wanted: usize) -> usize {
        (0..wanted).filter(|_| budget.spend(now, 0)).count()
    }

    #[tokio::test(start_paused = true)]
    async fn a_burst_and_then_so_many_a_second() {
        let start = Instant::now();
        let mut budget = Budget::new(start);
        assert_eq!(spent(&mut budget, start, 600), 50);
        for second in 1..=10 {
            assert_eq!(spent(&mut budget, start + Duration::from_secs(second), 600), 20, "{second}");
        }
        // What is not spent is kept, up to a burst.
        let later = start + Duration::from_secs(11) + Duration::from_millis(500);
        assert_eq!(spent(&mut budget, later, 600), 30);
        assert_eq!(spent(&mut budget, later + Duration::from_secs(3600), 600), 50);
    }

    #[tokio::test(start_paused = true)]
    async fn no_second_has_more_than_its_share_however_it_is_asked_for() {
        let start = Instant::now();
        let mut budget = Budget::new(start);
        let calls: Vec<u64> =
            (0..60_000).filter(|at| budget.spend(start + Duration::from_millis(*at), 0)).collect();
        assert_eq!(calls.len(), 50 + 20 * 60 - 1);
    }

    #[tokio::test(start_paused = true)]
    async fn who_leaves_something_for_others_comes_first_to_the_end() {
        let now = Instant::now();
        let mut budget = Budget::new(now);
        let modest = (0..600).filter(|_| budget.spend(now, FOR_UNKNOWN)).count();
        assert_eq!((modest, spent(&mut budget, now, 600)), (25, 25));
    }
}
