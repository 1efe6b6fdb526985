//! Whether this process may be asked for verdicts: what `/readyz` says.
//!
//! Ready before everything is loaded means pods let through unjudged, so readiness is not a constant but the
//! absence of everything that somebody is still waiting for. What is waited for must be announced as met;
//! dropping the handle is not enough, since a loader that failed drops it too. And what was met may be lost:
//! a certificate that nobody trusts any more.

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

/// Something without which the process is not ready. It may be lost again later.
#[derive(Debug)]
#[must_use = "the process is not ready until this is met"]
pub struct Condition {
    what: &'static str,
    health: Health,
}

impl Health {
    /// Makes the process not ready until what is named here is [set](Condition::set).
    pub fn wait_for(&self, what: &'static str) -> Condition {
        let condition = Condition { what, health: self.clone() };
        condition.set(false);
        condition
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

impl Condition {
    /// Says whether it is there now.
    pub fn set(&self, is_met: bool) {
        let mut missing = self.health.missing_names();
        missing.retain(|what| *what != self.what);
        if !is_met {
            missing.push(self.what);
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
        policies.set(true);
        assert_eq!(health.ready(), Err("waiting for certificate".into()));
        certificate.set(true);
        assert_eq!(health.ready(), Ok(()));
        certificate.set(false);
        certificate.set(false);
        assert_eq!(health.ready(), Err("waiting for certificate".into()));
        certificate.set(true);
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
        health.wait_for("policies").set(true);
        assert_eq!(shared.ready(), Err("draining".into()));
    }
}
