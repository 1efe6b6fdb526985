//! Our verdicts against those of upstream's own evaluator, over generated pods: allowed, reason and detail are equal.
//!
//! Upstream is asked through `oracle`, which `tests/upstream/build` makes. `PODGATE_DIFFERENTIAL_CASES` asks for a
//! longer run and `PODGATE_DIFFERENTIAL_SEED` for other pods; the same seed gives the same pods.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    reason = "a test that cannot go on has failed, and one that is left out says so"
)]

#[path = "../it/pods.rs"]
#[expect(dead_code, reason = "of the helpers of another binary, the generator of pods alone is used")]
mod pods;

#[path = "../it/left_out.rs"]
mod left_out;
#[path = "../it/real_data.rs"]
mod real_data;

#[path = "../cluster/programs.rs"]
mod programs;

#[path = "../fuzz/json_shape.rs"]
#[expect(dead_code, reason = "how deep a text is is asked by the fuzz target alone")]
mod json_shape;

mod counted;
mod desk;
mod json;
mod json_text;
mod oracle;
mod pod;
mod random;
mod recorded;
mod request;
mod reviews;
mod text;
mod values;
mod world;
mod yaml;
mod yaml_text;

use std::collections::BTreeMap;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;
use std::time::Instant;

use podgate::controls::{CONTROLS, Standard};
use podgate::evaluate::{ControlFindings, StandardText, by_standard};
use podgate::json::Reader;
use podgate::pod::Pod;
use proptest::strategy::{Strategy as _, ValueTree as _};
use proptest::test_runner::{RngAlgorithm, TestRng, TestRunner};
use serde::Deserialize;

use crate::oracle::{Answers, Oracle, Questions};
use crate::random::Random;

/// As many as fit into a minute of a test run.
const CASES: u64 = 200_000;
/// The pods of every run that asks for no others.
const SEED: u64 = 20_261_125;
/// How many standards a pod is judged by.
const STANDARDS: usize = 4;
/// One of so many pods is the generator's that our readers are tested with: it knows more fields, and takes longer.
const FROM_PROPTEST: u64 = 32;
/// Differences that are shown; the rest are counted.
const SHOWN: u64 = 5;

/// What upstream says of a pod.
#[derive(Debug, Deserialize)]
struct Answer {
    allowed: bool,
    reason: String,
    detail: String,
    /// Why it could not read the pod.
    error: Option<String>,
}

/// A pod that upstream has been asked about.
struct Asked {
    index: u64,
    pod: String,
    standards: Vec<Standard>,
}

#[test]
fn verdicts_are_upstreams_to_the_letter() {
    let Some(oracle) = Oracle::start("the comparison with upstream's evaluator", "oracle") else { return };
    let cases = given("PODGATE_DIFFERENTIAL_CASES").unwrap_or(CASES);
    let seed = given("PODGATE_DIFFERENTIAL_SEED").unwrap_or(SEED);
    let start = Instant::now();
    let tally = thread::scope(|scope| {
        let (sender, receiver) = sync_channel(1024);
        let Oracle { questions, answers, child: _child } = oracle;
        scope.spawn(move || ask(questions, cases, seed, &sender));
        compare(&receiver, answers, seed)
    });
    let seconds = start.elapsed().as_secs_f64();
    left_out::say(&format!("compared with upstream's evaluator: {tally}, in {seconds:.1} s (seed {seed})"));
    assert_eq!(tally.different, 0, "seed {seed}: see the differences above");
    assert!(tally.cases >= cases, "{tally}");
    // A few cases for a look need not show everything.
    if cases >= CASES {
        tally.assert_telling();
    }
}

fn given(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    Some(text.parse().unwrap_or_else(|error| panic!("{variable}={text}: {error}")))
}

