//! Allocations of the hot path, counted: a binary of its own, as the counter is the allocator of the whole process.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "allocations/controls.rs"]
mod controls;
#[path = "allocations/server.rs"]
mod server;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::collections::BTreeMap;
use std::hint::black_box;

use podgate::admission::{Outcome, Reviewer, Webhook};
use podgate::controls::Standard;
use podgate::evaluate::{Context, by_standard, evaluate};
use podgate::json::Reader;
use podgate::pod::Pod;
use podgate::policy::{Answers, BUILT_IN, Policies, Snapshot, read_file};

const ONE: &[u8] = include_bytes!("../benches/payloads/one-container.json");
const SIXTEEN: &[u8] = include_bytes!("../benches/payloads/sixteen-containers.json");

/// The system's allocator, which counts what each thread asks of it.
struct Counting;

thread_local! {
    static CALLS: Cell<usize> = const { Cell::new(0) };
}

fn count() {
    // A thread that ends has no counter any more, and nothing that is counted.
    let _ = CALLS.try_with(|calls| calls.set(calls.get() + 1));
}

#[expect(
    unsafe_code,
    reason = "there is no other way to be an allocator; every call goes to the system's as it came"
)]
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count();
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count();
        unsafe { System.realloc(pointer, layout, size) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// How many allocations and reallocations `work` makes, and what it returns.
fn counted<T>(work: impl FnOnce() -> T) -> (usize, T) {
    let before = CALLS.get();
    let result = black_box(work());
    (CALLS.get() - before, result)
}

/// A reviewer by the built-in policy, which knows the namespace of the payloads.
fn reviewer() -> Reviewer {
    crowded(0, 0)
}

/// As [`reviewer`], with so many more policies, which match no namespace, and so many more namespaces.
fn crowded(policy_count: usize, namespace_count: usize) -> Reviewer {
    let mut policies = Policies::new(vec!["podgate-system".into()]);
    read_file("built in", BUILT_IN, &mut policies);
    for index in 0..policy_count {
        let other = BUILT_IN
            .replace("name: ml-restricted", &format!("name: other-{index}"))
            .replace("policy: ml-restricted", &format!("policy: other-{index}"));
        read_file("other", &other, &mut policies);
    }
    let mut namespaces = Snapshot::default();
    let labels = BTreeMap::from([("podgate.dev/policy".to_owned(), "ml-restricted".to_owned())]);
    for index in 0..namespace_count {
        namespaces.insert(&format!("n{index}"), labels.clone());
    }
    namespaces.insert("ml-team-a", labels);
    Reviewer::new(policies.finish().unwrap(), namespaces)
}

fn of_review(webhook: Webhook, body: &[u8]) -> usize {
    of_review_by(&reviewer(), webhook, body)
}

fn of_review_by(reviewer: &Reviewer, webhook: Webhook, body: &[u8]) -> usize {
    // What is made once, at the first review.
    drop(reviewer.review(webhook, body, &Answers::default()));
    let (count, answer) = counted(|| reviewer.review(webhook, body, &Answers::default()).unwrap());
    assert_eq!(answer.answer().unwrap().decision.outcome, Outcome::Allowed);
    count
}

#[test]
fn the_counter_counts() {
    assert_eq!(counted(|| ()).0, 0);
    assert_eq!(counted(|| Box::new(7)).0, 1);
    assert_eq!(counted(|| vec![0u8; 100]).0, 1);
    let (count, _) = counted(|| {
        let mut grown = Vec::with_capacity(1);
        grown.extend([1, 2, 3]);
        grown
    });
    assert_eq!(count, 2);
}

/// A pod that was read and passes is judged without one.
#[test]
fn judging_allocates_nothing() {
    for standard in
        ["privileged", "baseline:latest", "baseline:v1.0", "restricted:latest", "restricted:v1.20"]
    {
        let standard: Standard = standard.parse().unwrap();
        for review in [ONE, SIXTEEN] {
            let review: serde_json::Value = serde_json::from_slice(review).unwrap();
            let object = review["request"]["object"].to_string();
            let pod = Pod::read(&mut Reader::over(&object)).unwrap();
            let (count, findings) = counted(|| by_standard(&standard, &pod));
            assert!(findings.is_empty(), "{}", standard.text());
            assert_eq!(count, 0, "{}", standard.text());
        }
    }
}

/// Nor by controls that look into what is kept as text.
#[test]
fn controls_of_placement_allocate_nothing() {
    const POLICY: &str = r#"
apiVersion: podgate.dev/v1alpha1
kind: SecurityPolicy
metadata: {name: placement}
spec:
  match: {namespaces: [a]}
  controls:
    nodeName: {}
    nodeSelectors: {reserved: ["node-role.kubernetes.io/*"]}
    priorityClasses: {allowed: ["research-*"], forbidden: ["*-top"]}
    requiredLabels: {labels: [{key: team, values: ["team-*"]}]}
    reservedAnnotations: {keys: ["hami.io/*"], writers: [somebody]}
    reservedLabels: {keys: ["kai.scheduler/*"]}
    runtimeClasses: {allowed: [gvisor], default: gvisor}
    schedulers: {allowed: [default-scheduler]}
    tolerations: {allowed: [{key: nvidia.com/gpu}], reserved: [{key: pool, effect: NoExecute}]}
"#;
    const POD: &str = r#"{"metadata":{"labels":{"team":"team-a"},"annotations":{"example.com/a":"b \u0041"}},"spec":{
        "nodeSelector":{"arch":"amd64"},"priorityClassName":"research-low","runtimeClassName":"gvisor",
        "affinity":{"nodeAffinity":{"requiredDuringSchedulingIgnoredDuringExecution":{"nodeSelectorTerms":[
            {"matchExpressions":[{"key":"gpu","operator":"In","values":["a100"]}]}]}}},
        "tolerations":[{"key":"nvidia.com/gpu","operator":"Exists","effect":"NoSchedule"},
            {"key":"node.kubernetes.io/not-ready","operator":"Exists","effect":"NoExecute","tolerationSeconds":300}],
        "containers":[{"name":"c","image":"i"}]}}"#;
    let mut policies = Policies::new(vec![]);
    read_file("placement", POLICY, &mut policies);
    let policies = policies.finish().unwrap();
    let pod = Pod::read(&mut Reader::over(POD)).unwrap();
    let (count, verdict) = counted(|| evaluate(policies.security.iter(), &pod, Context::CREATE));
    assert!(verdict.violations.is_empty(), "{:?}", verdict.violations);
    assert_eq!(count, 0);
}

