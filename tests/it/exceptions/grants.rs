//! An exception that RBAC grants holds for the service accounts that may use it, and RBAC is asked only where that matters.

use podgate::admission::{Reviewer, Webhook};
use podgate::policy::{Lookup, LookupAnswer, LookupError};
use serde_json::{Value as Json, json};

use super::{LAST_DAY, adding, answer_with, nobody, pod, policy, policy_with, review, review_of, reviewer};
use crate::reviews::well_formed;

const GRANTED: &str = "{controls: [capabilities_restricted], values: [IPC_LOCK], grantedBy: rbac}";

/// The response, and what was asked.
fn judged(
    reviewer: &Reviewer,
    (webhook, day): (Webhook, &str),
    pod: &Json,
    told: &Result<LookupAnswer, LookupError>,
) -> (Json, Vec<Lookup>) {
    let (body, mut asked) = (review(pod), Vec::new());
    let answer = answer_with(reviewer, (webhook, day), &body, |lookup| {
        asked.push(lookup.clone());
        told.clone()
    });
    (well_formed("grants", webhook, "u", &answer.body), asked)
}

#[test]
fn the_pods_own_service_account_must_hold_the_right() {
    let reviewer = reviewer(&policy(&[GRANTED]));
    let mut pod = adding(&["IPC_LOCK"]);
    pod["spec"]["serviceAccountName"] = json!("trainer");
    let question =
        Lookup::Grants { namespace: "team".into(), name: "trainer".into(), exceptions: vec!["e0".into()] };
    for (told, expected) in [
        (Ok(LookupAnswer::Grants(vec!["e0".into()])), None),
        (
            Ok(LookupAnswer::Grants(Vec::new())),
            Some(
                "the exception e0 would allow some of it if the service account trainer had the verb use on \
                 securityexceptions.podgate.dev/e0 in the namespace team: whoever manages Roles there can grant it, or ask ask-me",
            ),
        ),
        (
            Err(LookupError::MayNotAsk),
            Some(
                "could not be told (podgate may not ask: whoever administers the cluster can grant it to create subjectaccessreviews)",
            ),
        ),
        (
            Err(LookupError::TimedOut),
            Some("could not be told (the API server did not answer in time): try again, or ask ask-me"),
        ),
        (Err(LookupError::Failed), Some("could not be told (the API server could not tell)")),
        (Ok(LookupAnswer::Bound(None)), Some("could not be told (the API server could not tell)")),
    ] {
        let (response, asked) = judged(&reviewer, (Webhook::Validate, "2026-12-01"), &pod, &told);
        assert_eq!(asked, std::slice::from_ref(&question), "{told:?}");
        let text = response["status"]["message"].as_str().unwrap_or_default();
        let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
        assert_eq!(response["allowed"] == true, expected.is_none(), "{told:?} {text}");
        assert!(text.contains(expected.unwrap_or_default()), "{told:?} {text}");
    }
}

#[test]
fn nobody_is_asked_for_a_pod_that_needs_no_exception_or_that_none_would_help() {
    let reviewer = reviewer(&policy(&[GRANTED]));
    let told = Ok(LookupAnswer::Grants(vec!["e0".into()]));
    for (day, pod) in [
        (LAST_DAY, adding(&[])),
        (LAST_DAY, adding(&["SYS_ADMIN"])),
        ("2027-04-01", adding(&["IPC_LOCK"])),
        (LAST_DAY, pod(json!({"hostPID": true}), json!({}))),
    ] {
        let (_, asked) = judged(&reviewer, (Webhook::Validate, day), &pod, &told);
        assert_eq!(asked, [], "{day} {pod}");
    }
}

/// Both webhooks go by the same right.
#[test]
fn what_is_granted_is_not_filled_in_either() {
    let granted = "{controls: [runAsNonRoot], grantedBy: rbac}";
    let reviewer = reviewer(&policy(&[granted]));
    let silent = pod(json!({}), json!({"securityContext": {"runAsNonRoot": null}}));
    for (granted, expected) in [(vec!["e0".into()], None), (Vec::new(), Some(true))] {
        let told = Ok(LookupAnswer::Grants(granted));
        let (response, asked) = judged(&reviewer, (Webhook::Mutate, LAST_DAY), &silent, &told);
        let mut made = silent.clone();
        crate::reviews::apply("grants", &response, &mut made);
        let filled = made["spec"]["containers"][0]["securityContext"]["runAsNonRoot"].as_bool();
        assert_eq!((filled, asked.len()), (expected, 1));
    }
}

/// Nobody is asked about the pods of a custom resource, which may be of several accounts: they are judged when they are made, and
/// until then what RBAC may grant refuses nothing.
#[test]
fn a_custom_resource_is_not_refused_for_what_rbac_may_grant_its_pods() {
    let reviewer = reviewer(&policy_with("  templates: Enforce\n", &[GRANTED]));
    for (capability, expected) in [("IPC_LOCK", true), ("SYS_ADMIN", false)] {
        let pod = adding(&[capability]);
        let job = json!({"apiVersion": "kubeflow.org/v1", "kind": "PyTorchJob", "metadata": {"name": "p", "namespace": "team"},
            "spec": {"pytorchReplicaSpecs": {"Worker": {"replicas": 1, "template": {"spec": pod["spec"]}}}}});
        let body = review_of(("kubeflow.org", "v1", "PyTorchJob", "pytorchjobs"), &job);
        let answer = answer_with(&reviewer, (Webhook::Validate, LAST_DAY), &body, nobody);
        let response = well_formed("grants", Webhook::Validate, "u", &answer.body);
        assert_eq!((&response["allowed"], response.get("warnings")), (&json!(expected), None), "{response}");
        let text = response["status"]["message"].as_str().unwrap_or_default();
        assert_eq!(text.contains("SYS_ADMIN"), !expected, "{text}");
    }
}
