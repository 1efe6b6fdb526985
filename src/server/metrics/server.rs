//! Everything that one server counts and measures.
//!
//! Every series of the hot path exists from the start, at zero, and is found by index: no label is hashed for
//! a request. Labels are bounded; none holds what a peer sent.

use std::time::{Duration, SystemTime};

use prometheus::{Encoder, Gauge, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Registry, TextEncoder};

use crate::admission::{Decision, Operation, Outcome, Webhook};
use crate::mutate::IdentityOutcome;
use crate::policy::{Exception, ExemptBy};
use crate::server::activity::ConnectionStage;
use crate::server::memory_budget::BudgetGauges;
use crate::server::metrics::cluster::ClusterMetrics;
use crate::server::metrics::exceptions::ExceptionMetrics;
use crate::server::metrics::factory::MetricFactory;
use crate::server::metrics::pod_security::PodSecurityCounters;
use crate::server::metrics::process;
use crate::server::metrics::reloads::{ReloadMetrics, Reloaded};
use crate::server::metrics::reviews::ReviewMetrics;
use crate::server::metrics::rotation::RotationMetrics;
use crate::server::metrics::switch::SwitchMetrics;
use crate::server::metrics::unjudged::UnjudgedCounter;
use crate::server::rejection::Rejection;

/// What the counter of findings says of itself.
const FINDINGS: &str = "Findings, by control and mode.";

/// The counters and gauges of one server.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    reviews: ReviewMetrics,
    findings: IntCounterVec,
    identities: IntCounterVec,
    exceptions: ExceptionMetrics,
    exemptions: IntCounterVec,
    rejected: Vec<IntCounter>,
    reloads: ReloadMetrics,
    handshakes_failed: IntCounter,
    panics: IntCounter,
    log_lines_lost: IntCounter,
    connections: IntGaugeVec,
    evictions: IntCounterVec,
    buffered: IntGaugeVec,
    waiting: IntGaugeVec,
    certificate_expiry: Gauge,
    policies_loaded: IntGauge,
    pod_security: PodSecurityCounters,
    unjudged: UnjudgedCounter,
    switch: SwitchMetrics,
}

impl Metrics {
    /// All series of the hot path, at zero.
    ///
    /// # Errors
    /// Prometheus', if a name were used twice.
    pub fn new() -> Result<Self, prometheus::Error> {
        let registry = Registry::new();
        let new = MetricFactory { registry: &registry };
        let version = new.gauges("build_info", "The version that is running.", &["version"])?;
        version.with_label_values(&[env!("CARGO_PKG_VERSION")]).set(1);
        let rejected = new.counters(
            "rejected_requests_total",
            "Requests that were refused for their form, before any review.",
            &["reason"],
        )?;
        Ok(Self {
            reviews: ReviewMetrics::new(&new)?,
            findings: new.counters("findings_total", FINDINGS, &["control", "mode"])?,
            exceptions: ExceptionMetrics::new(&new)?,
            identities: new.counters(
                "identity_decisions_total",
                "What identity policies came to for pods.",
                &["policy", "outcome"],
            )?,
            exemptions: new.counters(
                "exemptions_total",
                "Requests that a policy did not judge, by what they are exempt by.",
                &["policy", "kind"],
            )?,
            rejected: Rejection::ALL
                .map(|rejection| rejected.with_label_values(&[rejection.reason()]))
                .to_vec(),
            reloads: ReloadMetrics::new(&new)?,
            handshakes_failed: new
                .counter("handshakes_failed_total", "TLS handshakes that failed or took too long.")?,
            panics: new.counter("panics_total", "Reviews and connections that ended in a panic.")?,
            log_lines_lost: new.counter(
                "log_lines_lost_total",
                "Log lines that were lost because their reader did not keep up.",
            )?,
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
            unjudged: UnjudgedCounter::new(new.counter(
                "unjudged_reviews_total",
                "Reviews that were let pass because no policy holds in their namespace.",
            )?),
            switch: SwitchMetrics::new(&new)?,
            registry,
        })
    }

    /// Counts the log lines that are lost.
    #[must_use]
    pub fn log_lines_lost(&self) -> IntCounter {
        self.log_lines_lost.clone()
    }

    /// Counts one finding of a control. Both labels must come from fixed lists.
    pub fn finding(&self, control: &str, mode: &str) {
        self.findings.with_label_values(&[control, mode]).inc();
    }

    /// Counts what an identity policy came to for a pod. There are as many series as the operator has policies.
    pub fn identity(&self, policy: &str, outcome: IdentityOutcome) {
        self.identities.with_label_values(&[policy, outcome.name()]).inc();
    }

    /// Counts the use of an exception of a policy. There are as many series as the operator has exceptions.
    pub fn exception(&self, policy: &str, exception: &str) {
        self.exceptions.used(policy, exception);
    }

