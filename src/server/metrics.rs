//! What is counted, and under which names.
//!
//! Every series of the hot path exists from the start, at zero, and is found by index: no label is hashed for
//! a request. Labels are bounded; none holds what a peer sent.

use std::time::Duration;

use prometheus::{
    Encoder, Gauge, GaugeVec, Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge,
    IntGaugeVec, Opts, Registry, TextEncoder,
};

use super::activity::Stage;
use super::gauges::{ClusterMetrics, RotationMetrics};
use super::pod_security::PodSecurityCounters;
use super::process;
use super::record;
use super::refusal::Refusal;
use super::room::RoomGauges;
use super::unjudged::Unjudged;
use crate::admission::{Decision, Operation, Outcome, Webhook};

const WEBHOOKS: [Webhook; 2] = [Webhook::Validate, Webhook::Mutate];

const OPERATIONS: [Option<Operation>; 5] = [
    None,
    Some(Operation::Create),
    Some(Operation::Update),
    Some(Operation::Delete),
    Some(Operation::Connect),
];

const OUTCOMES: [Outcome; 4] = [Outcome::Allowed, Outcome::Patched, Outcome::Denied, Outcome::Error];

/// A review takes some 10 µs; the upper end is where the API server's patience ends.
const REVIEW_SECONDS: [f64; 15] =
    [5e-6, 1e-5, 2e-5, 5e-5, 1e-4, 2e-4, 5e-4, 1e-3, 2e-3, 5e-3, 1e-2, 5e-2, 0.1, 0.5, 1.0];

/// The counters and gauges of one server.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    reviews: Vec<IntCounter>,
    durations: Vec<Histogram>,
    findings: IntCounterVec,
    refused: Vec<IntCounter>,
    reloads: Vec<IntCounter>,
    handshakes_failed: IntCounter,
    panics: IntCounter,
    connections: IntGaugeVec,
    evictions: IntCounterVec,
    buffered: IntGaugeVec,
    waiting: IntGaugeVec,
    certificate_expiry: Gauge,
    policies_loaded: IntGauge,
    pod_security: PodSecurityCounters,
    unjudged: Unjudged,
}

/// What [`Reload`](super::Reload) keeps current.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reloaded {
    /// The set of policies.
    Policies,
    /// The server's certificate and key.
    Certificate,
    /// The CAs that clients must have their certificates from.
    Clients,
}

impl Reloaded {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Policies => "policies",
            Self::Certificate => "certificate",
            Self::Clients => "client CAs",
        }
    }
}

impl Metrics {
    /// All series of the hot path, at zero.
    ///
    /// # Errors
    /// Prometheus', if a name were used twice.
    pub fn new() -> Result<Self, prometheus::Error> {
        let registry = Registry::new();
        let new = Factory { registry: &registry };
        new.build_info()?;
        Ok(Self {
            reviews: new.reviews()?,
            durations: new.durations()?,
            findings: new.counters(
                "findings_total",
                "Findings, by control and mode.",
                &["control", "mode"],
            )?,
            refused: new.refused()?,
            reloads: new.reloads()?,
            handshakes_failed: new
                .counter("handshakes_failed_total", "TLS handshakes that failed or took too long.")?,
            panics: new.counter("panics_total", "Reviews and connections that ended in a panic.")?,
            connections: new.gauges("connections", "Open connections, by port.", &["port"])?,
            evictions: new.counters(
                "connections_evicted_total",
                "Connections closed to make room for others, by port and by what they waited for.",
                &["port", "waited_for"],
            )?,
            buffered: new.gauges("buffered_bytes", "Room that bodies of reviews take.", &["room"])?,
            waiting: new.gauges("waiting_reviews", "Reviews that wait for room or their turn.", &["for"])?,
            certificate_expiry: new.seconds(
                "certificate_expiry_timestamp_seconds",
                "When the certificate that is served expires.",
            )?,
            policies_loaded: new.gauge("policies_loaded", "Policies that are in force.")?,
            pod_security: PodSecurityCounters::new()?,
            unjudged: Unjudged::new(new.counter(
                "unjudged_reviews_total",
                "Reviews that were let pass because no policy holds in their namespace.",
            )?),
            registry,
        })
    }

