//! An exception ends: it warns before, and afterwards it refuses and says so.

use podgate::admission::Webhook;
use podgate::policy::LookupAnswer;
use serde_json::{Value as Json, json};

use super::{LAST_DAY, adding, answer_with, judged, policy, policy_with, refusal, review, reviewer};
use crate::reviews::well_formed;

const MEMLOCK: &str = "{controls: [capabilities_restricted], values: [IPC_LOCK]}";

#[test]
fn it_warns_near_its_end_and_refuses_after_it() {
    let reviewer = reviewer(&policy(&[MEMLOCK]));
    let warning =
        |when: &str| json!([format!("podgate: \"ml\": exception e0 ends {when} (2027-03-31): ask ask-me")]);
    for (day, warnings) in [
        ("2026-11-30", json!(null)),
        ("2027-03-16", json!(null)),
        ("2027-03-17", warning("in 14 days")),
        ("2027-03-30", warning("in 1 day")),
        ("2027-03-31", warning("today")),
    ] {
        let response = judged(&reviewer, day, &adding(&["IPC_LOCK"]));
        assert_eq!((&response["allowed"], &response["warnings"]), (&json!(true), &warnings), "{day}");
    }
    for day in ["2027-04-01", "2030-01-01"] {
        let refused = refusal(&judged(&reviewer, day, &adding(&["IPC_LOCK"])));
        let note = "the exception e0 allowed some of it until 2027-03-31 and has ended: ask ask-me";
        assert!(refused.contains(note) && refused.contains("IPC_LOCK"), "{refused}");
    }
}

/// Of what it never covered nothing is said.
#[test]
fn an_ended_exception_is_named_only_for_what_it_covered() {
    let refused = refusal(&judged(&reviewer(&policy(&[MEMLOCK])), "2027-04-01", &adding(&["SYS_ADMIN"])));
    assert!(!refused.contains("exception"), "{refused}");
}

#[test]
fn many_that_have_ended_are_not_all_named() {
    let exceptions = [MEMLOCK; 10];
    let refused = refusal(&judged(&reviewer(&policy(&exceptions)), "2027-04-01", &adding(&["IPC_LOCK"])));
    assert_eq!(refused.matches("has ended").count(), 4, "{refused}");
    assert!(refused.contains("6 exceptions besides would allow some of it"), "{refused}");
}

/// Who is told nothing of what is found is told nothing of what spares him that, either.
#[test]
fn a_policy_that_only_notes_warns_of_no_end() {
    for (mode, count) in [("Enforce", 1), ("Warn", 1), ("Audit", 0)] {
        let policy = policy_with(&format!("  mode: {mode}\n"), &[MEMLOCK]);
        let response = judged(&reviewer(&policy), LAST_DAY, &adding(&["IPC_LOCK"]));
        let warnings = response["warnings"].as_array().map_or(0, Vec::len);
        assert_eq!((&response["allowed"], warnings), (&true.into(), count), "{mode} {response}");
    }
}

/// What is only warned of is explained as what is refused.
#[test]
fn warnings_say_why_an_exception_does_not_hold() {
    let granted = MEMLOCK.replace('}', ", grantedBy: rbac}");
    for (exception, day, expected) in [
        (MEMLOCK, "2027-04-01", Some("podgate: exception e0 ended on 2027-03-31: ask ask-me")),
        (
            &granted,
            LAST_DAY,
            Some("podgate: exception e0 is for accounts that may use it, default may not: ask ask-me"),
        ),
        (MEMLOCK, "2027-01-01", None),
    ] {
        let body = review(&adding(&["IPC_LOCK"]));
        let reviewer = reviewer(&policy_with("  mode: Warn\n", &[exception]));
        let answer =
            answer_with(&reviewer, (Webhook::Validate, day), &body, |_| Ok(LookupAnswer::Grants(Vec::new())));
        let response = well_formed("warned", Webhook::Validate, "u", &answer.body);
        let warnings: Vec<&str> =
            response["warnings"].as_array().into_iter().flatten().filter_map(Json::as_str).collect();
        let about: Vec<&&str> = warnings.iter().filter(|warning| warning.contains("exception e0")).collect();
        assert_eq!(about, expected.iter().collect::<Vec<_>>(), "{warnings:?}");
    }
}
