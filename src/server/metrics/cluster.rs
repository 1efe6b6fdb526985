//! The metrics of the cluster, where there is one.
//!
//! The names of resources and reasons come from fixed lists of the caller.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use prometheus::{GaugeVec, IntCounterVec, IntGauge, IntGaugeVec, Registry};

use crate::server::metrics::factory::MetricFactory;

/// The metrics of the cluster.
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
        let new = MetricFactory { registry };
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

    /// The API server has sent something about a resource.
    pub fn heard(&self, resource: &str) {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).as_ref().map_or(0.0, Duration::as_secs_f64);
        self.heard.with_label_values(&[resource]).set(now);
    }

    /// A request to the API server has failed.
    pub fn error(&self, resource: &str, reason: &str) {
        self.errors.with_label_values(&[resource, reason]).inc();
    }

    /// Sets how many Namespaces are known.
    pub fn namespaces(&self, count: usize) {
        self.namespaces.set(i64::try_from(count).unwrap_or(i64::MAX));
    }

    /// Something was looked up for a review: `found`, `absent` or `failed`.
    pub fn looked_up(&self, resource: &str, result: &str) {
        self.lookups.with_label_values(&[resource, result]).inc();
    }
}