    /// Shows when the exceptions that are in force end, and no others.
    pub fn exceptions<'e>(&self, exceptions: impl Iterator<Item = &'e Exception>) {
        self.exceptions.show(exceptions);
    }

    /// Counts a request that is exempt from a policy. There are as many series as the operator has policies, four times.
    pub fn exemption(&self, policy: &str, by: ExemptBy) {
        self.exemptions.with_label_values(&[policy, by.name()]).inc();
    }

    /// Sets when the certificate that is served expires.
    #[expect(
        clippy::cast_precision_loss,
        reason = "a timestamp is exact in an f64 for the next 285 million years"
    )]
    pub fn certificate_expires(&self, unix_seconds: i64) {
        self.certificate_expiry.set(unix_seconds as f64);
    }

    /// Sets how many policies are in force.
    pub fn policies(&self, count: usize) {
        self.policies_loaded.set(i64::try_from(count).unwrap_or(i64::MAX));
    }

    /// Sets which policies are switched to Audit, and until when; `None` where no switch is in force.
    pub fn switched<'p>(&self, policies: impl Iterator<Item = &'p str>, until: Option<SystemTime>) {
        self.switch.set(policies, until);
    }

    /// Sets whether there is a switch that cannot be put in force.
    pub fn switch_faulty(&self, is_faulty: bool) {
        self.switch.set_faulty(is_faulty);
    }

    pub(in crate::server) fn review(
        &self,
        webhook: Webhook,
        operation: Option<Operation>,
        outcome: Outcome,
        took: Duration,
    ) {
        self.reviews.answered(webhook, operation, outcome, took);
    }

    /// Shows the counters of Kubernetes' own admission, under its names: for drop-in mode.
    pub fn show_pod_security(&self) {
        self.pod_security.register(&self.registry);
    }

    /// The metrics of the cluster, shown from now on.
    ///
    /// # Errors
    /// Prometheus', if this is asked twice.
    pub fn cluster(&self) -> Result<ClusterMetrics, prometheus::Error> {
        ClusterMetrics::new(&self.registry)
    }

    /// The metrics of a certificate that podgate rotates itself, shown from now on.
    ///
    /// # Errors
    /// Prometheus', if this is asked twice.
    pub fn rotation(&self) -> Result<RotationMetrics, prometheus::Error> {
        RotationMetrics::new(&self.registry)
    }

    /// Counts a decision as Kubernetes' own admission does.
    pub fn pod_security(&self, decision: &Decision<'_>) {
        for counted in &decision.pod_security {
            self.pod_security.count(*counted, decision);
        }
    }

    /// Counts a review from a namespace without a policy. Returns whether to log it: the first from there under these
    /// policies.
    pub(in crate::server) fn unjudged(&self, namespace: &str) -> bool {
        self.unjudged.count(namespace, self.reloads.policy_changes())
    }

    pub(in crate::server) fn rejected(&self, rejection: Rejection) {
        if let Some(counter) = self.rejected.get(rejection as usize) {
            counter.inc();
        }
    }

    pub(in crate::server) fn reloaded(&self, what: Reloaded, outcome: Result<(), ()>) {
        self.reloads.count(what, outcome);
    }

    pub(in crate::server) fn handshake_failed(&self) {
        self.handshakes_failed.inc();
    }

    pub(in crate::server) fn panicked(&self) {
        self.panics.inc();
    }

    pub(in crate::server) fn connections(&self, port: &str) -> IntGauge {
        self.connections.with_label_values(&[port])
    }

    /// By [`ConnectionStage`].
    pub(in crate::server) fn evictions(&self, port: &str) -> Vec<IntCounter> {
        ConnectionStage::ALL.map(|stage| self.evictions.with_label_values(&[port, stage.name()])).to_vec()
    }

    pub(in crate::server) fn budget(&self, name: &str) -> BudgetGauges {
        BudgetGauges {
            reserved: self.buffered.with_label_values(&[name]),
            waiting: self.waiting.with_label_values(&[name]),
        }
    }

    pub(in crate::server) fn waiting_for_slot(&self) -> IntGauge {
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

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use super::*;

    fn line(metrics: &Metrics, series: &str) -> String {
        let text = metrics.render().unwrap();
        let found = text.lines().find(|line| line.starts_with(series));
        found.unwrap_or_else(|| panic!("no {series} in\n{text}")).to_owned()
    }

    #[test]
    fn every_rejection_has_its_own_series() {
        for rejection in Rejection::ALL {
            let metrics = Metrics::new().unwrap();
            metrics.rejected(rejection);
            let series = format!(r#"podgate_rejected_requests_total{{reason="{}"}}"#, rejection.reason());
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
        metrics.identity("trainers", IdentityOutcome::Injected);
        metrics.exemption("ml-restricted", ExemptBy::RuntimeClass);
        metrics.switched(["old"].into_iter(), None);
        metrics.switched(["a"].into_iter(), Some(UNIX_EPOCH + Duration::from_secs(1_800_000_000)));
        metrics.switch_faulty(true);
        let version = env!("CARGO_PKG_VERSION");
        for expected in [
            "podgate_certificate_expiry_timestamp_seconds 1800000000",
            "podgate_policies_loaded 3",
            r#"podgate_findings_total{control="runAsNonRoot",mode="Enforce"} 1"#,
            r#"podgate_identity_decisions_total{outcome="injected",policy="trainers"} 1"#,
            r#"podgate_exemptions_total{kind="runtimeClass",policy="ml-restricted"} 1"#,
            r#"podgate_switch_active{policy="a"} 1"#,
            "podgate_switch_end_timestamp_seconds 1800000000",
            "podgate_switch_faulty 1",
            "podgate_panics_total 0",
            &format!(r#"podgate_build_info{{version="{version}"}} 1"#),
        ] {
            assert_eq!(line(&metrics, expected), expected);
        }
    }
}
