//! `podgate import psp` against the PodSecurityPolicy plugin of Kubernetes 1.24, over generated pods: what a policy refused
//! is refused, what it admitted is admitted or the report says why not, and what it filled in is filled in the same.
//!
//! The plugin is asked through `pod-security-policy`, which `tests/upstream/build` makes. `PODGATE_PSP_PODS` asks for so many
//! pods of each policy, `PODGATE_PSP_POLICIES` for so many generated policies beside the written ones, `PODGATE_PSP_CLUSTERS` for so many namespaces
//! with several policies, and `PODGATE_DIFFERENTIAL_SEED` for others; the same seed gives the same.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    reason = "a test that cannot go on has failed, and one that is left out says so"
)]

#[path = "../it/left_out.rs"]
mod left_out;
#[path = "../differential/oracle.rs"]
mod oracle;
#[path = "../it/policies.rs"]
mod policies;
#[path = "../cluster/programs.rs"]
mod programs;
#[path = "../differential/random.rs"]
mod random;

mod effective;
mod legal;
mod ours;
mod pod;
mod psps;
mod reasons;
mod several;
mod tally;
mod volumes;

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;
use std::time::Instant;

use serde::Deserialize;
use serde_json::{Value as Json, json};

use crate::legal::Legal;
use crate::oracle::{Answers, Oracle, Questions};
use crate::ours::Ours;
use crate::pod::Maker;
use crate::random::Random;
use crate::tally::Tally;

/// The program that asks the plugin.
const PLUGIN: &str = "pod-security-policy";
/// Pods of each policy.
const PODS: u64 = 1_000;
/// Generated policies, beside those that are written. Each has a tenth of the pods.
const POLICIES: u64 = 20;
/// The pods of every run that asks for no others.
const SEED: u64 = 20_261_129;
/// The one namespace of it all.
const NAMESPACE: &str = "ml-workloads";

/// What the plugin says of a pod, or of a policy.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    allowed: bool,
    /// Why it is refused.
    #[serde(default)]
    errors: Vec<String>,
    /// The pod that was admitted.
    #[serde(default)]
    mutated: Json,
    /// Why the API server would not store that.
    #[serde(default)]
    invalid: Vec<String>,
    /// Whether it would not store the pod as it was sent.
    #[serde(default)]
    was_invalid: bool,
    /// Which of several policies admitted it.
    #[serde(default)]
    by: String,
    /// Why there is no verdict.
    error: Option<String>,
}

/// What the plugin has been asked about.
enum Asked {
    Policy(Json),
    Pod(u64, Json),
}

#[test]
fn what_is_made_of_a_policy_says_what_it_said() {
    let wanted_by = "the comparison with the PodSecurityPolicy plugin";
    if programs::find(wanted_by, &[PLUGIN]).is_none() {
        return;
    }
    let pods = given("PODGATE_PSP_PODS").unwrap_or(PODS);
    let generated = given("PODGATE_PSP_POLICIES").unwrap_or(POLICIES);
    let seed = given("PODGATE_DIFFERENTIAL_SEED").unwrap_or(SEED);
    let start = Instant::now();
    let mut policies = psps::written();
    policies.extend((0..generated).map(|number| {
        psps::generated(&mut Random::of(seed ^ 1, number), &format!("{}{number}", psps::GENERATED))
    }));
    let policies: Vec<(u64, Json)> = (0..).zip(policies).collect();
    let tally = in_shares(policies, |share| {
        let oracle = Oracle::start(wanted_by, PLUGIN).unwrap();
        thread::scope(|scope| {
            let (sender, receiver) = sync_channel(1024);
            let Oracle { questions, answers, child: _child } = oracle;
            scope.spawn(move || ask(questions, share, pods, seed, &sender));
            compare(&receiver, answers, seed)
        })
    });
    let seconds = start.elapsed().as_secs_f64();
    left_out::say(&format!(
        "compared with the PodSecurityPolicy plugin, in {seconds:.1} s (seed {seed}): {tally}"
    ));
    assert!(tally.is_clean(), "seed {seed}: see the differences above");
    // A few pods for a look need not show everything.
    if pods >= PODS {
        tally.assert_telling();
    }
}

/// Gives each processor a share of the policies, and adds up what comes of them.
fn in_shares(policies: Vec<(u64, Json)>, run: impl Fn(Vec<(u64, Json)>) -> Tally + Sync) -> Tally {
    let count = thread::available_parallelism().map_or(1, |count| count.get().min(4));
    let mut shares = vec![Vec::new(); count];
    for (index, policy) in policies.into_iter().enumerate() {
        shares[index % count].push(policy);
    }
    thread::scope(|scope| {
        let runs: Vec<_> = shares.into_iter().map(|share| scope.spawn(|| run(share))).collect();
        runs.into_iter().map(|run| run.join().unwrap()).fold(Tally::default(), Tally::and)
    })
}

/// The name of an object.
fn name_of(object: &Json) -> &str {
    object["metadata"]["name"].as_str().unwrap()
}

fn given(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    Some(text.parse().unwrap_or_else(|error| panic!("{variable}={text}: {error}")))
}

/// Makes the pods and asks the plugin, ahead of whoever takes the answers.
fn ask(
    mut questions: Questions,
    policies: Vec<(u64, Json)>,
    pods: u64,
    seed: u64,
    asked: &SyncSender<Asked>,
) {
    for (number, psp) in policies {
        let legal = Legal::of(&psp);
        let pods = if name_of(&psp).starts_with(psps::GENERATED) { pods.div_ceil(10) } else { pods };
        questions.ask(&json!({ "psp": psp }).to_string());
        // If this fails, the other side has failed and says why.
        if asked.send(Asked::Policy(psp)).is_err() {
            return;
        }
        for index in 0..pods {
            let random = Random::of(seed.wrapping_add(number), index);
            let pod = Maker::new(random, &legal).pod();
            questions.ask(&format!(r#"{{"pod":{pod}}}"#));
            if asked.send(Asked::Pod(index, pod)).is_err() {
                return;
            }
        }
    }
}

fn compare(asked: &Receiver<Asked>, mut answers: Answers, seed: u64) -> Tally {
    let mut tally = Tally::default();
    let mut psp = Json::Null;
    let mut ours = Err(Vec::new());
    for question in asked {
        let answer: Answer = answers.next();
        assert_eq!(answer.error, None, "{psp}");
        match question {
            Asked::Policy(next) => {
                ours = Ours::import(std::slice::from_ref(&next));
                tally.policy();
                psp = next;
            }
            Asked::Pod(index, pod) => tally.pod(&psp, &ours, (seed, index, &pod), &answer),
        }
    }
    tally
}
