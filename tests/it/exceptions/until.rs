//! An exception ends: it warns before, and afterwards it refuses and says so.

use serde_json::json;

use super::{adding, judged, policy, refusal, reviewer};

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
