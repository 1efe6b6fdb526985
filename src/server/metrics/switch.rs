//! Which policies are switched to Audit, and until when.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use prometheus::{Gauge, IntGauge, IntGaugeVec};

use crate::server::metrics::factory::MetricFactory;

/// The gauges of the switch.
#[derive(Debug)]
pub(super) struct SwitchMetrics {
    active: IntGaugeVec,
    end: Gauge,
    faulty: IntGauge,
}

impl SwitchMetrics {
    pub(super) fn new(factory: &MetricFactory<'_>) -> Result<Self, prometheus::Error> {
        Ok(Self {
            active: factory.gauges(
                "switch_active",
                "1 for a policy that is switched to Audit.",
                &["policy"],
            )?,
            end: factory
                .seconds("switch_end_timestamp_seconds", "When the switch ends; 0 where none is in force.")?,
            faulty: factory
                .gauge("switch_faulty", "1 while there is a switch that cannot be put in force.")?,
        })
    }

    /// Sets which policies are switched, and until when; `None` where no switch is in force.
    pub(super) fn set<'p>(&self, policies: impl Iterator<Item = &'p str>, until: Option<SystemTime>) {
        self.active.reset();
        policies.for_each(|policy| self.active.with_label_values(&[policy]).set(1));
        let until = until.and_then(|until| until.duration_since(UNIX_EPOCH).ok());
        self.end.set(until.as_ref().map_or(0.0, Duration::as_secs_f64));
    }

    pub(super) fn set_faulty(&self, is_faulty: bool) {
        self.faulty.set(is_faulty.into());
    }
}
