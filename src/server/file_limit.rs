//! The limit of open files: raised to fit the connections, or fewer connections are accepted.
//!
//! If file descriptors ran out, no connection could be accepted and no policy or certificate be read again.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::server::registry::OVERSHOOT;

/// For everything else: listeners, connections to the API server, files that are read, standard streams, the runtime.
/// Some 30 are in use.
const RESERVE: u64 = 128;

/// Raises the limit for so many connections, and returns how many for reviews fit.
pub(super) fn raise(reviews: u32, admin: u32) -> u32 {
    let needed = others(admin) + u64::from(reviews);
    let limit = getrlimit(Resource::Nofile);
    let available = raised(limit, needed);
    if available >= needed {
        return reviews;
    }
    let possible = available.saturating_sub(others(admin)).max(1);
    let possible = u32::try_from(possible).unwrap_or(u32::MAX);
    tracing::warn!(
        max_connections = reviews,
        possible,
        descriptors = available,
        needed,
        "fewer connections than --max-connections: raise the limit of open files (RLIMIT_NOFILE)"
    );
    possible
}

/// The descriptors that are needed beside the connections for reviews.
fn others(admin: u32) -> u64 {
    u64::from(admin) + 2 * OVERSHOOT as u64 + RESERVE
}

/// The limit after it was raised as far as is needed and allowed.
fn raised(limit: Rlimit, needed: u64) -> u64 {
    let current = limit.current.unwrap_or(u64::MAX);
    if current >= needed {
        return current;
    }
    let wanted = limit.maximum.unwrap_or(u64::MAX).min(needed);
    let new = Rlimit { current: Some(wanted), maximum: limit.maximum };
    match setrlimit(Resource::Nofile, new) {
        Ok(()) => wanted,
        Err(error) => {
            tracing::warn!(%error, "cannot raise the limit of open files");
            current
        }
    }
}