    /// Counts one finding of a control. The caller sees to it that both labels come from fixed lists.
    pub fn finding(&self, control: &str, mode: &str) {
        self.findings.with_label_values(&[control, mode]).inc();
    }

    /// The certificate that is served from now on expires then.
    #[expect(
        clippy::cast_precision_loss,
        reason = "a timestamp is exact in an f64 for the next 285 million years"
    )]
    pub fn certificate_expires(&self, unix_seconds: i64) {
        self.certificate_expiry.set(unix_seconds as f64);
    }

    /// So many policies are in force from now on.
    pub fn policies(&self, count: usize) {
        self.policies_loaded.set(i64::try_from(count).unwrap_or(i64::MAX));
    }

    pub(super) fn review(
        &self,
        webhook: Webhook,
        operation: Option<Operation>,
        outcome: Outcome,
        took: Duration,
    ) {
        let operation = operation.map_or(0, |operation| operation as usize + 1);
        let series = (webhook as usize * OPERATIONS.len() + operation) * OUTCOMES.len() + outcome as usize;
        if let (Some(counter), Some(duration)) =
            (self.reviews.get(series), self.durations.get(webhook as usize))
        {
            counter.inc();
            duration.observe(took.as_secs_f64());
        }
    }

    /// Shows what Kubernetes' own admission counts, under its names: from the moment on that its verdicts are
    /// given.
    pub fn show_pod_security(&self) {
        self.pod_security.register(&self.registry);
    }

    /// What is counted of the cluster, shown from now on.
    ///
    /// # Errors
    /// Prometheus', if this is asked twice.
    pub fn cluster(&self) -> Result<ClusterMetrics, prometheus::Error> {
        ClusterMetrics::new(&self.registry)
    }

    /// What is counted of a certificate that we rotate ourselves, shown from now on.
    ///
    /// # Errors
    /// Prometheus', if this is asked twice.
    pub fn rotation(&self) -> Result<RotationMetrics, prometheus::Error> {
        RotationMetrics::new(&self.registry)
    }

    /// Counts what Kubernetes' own admission counts of a decision.
    pub fn pod_security(&self, decision: &Decision<'_>) {
        for counted in &decision.pod_security {
            self.pod_security.count(*counted, decision);
        }
    }

    /// Counts a review from a namespace without a policy. Whether it is the first from there under these policies,
    /// and so to be logged.
    pub(super) fn unjudged(&self, namespace: &str) -> bool {
        let changes = self.reloads.get(series(Reloaded::Policies, Ok(()))).map_or(0, IntCounter::get);
        self.unjudged.count(namespace, changes)
    }

    pub(super) fn refused(&self, refusal: Refusal) {
        if let Some(counter) = self.refused.get(refusal as usize) {
            counter.inc();
        }
    }

    pub(super) fn reloaded(&self, what: Reloaded, outcome: Result<(), ()>) {
        if let Some(counter) = self.reloads.get(series(what, outcome)) {
            counter.inc();
        }
    }

    pub(super) fn handshake_failed(&self) {
        self.handshakes_failed.inc();
    }

    pub(super) fn panicked(&self) {
        self.panics.inc();
    }

    pub(super) fn connections(&self, port: &str) -> IntGauge {
        self.connections.with_label_values(&[port])
    }

    /// By [`Stage`].
    pub(super) fn evictions(&self, port: &str) -> Vec<IntCounter> {
        Stage::ALL.map(|stage| self.evictions.with_label_values(&[port, stage.name()])).to_vec()
    }

    pub(super) fn room(&self, name: &str) -> RoomGauges {
        RoomGauges {
            taken: self.buffered.with_label_values(&[name]),
            waiting: self.waiting.with_label_values(&[name]),
        }
    }

    pub(super) fn waiting_for_a_turn(&self) -> IntGauge {
        self.waiting.with_label_values(&["turn"])
    }

    /// Everything, in Prometheus' text format.
    ///
    /// # Errors
    /// Prometheus', if it could not be written.
    pub fn render(&self) -> Result<String, prometheus::Error> {
        let mut text = Vec::new();
        TextEncoder::new().encode(&self.registry.gather(), &mut text)?;
        process::write(&mut text);
        String::from_utf8(text).map_err(|error| prometheus::Error::Msg(error.to_string()))
    }
}

