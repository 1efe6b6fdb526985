//! Counts and durations of answered reviews.
//!
//! Every series exists from the start, at zero, and is found by index: no label is hashed for a review.

use std::time::Duration;

use prometheus::{Histogram, IntCounter};

use crate::admission::{Operation, Outcome, Webhook};
use crate::server::labels;
use crate::server::metrics::factory::MetricFactory;

const WEBHOOKS: [Webhook; 2] = [Webhook::Validate, Webhook::Mutate];

const OPERATIONS: [Option<Operation>; 5] = [
    None,
    Some(Operation::Create),
    Some(Operation::Update),
    Some(Operation::Delete),
    Some(Operation::Connect),
];

const OUTCOMES: [Outcome; 4] = [Outcome::Allowed, Outcome::Patched, Outcome::Denied, Outcome::Error];

/// A review takes some 10 µs; the upper end is where the API server gives up.
const REVIEW_SECONDS: [f64; 15] =
    [5e-6, 1e-5, 2e-5, 5e-5, 1e-4, 2e-4, 5e-4, 1e-3, 2e-3, 5e-3, 1e-2, 5e-2, 0.1, 0.5, 1.0];

/// The series of answered reviews.
#[derive(Debug)]
pub(super) struct ReviewMetrics {
    /// By webhook, operation and outcome, in that order.
    counts: Vec<IntCounter>,
    /// By webhook.
    durations: Vec<Histogram>,
}

impl ReviewMetrics {
    pub(super) fn new(factory: &MetricFactory<'_>) -> Result<Self, prometheus::Error> {
        let names = ["webhook", "operation", "decision"];
        let counters = factory.counters("reviews_total", "Reviews that were answered.", &names)?;
        let mut counts = Vec::new();
        for webhook in WEBHOOKS {
            for operation in OPERATIONS {
                for outcome in OUTCOMES {
                    counts.push(counters.with_label_values(&[
                        labels::webhook(webhook),
                        labels::operation(operation),
                        labels::outcome(outcome),
                    ]));
                }
            }
        }
        let histograms = factory.histograms(
            "review_duration_seconds",
            "From the last byte of a review to its answer.",
            &REVIEW_SECONDS,
            &["webhook"],
        )?;
        let durations = WEBHOOKS.map(|webhook| histograms.with_label_values(&[labels::webhook(webhook)]));
        Ok(Self { counts, durations: durations.to_vec() })
    }

    /// Counts one answer.
    pub(super) fn answered(
        &self,
        webhook: Webhook,
        operation: Option<Operation>,
        outcome: Outcome,
        took: Duration,
    ) {
        let operation = operation.map_or(0, |operation| operation as usize + 1);
        let series = (webhook as usize * OPERATIONS.len() + operation) * OUTCOMES.len() + outcome as usize;
        if let (Some(counter), Some(duration)) =
            (self.counts.get(series), self.durations.get(webhook as usize))
        {
            counter.inc();
            duration.observe(took.as_secs_f64());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_review_has_its_own_series() {
        for webhook in WEBHOOKS {
            for operation in OPERATIONS {
                for outcome in OUTCOMES {
                    let registry = prometheus::Registry::new();
                    let metrics = ReviewMetrics::new(&MetricFactory { registry: &registry }).unwrap();
                    metrics.answered(webhook, operation, outcome, Duration::from_micros(7));
                    let text = prometheus::TextEncoder::new().encode_to_string(&registry.gather()).unwrap();
                    let name = labels::webhook(webhook);
                    let count = format!(
                        r#"podgate_reviews_total{{decision="{}",operation="{}",webhook="{name}"}} 1"#,
                        labels::outcome(outcome),
                        labels::operation(operation),
                    );
                    let bucket = format!(
                        r#"podgate_review_duration_seconds_bucket{{webhook="{name}",le="0.00001"}} 1"#
                    );
                    for expected in [count, bucket] {
                        assert!(text.lines().any(|line| line == expected), "no {expected} in\n{text}");
                    }
                }
            }
        }
    }
}
