//! Counts of reloads: how often policies or certificates have changed, or could not be read.

use prometheus::IntCounter;

use crate::server::metrics::factory::MetricFactory;

const RESULTS: [&str; 2] = ["changed", "failed"];

/// What [`Reload`](crate::server::Reload) keeps current.
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
    pub(in crate::server) fn name(self) -> &'static str {
        match self {
            Self::Policies => "policies",
            Self::Certificate => "certificate",
            Self::Clients => "client CAs",
        }
    }
}

/// The series of reloads, by [`Reloaded`] and result.
#[derive(Debug)]
pub(super) struct ReloadMetrics(Vec<IntCounter>);

impl ReloadMetrics {
    pub(super) fn new(factory: &MetricFactory<'_>) -> Result<Self, prometheus::Error> {
        let policies = factory.counters("policy_reload_total", "Changes of the policies.", &["result"])?;
        let certificates =
            factory.counters("certificate_reload_total", "Changes of the certificate.", &["result"])?;
        let clients =
            factory.counters("client_ca_reload_total", "Changes of the clients' CAs.", &["result"])?;
        let all = [policies, certificates, clients];
        Ok(Self(all.iter().flat_map(|vec| RESULTS.map(|result| vec.with_label_values(&[result]))).collect()))
    }

    /// Counts one reload, or one that failed.
    pub(super) fn count(&self, what: Reloaded, outcome: Result<(), ()>) {
        if let Some(counter) = self.series(what, outcome) {
            counter.inc();
        }
    }

    /// How often the policies have changed.
    pub(super) fn policy_changes(&self) -> u64 {
        self.series(Reloaded::Policies, Ok(())).map_or(0, IntCounter::get)
    }

    fn series(&self, what: Reloaded, outcome: Result<(), ()>) -> Option<&IntCounter> {
        self.0.get(what as usize * RESULTS.len() + usize::from(outcome.is_err()))
    }
}
