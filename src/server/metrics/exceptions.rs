//! How often exceptions are used, when they last were, and when they end.

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use prometheus::{GaugeVec, IntCounterVec};

use crate::policy::Exception;
use crate::server::metrics::factory::MetricFactory;

/// What tells the series apart: as many as the operator has exceptions.
const LABELS: [&str; 2] = ["policy", "exception"];

/// The counter and the times of exceptions.
#[derive(Debug)]
pub(super) struct ExceptionMetrics {
    used: IntCounterVec,
    last_used: GaugeVec,
    expiry: GaugeVec,
}

impl ExceptionMetrics {
    pub(super) fn new(new: &MetricFactory<'_>) -> Result<Self, prometheus::Error> {
        Ok(Self {
            used: new.counters(
                "exceptions_used_total",
                "Reviews in which an exception let something be.",
                &LABELS,
            )?,
            last_used: new.times(
                "exception_last_used_timestamp_seconds",
                "When an exception last let something be, since this server started.",
                &LABELS,
            )?,
            expiry: new.times(
                "exception_expiry_timestamp_seconds",
                "When an exception that is in force ends, or has ended.",
                &LABELS,
            )?,
        })
    }

    pub(super) fn used(&self, policy: &str, exception: &str) {
        let labels = [policy, exception];
        self.used.with_label_values(&labels).inc();
        self.last_used.with_label_values(&labels).set(seconds(Timestamp::now()));
    }

    /// Shows when these end. Those that are in force no longer are shown no more; those that were not used yet are at zero.
    pub(super) fn show<'e>(&self, exceptions: impl Iterator<Item = &'e Exception>) {
        self.expiry.reset();
        for Exception { policy, name, expires, .. } in exceptions {
            let labels = [policy.as_ref(), name.as_ref()];
            self.used.with_label_values(&labels);
            if let Some(end) = end_of(*expires) {
                self.expiry.with_label_values(&labels).set(seconds(end));
            }
        }
    }
}

/// The end of a day, in UTC.
fn end_of(day: Date) -> Option<Timestamp> {
    Some(day.tomorrow().ok()?.to_zoned(TimeZone::UTC).ok()?.timestamp())
}

#[expect(
    clippy::cast_precision_loss,
    reason = "a timestamp is exact in an f64 for the next 285 million years"
)]
fn seconds(time: Timestamp) -> f64 {
    time.as_second() as f64
}
