//! The two clocks of a rotation.

use std::time::{Instant, SystemTime};

/// A moment on both clocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Clocks {
    /// The time of day, which may jump.
    pub wall: SystemTime,
    /// A monotonic clock, for how long something has lasted.
    pub steady: Instant,
}

impl Clocks {
    /// Now.
    #[must_use]
    pub fn now() -> Self {
        Self { wall: SystemTime::now(), steady: tokio::time::Instant::now().into_std() }
    }
}
