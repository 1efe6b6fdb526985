//! How long a certificate and its CA last, and arithmetic on dates that cannot overflow.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

const HOUR: Duration = Duration::from_secs(60 * 60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// How long everything lasts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lifetimes {
    /// A CA. What is left of it after `renew_authority_after` is the time in which a rotation may fail.
    pub authority: Duration,
    /// The age at which a CA is followed by the next.
    pub renew_authority_after: Duration,
    /// A leaf, unless its CA ends earlier.
    pub leaf: Duration,
    /// What is left of a leaf when it is renewed.
    pub renew_leaf_before: Duration,
    /// How far notBefore is in the past, for clients whose clock is behind.
    pub backdated: Duration,
    /// How long a bundle must have been published before anything is signed with a CA that came with it: every
    /// API server sees it by then.
    pub propagation: Duration,
    /// How far the clocks of a cluster may differ.
    pub skew: Duration,
}

impl Default for Lifetimes {
    fn default() -> Self {
        Self {
            authority: 365 * DAY,
            renew_authority_after: 243 * DAY,
            leaf: 30 * DAY,
            renew_leaf_before: 10 * DAY,
            backdated: HOUR,
            // API servers watch webhook configurations and see a change within a second or so.
            propagation: Duration::from_secs(2 * 60),
            skew: HOUR,
        }
    }
}

/// A moment some time after another.
pub(super) fn later(moment: SystemTime, by: Duration) -> SystemTime {
    moment.checked_add(by).unwrap_or(moment)
}

/// A moment some time before another.
pub(super) fn earlier(moment: SystemTime, by: Duration) -> SystemTime {
    moment.checked_sub(by).unwrap_or(UNIX_EPOCH)
}

/// How long it is until a moment; nothing when it has passed.
pub(super) fn left(until: SystemTime, now: SystemTime) -> Duration {
    until.duration_since(now).unwrap_or_default()
}

/// The time since 1970; none for a clock that is before that.
pub(super) fn since_1970(moment: SystemTime) -> Duration {
    moment.duration_since(UNIX_EPOCH).unwrap_or_default()
}
