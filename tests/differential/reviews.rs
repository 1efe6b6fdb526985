//! Whole reviews in drop-in mode against those of upstream's webhook, over generated clusters: the response, all of it,
//! and what is counted.
//!
//! One thing is not compared: the words in which upstream's decoder says that an object cannot be read, as they name
//! types of Go. `PODGATE_DIFFERENTIAL_REVIEWS` asks for a longer run.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;
use std::time::Instant;

use podgate::server::Metrics;
use serde::Deserialize;
use serde_json::{Value as Json, json};

use crate::counted::counted;
use crate::desk::{self, Desk};
use crate::left_out::say;
use crate::oracle::{Answers, Oracle, Questions};
use crate::random::Random;
use crate::world::World;
use crate::{SEED, SHOWN, given};

/// As many as fit into half a minute of a test run.
const REVIEWS: u64 = 24_000;
/// Reviews in one cluster.
const OF_ONE_CLUSTER: u64 = 40;
/// One of so many clusters has a namespace with more pods than are looked at.
const CROWDED: u64 = 150;
/// The namespace that is crowded: one that is never exempt.
const CROWDED_NAMESPACE: usize = 2;
/// What upstream's webhook has to say.
const WAYS: [&str; 20] = [
    "allowed",
    "annotation audit-violations",
    "annotation enforce-policy",
    "annotation error",
    "annotation exempt",
    "code 400",
    "code 403",
    "code 422",
    "code 500",
    "errors",
    "evaluations",
    "exemptions",
    "Failed to parse policy",
    "failed to decode",
    "failed to extract",
    "failed to lookup",
    "warning existing pods",
    "warning is exempt",
    "warning other pod",
    "warning would violate",
];
/// What it says too rarely to ask for more than one.
const RARE_WAYS: [&str; 4] =
    ["configuration refused", "panicked", "warning failed to list", "warning only checked"];

/// A cluster, as its reviews are told with.
struct Cluster {
    /// Our side of it, or why there is none.
    desk: Result<Desk, String>,
    configuration: String,
}

/// A review that upstream has been asked about.
struct Asked {
    index: u64,
    cluster: Arc<Cluster>,
    review: String,
}

/// What upstream answers: one of the first four, and the calls of its recorder.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Upstream {
    response: Option<Json>,
    config_error: Option<String>,
    review_error: Option<String>,
    panic: Option<String>,
    metrics: Vec<Json>,
}

/// The last line of upstream's.
#[derive(Debug, Deserialize)]
struct Total {
    counted: String,
}

#[test]
fn reviews_in_drop_in_mode_are_upstreams() {
    let Some(oracle) = Oracle::start("the comparison with upstream's webhook", "admission-oracle") else {
        return;
    };
    let reviews = given("PODGATE_DIFFERENTIAL_REVIEWS").unwrap_or(REVIEWS);
    let seed = given("PODGATE_DIFFERENTIAL_SEED").unwrap_or(SEED);
    let start = Instant::now();
    let tally = thread::scope(|scope| {
        let (sender, receiver) = sync_channel(256);
        let Oracle { questions, answers, child: _child } = oracle;
        scope.spawn(move || ask(questions, reviews, seed, &sender));
        compare(&receiver, answers, seed)
    });
    let Tally { compared, different, .. } = tally;
    let seconds = start.elapsed().as_secs_f64();
    say(&format!(
        "compared with upstream's webhook: {compared} reviews, {different} different, in {seconds:.1} s (seed {seed})"
    ));
    assert_eq!(different, 0, "seed {seed}: see the differences above");
    // A few reviews for a look need not show everything.
    if reviews >= REVIEWS {
        tally.assert_telling();
    }
}

