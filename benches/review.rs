//! The hot path in one process: the evaluator alone, and from the bytes of a review to the bytes of its
//! answer, beside the reading alone by `serde_json` and `k8s_openapi`.
//!
//! Run with `cargo bench --bench review`. Times are of this machine; quote ratios of one run.
//!
//! With `PODGATE_BENCH_REPEAT=N` it does one thing N times and ends, for a tool that counts instructions: what
//! an N costs less what a smaller one does is the cost of the difference. `PODGATE_BENCH_OF` names the thing,
//! as `validate 0` (the first payload): [`repeat`] has the list.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    reason = "a bench that cannot run may say so by panicking"
)]

use std::collections::BTreeMap;
use std::env;
use std::hint::black_box;
use std::time::Instant;

use criterion::{Criterion, Throughput, criterion_group};
use k8s_openapi::api::core::v1::Pod as ApiPod;
use podgate::admission::{Reviewer, Webhook};
use podgate::controls::Standard;
use podgate::evaluate::by_standard;
use podgate::json::Reader;
use podgate::pod::Pod;
use podgate::policy::{Answers, BUILT_IN, Policies, Snapshot, read_file};

const PAYLOADS: [(&str, &[u8]); 3] = [
    ("one container", include_bytes!("payloads/one-container.json")),
    ("sixteen containers", include_bytes!("payloads/sixteen-containers.json")),
    ("denied", include_bytes!("payloads/denied.json")),
];

/// A reviewer by the built-in policy, which knows the namespace of the payloads.
fn reviewer() -> Reviewer {
    let mut policies = Policies::new(vec!["podgate-system".into()]);
    read_file("built in", BUILT_IN, &mut policies);
    let mut namespaces = Snapshot::default();
    let labels = BTreeMap::from([("podgate.dev/policy".to_owned(), "ml-restricted".to_owned())]);
    namespaces.insert("ml-team-a", labels);
    Reviewer::new(policies.finish().expect("the built-in policy is sound"), namespaces)
}

/// As [`reviewer`], among a thousand policies that match no namespace, in a cluster of ten thousand namespaces.
fn crowded() -> Reviewer {
    let mut policies = Policies::new(vec!["podgate-system".into()]);
    read_file("built in", BUILT_IN, &mut policies);
    for index in 0..1000 {
        let other = BUILT_IN
            .replace("name: ml-restricted", &format!("name: other-{index}"))
            .replace("policy: ml-restricted", &format!("policy: other-{index}"));
        read_file("other", &other, &mut policies);
    }
    let mut namespaces = Snapshot::default();
    let labels = || BTreeMap::from([("podgate.dev/policy".to_owned(), "ml-restricted".to_owned())]);
    namespaces.insert("ml-team-a", labels());
    (0..10_000).for_each(|index| namespaces.insert(&format!("namespace-{index}"), labels()));
    Reviewer::new(policies.finish().expect("the policies are sound"), namespaces)
}

fn answer(reviewer: &Reviewer, webhook: Webhook, review: &[u8]) -> Vec<u8> {
    let reply = reviewer.review(webhook, review, &Answers::default()).expect("a uid");
    reply.answer().expect("nothing to look up").body
}

fn object(review: &[u8]) -> Vec<u8> {
    let review: serde_json::Value = serde_json::from_slice(review).expect("a review");
    serde_json::to_vec(&review["request"]["object"]).expect("an object")
}

fn evaluator(criterion: &mut Criterion) {
    let standard: Standard = "restricted:latest".parse().expect("a standard");
    let mut group = criterion.benchmark_group("evaluate, restricted, pod already read");
    for (name, review) in PAYLOADS {
        let object = object(review);
        let pod = Pod::read(&mut Reader::new(&object).expect("UTF-8")).expect("a pod");
        group.bench_function(name, |bencher| bencher.iter(|| by_standard(&standard, black_box(&pod))));
    }
}

