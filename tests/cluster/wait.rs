//! Waiting for what another process does: until it is so, or the time is up.

use std::thread;
use std::time::{Duration, Instant};

/// Longer than anything here takes on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

const BETWEEN: Duration = Duration::from_millis(50);

/// Looks until there is something, and returns it. What was seen last stands in the failure.
pub(crate) fn eventually<T, E: std::fmt::Display>(what: &str, look: impl FnMut() -> Result<T, E>) -> T {
    within(PATIENCE, what, look)
}

/// The same with a patience of one's own, for what waits for a time by design.
pub(crate) fn within<T, E: std::fmt::Display>(
    patience: Duration,
    what: &str,
    mut look: impl FnMut() -> Result<T, E>,
) -> T {
    let start = Instant::now();
    loop {
        match look() {
            Ok(seen) => return seen,
            Err(seen) => assert!(start.elapsed() < patience, "not within {patience:?}: {what}; last: {seen}"),
        }
        thread::sleep(BETWEEN);
    }
}

/// Waits until a condition holds.
pub(crate) fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    eventually(what, || is_so().then_some(()).ok_or("it is not so"));
}
