//! The linter goes by the same exceptions, as of any day, and by the Roles and bindings that it is given.

use podgate::lint::report::{Layout, ObjectVerdict, concise, text};
use podgate::lint::{Input, Options, Report, run};
use serde_json::Value as Json;

use super::{adding, policy};
use crate::policies::policies;

const MEMLOCK: &str = "{controls: [capabilities_restricted], values: [IPC_LOCK]}";
const GRANTED: &str = "{controls: [capabilities_restricted], values: [IPC_LOCK], grantedBy: rbac}";

/// Writes a report in one of its forms.
type Write = fn(&Report, Layout, &mut Vec<u8>) -> std::io::Result<()>;

const ROLE: &str = "apiVersion: rbac.authorization.k8s.io/v1\nkind: Role\nmetadata: {name: use, namespace: team}\nrules:\n\
                    - {apiGroups: [podgate.dev], resources: [securityexceptions], resourceNames: [e0], verbs: [use]}\n";
const BINDING: &str = "apiVersion: rbac.authorization.k8s.io/v1\nkind: RoleBinding\nmetadata: {name: use, namespace: team}\n\
                       roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: use}\n\
                       subjects: [{kind: ServiceAccount, name: default, namespace: team}]\n";

fn linted(exception: &str, day: Option<&str>, objects: &[&str]) -> Report {
    let mut pod = adding(&["IPC_LOCK"]);
    pod["apiVersion"] = "v1".into();
    pod["kind"] = "Pod".into();
    pod["metadata"]["namespace"] = "team".into();
    let text = [&[pod.to_string().as_str()], objects].concat().join("\n---\n");
    let input = Input::Text { name: "f.yaml".to_owned(), text };
    let today = day.map(|day| day.parse().unwrap());
    run(&[input], Options { policies: policies(&policy(&[exception])), today, ..Options::default() })
}

fn pod_verdict(report: &Report) -> ObjectVerdict {
    report.objects.iter().find(|object| object.kind == "Pod").expect("the pod").verdict
}

#[test]
fn an_exception_holds_as_of_a_day() {
    let ending = "warning: \"ml\": exception e0 ends today (2027-03-31): ask ask-me";
    let ended = "the exception e0 allowed some of it until 2027-03-31 and has ended: ask ask-me";
    let undated = "whether the exception e0 holds is not known without a date";
    for (day, expected, notes) in [
        (Some("2027-03-16"), ObjectVerdict::Allow, &[][..]),
        (Some("2027-03-31"), ObjectVerdict::Warn, &[ending]),
        (Some("2027-04-01"), ObjectVerdict::Deny, &[ended]),
        (None, ObjectVerdict::Deny, &[undated]),
    ] {
        let report = linted(MEMLOCK, day, &[]);
        assert_eq!(pod_verdict(&report), expected, "{day:?}");
        assert_eq!(report.objects[0].pods[0].exception_notes, notes, "{day:?}");
        for (write, marks) in [
            (text::write as Write, ["f.yaml:1:1: Pod team/p: ", ""]),
            (concise::write as Write, ["f.yaml:1:1: note: ", " (Pod team/p)"]),
        ] {
            let mut output = Vec::new();
            write(&report, Layout::default(), &mut output).unwrap();
            let output = String::from_utf8(output).unwrap();
            let lines: Vec<String> =
                notes.iter().map(|note| format!("{}{note}{}", marks[0], marks[1])).collect();
            let is_note = |line: &&str| lines.iter().any(|note| note == line);
            assert_eq!(output.lines().filter(is_note).count(), notes.len(), "{output}");
        }
    }
}

#[test]
fn what_is_excepted_is_reported_with_its_exception() {
    let report = linted(MEMLOCK, Some("2027-03-31"), &[]);
    let finding = &report.objects[0].pods[0].findings[0];
    let json: Json = serde_json::to_value(finding).unwrap();
    assert_eq!(
        (&json["control"], &json["disposition"]),
        (&"capabilities_restricted".into(), &"excepted".into())
    );
    assert_eq!(
        json["exception"],
        serde_json::json!({"name": "e0", "owner": "ask-me", "expires": "2027-03-31"})
    );
    assert_eq!(
        (&json["severity"], &json["value"], &json["filledIn"]),
        (&"deny".into(), &"IPC_LOCK".into(), &false.into())
    );
}

#[test]
fn roles_and_bindings_decide_or_else_it_stays_unresolved() {
    let day = Some("2027-03-01");
    let other = BINDING.replace("name: default", "name: other");
    let nowhere = [ROLE, BINDING].map(|text| text.replace("name: use, namespace: team", "name: use"));
    for (objects, expected) in [
        (&[][..], ObjectVerdict::Unresolved),
        // They hold in one namespace, and nobody knows in which.
        (&[nowhere[0].as_str(), nowhere[1].as_str()], ObjectVerdict::Unresolved),
        (&[ROLE, nowhere[1].as_str()], ObjectVerdict::Unresolved),
        (&[ROLE], ObjectVerdict::Unresolved),
        (&[ROLE, BINDING], ObjectVerdict::Allow),
        (&[BINDING], ObjectVerdict::Unresolved),
        (&[ROLE, &other], ObjectVerdict::Deny),
    ] {
        let report = linted(GRANTED, day, objects);
        assert_eq!(pod_verdict(&report), expected, "{objects:?}");
        let pod = &report.objects.iter().find(|object| object.kind == "Pod").unwrap().pods[0];
        let needs = match objects {
            [_] if expected == ObjectVerdict::Unresolved && objects[0] == BINDING => {
                "needs the Role use, which the RoleBinding use names for default: whether it may use the exception e0"
            }
            _ => "needs the Roles and RoleBindings of default: whether it may use the exception e0",
        };
        let is_told = pod.unresolved.iter().any(|unresolved| unresolved.text.contains(needs));
        assert_eq!(is_told, expected == ObjectVerdict::Unresolved, "{:?}", pod.unresolved);
    }
}
