//! How often the API server may be asked for what a review needs: a token bucket, with the time as a parameter.
//!
//! Anybody who reaches the port can send reviews that need a look-up. Without a limit each would be a call.

use std::time::Duration;

use tokio::time::Instant;

/// Calls in a second, in the long run: a fiftieth of what an API server easily takes from one client.
const A_SECOND: u32 = 20;

/// Calls at once, after a while without any: as many namespaces may be made together.
const BURST: u32 = 50;

/// Calls that are reserved for objects of which nothing is known yet.
pub(super) const FOR_UNKNOWN: u32 = BURST / 2;

/// Between two calls, in the long run.
const BETWEEN: Duration = Duration::from_millis(1000 / A_SECOND as u64);

/// What may still be spent.
pub(super) struct ReadBudget {
    /// When all that was spent is earned back.
    full_at: Instant,
}

impl ReadBudget {
    pub(super) fn new(now: Instant) -> Self {
        Self { full_at: now }
    }

    /// Spends one call, if there is one beyond those that are reserved.
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

    fn spent(budget: &mut ReadBudget, now: Instant, wanted: usize) -> usize {
        (0..wanted).filter(|_| budget.spend(now, 0)).count()
    }

    #[tokio::test(start_paused = true)]
    async fn a_burst_and_then_so_many_a_second() {
        let start = Instant::now();
        let mut budget = ReadBudget::new(start);
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
        let mut budget = ReadBudget::new(start);
        let calls: Vec<u64> =
            (0..60_000).filter(|at| budget.spend(start + Duration::from_millis(*at), 0)).collect();
        assert_eq!(calls.len(), 50 + 20 * 60 - 1);
    }

    #[tokio::test(start_paused = true)]
    async fn who_leaves_something_for_others_comes_first_to_the_end() {
        let now = Instant::now();
        let mut budget = ReadBudget::new(now);
        let modest = (0..600).filter(|_| budget.spend(now, FOR_UNKNOWN)).count();
        assert_eq!((modest, spent(&mut budget, now, 600)), (25, 25));
    }
}
