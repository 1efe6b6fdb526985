//! What is wrong with an exception is said when it is loaded, with its place.

use super::{policy, policy_with};
use crate::policies::read;

#[track_caller]
fn fault(exceptions: &[&str]) -> String {
    read(&[("p.yaml", &policy(exceptions))]).expect_err("a fault").join("\n")
}

#[test]
fn what_makes_no_sense_is_refused_with_its_place() {
    for (exception, expected) in [
        (
            "{controls: [capabilities_restrictd]}",
            "spec.exceptions[0].controls[0]: no such word \"capabilities_restrictd\", did you mean \"capabilities_restricted\"?",
        ),
        (
            "{controls: [capabilities_baseline]}",
            "capabilities_restricted takes its place in this policy: name that one",
        ),
        (
            "{controls: [hostPaths]}",
            "this policy does not have this control, and an exception loosens its own policy alone: remove it",
        ),
        ("{controls: [privileged, privileged]}", "spec.exceptions[0].controls[1]: is listed twice"),
        ("{controls: []}", "spec.exceptions[0].controls: the list is empty"),
        (
            "{controls: [privileged], values: [IPC_LOCK]}",
            "spec.exceptions[0].values[0]: privileged is never found to have this value: name true",
        ),
        ("{controls: [capabilities_restricted], values: [ipc_lock]}", "name a capability such as IPC_LOCK"),
        ("{controls: [runAsUser], values: [root]}", "name a number or a range such as \"1000-2000\""),
        ("{controls: [runAsUser], values: ['9-5']}", "name a number or a range such as \"1000-2000\""),
        (
            "{controls: [restrictedVolumes], values: [hostpath]}",
            "name a type of volume such as hostPath, or the path of one",
        ),
        ("{controls: [privileged], values: []}", "spec.exceptions[0].values: the list is empty"),
        ("{controls: [privileged], containers: {}}", "spec.exceptions[0].containers: names no container"),
        (
            "{controls: [hostNamespaces], containers: {names: [a]}}",
            "hostNamespaces is about the pod, and never about one of its containers",
        ),
        (
            "{controls: [privileged], when: {serviceAccounts: [A_B]}}",
            "when.serviceAccounts[0]: no service account has such a name",
        ),
        ("{controls: [privileged], when: {ownerKinds: [job]}}", "when.ownerKinds[0]: must be a kind"),
        ("{controls: [privileged], when: {podSelector: {}}}", "when.podSelector: the selector is empty"),
        ("{controls: [privileged], grantedBy: me}", "grantedBy: expected rbac, found \"me\""),
        ("{controls: [privileged], namespaces: [other]}", "unknown key \"namespaces\""),
    ] {
        let found = fault(&[exception]);
        assert!(found.starts_with("p.yaml:9:") && found.contains(expected), "{exception}: {found}");
    }
}

#[test]
fn reason_owner_and_end_are_required() {
    let whole = policy(&["{controls: [privileged]}"]);
    for (from, to, expected) in [
        (", expires: 2027-03-31", "", "the key \"expires\" is missing"),
        (", owner: ask-me", "", "the key \"owner\" is missing"),
        ("reason: because, ", "", "the key \"reason\" is missing"),
        ("expires: 2027-03-31", "expires: never", "must be the last day on which it holds, as in 2027-03-31"),
        ("expires: 2027-03-31", "expires: 2027-02-30", "must be the last day on which it holds"),
        ("expires: 2027-03-31", "expires: 2027-03-31T00:00:00Z", "must be the last day on which it holds"),
        ("reason: because", "reason: ' '", "spec.exceptions[0].reason: must be one line"),
        ("name: e0", "name: E_0", "spec.exceptions[0].name: must be a name"),
    ] {
        let text = whole.replace(from, to);
        let found = read(&[("p.yaml", &text)]).expect_err(expected).join("\n");
        assert!(found.starts_with("p.yaml:9:") && found.contains(expected), "{found}");
    }
}

#[test]
fn a_name_is_taken_once_in_all_policies() {
    let one = policy(&["{controls: [privileged]}"]);
    let other = one.replace("name: ml", "name: other");
    let found = read(&[("a.yaml", &one), ("b.yaml", &other)]).expect_err("a fault").join("\n");
    assert!(
        found.contains("b.yaml:9:") && found.contains("the exception at a.yaml:9:6 has this name"),
        "{found}"
    );
    let twice = policy_with("", &["{controls: [privileged]}", "{controls: [hostPorts]}"]).replace("e1", "e0");
    let found = read(&[("a.yaml", &twice)]).expect_err("a fault").join("\n");
    assert!(
        found.contains("a.yaml:10:") && found.contains("the exception at a.yaml:9:6 has this name"),
        "{found}"
    );
}