fn bytes_to_answer(criterion: &mut Criterion) {
    let (reviewer, crowded) = (reviewer(), crowded());
    for (name, review) in PAYLOADS {
        let mut group = criterion.benchmark_group(name);
        group.throughput(Throughput::Bytes(review.len() as u64));
        for (webhook, what) in [(Webhook::Validate, "validate"), (Webhook::Mutate, "mutate")] {
            group.bench_function(what, |bencher| {
                bencher.iter(|| answer(&reviewer, webhook, black_box(review)));
            });
        }
        group.bench_function("validate, 1,000 other policies, 10,000 namespaces", |bencher| {
            bencher.iter(|| answer(&crowded, Webhook::Validate, black_box(review)));
        });
        let object = object(review);
        group.bench_function("pod alone: ours", |bencher| {
            bencher.iter(|| {
                Pod::read(&mut Reader::new(black_box(&object)).expect("UTF-8"))
                    .expect("a pod")
                    .spec
                    .containers
                    .len()
            });
        });
        group.bench_function("pod alone: k8s_openapi", |bencher| {
            bencher.iter(|| serde_json::from_slice::<ApiPod>(black_box(&object)).expect("a pod"));
        });
        group.bench_function("pod alone: serde_json skips all", |bencher| {
            bencher
                .iter(|| serde_json::from_slice::<serde::de::IgnoredAny>(black_box(&object)).expect("JSON"));
        });
    }
}

/// A reviewer as a drop-in for Kubernetes' own admission, where the namespace asks for restricted.
fn drop_in() -> Reviewer {
    let configuration =
        "{apiVersion: pod-security.admission.config.k8s.io/v1, kind: PodSecurityConfiguration}";
    let mut policies = Policies::new(vec!["podgate-system".into()]);
    read_file("drop-in", configuration, &mut policies);
    let mut namespaces = Snapshot::default();
    let labels = BTreeMap::from([("pod-security.kubernetes.io/enforce".to_owned(), "restricted".to_owned())]);
    namespaces.insert("ml-team-a", labels);
    Reviewer::new(policies.finish().expect("the configuration is sound"), namespaces)
}

/// Does one thing again and again.
fn repeat(times: usize, what: &str, review: &[u8]) {
    let object = object(review);
    let again = |mut once: Box<dyn FnMut() + '_>| (0..times).for_each(|_| once());
    let judging =
        |reviewer: Reviewer, webhook| move || drop(black_box(answer(&reviewer, webhook, black_box(review))));
    match what {
        "validate" => again(Box::new(judging(reviewer(), Webhook::Validate))),
        "crowded" => again(Box::new(judging(crowded(), Webhook::Validate))),
        "mutate" => again(Box::new(judging(reviewer(), Webhook::Mutate))),
        "drop-in" => again(Box::new(judging(drop_in(), Webhook::Validate))),
        "skip" => again(Box::new(|| {
            black_box(Reader::new(black_box(review)).expect("UTF-8").skip().expect("JSON"));
        })),
        "evaluate" => {
            let standard: Standard = "restricted:latest".parse().expect("a standard");
            let pod = Pod::read(&mut Reader::new(&object).expect("UTF-8")).expect("a pod");
            again(Box::new(|| drop(black_box(by_standard(&standard, black_box(&pod))))));
        }
        "serde_json" => again(Box::new(|| {
            black_box(serde_json::from_slice::<serde::de::IgnoredAny>(black_box(review)).expect("JSON"));
        })),
        _ => panic!("no such thing: {what}"),
    }
}

fn main() {
    let Some(times) = env::var("PODGATE_BENCH_REPEAT").ok().and_then(|times| times.parse().ok()) else {
        benches();
        return Criterion::default().configure_from_args().final_summary();
    };
    let of = env::var("PODGATE_BENCH_OF").expect("PODGATE_BENCH_OF, as `validate 0`");
    let (what, payload) = of.split_once(' ').expect("a thing and a payload");
    let started = Instant::now();
    repeat(times, what, PAYLOADS[payload.parse::<usize>().expect("a number")].1);
    println!("{of}: {} ns", started.elapsed().as_nanos() / times.max(1) as u128);
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(40).measurement_time(std::time::Duration::from_secs(2)).warm_up_time(std::time::Duration::from_secs(1)).without_plots();
    targets = evaluator, bytes_to_answer
}
