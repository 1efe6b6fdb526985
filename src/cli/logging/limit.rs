//! A rate limit for log lines: so many a second of each kind are written, and the others are counted.
//!
//! A peer that can make podgate write a line can make it write a million, and what matters would be lost among them. So
//! the limit holds for every line that is not exempted here, in every module. Two lines are of one kind if the same
//! place in the code writes them, with the same reason, code and resource.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tracing::callsite::Identifier;
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::layer::{Context, Layer};

use crate::cli::logging::fields::MESSAGE;
use crate::cli::logging::lines::LOST;

/// Lines of a kind that are written in a second: enough to see what is going on.
const MAX_PER_SECOND: u64 = 10;

const SECOND: Duration = Duration::from_secs(1);

/// Kinds that are distinguished by more than their place in the code. There are some fifty.
const MAX_KINDS: usize = 256;

/// The target of the lines that say how many were left out.
const SUPPRESSED: &str = "podgate::suppressed";

/// The targets of lines that are never left out. A verdict is what the log is for, and costs the peer that asks for it
/// more than us. Of a namespace without a policy there is one line, and the number of namespaces is bounded elsewhere. No peer
/// causes a line about a policy, or about the switch.
const UNLIMITED: [&str; 6] =
    ["podgate::review", "podgate::unjudged", "podgate::policies", "podgate::switch", LOST, SUPPRESSED];

/// Allows lines, or counts them as left out. Clones count together.
#[derive(Clone, Default)]
pub(super) struct LineLimiter(Arc<Mutex<LineKinds>>);

/// The kinds of lines so far.
#[derive(Default)]
struct LineKinds(HashMap<(Identifier, String), LineKind>);

struct LineKind {
    level: Level,
    message: String,
    /// Since when its lines are counted.
    since: Instant,
    written: u64,
    suppressed: u64,
}

impl<S: Subscriber> Layer<S> for LineLimiter {
    fn event_enabled(&self, event: &Event<'_>, _: Context<'_, S>) -> bool {
        let metadata = event.metadata();
        if UNLIMITED.contains(&metadata.target()) {
            return true;
        }
        let mut summary = LineSummary::default();
        event.record(&mut summary);
        self.lock().allows(metadata.callsite(), *metadata.level(), summary, Instant::now())
    }
}

impl LineLimiter {
    /// Logs how many lines were left out since the last time.
    pub(super) fn report(&self) {
        let counts = self.lock().counts();
        for (level, of, detail, suppressed) in counts {
            let detail = Some(detail.as_str()).filter(|detail| !detail.is_empty());
            // At the level of the lines themselves: a log without those does not need their number either.
            match level {
                Level::ERROR => tracing::error!(target: SUPPRESSED, of, detail, suppressed, "lines left out"),
                Level::WARN => tracing::warn!(target: SUPPRESSED, of, detail, suppressed, "lines left out"),
                _ => tracing::info!(target: SUPPRESSED, of, detail, suppressed, "lines left out"),
            }
        }
    }

    /// Does so every second, for ever.
    pub(super) async fn report_every_second(self) {
        let mut seconds = tokio::time::interval(SECOND);
        loop {
            seconds.tick().await;
            self.report();
        }
    }

    fn lock(&self) -> MutexGuard<'_, LineKinds> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl LineKinds {
    fn allows(&mut self, place: Identifier, level: Level, summary: LineSummary, now: Instant) -> bool {
        let LineSummary { message, detail } = summary;
        let is_new = |kinds: &HashMap<_, _>, key: &_| kinds.len() >= MAX_KINDS && !kinds.contains_key(key);
        let mut key = (place, detail);
        if is_new(&self.0, &key) {
            key.1.clear();
        }
        let kind = self.0.entry(key).or_insert_with(|| LineKind {
            level,
            message,
            since: now,
            written: 0,
            suppressed: 0,
        });
        if now.saturating_duration_since(kind.since) >= SECOND {
            (kind.since, kind.written) = (now, 0);
        }
        let is_allowed = kind.written < MAX_PER_SECOND;
        *(if is_allowed { &mut kind.written } else { &mut kind.suppressed }) += 1;
        is_allowed
    }

