//! What is counted of the cluster and of a certificate that we rotate ourselves: only where there are such.
//!
//! The names of resources, reasons, phases and problems come from fixed lists of whoever reports them.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use prometheus::{Gauge, GaugeVec, IntCounterVec, IntGauge, IntGaugeVec, Registry};

use super::metrics::Factory;

/// What is counted of the cluster.
#[derive(Debug, Clone)]
pub struct ClusterMetrics {
    watch_up: IntGaugeVec,
    errors: IntCounterVec,
    heard: GaugeVec,
    namespaces: IntGauge,
    lookups: IntCounterVec,
}

impl ClusterMetrics {
    pub(super) fn new(registry: &Registry) -> Result<Self, prometheus::Error> {
        let new = Factory { registry };
        Ok(Self {
            watch_up: new.gauges(
                "cluster_watch_up",
                "Whether the API server tells of changes of these objects.",
                &["resource"],
            )?,
            errors: new.counters(
                "cluster_errors_total",
                "Times that the API server did not do what it was asked.",
                &["resource", "reason"],
            )?,
            heard: new.times(
                "cluster_heard_timestamp_seconds",
                "When the API server last told something of these objects.",
                &["resource"],
            )?,
            namespaces: new.gauge("cluster_namespaces", "Namespaces that are known.")?,
            lookups: new.counters(
                "cluster_lookups_total",
                "What a review had to be looked up for, as it was not known.",
                &["resource", "result"],
            )?,
        })
    }

    /// Whether the watch of a resource is up.
    pub fn watch(&self, resource: &str, is_up: bool) {
        self.watch_up.with_label_values(&[resource]).set(is_up.into());
    }

    /// The API server has told something of a resource.
    pub fn heard(&self, resource: &str) {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).as_ref().map_or(0.0, Duration::as_secs_f64);
        self.heard.with_label_values(&[resource]).set(now);
    }

    /// The API server did not do what it was asked.
    pub fn error(&self, resource: &str, reason: &str) {
        self.errors.with_label_values(&[resource, reason]).inc();
    }

    /// So many Namespaces are known.
    pub fn namespaces(&self, count: usize) {
        self.namespaces.set(i64::try_from(count).unwrap_or(i64::MAX));
    }

    /// Something was looked up for a review: `found`, `absent` or `failed`.
    pub fn looked_up(&self, resource: &str, result: &str) {
        self.lookups.with_label_values(&[resource, result]).inc();
    }
}

/// What is counted of a certificate that we rotate ourselves.
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
        let new = Factory { registry };
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

    /// How things stand: whether this replica leads, whether its certificate is vouched for, and how many webhook
    /// entries have not the caBundle that they should have.
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