const RELOAD_RESULTS: [&str; 2] = ["changed", "failed"];

/// The place of a series among those of reloads.
fn series(what: Reloaded, outcome: Result<(), ()>) -> usize {
    what as usize * RELOAD_RESULTS.len() + usize::from(outcome.is_err())
}

/// Makes and registers metrics, so that each is named once.
pub(super) struct Factory<'r> {
    pub(super) registry: &'r Registry,
}

impl Factory<'_> {
    fn reviews(&self) -> Result<Vec<IntCounter>, prometheus::Error> {
        let labels = ["webhook", "operation", "decision"];
        let vec = self.counters("reviews_total", "Reviews that were answered.", &labels)?;
        let mut series = Vec::new();
        for webhook in WEBHOOKS {
            for operation in OPERATIONS {
                for outcome in OUTCOMES {
                    series.push(vec.with_label_values(&[
                        record::webhook(webhook),
                        record::operation(operation),
                        record::outcome(outcome),
                    ]));
                }
            }
        }
        Ok(series)
    }

    fn durations(&self) -> Result<Vec<Histogram>, prometheus::Error> {
        let help = "From the last byte of a review to its answer.";
        let options = HistogramOpts::new("podgate_review_duration_seconds", help);
        let vec = HistogramVec::new(options.buckets(REVIEW_SECONDS.to_vec()), &["webhook"])?;
        self.registry.register(Box::new(vec.clone()))?;
        Ok(WEBHOOKS.map(|webhook| vec.with_label_values(&[record::webhook(webhook)])).to_vec())
    }

    fn refused(&self) -> Result<Vec<IntCounter>, prometheus::Error> {
        let help = "Requests that were refused for their form, before any review.";
        let vec = self.counters("rejected_requests_total", help, &["reason"])?;
        Ok(Refusal::ALL.map(|refusal| vec.with_label_values(&[refusal.reason()])).to_vec())
    }

    fn reloads(&self) -> Result<Vec<IntCounter>, prometheus::Error> {
        let policies = self.counters("policy_reload_total", "Changes of the policies.", &["result"])?;
        let certificates =
            self.counters("certificate_reload_total", "Changes of the certificate.", &["result"])?;
        let clients = self.counters("client_ca_reload_total", "Changes of the clients' CAs.", &["result"])?;
        Ok([policies, certificates, clients]
            .iter()
            .flat_map(|vec| RELOAD_RESULTS.map(|result| vec.with_label_values(&[result])))
            .collect())
    }

    fn build_info(&self) -> Result<(), prometheus::Error> {
        let vec = self.gauges("build_info", "The version that is running.", &["version"])?;
        vec.with_label_values(&[env!("CARGO_PKG_VERSION")]).set(1);
        Ok(())
    }

    fn counter(&self, name: &str, help: &str) -> Result<IntCounter, prometheus::Error> {
        let counter = IntCounter::with_opts(options(name, help))?;
        self.registry.register(Box::new(counter.clone()))?;
        Ok(counter)
    }

    pub(super) fn counters(
        &self,
        name: &str,
        help: &str,
        labels: &[&str],
    ) -> Result<IntCounterVec, prometheus::Error> {
        let vec = IntCounterVec::new(options(name, help), labels)?;
        self.registry.register(Box::new(vec.clone()))?;
        Ok(vec)
    }

    pub(super) fn gauge(&self, name: &str, help: &str) -> Result<IntGauge, prometheus::Error> {
        let gauge = IntGauge::with_opts(options(name, help))?;
        self.registry.register(Box::new(gauge.clone()))?;
        Ok(gauge)
    }

    pub(super) fn gauges(
        &self,
        name: &str,
        help: &str,
        labels: &[&str],
    ) -> Result<IntGaugeVec, prometheus::Error> {
        let vec = IntGaugeVec::new(options(name, help), labels)?;
        self.registry.register(Box::new(vec.clone()))?;
        Ok(vec)
    }

    pub(super) fn times(
        &self,
        name: &str,
        help: &str,
        labels: &[&str],
    ) -> Result<GaugeVec, prometheus::Error> {
        let gauge = GaugeVec::new(options(name, help), labels)?;
        self.registry.register(Box::new(gauge.clone()))?;
        Ok(gauge)
    }

    pub(super) fn seconds(&self, name: &str, help: &str) -> Result<Gauge, prometheus::Error> {
        let gauge = Gauge::with_opts(options(name, help))?;
        self.registry.register(Box::new(gauge.clone()))?;
        Ok(gauge)
    }
}

