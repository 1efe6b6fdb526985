//! `podgate policy check` tells of exceptions that end, that others make needless, and that nobody uses.

use std::fs;

use serde_json::{Value as Json, json};
use tempfile::TempDir;

use super::{adding, policy, policy_with};
use crate::command::{Ended, run};

const MEMLOCK: &str = "{controls: [capabilities_restricted], values: [IPC_LOCK]}";
const GRANTED: &str = "{controls: [capabilities_restricted], values: [IPC_LOCK], grantedBy: rbac}";
const ROOT: &str = "{controls: [runAsUser], values: [0]}";
const ROLE: &str = "apiVersion: rbac.authorization.k8s.io/v1\nkind: Role\nmetadata: {name: use, namespace: team}\nrules:\n\
                    - {apiGroups: [podgate.dev], resources: [securityexceptions], resourceNames: [e0], verbs: [use]}\n";
const BINDING: &str = "apiVersion: rbac.authorization.k8s.io/v1\nkind: RoleBinding\nmetadata: {name: use, namespace: team}\n\
                       roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: use}\n\
                       subjects: [{kind: ServiceAccount, name: default, namespace: team}]\n";
const IN_ORDER: &str = "in order: 1 SecurityPolicy";

/// What is said on a day of a policy and further files, with these flags.
#[track_caller]
fn checked(policy: &str, files: &[(&str, &str)], flags: &[&str]) -> Ended {
    let folder = TempDir::new().unwrap();
    for (name, text) in [&[("p.yaml", policy)], files].concat() {
        fs::write(folder.path().join(name), text).unwrap();
    }
    run(folder.path(), &[&["policy", "check", "p.yaml"], flags].concat(), "")
}

#[track_caller]
fn says(policy: &str, files: &[(&str, &str)], flags: &[&str], lines: &[&str]) {
    let ended = checked(policy, files, flags).with(0);
    let expected: String = lines.iter().map(|line| format!("{line}\n")).collect();
    assert_eq!(ended.output, expected, "{policy}\n{flags:?}");
}

fn memlock_pod() -> Json {
    let mut pod = adding(&["IPC_LOCK"]);
    pod["apiVersion"] = "v1".into();
    pod["kind"] = "Pod".into();
    pod["metadata"]["namespace"] = "team".into();
    pod
}

#[test]
fn an_end_is_told_from_a_month_before_it() {
    for (day, told) in [
        ("2027-02-28", None),
        ("2027-03-01", Some("ends within a month (2027-03-31): ask ask-me whether it is to go on")),
        ("2027-03-31", Some("ends within a month (2027-03-31): ask ask-me whether it is to go on")),
        ("2027-04-01", Some("has ended (2027-03-31): take it out, or ask ask-me whether it is to go on")),
    ] {
        let lines = match told {
            Some(text) => vec![
                format!("p.yaml:9:6: warning: exception e0 of \"ml\" {text}"),
                format!("{IN_ORDER}; 1 warning"),
            ],
            None => vec![IN_ORDER.to_owned()],
        };
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        says(&policy(&[MEMLOCK]), &[], &["--at", day], &lines);
    }
    checked(&policy(&[MEMLOCK]), &[], &["--at", "tomorrow"]).with(2);
}

