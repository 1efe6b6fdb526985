//! `null` anywhere in a pod: what `/mutate` gives it applies to the very object that was sent, and does what it promises.

use podgate::admission::{Reviewer, Webhook};
use proptest::prelude::*;
use serde_json::{Value as Json, json};

use crate::pods::mendable_pod;
use crate::reviews::{MADE_IN, apply, built_in, gate, labelled, response};

const IDENTITY: &str = "apiVersion: podgate.dev/v1alpha1\nkind: IdentityPolicy\nmetadata: {name: trainers}\nspec:\n  match:\n    namespaceSelector:\n      matchLabels: {podgate.dev/policy: ml-restricted}\n  identity: {provider: azure, serviceAccountName: trainer-wi}\n";

/// The pod as it is mutated, and whether it is let pass then.
fn mutated(reviewer: &Reviewer, pod: &Json) -> (Json, Json) {
    let mut after = pod.clone();
    apply(&pod.to_string(), &response(reviewer, Webhook::Mutate, pod), &mut after);
    let again = response(reviewer, Webhook::Mutate, &after);
    assert_eq!(again.get("patch"), None, "a second run gives no patch: {after}");
    let verdict = response(reviewer, Webhook::Validate, &after);
    (after, verdict)
}

#[test]
fn a_patch_reaches_into_what_is_null() {
    let reviewer = gate(&[MADE_IN]);
    for containers in [
        json!([null]),
        json!([null, { "name": "a" }, null]),
        json!([{ "securityContext": null }]),
        json!([{ "securityContext": { "capabilities": null, "seccompProfile": null } }]),
        json!([{ "securityContext": { "capabilities": { "drop": null, "add": null } } }]),
    ] {
        for list in ["containers", "initContainers"] {
            let pod = json!({ "metadata": null, "spec": { "securityContext": null, "volumes": null, list: containers } });
            let (after, verdict) = mutated(&reviewer, &pod);
            assert_eq!(verdict["allowed"], true, "{pod} became {after}: {verdict}");
        }
    }
}

#[test]
fn an_identity_reaches_into_what_is_null() {
    let reviewer = Reviewer::new(built_in(&[IDENTITY]), labelled(&[MADE_IN]));
    for pod in [
        json!({ "metadata": null, "spec": null }),
        json!({ "metadata": { "labels": null, "annotations": null }, "spec": { "serviceAccountName": null, "serviceAccount": null } }),
        json!({ "spec": { "containers": [null] } }),
        json!({}),
    ] {
        let (after, _) = mutated(&reviewer, &pod);
        assert_eq!(after["spec"]["serviceAccountName"], "trainer-wi", "{pod}");
        assert_eq!(after["metadata"]["labels"]["azure.workload.identity/use"], "true", "{pod}");
    }
}

/// Every place of a value, as a JSON pointer.
fn places(value: &Json, at: &str, all: &mut Vec<String>) {
    match value {
        Json::Object(members) => {
            for (key, member) in members {
                let place = format!("{at}/{}", key.replace('~', "~0").replace('/', "~1"));
                places(member, &place, all);
                all.push(place);
            }
        }
        Json::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                places(item, &format!("{at}/{index}"), all);
                all.push(format!("{at}/{index}"));
            }
        }
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) => {}
    }
}

proptest! {
    /// A pod that is mended by itself, with nulls put anywhere: its patch applies, and of what was to be filled in nothing is
    /// left.
    #[test]
    fn nulls_anywhere(mut pod in mendable_pod(), picks in prop::collection::vec(any::<prop::sample::Index>(), 1..5), with_identity in any::<bool>()) {
        for pick in picks {
            let mut all = Vec::new();
            places(&pod, "", &mut all);
            if all.is_empty() {
                break;
            }
            let place: &String = pick.get(&all);
            *pod.pointer_mut(place).expect("a place") = Json::Null;
        }
        let reviewer = if with_identity {
            Reviewer::new(built_in(&[IDENTITY]), labelled(&[MADE_IN]))
        } else {
            gate(&[MADE_IN])
        };
        let (after, verdict) = mutated(&reviewer, &pod);
        let message = verdict["status"]["message"].as_str().unwrap_or_default();
        prop_assert!(!message.contains("its mutating webhook has not seen"), "{pod} became {after}: {message}");
        // Unless it waits for something that only the author can change.
        let waits = message.contains("securityContext.privileged") || message.contains("SYS_ADMIN");
        prop_assert!(waits || !message.contains("filled in for you"), "{pod} became {after}: {message}");
    }
}