fn options(name: &str, help: &str) -> Opts {
    Opts::new(format!("podgate_{name}"), help)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(metrics: &Metrics, series: &str) -> String {
        let text = metrics.render().unwrap();
        let found = text.lines().find(|line| line.starts_with(series));
        found.unwrap_or_else(|| panic!("no {series} in\n{text}")).to_owned()
    }

    #[test]
    fn every_review_has_its_own_series() {
        for webhook in WEBHOOKS {
            for operation in OPERATIONS {
                for outcome in OUTCOMES {
                    let metrics = Metrics::new().unwrap();
                    metrics.review(webhook, operation, outcome, Duration::from_micros(7));
                    let series = format!(
                        r#"podgate_reviews_total{{decision="{}",operation="{}",webhook="{}"}}"#,
                        record::outcome(outcome),
                        record::operation(operation),
                        record::webhook(webhook),
                    );
                    assert_eq!(line(&metrics, &series), format!("{series} 1"));
                    let buckets = format!(
                        r#"podgate_review_duration_seconds_bucket{{webhook="{}",le="0.00001"}}"#,
                        record::webhook(webhook)
                    );
                    assert_eq!(line(&metrics, &buckets), format!("{buckets} 1"));
                }
            }
        }
    }

    #[test]
    fn every_refusal_has_its_own_series() {
        for refusal in Refusal::ALL {
            let metrics = Metrics::new().unwrap();
            metrics.refused(refusal);
            let series = format!(r#"podgate_rejected_requests_total{{reason="{}"}}"#, refusal.reason());
            assert_eq!(line(&metrics, &series), format!("{series} 1"));
        }
    }

    #[test]
    fn reloads() {
        let metrics = Metrics::new().unwrap();
        metrics.reloaded(Reloaded::Certificate, Ok(()));
        metrics.reloaded(Reloaded::Policies, Err(()));
        metrics.reloaded(Reloaded::Policies, Err(()));
        for expected in [
            r#"podgate_certificate_reload_total{result="changed"} 1"#,
            r#"podgate_certificate_reload_total{result="failed"} 0"#,
            r#"podgate_policy_reload_total{result="changed"} 0"#,
            r#"podgate_policy_reload_total{result="failed"} 2"#,
        ] {
            assert_eq!(line(&metrics, expected), expected);
        }
    }

    #[test]
    fn set_by_others() {
        let metrics = Metrics::new().unwrap();
        metrics.certificate_expires(1_800_000_000);
        metrics.policies(3);
        metrics.finding("runAsNonRoot", "Enforce");
        let version = env!("CARGO_PKG_VERSION");
        for expected in [
            "podgate_certificate_expiry_timestamp_seconds 1800000000",
            "podgate_policies_loaded 3",
            r#"podgate_findings_total{control="runAsNonRoot",mode="Enforce"} 1"#,
            "podgate_panics_total 0",
            &format!(r#"podgate_build_info{{version="{version}"}} 1"#),
        ] {
            assert_eq!(line(&metrics, expected), expected);
        }
    }
}
