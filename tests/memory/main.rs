//! How much memory one review may take beside its body: a binary of its own, as the counter is the allocator of the
//! whole process.
//!
//! Reviews are made of little text that becomes much: each list of a pod in turn, and generated mixes of them all. Of
//! each the most bytes are measured that are allocated at a time.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    reason = "a test that cannot go on has failed, and one that measures says what"
)]

mod amplifiers;
#[path = "../../benches/measure/src/crowd.rs"]
mod crowd;
mod growth;
mod hostile;
mod judges;
mod objects;
mod peak;

use std::time::{Duration, Instant};

use podgate::admission::{Reply, Webhook};
use podgate::policy::Answers;

use crate::amplifiers::{AMPLIFIERS, Spread};
use crate::judges::{JUDGES, Judge, Kind};

/// How often its body a review may take.
const MOST_TIMES: usize = 8;
/// What a small one may take all the same, 1.5 MiB: its answer, and the texts in it, and what 1,500 containers are read into.
const LEAST: usize = 6 << 18;
/// Ten times what a review may take, as other things run beside tests; and more where the compiler has left all checks in.
const LONGEST: Duration = Duration::from_secs(if cfg!(debug_assertions) { 60 } else { 2 });
/// No answer is longer.
const LONGEST_ANSWER: usize = 256 << 10;

/// What was measured of a review.
struct Measured {
    peak: usize,
    took: Duration,
    /// The answer; empty if there is none, or something has to be looked up.
    answer: Vec<u8>,
}

fn measure(judge: &Judge, body: &[u8]) -> Measured {
    let answers = Answers::default();
    let start = Instant::now();
    let (peak, reply) = peak::of(|| judge.reviewer.review(judge.webhook, body, &answers));
    let took = start.elapsed();
    let answer = match reply {
        Ok(Reply::Answer(answer)) => answer.body,
        Ok(Reply::NeedsLookup(_)) | Err(_) => Vec::new(),
    };
    Measured { peak, took, answer }
}

/// Why a review breaks its bounds, if it does.
fn broken(what: &str, judge: &Judge, body: &[u8]) -> Option<String> {
    let Measured { peak, took, answer } = measure(judge, body);
    let most = (MOST_TIMES * body.len()).max(LEAST);
    let times = peak as f64 / body.len() as f64;
    let figures = format!(
        "{what}, {}: {} bytes, peak {peak} ({times:.1} times), answer {}, {took:?}",
        judge.name,
        body.len(),
        answer.len(),
    );
    if std::env::var_os("PODGATE_MEMORY_SHOW").is_some() {
        eprintln!("{figures}");
    }
    let is_long = longest_annotation(judge, &answer) > 1024;
    (peak > most || took > LONGEST || answer.len() > LONGEST_ANSWER || is_long).then_some(figures)
}

/// The longest audit annotation of a gate's answer, as it is sent.
fn longest_annotation(judge: &Judge, answer: &[u8]) -> usize {
    if !judge.is_gate || answer.is_empty() {
        return 0;
    }
    let answer: serde_json::Value = serde_json::from_slice(answer).expect("an answer is JSON");
    let annotations = answer["response"]["auditAnnotations"].as_object().cloned().unwrap_or_default();
    annotations.values().map(|value| value.to_string().len() - 2).max().unwrap_or_default()
}

#[track_caller]
fn assert_none(broken: &[String]) {
    assert!(broken.is_empty(), "{} reviews break their bounds:\n{}", broken.len(), broken.join("\n"));
}

#[test]
fn each_list_of_a_pod_stays_within_bounds() {
    let mut all_broken = Vec::new();
    for (index, judge) in JUDGES.iter().enumerate() {
        // All sizes of the first judge, and one of the others: what is kept of a list is the same for all.
        let sizes: &[usize] = if index == 0 { &[64 << 10, 192 << 10, 2_200 << 10] } else { &[96 << 10] };
        for amplifier in AMPLIFIERS {
            for spread in amplifier.spreads() {
                for size in sizes {
                    let body = amplifier.review(judge.kind, *spread, *size);
                    let what = format!("{} {spread:?}", amplifier.name);
                    all_broken.extend(broken(&what, judge, body.as_bytes()));
                }
            }
        }
    }
    assert_none(&all_broken);
}

/// Bodies of every size and mix, the same ones in every run.
#[test]
fn generated_reviews_stay_within_bounds() {
    let cases =
        std::env::var("PODGATE_MEMORY_CASES").ok().and_then(|count| count.parse().ok()).unwrap_or(200);
    let seed =
        std::env::var("PODGATE_MEMORY_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(20_261_128);
    let mut all_broken = Vec::new();
    for case in 0..cases {
        let judge = &JUDGES[case % JUDGES.len()];
        let body = hostile::review(seed + case as u64, judge.kind);
        all_broken.extend(broken(&format!("case {case} of {seed}"), judge, body.as_bytes()));
    }
    assert_none(&all_broken);
}

/// The largest body that is taken.
#[test]
fn the_largest_reviews_stay_within_bounds() {
    let mut all_broken = Vec::new();
    for judge in JUDGES.iter().filter(|judge| judge.webhook == Webhook::Validate && judge.kind == Kind::Pod) {
        for amplifier in AMPLIFIERS {
            let body = amplifier.review(judge.kind, Spread::Hundred, 8 << 20);
            all_broken.extend(broken(amplifier.name, judge, body.as_bytes()));
        }
    }
    assert_none(&all_broken);
}

/// What little text reserves: no list is given room before it has anything.
#[test]
fn small_reviews_take_little() {
    for judge in JUDGES.iter() {
        for lists in [["containers"].as_slice(), &["containers", "initContainers", "ephemeralContainers"]] {
            let list = format!("[{}]", vec!["{}"; 500].join(","));
            let spec: Vec<String> = lists.iter().map(|name| format!("\"{name}\":{list}")).collect();
            let body = amplifiers::of_spec(judge.kind, &spec.join(","));
            let Measured { peak, answer, .. } = measure(judge, body.as_bytes());
            eprintln!(
                "{} times 500 empty containers, {}: {} bytes, peak {peak}",
                lists.len(),
                judge.name,
                body.len()
            );
            assert!(
                peak <= LEAST && answer.len() <= LONGEST_ANSWER,
                "{}: {peak}, {}",
                judge.name,
                answer.len()
            );
        }
    }
}
