//! Whether this process may be asked for verdicts: what `/readyz` says.
//!
//! Ready before everything is loaded means pods let through unjudged, so readiness is not a constant but the
//! absence of everything that somebody is still waiting for. What is waited for must be announced as met;
//! dropping the handle is not enough, since a loader that failed drops it too.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What is missing before this process can judge. Clones share the same state.
#[derive(Debug, Clone, Default)]
pub struct Health {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    missing: Mutex<Vec<&'static str>>,
    draining: AtomicBool,
}

/// Something without which the process is not ready.
#[derive(Debug)]
#[must_use = "the process is not ready until this is met"]
pub struct Pending {
    what: &'static str,
    health: Health,
}

impl Health {
    /// Makes the process not ready until what is named here is [`Pending::met`].
    pub fn wait_for(&self, what: &'static str) -> Pending {
        self.missing_names().push(what);
        Pending { what, health: self.clone() }
    }

    /// Ends readiness for good: the process is going.
    pub fn drain(&self) {
        self.shared.draining.store(true, Ordering::Relaxed);
    }

    /// Whether the process is going.
    #[must_use]
    pub fn is_draining(&self) -> bool {
        self.shared.draining.load(Ordering::Relaxed)
    }

    /// # Errors
    /// What is missing, as one line for `/readyz`.
    pub(super) fn ready(&self) -> Result<(), String> {
        if self.is_draining() {
            return Err("draining".into());
        }
        let missing = self.missing_names();
        if missing.is_empty() {
            return Ok(());
        }
        Err(format!("waiting for {}", missing.join(", ")))
    }

    fn missing_names(&self) -> MutexGuard<'_, Vec<&'static str>> {
        // A list of names is whole at every moment, so a panic elsewhere has not spoilt it.
        self.shared.missing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Pending {
    /// It is there now.
    pub fn met(self) {
        let mut missing = self.health.missing_names();
        if let Some(place) = missing.iter().position(|what| *what == self.what) {
            missing.remove(place);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ready_when_nothing_is_missing() {
        let health = Health::default();
        assert_eq!(health.ready(), Ok(()));
        let policies = health.wait_for("policies");
        let certificate = health.wait_for("certificate");
        assert_eq!(health.ready(), Err("waiting for policies, certificate".into()));
        policies.met();
        assert_eq!(health.ready(), Err("waiting for certificate".into()));
        certificate.met();
        assert_eq!(health.ready(), Ok(()));
    }

    #[test]
    fn a_loader_that_gave_up_does_not_make_it_ready() {
        let health = Health::default();
        drop(health.wait_for("policies"));
        assert_eq!(health.ready(), Err("waiting for policies".into()));
    }

    #[test]
    fn draining_is_final() {
        let health = Health::default();
        let shared = health.clone();
        health.drain();
        health.wait_for("policies").met();
        assert_eq!(shared.ready(), Err("draining".into()));
    }
}