/// From the bytes of a review to those of its answer: the reader's stack of keys, the object, its labels, its
/// volumes and its containers, and the buffer of the answer. None for a container but the list of them all.
#[test]
fn a_review_that_passes_allocates_for_its_lists_alone() {
    for webhook in [Webhook::Validate, Webhook::Mutate] {
        assert_eq!((of_review(webhook, ONE), of_review(webhook, SIXTEEN)), (6, 6), "{webhook:?}");
    }
}

/// How many policies and namespaces there are makes no difference.
#[test]
fn a_review_among_many_policies_allocates_no_more() {
    for (policy_count, namespace_count) in [(1, 10), (100, 10), (1, 1000), (100, 1000)] {
        let reviewer = crowded(policy_count, namespace_count);
        for webhook in [Webhook::Validate, Webhook::Mutate] {
            assert_eq!(
                of_review_by(&reviewer, webhook, ONE),
                6,
                "{webhook:?} {policy_count} {namespace_count}"
            );
        }
    }
}

/// A review that is let through unjudged.
#[test]
fn a_review_of_a_deletion_allocates_little() {
    let review = br#"{"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1","request":{"uid":"d","resource":{"group":"","version":"v1","resource":"pods"},"namespace":"ml-team-a","operation":"DELETE","object":null,"oldObject":{"metadata":{"labels":{"a":"b"}},"spec":{"containers":[{},{},{},{}]}}}}"#;
    for webhook in [Webhook::Validate, Webhook::Mutate] {
        let count = of_review(webhook, review);
        assert!(count <= 5, "{webhook:?}: {count}");
    }
}