#[test]
fn what_others_make_needless_is_told() {
    let all = "{controls: [capabilities_restricted]}";
    let some = "{controls: [capabilities_restricted], values: ['IPC_*']}";
    let at = &["--at", "2026-12-01"];
    says(
        &policy(&[all, MEMLOCK, ROOT]),
        &[],
        at,
        &[
            "p.yaml:10:6: warning: exception e1 of \"ml\" is shadowed: all that it covers is covered by e0 before it",
            "in order: 1 SecurityPolicy; 1 warning",
        ],
    );
    says(
        &policy(&[MEMLOCK, some]),
        &[],
        at,
        &[
            "p.yaml:10:6: warning: exception e1 of \"ml\" overlaps: some of what it covers is covered by e0 as well",
            "in order: 1 SecurityPolicy; 1 warning",
        ],
    );
    says(
        &policy(
            &[MEMLOCK, MEMLOCK, MEMLOCK]
                .map(|of| of.replace('}', ", when: {requests: [a]}}"))
                .each_ref()
                .map(String::as_str),
        )
        .replace("name: e1", "grantedBy: rbac, name: e1"),
        &[],
        at,
        &[
            "p.yaml:10:23: warning: exception e1 of \"ml\" is shadowed: all that it covers is covered by e0 before it",
            "p.yaml:11:6: warning: exception e2 of \"ml\" is shadowed: all that it covers is covered by e0 before it",
            "in order: 1 SecurityPolicy; 2 warnings",
        ],
    );
    // What has ended covers nothing, and is told itself.
    says(
        &policy(&[all, "{controls: [capabilities_restricted], values: [IPC_LOCK], expires: 2028-01-01}"])
            .replace(
                "expires: 2027-03-31, controls: [capabilities_restricted], values",
                "controls: [capabilities_restricted], values",
            ),
        &[],
        &["--at", "2027-06-01"],
        &[
            "p.yaml:9:6: warning: exception e0 of \"ml\" has ended (2027-03-31): take it out, or ask ask-me whether it is to go on",
            "in order: 1 SecurityPolicy; 1 warning",
        ],
    );
    let many: Vec<String> =
        (0..7).map(|index| format!("{{controls: [runAsUser], values: ['0-{index}']}}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    let told = checked(&policy(&many), &[], at).with(0).output;
    assert!(told.contains("exception e6 of \"ml\" overlaps: some of what it covers is covered by e0, e1, e2, e3 and 2 more as well"), "{told}");
}

#[test]
fn what_refuses_nothing_needs_no_exception() {
    let registries = "  controls: {imageRegistries: {mode: Audit, allowed: [ghcr.io/team]}}\n";
    says(
        &policy_with(registries, &["{controls: [imageRegistries, privileged]}"]),
        &[],
        &["--at", "2026-12-01"],
        &[
            "p.yaml:10:6: warning: exception e0 of \"ml\" names imageRegistries, for which this policy refuses no pod: all that it \
             spares them is a warning or a note",
            "in order: 1 SecurityPolicy; 1 warning",
        ],
    );
    // A policy that is only tried out is told of as if it were enforced.
    let trial = policy(&[MEMLOCK]).replace("  standard:", "  mode: Warn\n  standard:");
    says(&trial, &[], &["--at", "2026-12-01"], &[IN_ORDER]);
}

#[test]
fn what_no_pod_among_the_objects_uses_is_told() {
    let pod = memlock_pod();
    let job = json!({"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "j", "namespace": "team"},
        "spec": {"template": {"spec": pod["spec"]}}});
    let elsewhere = pod.to_string().replace("team", "other");
    let in_use = ["objects: 1 pod", IN_ORDER];
    let unused = [
        "objects: 1 pod",
        "p.yaml:9:6: warning: exception e0 of \"ml\" is used by no pod among the objects: take it out, or ask ask-me",
        "in order: 1 SecurityPolicy; 1 warning",
    ];
    let flags = ["--at", "2026-12-01", "--objects", "o.json"];
    for (object, expected) in [
        (pod.to_string(), &in_use[..]),
        (job.to_string(), &in_use),
        (elsewhere, &unused),
        (pod.to_string().replace("IPC_LOCK", "SYS_PTRACE"), &unused),
    ] {
        says(&policy(&[MEMLOCK]), &[("o.json", &object)], &flags, expected);
    }
    // Of what has ended nothing more is said.
    let ended = checked(
        &policy(&[MEMLOCK]),
        &[("o.json", &pod.to_string())],
        &["--at=2028-01-01", "--objects=o.json"],
    )
    .with(0);
    assert!(!ended.output.contains("is used by no pod"), "{}", ended.output);
    for (name, text) in [
        ("o.json", "{\"apiVersion\": \"v1\", \"kind\": \"Pod\", \"spec\": {\"containers\": 5}}"),
        ("o.yaml", "a: ["),
    ] {
        let ended =
            checked(&policy(&[MEMLOCK]), &[(name, text)], &["--at=2026-12-01", "--objects", name]).with(3);
        assert!(ended.output.contains(&format!("{name}:1:")), "{}", ended.output);
    }
    let gone = checked(&policy(&[MEMLOCK]), &[], &["--at=2026-12-01", "--objects=gone.yaml"]).with(3);
    assert!(gone.output.contains("gone.yaml"), "{}", gone.output);
}

#[test]
fn what_rbac_grants_to_nobody_is_told() {
    let pod = memlock_pod().to_string();
    let other = BINDING.replace("name: default", "name: other");
    let unused = "p.yaml:9:6: warning: exception e0 of \"ml\" is used by no pod among the objects: take it out, or ask ask-me";
    let ungranted = "p.yaml:9:6: warning: exception e0 of \"ml\" is granted to no service account by the Roles and bindings among the objects";
    let unknown = "p.yaml:9:6: warning: exception e0 of \"ml\" may be granted to nobody: not all Roles and bindings that would tell are \
                   among the objects";
    let unresolved = "objects: 1 pod, of which 1 could not be judged to the end";
    for (objects, summary, warnings) in [
        (vec![ROLE, BINDING], "objects: 1 pod", &[][..]),
        (vec![ROLE, &other], "objects: 1 pod", &[unused]),
        (vec![&ROLE.replace("e0", "another"), BINDING], "objects: 1 pod", &[unused, ungranted]),
        (vec![], unresolved, &[unknown]),
        (vec![BINDING], unresolved, &[unknown]),
    ] {
        let text = [&[pod.as_str()], &objects[..]].concat().join("\n---\n");
        let count = match warnings.len() {
            0 => String::new(),
            1 => "; 1 warning".to_owned(),
            count => format!("; {count} warnings"),
        };
        let last = format!("{IN_ORDER}{count}");
        let lines = [&[summary], warnings, &[last.as_str()]].concat();
        says(&policy(&[GRANTED]), &[("o.yaml", &text)], &["--at=2026-12-01", "--objects=o.yaml"], &lines);
    }
}

/// A line of the log, as podgate writes it.
fn line(second: u32, message: &str, fields: &Json) -> String {
    let mut line = json!({"timestamp": format!("2026-11-30T00:00:{second:02}.123456Z"), "level": "INFO", "message": message});
    json_patch::merge(&mut line, fields);
    format!("{line}\n")
}

#[test]
fn what_no_line_of_a_log_names_is_told() {
    let used = |policy: &str, exceptions: &str| {
        line(9, "reviewed", &json!({"policy": policy, "exceptions": exceptions}))
    };
    let other = line(1, "serving", &json!({}));
    let plain = line(5, "reviewed", &json!({"policy": "ml"}));
    let e1 = "p.yaml:10:6: warning: exception e1 of \"ml\" is named by none of 2 reviews logged from 2026-11-30T00:00:01Z to \
              2026-11-30T00:00:09Z: take it out, or ask ask-me";
    let e0 = &e1.replace("10:6", "9:6").replace("e1 of", "e0 of");
    let none = "warning: the log holds no review, so that it cannot be told which exceptions are used: podgate serve writes them with \
                --log-format json, unless --log-reviews is none or --log-level above info";
    let broken = "l.json:1: warning: 2 lines from here on that podgate did not write as JSON: what they say of exceptions is not known";
    for (log, expected) in [
        ([&other, &plain, &used("a,ml", "e0,e1")].map(String::as_str).concat(), &[][..]),
        ([&other, &plain, &used("ml", "e0")].map(String::as_str).concat(), &[e1]),
        ([&other, &plain, &used("other", "e0,e1")].map(String::as_str).concat(), &[e0, e1]),
        (other.clone(), &[none]),
        (String::new(), &[none]),
        (["not json\n", &other, &plain, &used("ml", "e0"), "{\"a\":1}"].concat(), &[broken, e1]),
        ([&"x".repeat(3 << 20), "\n\n", &other, &plain, &used("ml", "e0"), "[]\n"].concat(), &[broken, e1]),
    ] {
        let count = match expected.len() {
            0 => String::new(),
            1 => "; 1 warning".to_owned(),
            count => format!("; {count} warnings"),
        };
        let last = format!("{IN_ORDER}{count}");
        let lines = [expected, &[last.as_str()]].concat();
        says(&policy(&[MEMLOCK, ROOT]), &[("l.json", &log)], &["--at=2026-12-01", "--log", "l.json"], &lines);
    }
    let gone = checked(&policy(&[MEMLOCK]), &[], &["--at=2026-12-01", "--log=gone.json"]).with(3);
    assert!(gone.output.starts_with("cannot read the log file gone.json"), "{}", gone.output);
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join("p.yaml"), policy(&[MEMLOCK])).unwrap();
    let from_stdin = ["policy", "check", "p.yaml", "--at=2026-12-01", "--log", "-"];
    assert_eq!(run(folder.path(), &from_stdin, &used("ml", "e0")).with(0).output, format!("{IN_ORDER}\n"));
}
