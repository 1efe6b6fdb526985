//! Objects of the kinds of others: a tree is made of them, which takes many times their JSON. A small one stays within the
//! bounds of all reviews; larger ones, and those whose pods have much in common, have a bound of their own.

use podgate::admission::{Reviewer, Webhook};
use podgate::policy::{BUILT_IN, Policies, Snapshot, read_file};
use serde_json::{Value as Json, json};

use crate::judges::{Judge, Kind, NAMESPACE};
use crate::{LEAST, LONGEST, LONGEST_ANSWER, MOST_TIMES, Measured, measure};

/// What a large one may take at most.
const MOST_OF_LARGE: usize = 12 << 20;

fn judge() -> Judge {
    let mut policies = Policies::new(vec!["podgate-system".into()]);
    let policy = BUILT_IN.replace("  mode: Enforce\n", "  mode: Enforce\n  templates: Enforce\n");
    read_file("a policy", &policy, &mut policies);
    let mut snapshot = Snapshot::default();
    let labels = [("podgate.dev/policy".to_owned(), "ml-restricted".to_owned())];
    snapshot.insert(NAMESPACE, labels.into());
    Judge {
        name: "templates".to_owned(),
        reviewer: Reviewer::new(policies.finish().unwrap(), snapshot),
        webhook: Webhook::Validate,
        kind: Kind::Pod,
        is_gate: true,
    }
}

/// The update of an object to what differs in nothing but a field, so that both are looked into.
fn review(api_version: &str, kind: &str, spec: &Json) -> Vec<u8> {
    let (group, version) = api_version.split_once('/').unwrap();
    let object = |spec: &Json, field: u32| {
        let mut spec = spec.clone();
        spec["other"] = json!(field);
        json!({ "apiVersion": api_version, "kind": kind, "metadata": { "name": "o" }, "spec": spec })
    };
    json!({
        "apiVersion": "admission.k8s.io/v1",
        "kind": "AdmissionReview",
        "request": {
            "uid": "u",
            "kind": { "group": group, "version": version, "kind": kind },
            "resource": { "group": group, "version": version, "resource": "those" },
            "namespace": NAMESPACE,
            "operation": "UPDATE",
            "object": object(spec, 2),
            "oldObject": object(spec, 1),
        },
    })
    .to_string()
    .into_bytes()
}

/// Objects with so much in them, in ways of which little text becomes much.
fn objects(count: usize) -> Vec<(&'static str, Vec<u8>)> {
    let many = |count: usize, of: &dyn Fn(usize) -> Json| (0..count).map(of).collect::<Vec<Json>>();
    let bad = json!({ "spec": { "hostIPC": true, "containers": [{ "image": "i" }] } });
    let head = json!({ "template": bad });
    let of_workflow = |volumes: usize, templates: usize| {
        json!({
            "templateDefaults": { "volumes": many(volumes, &|index| json!({ "name": index.to_string() })), "hostNetwork": true },
            "templates": many(templates, &|index| json!({ "name": index.to_string(), "container": {} })),
        })
    };
    let steps = json!({
        "stepTemplate": { "securityContext": { "privileged": true }, "env": vec![0; count / 2] },
        "steps": many(count / 8, &|_| json!({})),
    });
    vec![
        (
            "numbers",
            review(
                "ray.io/v1",
                "RayJob",
                &json!({ "rayClusterSpec": { "headGroupSpec": head, "x": vec![0; count] } }),
            ),
        ),
        (
            "templates",
            review(
                "ray.io/v1",
                "RayJob",
                &json!({ "rayClusterSpec": { "headGroupSpec": head, "workerGroupSpecs": vec![&head; count / 8] } }),
            ),
        ),
        ("workflow", review("argoproj.io/v1alpha1", "Workflow", &of_workflow(count / 4, count / 8))),
        (
            "patches",
            review(
                "argoproj.io/v1alpha1",
                "Workflow",
                &json!({ "podSpecPatch": "- \n".repeat(count / 2), "templates": [{ "name": "t", "container": {} }] }),
            ),
        ),
        ("task", review("tekton.dev/v1", "Task", &steps)),
        (
            "components",
            review(
                "workload.codeflare.dev/v1beta2",
                "AppWrapper",
                &json!({ "components": many(count / 16, &|_| json!({
                "template": { "apiVersion": "v1", "kind": "Pod", "spec": bad["spec"] }
            })) }),
            ),
        ),
    ]
}

fn check(count: usize, most: impl Fn(&str, usize) -> usize) {
    let judge = judge();
    let mut broken = Vec::new();
    for (what, body) in objects(count) {
        let Measured { peak, took, answer } = measure(&judge, &body);
        let figures = format!(
            "{what} of {count}: {} bytes, peak {peak}, answer {}, {took:?}",
            body.len(),
            answer.len()
        );
        if std::env::var_os("PODGATE_MEMORY_SHOW").is_some() {
            eprintln!("{figures}");
        }
        if peak > most(what, body.len())
            || took > LONGEST
            || answer.is_empty()
            || answer.len() > LONGEST_ANSWER
        {
            broken.push(figures);
        }
    }
    crate::assert_none(&broken);
}

/// An object with pods that have much in common counts as a large one.
#[test]
fn small_objects_stay_within_the_bounds_of_all_reviews() {
    for count in [64, 250, 900] {
        check(count, |what, length| {
            let has_much_in_common = ["workflow", "task"].contains(&what);
            if has_much_in_common { MOST_OF_LARGE } else { (MOST_TIMES * length).max(LEAST) }
        });
    }
}

#[test]
fn large_objects_stay_within_a_bound_of_their_own() {
    for count in [2_000, 7_000, 15_000, 60_000] {
        check(count, |_, length| MOST_OF_LARGE + MOST_TIMES * length);
    }
}
