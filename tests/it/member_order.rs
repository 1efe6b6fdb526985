//! A review says the same in whatever order its members come, also where an object comes before what says how to read it.

use podgate::admission::{Reviewer, Webhook};
use podgate::policy::Snapshot;
use serde_json::{Value as Json, json};

use crate::pods::Alone as _;
use crate::policies::policies;
use crate::reviews::gate;

/// Every order of the places up to `count`.
fn orders(count: usize) -> Vec<Vec<usize>> {
    let Some(last) = count.checked_sub(1) else { return vec![Vec::new()] };
    let inserted = |order: &Vec<usize>, at: usize| {
        let mut order = order.clone();
        order.insert(at, last);
        order
    };
    orders(last).iter().flat_map(|order| (0..count).map(move |at| inserted(order, at))).collect()
}

fn drop_in() -> Reviewer {
    let configuration = "apiVersion: pod-security.admission.config.k8s.io/v1\nkind: PodSecurityConfiguration\n\
                         defaults: {enforce: baseline}\n";
    let mut snapshot = Snapshot::default();
    snapshot.insert("team", [].into());
    Reviewer::new(policies(configuration), snapshot)
}

/// A pod that leaves it to its request to say that it is one.
fn pod(image: &str, is_privileged: bool) -> Json {
    json!({
        "metadata": {"name": "p", "namespace": "team"},
        "spec": {"containers": [{"name": "c", "image": image, "securityContext": {"privileged": is_privileged}}]},
    })
}

#[track_caller]
fn allowed_in_every_order(reviewer: &Reviewer, webhook: Webhook, request: &[(&str, Json)], expected: bool) {
    for order in orders(request.len()) {
        let members: Vec<String> =
            order.iter().map(|at| format!("\"{}\":{}", request[*at].0, request[*at].1)).collect();
        let review = format!(
            r#"{{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","request":{{"uid":"u","namespace":"team",{}}}}}"#,
            members.join(",")
        );
        let answer = reviewer.alone(webhook, review.as_bytes()).unwrap();
        let answer: Json = serde_json::from_slice(&answer.body).unwrap();
        assert_eq!(answer["response"]["allowed"], expected, "{webhook:?}: {review}\n{answer}");
        // Refused for what the pod is, and not because it could not be read.
        let code = answer["response"]["status"]["code"].as_u64();
        assert_eq!(code, (!expected).then_some(403), "{webhook:?}: {review}\n{answer}");
    }
}

#[test]
fn members_come_in_any_order() {
    let update = |new: Json, old: Json| {
        vec![
            ("kind", json!({"group": "", "version": "v1", "kind": "Pod"})),
            ("resource", json!({"group": "", "version": "v1", "resource": "pods"})),
            ("operation", json!("UPDATE")),
            ("object", new),
            ("oldObject", old),
        ]
    };
    for reviewer in [gate(&["team"]), drop_in()] {
        let changed = update(pod("b", true), pod("a", true));
        allowed_in_every_order(&reviewer, Webhook::Validate, &changed, false);
        // What nothing of changes that a verdict depends on was admitted once.
        let unchanged = update(pod("a", true), pod("a", true));
        allowed_in_every_order(&reviewer, Webhook::Validate, &unchanged, true);
        allowed_in_every_order(&reviewer, Webhook::Mutate, &changed, true);
    }
}
