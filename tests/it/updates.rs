//! Updates of existing pods: judged by what they add or change, for controls beyond the standard.

use podgate::admission::Outcome;
use serde_json::{Value as Json, json};

use crate::control_modes::{create, pod, reviewer, said, update};

/// What comes of changing a pod, with the white space of the text made single.
fn changed(spec: &str, old: &Json, requester: &str, change: impl FnOnce(&mut Json)) -> (Outcome, String) {
    let mut new = old.clone();
    change(&mut new);
    let mut review = update(old, &new);
    review["request"]["userInfo"] = json!({ "username": requester });
    let (outcome, text) = said(&reviewer(spec), &review);
    (outcome, text.split_whitespace().collect::<Vec<_>>().join(" "))
}

fn allowed() -> (Outcome, String) {
    (Outcome::Allowed, String::new())
}

const RESERVED: &str = "controls: {reservedLabels: {keys: [\"kai.scheduler/*\"], writers: [scheduler]}, \
                        reservedAnnotations: {keys: [\"hami.io/*\"]}, requiredLabels: {labels: [{key: team}, {key: tier}]}}";

/// A pod that violates all three controls.
fn violating() -> Json {
    pod(|pod| {
        pod["metadata"]["labels"] = json!({ "kai.scheduler/queue": "a", "team": "t" });
        pod["metadata"]["annotations"] = json!({ "hami.io/gpu": "secret-1", "free": "b" });
    })
}

#[test]
fn old_violations_of_metadata_are_left_alone() {
    let old = violating();
    let (outcome, text) = said(&reviewer(RESERVED), &create(&old));
    assert!(outcome == Outcome::Denied && text.contains("3 changes"), "{text}");
    let changes: [fn(&mut Json); 4] = [
        |pod| pod["metadata"]["labels"]["free"] = "x".into(),
        |pod| pod["metadata"]["annotations"]["free"] = "x".into(),
        |pod| pod["metadata"]["finalizers"] = json!(["a/b"]),
        |pod| pod["metadata"]["labels"]["tier"] = "x".into(),
    ];
    for change in changes {
        assert_eq!(changed(RESERVED, &old, "someone", change), allowed());
    }
}

#[test]
fn what_is_done_to_reserved_keys_is_told() {
    let old = violating();
    type Change = fn(&mut Json);
    let changes: [(Change, &str); 6] = [
        (
            |pod| pod["metadata"]["labels"]["kai.scheduler/queue"] = "b".into(),
            "metadata.labels[kai.scheduler/queue] is b -> use the value that it had",
        ),
        (
            |pod| drop(pod["metadata"]["labels"].as_object_mut().unwrap().remove("kai.scheduler/queue")),
            "metadata.labels[kai.scheduler/queue] not set -> use the value that it had",
        ),
        (
            |pod| pod["metadata"]["labels"]["kai.scheduler/x"] = "b".into(),
            "metadata.labels[kai.scheduler/x] is b -> remove it",
        ),
        (
            |pod| pod["metadata"]["annotations"]["hami.io/gpu"] = "secret-2".into(),
            "metadata.annotations[hami.io/gpu] is set (value not shown) -> use the value that it had",
        ),
        (
            |pod| drop(pod["metadata"].as_object_mut().unwrap().remove("annotations")),
            "metadata.annotations[hami.io/gpu] not set -> use the value that it had",
        ),
        (
            |pod| drop(pod["metadata"]["labels"].as_object_mut().unwrap().remove("team")),
            "metadata.labels.team not set -> use a value of your own",
        ),
    ];
    for (change, expected) in changes {
        let (outcome, text) = changed(RESERVED, &old, "someone", change);
        assert_eq!(outcome, Outcome::Denied, "{expected}");
        assert!(text.contains("1 change needed") && text.contains(expected), "{text}");
        assert!(!text.contains("recreate") && !text.contains("secret"), "{text}");
    }
    let by_writer = changed(RESERVED, &old, "scheduler", |pod| {
        pod["metadata"]["labels"]["kai.scheduler/queue"] = "b".into();
    });
    assert_eq!(by_writer, allowed());
}

#[test]
fn a_toleration_that_is_added_is_judged() {
    const SPEC: &str = "controls: {tolerations: {reserved: [{key: pool}]}}";
    let old = pod(|pod| pod["spec"]["tolerations"] = json!([{ "key": "pool", "operator": "Exists" }]));
    let add = |toleration: Json| {
        changed(SPEC, &old, "someone", |pod| {
            pod["spec"]["tolerations"].as_array_mut().unwrap().push(toleration)
        })
    };
    assert_eq!(add(json!({ "key": "spot", "operator": "Exists" })), allowed());
    for toleration in [json!({ "operator": "Exists" }), json!({ "key": "pool", "effect": "NoExecute" })] {
        let (outcome, text) = add(toleration);
        assert_eq!(outcome, Outcome::Denied);
        assert!(text.contains("1 change needed") && text.contains("-> remove it"), "{text}");
        assert!(!text.contains("recreate"), "{text}");
    }
}

/// The pod is held back, and may still be bound to other nodes.
#[test]
fn a_node_selector_that_is_narrowed_is_judged() {
    const SPEC: &str = "controls: {nodeSelectors: {reserved: [pool]}}";
    let term = |value: &str| json!({ "key": "pool", "operator": "In", "values": [value] });
    let affinity = |terms: &[Json]| {
        json!({ "nodeAffinity": { "requiredDuringSchedulingIgnoredDuringExecution": {
            "nodeSelectorTerms": [{ "matchExpressions": terms }] } } })
    };
    let old = pod(|pod| {
        pod["spec"]["nodeSelector"] = json!({ "pool": "a" });
        pod["spec"]["affinity"] = affinity(&[term("a")]);
    });
    let same = changed(SPEC, &old, "someone", |pod| pod["spec"]["nodeSelector"]["arch"] = "arm64".into());
    assert_eq!(same, allowed());
    let changes: [&dyn Fn(&mut Json); 3] = [
        &|pod| pod["spec"]["nodeSelector"]["pool"] = "b".into(),
        &|pod| pod["spec"]["affinity"] = affinity(&[term("b")]),
        &|pod| pod["spec"]["affinity"] = affinity(&[term("a"), term("a")]),
    ];
    for change in changes {
        let (outcome, text) = changed(SPEC, &old, "someone", change);
        assert!(outcome == Outcome::Denied && text.contains("1 change needed"), "{text}");
    }
}

/// The standard judges the whole pod again, as Kubernetes' own admission does.
#[test]
fn the_standard_is_left_as_upstream_has_it() {
    const SPEC: &str = "standard: {enforce: baseline}, controls: {readOnlyRootFilesystem: {}}";
    let old = pod(|pod| pod["spec"]["hostPID"] = true.into());
    let (outcome, text) = changed(SPEC, &old, "someone", |pod| {
        pod["spec"]["containers"][0]["image"] = "j".into();
    });
    assert!(outcome == Outcome::Denied && text.contains("spec.hostPID"), "{text}");
    assert!(text.contains("1 change needed") && text.contains("recreate the pod"), "{text}");
}
