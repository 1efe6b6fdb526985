//! How long to wait before the next attempt.

use std::hash::{BuildHasher as _, RandomState};
use std::time::Duration;

use crate::cluster::Limits;

/// Pauses that double up to a longest one. Each is spread over its second half, so that the replicas of a
/// cluster whose API server comes back do not all ask at once.
pub(super) struct Pause {
    first: Duration,
    longest: Duration,
    next: Duration,
    random: RandomState,
}

impl Pause {
    pub(super) fn new(limits: &Limits) -> Self {
        let Limits { first_pause: first, longest_pause: longest, .. } = *limits;
        Self { first, longest, next: first, random: RandomState::new() }
    }

    pub(super) fn reset(&mut self) {
        self.next = self.first;
    }

    pub(super) fn next(&mut self) -> Duration {
        let pause = self.next.min(self.longest);
        self.next = pause.saturating_mul(2);
        let spread = u32::try_from(self.random.hash_one(pause) % 1000).unwrap_or(0);
        pause / 2 + (pause / 2000) * spread
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_the_longest_and_begin_again() {
        let limits = Limits {
            first_pause: Duration::from_secs(1),
            longest_pause: Duration::from_secs(5),
            ..Limits::default()
        };
        let mut pause = Pause::new(&limits);
        for whole in [1, 2, 4, 5, 5].map(Duration::from_secs) {
            let next = pause.next();
            assert!(whole / 2 <= next && next <= whole, "{next:?} of {whole:?}");
        }
        pause.reset();
        assert!(pause.next() <= Duration::from_secs(1));
    }
}