    /// How many lines were left out, by kind; counting starts again from zero.
    fn counts(&mut self) -> Vec<(Level, String, String, u64)> {
        let kinds = self.0.iter_mut().filter(|(_, kind)| kind.suppressed > 0);
        let mut counts: Vec<_> = kinds
            .map(|((_, detail), kind)| {
                (kind.level, kind.message.clone(), detail.clone(), std::mem::take(&mut kind.suppressed))
            })
            .collect();
        counts.sort_by(|one, other| (&one.1, &one.2).cmp(&(&other.1, &other.2)));
        counts
    }
}

/// The parts of a line that say which kind it is.
#[derive(Default)]
struct LineSummary {
    message: String,
    detail: String,
}

impl LineSummary {
    fn add(&mut self, field: &Field, value: fmt::Arguments<'_>) {
        match field.name() {
            MESSAGE => self.message = value.to_string(),
            "reason" | "code" | "resource" => {
                let comma = if self.detail.is_empty() { "" } else { ", " };
                self.detail.push_str(&format!("{comma}{} {value}", field.name()));
            }
            _ => {}
        }
    }
}

impl Visit for LineSummary {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.add(field, format_args!("{value}"));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.add(field, format_args!("{value}"));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.add(field, format_args!("{value:?}"));
    }
}

#[cfg(test)]
mod tests {
    use tracing_subscriber::layer::SubscriberExt as _;

    use super::*;

    /// Any place in the code.
    fn place() -> Identifier {
        struct Place;
        impl tracing::callsite::Callsite for Place {
            fn set_interest(&self, _: tracing::subscriber::Interest) {}
            fn metadata(&self) -> &tracing::Metadata<'_> {
                unreachable!("nobody asks")
            }
        }
        tracing::callsite::Identifier(&Place)
    }

    fn line(detail: &str) -> LineSummary {
        LineSummary { message: "refused".to_owned(), detail: detail.to_owned() }
    }

    #[test]
    fn ten_a_second_of_each_kind_and_the_rest_is_counted() {
        let (mut kinds, start) = (LineKinds::default(), Instant::now());
        let mut written = 0;
        for millis in 0..10_000 {
            let now = start + Duration::from_millis(millis);
            written += u64::from(kinds.allows(place(), Level::INFO, line("path"), now));
        }
        assert_eq!(written, 100);
        assert!(kinds.allows(place(), Level::INFO, line("method"), start), "another kind");
        let expected = [(Level::INFO, "refused".to_owned(), "path".to_owned(), 9900)];
        assert_eq!(kinds.counts(), expected);
        assert_eq!(kinds.counts(), []);
    }

    #[test]
    fn so_many_kinds_and_no_more() {
        let (mut kinds, now) = (LineKinds::default(), Instant::now());
        let written =
            (0..10_000).filter(|n| kinds.allows(place(), Level::INFO, line(&n.to_string()), now)).count();
        assert_eq!(written as u64, MAX_KINDS as u64 + MAX_PER_SECOND);
        assert_eq!(kinds.0.len(), MAX_KINDS + 1);
        let left_out: u64 = kinds.counts().iter().map(|(.., count)| count).sum();
        assert_eq!(left_out + written as u64, 10_000);
    }

    #[test]
    fn verdicts_are_never_left_out() {
        let limiter = LineLimiter::default();
        let lines = tracing_subscriber::registry().with(limiter.clone());
        tracing::subscriber::with_default(lines, || {
            for _ in 0..100 {
                tracing::info!(target: "podgate::review", code = 403, "reviewed");
                tracing::info!(target: "podgate::failed", code = 400, "reviewed");
                tracing::warn!(reason = "no reason", "else");
            }
        });
        let counts = limiter.lock().counts();
        let told: Vec<(&str, &str, u64)> =
            counts.iter().map(|(_, of, detail, count)| (of.as_str(), detail.as_str(), *count)).collect();
        assert_eq!(told, [("else", "reason no reason", 90), ("reviewed", "code 400", 90)]);
    }
}
