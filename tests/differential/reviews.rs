//! Whole reviews in drop-in mode against those of upstream's webhook, over generated clusters.
//!
//! Both sides are programs that read the same configuration, the same objects and the same reviews. One thing is not
//! compared: the words in which upstream's decoder says that an object cannot be read, as they name types of Go.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Instant;

use serde_json::{Value as Json, json};
use tempfile::TempDir;

use crate::programs;
use crate::random::Random;
use crate::world::World;
use crate::{SEED, SHOWN, given};

/// Reviews of a run, as many as take a few seconds.
const REVIEWS: u64 = 10_000;
/// What upstream's webhook has to say.
const WAYS: [&str; 13] = [
    "allowed",
    "code 400",
    "code 403",
    "code 422",
    "code 500",
    "annotation audit-violations",
    "annotation enforce-policy",
    "annotation error",
    "annotation exempt",
    "warning existing pods",
    "warning is exempt",
    "warning other pod",
    "warning would violate",
];
/// Reviews in one cluster: upstream's configuration is read once for all of them.
const OF_ONE_CLUSTER: u64 = 500;

#[test]
fn reviews_in_drop_in_mode_are_upstreams() {
    let Some(oracle) = programs::find("the comparison with upstream's webhook", &["admission-oracle"]) else {
        return;
    };
    let reviews = given("PODGATE_DIFFERENTIAL_REVIEWS").unwrap_or(REVIEWS);
    let seed = given("PODGATE_DIFFERENTIAL_SEED").unwrap_or(SEED);
    let start = Instant::now();
    let (mut compared, mut different) = (0, 0);
    let mut said = BTreeMap::new();
    for cluster in 0..reviews.div_ceil(OF_ONE_CLUSTER) {
        let mut world = World::new(Random::of(seed, cluster));
        let asked: Vec<String> = (0..OF_ONE_CLUSTER)
            .map(|index| world.review(&format!("{cluster}-{index}")).to_string())
            .collect();
        let (ours, upstreams) = answers(&oracle[0], &world, &asked);
        for ((asked, ours), upstream) in asked.iter().zip(&ours).zip(&upstreams) {
            // Upstream breaks the connection off here; there is nothing to be equal to.
            if upstream["error"].as_str().is_some_and(|error| error.starts_with("panic")) {
                continue;
            }
            compared += 1;
            let (ours, upstream) = (facts(ours), facts(upstream));
            count(&upstream, &mut said);
            if ours != upstream {
                different += 1;
                if different <= SHOWN {
                    let configuration = &world.configuration;
                    eprintln!(
                        "--- seed {seed}\n{configuration}\n{asked}\nours:     {ours}\nupstream: {upstream}"
                    );
                }
            }
        }
    }
    let seconds = start.elapsed().as_secs_f64();
    programs::say(&format!(
        "compared with upstream's webhook: {compared} reviews, {different} different, in {seconds:.1} s \
         (seed {seed})"
    ));
    assert_eq!(different, 0, "seed {seed}: see the differences above");
    assert!(compared * 10 > reviews * 9, "only {compared} of {reviews}");
    // Every way to answer is among them, or the run proves little.
    for way in WAYS {
        let count = said.get(way).copied().unwrap_or_default();
        assert!(count * 400 > compared, "{way}: only {count} of {compared}: {said:#?}");
    }
}

/// Counts what an answer consists of.
fn count(answer: &Json, said: &mut BTreeMap<String, u64>) {
    let mut add = |way: String| *said.entry(way).or_default() += 1;
    add(answer["code"].as_u64().map_or("allowed".into(), |code| format!("code {code}")));
    for key in answer["auditAnnotations"].as_object().into_iter().flat_map(|annotations| annotations.keys()) {
        add(format!("annotation {key}"));
    }
    for warning in answer["warnings"].as_array().into_iter().flatten().filter_map(Json::as_str) {
        let of_what = ["would violate", "existing pods", "is exempt", "other pod"];
        of_what
            .into_iter()
            .filter(|what| warning.contains(what))
            .for_each(|what| add(format!("warning {what}")));
    }
}

/// What both programs answer to the same reviews in the same cluster.
fn answers(oracle: &Path, world: &World, reviews: &[String]) -> (Vec<Json>, Vec<Json>) {
    let folder = TempDir::new().unwrap();
    let configuration = folder.path().join("configuration.yaml");
    let objects = folder.path().join("objects.yaml");
    fs::write(&configuration, world.configuration.to_string()).unwrap();
    fs::write(&objects, world.objects.to_string()).unwrap();
    let input = reviews.join("\n") + "\n";
    let mut podgate = Command::new(env!("CARGO_BIN_EXE_podgate"));
    podgate.arg("review").arg("--policy").arg(&configuration).arg("--objects").arg(&objects);
    let mut upstream = Command::new(oracle);
    upstream.args([&configuration, &objects]);
    let (ours, upstreams) = thread::scope(|scope| {
        let upstreams = scope.spawn(|| lines(upstream, &input));
        (lines(podgate, &input), upstreams.join().unwrap())
    });
    assert_eq!((ours.len(), upstreams.len()), (reviews.len(), reviews.len()), "an answer to each review");
    (ours, upstreams)
}

/// The answers of a program, one a line.
fn lines(mut program: Command, input: &str) -> Vec<Json> {
    let mut child = program.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let output = thread::scope(|scope| {
        scope.spawn(move || stdin.write_all(input.as_bytes()).unwrap());
        child.wait_with_output().unwrap()
    });
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// What an API server and its users see of an answer.
fn facts(answer: &Json) -> Json {
    let Json::Object(response) = &answer["response"] else { return answer.clone() };
    let of = |key: &str| response.get(key).cloned().unwrap_or_default();
    let mut annotations = of("auditAnnotations");
    if let Some(Json::String(error)) = annotations.get_mut("error") {
        // Past this the words are the decoder's.
        if error.contains("failed to decode")
            && let Some(at) = error.find("object: ")
        {
            error.truncate(at);
        }
    }
    let status = of("status");
    json!({
        "uid": of("uid"),
        "allowed": of("allowed"),
        "message": status["message"],
        "reason": status["reason"],
        "code": status["code"],
        "details": status["details"],
        "warnings": of("warnings"),
        "auditAnnotations": annotations,
    })
}
