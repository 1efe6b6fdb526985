//! An exception that RBAC grants holds for the service accounts that may use it, and RBAC is asked only where that matters.

use podgate::admission::{Reviewer, Webhook};
use podgate::policy::{Lookup, LookupAnswer, LookupError};
use serde_json::{Value as Json, json};

use super::{LAST_DAY, adding, answer_with, pod, policy, review, reviewer};
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
