//! The metrics of a certificate that podgate issues and rotates itself.
//!
//! The names of phases, problems and events come from fixed lists of the caller.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use prometheus::{Gauge, IntCounterVec, IntGauge, IntGaugeVec, Registry};

use crate::server::metrics::factory::MetricFactory;

/// The metrics of a certificate that podgate rotates itself.
#[derive(Debug, Clone)]
pub struct RotationMetrics {
    phase: IntGaugeVec,
    leads: IntGauge,
    servable: IntGauge,
    out_of_sync: IntGauge,
    authority_expiry: Gauge,
    problem: IntGaugeVec,
    events: IntCounterVec,
}

impl RotationMetrics {
    pub(super) fn new(registry: &Registry) -> Result<Self, prometheus::Error> {
        let new = MetricFactory { registry };
        Ok(Self {
            phase: new.gauges(
                "certificate_phase",
                "1 for the phase that the rotation of the CA is in.",
                &["phase"],
            )?,
            leads: new.gauge("certificate_leader", "Whether this replica issues and publishes.")?,
            servable: new.gauge(
                "certificate_servable",
                "Whether the published caBundle vouches for the certificate that is served.",
            )?,
            out_of_sync: new.gauge(
                "ca_bundles_out_of_sync",
                "Webhook entries whose caBundle is not what the Secret asks for.",
            )?,
            authority_expiry: new.seconds(
                "certificate_authority_expiry_timestamp_seconds",
                "When the CA that signs expires.",
            )?,
            problem: new.gauges(
                "certificate_problem",
                "1 for what is wrong with the certificate now.",
                &["problem"],
            )?,
            events: new.counters(
                "certificate_events_total",
                "What has happened to the certificate at this replica.",
                &["event"],
            )?,
        })
    }

    /// The rotation is in this one of the phases.
    pub fn phase(&self, phases: impl IntoIterator<Item = &'static str>, current: &str) {
        for phase in phases {
            self.phase.with_label_values(&[phase]).set((phase == current).into());
        }
    }

    /// Sets whether this replica leads, whether the published caBundle verifies its certificate, and how many webhook
    /// entries lack the caBundle that they should have.
    pub fn state(&self, leads: bool, is_servable: bool, out_of_sync: usize) {
        self.leads.set(leads.into());
        self.servable.set(is_servable.into());
        self.out_of_sync.set(i64::try_from(out_of_sync).unwrap_or(i64::MAX));
    }

    /// The CA that signs expires then.
    pub fn authority_expires(&self, at: SystemTime) {
        let since = at.duration_since(UNIX_EPOCH).as_ref().map_or(0.0, Duration::as_secs_f64);
        self.authority_expiry.set(since);
    }

    /// What is wrong now, if anything.
    pub fn problem(&self, current: Option<&str>) {
        self.problem.reset();
        if let Some(problem) = current {
            self.problem.with_label_values(&[problem]).set(1);
        }
    }

    /// Something has happened to it.
    pub fn event(&self, event: &str) {
        self.events.with_label_values(&[event]).inc();
    }
}