/// Makes the pods and asks upstream, ahead of whoever takes the answers.
fn ask(mut questions: Questions, cases: u64, seed: u64, asked: &SyncSender<Asked>) {
    let from_proptest = pods::any_pod();
    for index in 0..cases.div_ceil(STANDARDS as u64) {
        let mut random = Random::of(seed, index);
        let standards: Vec<_> = (0..STANDARDS).map(|_| pod::standard(&mut random)).collect();
        let pod = if index % FROM_PROPTEST == 0 {
            let mut seed = [0; 32];
            seed[..8].copy_from_slice(&random.next().to_le_bytes());
            let random = TestRng::from_seed(RngAlgorithm::ChaCha, &seed);
            let mut runner = TestRunner::new_with_rng(pods::cases(1), random);
            from_proptest.new_tree(&mut runner).unwrap().current()
        } else {
            pod::Maker::new(random).pod()
        };
        let pod = pod.to_string();
        for (index, standard) in standards.iter().enumerate() {
            let (level, version) = standard.text().split_once(':').unwrap();
            let pod = if index == 0 { format!("\"pod\":{pod},") } else { String::new() };
            questions.ask(&format!("{{{pod}\"level\":\"{level}\",\"version\":\"{version}\"}}"));
        }
        // The other side has failed, and says why.
        if asked.send(Asked { index, pod, standards }).is_err() {
            return;
        }
    }
}

/// What came of a run.
#[derive(Default)]
struct Tally {
    cases: u64,
    allowed: u64,
    /// Pods that neither side could read.
    unread: u64,
    different: u64,
    /// How often each control spoke.
    controls: BTreeMap<&'static str, u64>,
}

impl std::fmt::Display for Tally {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { cases, allowed, unread, different, .. } = self;
        write!(f, "{cases} cases ({allowed} allowed, {unread} unreadable), {different} different")
    }
}

impl Tally {
    /// Fails if the generator has become so narrow that a run would prove little.
    fn assert_telling(&self) {
        let share = |count: u64| count * 100 / self.cases;
        assert!((15..=70).contains(&share(self.allowed)), "{self}");
        assert!(self.unread > 0 && share(self.unread) < 5, "{self}");
        let standards = CONTROLS.iter().filter(|control| control.level().is_some()).count();
        assert_eq!(self.controls.len(), standards, "{:?}", self.controls);
        for (control, count) in &self.controls {
            assert!(*count * 1_000 > self.cases, "{control}: only {count} of {self}");
        }
    }
}

fn compare(asked: &Receiver<Asked>, mut answers: Answers, seed: u64) -> Tally {
    let mut tally = Tally::default();
    for Asked { index, pod, standards } in asked {
        let mut reader = Reader::new(pod.as_bytes()).unwrap();
        let read = Pod::read(&mut reader);
        for standard in &standards {
            let ours = match &read {
                Ok(pod) => Ok(by_standard(standard, pod)),
                Err(error) => Err(error.to_string()),
            };
            let upstream: Answer = answers.next();
            if !tally.add(&ours, &upstream) && tally.different <= SHOWN {
                let ours = ours.map(|findings| StandardText::of(&findings));
                eprintln!(
                    "--- seed {seed}, pod {index}, {standard}\n{pod}\nours:     {ours:?}\nupstream: {upstream:?}"
                );
            }
        }
    }
    tally
}

impl Tally {
    /// Counts a case, and returns whether both sides say the same. What the one cannot read, the other must not read.
    fn add(&mut self, ours: &Result<Vec<ControlFindings<'_>>, String>, upstream: &Answer) -> bool {
        self.cases += 1;
        let is_same = match ours {
            Ok(findings) => {
                self.allowed += u64::from(findings.is_empty());
                for of_control in findings.as_slice().chunk_by(|one, other| one.control == other.control) {
                    *self.controls.entry(of_control[0].control.id).or_default() += 1;
                }
                let StandardText { reason, detail } = StandardText::of(findings);
                let ours = (findings.is_empty(), &reason, &detail);
                upstream.error.is_none() && ours == (upstream.allowed, &upstream.reason, &upstream.detail)
            }
            Err(_) => {
                self.unread += 1;
                upstream.error.is_some()
            }
        };
        self.different += u64::from(!is_same);
        is_same
    }
}
