//! The hot path in one process: the evaluator alone, and from the bytes of a review to the bytes of its
//! answer, beside the reading alone by `serde_json` and `k8s_openapi`.
//!
//! Run with `cargo bench --bench review`. Times are of this machine; quote ratios of one run.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a bench that cannot run may say so by panicking"
)]

use std::collections::BTreeMap;
use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use k8s_openapi::api::core::v1::Pod as ApiPod;
use podgate::admission::{LookedUp, Reviewer, Webhook};
use podgate::controls::Standard;
use podgate::evaluate::by_standard;
use podgate::json::Reader;
use podgate::pod::Pod;
use podgate::policy::{BUILT_IN, Policies, Snapshot, read_file};

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

fn answer(reviewer: &Reviewer, webhook: Webhook, review: &[u8]) -> Vec<u8> {
    let reply = reviewer.review(webhook, review, &LookedUp::default()).expect("a uid");
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
    let reviewer = reviewer();
    for (name, review) in PAYLOADS {
        let mut group = criterion.benchmark_group(name);
        group.throughput(Throughput::Bytes(review.len() as u64));
        for (webhook, what) in [(Webhook::Validate, "validate"), (Webhook::Mutate, "mutate")] {
            group.bench_function(what, |bencher| {
                bencher.iter(|| answer(&reviewer, webhook, black_box(review)));
            });
        }
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

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(40).measurement_time(std::time::Duration::from_secs(2)).warm_up_time(std::time::Duration::from_secs(1)).without_plots();
    targets = evaluator, bytes_to_answer
}
criterion_main!(benches);
