//! How long the API server will wait: the `?timeout=` of a review's URL.
//!
//! It is a hint that makes us give up in time to say so. A value that cannot be read is ignored, because the
//! server has its own limit and nothing is admitted for lack of this one.

use std::time::Duration;

/// The API server rounds its timeout up to whole seconds before sending it, so the true one may be a second
/// shorter; a tenth more is for the way back.
const ROUNDING: Duration = Duration::from_secs(1);

/// How long a body may take, given the query of the request's URL: less than `most` only when the caller
/// gives up sooner.
pub(super) fn body_deadline(query: Option<&str>, most: Duration) -> Duration {
    let Some(timeout) = query.and_then(timeout) else {
        return most;
    };
    let margin = ROUNDING + timeout / 10;
    most.min(timeout.saturating_sub(margin).max(timeout / 2))
}

fn timeout(query: &str) -> Option<Duration> {
    let value = query.split('&').find_map(|pair| pair.strip_prefix("timeout="))?;
    go_duration(value).filter(|duration| !duration.is_zero())
}

/// Reads a duration as Go's `time.ParseDuration` does, without a sign and without the micro signs, which no
/// URL holds unescaped.
fn go_duration(text: &str) -> Option<Duration> {
    let mut rest = text;
    let mut seconds = 0.0;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (number, tail) = rest.split_at(digits);
        let letters = tail.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(tail.len());
        let (unit, tail) = tail.split_at(letters);
        seconds += number.parse::<f64>().ok()? * unit_seconds(unit)?;
        rest = tail;
    }
    Duration::try_from_secs_f64(seconds).ok()
}

fn unit_seconds(unit: &str) -> Option<f64> {
    Some(match unit {
        "h" => 3600.0,
        "m" => 60.0,
        "s" => 1.0,
        "ms" => 1e-3,
        "us" => 1e-6,
        "ns" => 1e-9,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn go_durations() {
        for (text, millis) in [
            ("10s", Some(10_000)),
            ("500ms", Some(500)),
            ("1m30s", Some(90_000)),
            ("1.5s", Some(1_500)),
            (".5s", Some(500)),
            ("1h", Some(3_600_000)),
            ("2000us", Some(2)),
            ("", Some(0)),
            ("10", None),
            ("s", None),
            ("-1s", None),
            ("1..5s", None),
            ("1d", None),
            ("10s!", None),
            ("1e3s", None),
            ("999999999999999999999999h", None),
        ] {
            assert_eq!(go_duration(text), millis.map(Duration::from_millis), "{text}");
        }
    }

    #[test]
    fn body_deadlines() {
        let most = Duration::from_secs(5);
        for (query, millis) in [
            (None, 5_000),
            (Some("timeout=10s"), 5_000),
            (Some("timeout=5s"), 3_500),
            (Some("timeout=2s"), 1_000),
            (Some("timeout=1s"), 500),
            (Some("dryRun=All&timeout=2s"), 1_000),
            (Some("timeout=0s"), 5_000),
            (Some("timeout=soon"), 5_000),
            (Some("timeout="), 5_000),
            (Some("mytimeout=1s"), 5_000),
            (Some(""), 5_000),
        ] {
            assert_eq!(body_deadline(query, most), Duration::from_millis(millis), "{query:?}");
        }
    }
}
