//! Whether this process is ready to judge reviews: what `/readyz` says.
//!
//! A process that is ready before everything is loaded would admit pods unjudged, so it is ready only when every
//! condition is met. A condition must be set as met; dropping the handle is not enough, since a loader that failed drops
//! it too. And a condition may be lost again: a certificate that is no longer trusted.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What is missing before this process can judge. Clones share the same state.
#[derive(Debug, Clone, Default)]
pub struct Health {
    state: Arc<HealthState>,
}

#[derive(Debug, Default)]
struct HealthState {
    missing: Mutex<Vec<&'static str>>,
    draining: AtomicBool,
}

/// A condition without which the process is not ready. It may be lost again later.
#[derive(Debug)]
#[must_use = "the process is not ready until this is met"]
pub struct ReadinessCondition {
    what: &'static str,
    health: Health,
}

impl Health {
    /// Makes the process not ready until this condition is [set](ReadinessCondition::set).
    pub fn wait_for(&self, what: &'static str) -> ReadinessCondition {
        let condition = ReadinessCondition { what, health: self.clone() };
        condition.set(false);
        condition
    }

    /// Ends readiness for good: the process is shutting down.
    pub fn drain(&self) {
        self.state.draining.store(true, Ordering::Relaxed);
    }

    /// Whether the process is shutting down.
    #[must_use]
    pub fn is_draining(&self) -> bool {
        self.state.draining.load(Ordering::Relaxed)
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
        // A list of names is complete at every moment, so a panic elsewhere has not broken it.
        self.state.missing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ReadinessCondition {
    /// Says whether it is met now.
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