/// Makes the clusters and reviews and asks upstream, ahead of whoever takes the answers.
fn ask(mut questions: Questions, reviews: u64, seed: u64, asked: &SyncSender<Asked>) {
    for number in 0..reviews.div_ceil(OF_ONE_CLUSTER) {
        let mut world = World::new(Random::of(seed, number));
        let is_crowded = number % CROWDED == CROWDED / 2;
        if is_crowded {
            world.crowd(CROWDED_NAMESPACE);
        }
        let desk = Desk::new(&mut world);
        let configuration = world.configuration.to_string();
        let head = format!(
            r#""config":{configuration},"namespaces":{}"#,
            serde_json::to_string(&world.namespaces).unwrap()
        );
        let cluster = Arc::new(Cluster { desk, configuration });
        for place in 0..OF_ONE_CLUSTER {
            let index = number * OF_ONE_CLUSTER + place;
            let uid = format!("{seed}-{index}");
            let review = if is_crowded && place == 0 {
                world.raising(&uid, CROWDED_NAMESPACE)
            } else {
                world.review(&uid)
            };
            // Nothing but a Namespace that is changed depends on them.
            let is_asked = |name: &str| {
                let named = format!("\"{name}\"");
                review.contains(r#""resource":"namespaces""#) && review.contains(&named)
            };
            let pods: BTreeMap<_, _> = world.pods.iter().filter(|(name, _)| is_asked(name)).collect();
            let pods = serde_json::to_string(&pods).unwrap();
            questions.ask(&format!(r#"{{{head},"pods":{pods},"review":{review}}}"#));
            // The other side has failed, and says why.
            if asked.send(Asked { index, cluster: Arc::clone(&cluster), review }).is_err() {
                return;
            }
            // One is enough to tell that nobody starts with this configuration.
            if cluster.desk.is_err() {
                break;
            }
        }
    }
}

/// What came of a run.
#[derive(Default)]
struct Tally {
    compared: u64,
    different: u64,
    /// The clusters of which a difference was shown.
    shown: BTreeSet<u64>,
    /// How often upstream said what.
    said: BTreeMap<String, u64>,
}

fn compare(asked: &Receiver<Asked>, mut answers: Answers, seed: u64) -> Tally {
    let metrics = Metrics::new().unwrap();
    metrics.show_pod_security();
    let mut tally = Tally::default();
    for Asked { index, cluster, review } in asked {
        let upstream: Upstream = answers.next();
        tally.count(&upstream);
        let ours = match &cluster.desk {
            Err(faults) => json!({ "refused": faults }),
            Ok(desk) => {
                let answer = desk.answer(&review, &mut Random::of(seed, index));
                metrics.pod_security(&answer.decision);
                let body: Json = serde_json::from_slice(&answer.body).unwrap();
                json!({ "response": facts(&body["response"]), "metrics": desk::counted(&answer.decision) })
            }
        };
        let expected = upstream.expected(&ours, &format!("{seed}-{index}"));
        if ours != expected {
            tally.different += 1;
            // Of one cluster the first is enough.
            if tally.shown.len() < SHOWN as usize && tally.shown.insert(index / OF_ONE_CLUSTER) {
                let configuration = &cluster.configuration;
                eprintln!(
                    "--- seed {seed}, review {index}\n{configuration}\n{review}\nours:     {ours}\nupstream: {expected}"
                );
            }
        }
    }
    let total: Total = answers.next();
    if tally.different == 0 {
        assert_eq!(counted(&metrics.render().unwrap()), counted(&total.counted));
    }
    tally
}

impl Upstream {
    /// What we have to say to be equal.
    fn expected(&self, ours: &Json, uid: &str) -> Json {
        if self.config_error.is_some() {
            // In our own words.
            return json!({ "refused": ours.get("refused").unwrap_or(&Json::Null) });
        }
        if self.panic.is_some() {
            // Upstream closes the connection. It does so of what makes pods alone, whose webhook fails open.
            return json!({ "response": { "uid": uid, "allowed": true }, "metrics": [] });
        }
        let Some(response) = &self.response else { return json!({ "error": self.review_error }) };
        let calls = self.metrics.iter().map(|call| {
            let mut call = call.clone();
            let of_pods = call["resource"] == "pods";
            call["resource"] = if of_pods { "pod" } else { "controller" }.into();
            for key in ["operation", "subresource"] {
                call.as_object_mut().unwrap().remove(key);
            }
            call
        });
        json!({ "response": facts(response), "metrics": calls.collect::<Json>() })
    }
}

/// A response, without the words of a decoder.
fn facts(response: &Json) -> Json {
    let mut response = response.clone();
    let annotation =
        response.get_mut("auditAnnotations").and_then(|annotations| annotations.get_mut("error"));
    if let Some(Json::String(error)) = annotation
        && error.starts_with("failed to decode")
        && let Some(end) = error.find(": ")
    {
        error.truncate(end + 1);
    }
    response
}

impl Tally {
    /// Counts what an answer consists of.
    fn count(&mut self, upstream: &Upstream) {
        self.compared += 1;
        let mut add = |way: String| *self.said.entry(way).or_default() += 1;
        if upstream.config_error.is_some() {
            add("configuration refused".into());
        }
        if upstream.panic.is_some() {
            add("panicked".into());
        }
        for call in &upstream.metrics {
            add(call["counter"].as_str().unwrap().to_owned());
        }
        let Some(response) = &upstream.response else { return };
        add(response["status"]["code"].as_u64().map_or("allowed".into(), |code| format!("code {code}")));
        for (key, value) in response["auditAnnotations"].as_object().into_iter().flatten() {
            add(format!("annotation {key}"));
            let of_what =
                ["failed to decode", "failed to extract", "failed to lookup", "Failed to parse policy"];
            let value = value.as_str().unwrap();
            of_what.into_iter().filter(|what| value.contains(what)).for_each(|what| add(what.to_owned()));
        }
        for warning in response["warnings"].as_array().into_iter().flatten().filter_map(Json::as_str) {
            let of_what = [
                "would violate",
                "existing pods",
                "is exempt",
                "other pod",
                "only checked",
                "failed to list",
            ];
            of_what
                .into_iter()
                .filter(|what| warning.contains(what))
                .for_each(|what| add(format!("warning {what}")));
        }
    }

    /// Fails if the generator has become so narrow that a run would prove little.
    fn assert_telling(&self) {
        let Self { compared, said, .. } = self;
        let count = |way: &str| said.get(way).copied().unwrap_or_default();
        for way in WAYS {
            assert!(count(way) * 500 > *compared, "{way}: only {} of {compared}: {said:#?}", count(way));
        }
        for way in RARE_WAYS {
            assert!(count(way) > 0, "{way}: never in {compared}: {said:#?}");
        }
    }
}
