//! An exception lets be what it names, and nothing beside it.

use serde_json::{Value as Json, json};

use super::{
    LAST_DAY, adding, answer_with, judged, mutated, nobody, pod, policy, policy_with, refusal, review,
    reviewer,
};
use podgate::admission::Webhook;

const MEMLOCK: &str = "{controls: [capabilities_restricted], values: [IPC_LOCK]}";

fn is_allowed(exceptions: &[&str], pod: &Json) -> bool {
    judged(&reviewer(&policy(exceptions)), LAST_DAY, pod)["allowed"] == true
}

#[test]
fn it_covers_its_controls_values_containers_and_condition() {
    let privileged =
        || pod(json!({}), json!({"securityContext": {"privileged": true, "allowPrivilegeEscalation": null}}));
    let requesting = |resource: &str| {
        pod(
            json!({}),
            json!({
                "securityContext": {"capabilities": {"add": ["IPC_LOCK"]}},
                "resources": {"limits": {resource: "1"}},
            }),
        )
    };
    let mounted =
        |path: &str| pod(json!({"volumes": [{"name": "d", "hostPath": {"path": path}}]}), json!({}));
    let root = |user: i64| pod(json!({}), json!({"securityContext": {"runAsUser": user}}));
    let owned = |kind: &str| {
        let mut pod = adding(&["IPC_LOCK"]);
        pod["metadata"]["ownerReferences"] =
            json!([{"apiVersion": "batch/v1", "kind": kind, "name": "o", "uid": "x", "controller": true}]);
        pod
    };
    let of_paths = "{controls: [restrictedVolumes], values: [/mnt/data, '/mnt/data/*']}";
    let memlock_if =
        |condition: &str| format!("{{controls: [capabilities_restricted], values: [IPC_LOCK], {condition}}}");
    let table: Vec<(String, Json, bool)> = vec![
        (MEMLOCK.into(), adding(&["IPC_LOCK"]), true),
        (MEMLOCK.into(), adding(&["SYS_PTRACE"]), false),
        (MEMLOCK.into(), adding(&["IPC_LOCK", "SYS_PTRACE"]), false),
        ("{controls: [capabilities_restricted]}".into(), adding(&["IPC_LOCK", "SYS_PTRACE"]), true),
        ("{controls: [capabilities_restricted], values: ['IPC_*']}".into(), adding(&["IPC_OWNER"]), true),
        ("{controls: [privileged, allowPrivilegeEscalation]}".into(), privileged(), true),
        ("{controls: [privileged]}".into(), privileged(), false),
        ("{controls: [runAsUser], values: [0]}".into(), root(0), true),
        (memlock_if("when: {requests: ['rdma/*']}"), requesting("rdma/hca"), true),
        (memlock_if("when: {requests: ['rdma/*']}"), requesting("nvidia.com/gpu"), false),
        (memlock_if("when: {serviceAccounts: [default]}"), adding(&["IPC_LOCK"]), true),
        (memlock_if("when: {serviceAccounts: [trainer]}"), adding(&["IPC_LOCK"]), false),
        (memlock_if("when: {podSelector: {matchLabels: {app: trainer}}}"), adding(&["IPC_LOCK"]), true),
        (memlock_if("when: {podSelector: {matchLabels: {app: other}}}"), adding(&["IPC_LOCK"]), false),
        (memlock_if("when: {ownerKinds: [Job]}"), owned("Job"), true),
        (memlock_if("when: {ownerKinds: [Job]}"), owned("ReplicaSet"), false),
        (memlock_if("when: {ownerKinds: [Job]}"), adding(&["IPC_LOCK"]), false),
        (memlock_if("containers: {names: ['ma*']}"), adding(&["IPC_LOCK"]), true),
        (memlock_if("containers: {names: [other]}"), adding(&["IPC_LOCK"]), false),
        (memlock_if("containers: {images: ['registry.example.com/nccl*']}"), adding(&["IPC_LOCK"]), true),
        (
            memlock_if("containers: {names: [main], images: ['registry.example.com/other*']}"),
            adding(&["IPC_LOCK"]),
            false,
        ),
        (of_paths.into(), mounted("/mnt/data/a"), true),
        ("{controls: [restrictedVolumes], values: [hostPath]}".into(), mounted("/"), true),
        (
            "{controls: [restrictedVolumes], values: [/mnt/data, '/mnt/data/*']}".into(),
            mounted("/mnt/data/a"),
            true,
        ),
        (
            "{controls: [restrictedVolumes], values: [/mnt/data, '/mnt/data/*']}".into(),
            mounted("/mnt/data"),
            true,
        ),
        (
            "{controls: [restrictedVolumes], values: [/mnt/data, '/mnt/data/*']}".into(),
            mounted("/mnt/data/../../etc"),
            false,
        ),
        (
            "{controls: [restrictedVolumes], values: [/mnt/data, '/mnt/data/*']}".into(),
            mounted("/etc"),
            false,
        ),
    ];
    for (exception, pod, expected) in table {
        assert_eq!(is_allowed(&[&exception], &pod), expected, "{exception}\n{pod}");
    }
}

#[test]
fn two_that_only_together_cover_a_pod_do() {
    let other = "{controls: [capabilities_restricted], values: [SYS_PTRACE]}";
    let both = adding(&["IPC_LOCK", "SYS_PTRACE"]);
    assert!(!is_allowed(&[MEMLOCK], &both) && !is_allowed(&[other], &both));
    assert!(is_allowed(&[MEMLOCK, other], &both));
}

#[test]
fn ephemeral_containers_only_if_it_says_so() {
    let mut pod = adding(&[]);
    let mut debugger = pod["spec"]["containers"][0].clone();
    debugger["name"] = json!("debugger");
    debugger["securityContext"]["capabilities"]["add"] = json!(["IPC_LOCK"]);
    pod["spec"]["ephemeralContainers"] = json!([debugger]);
    assert!(!is_allowed(&[MEMLOCK], &pod));
    let with_ephemeral =
        "{controls: [capabilities_restricted], values: [IPC_LOCK], ephemeralContainers: true}";
    assert!(is_allowed(&[with_ephemeral], &pod));
}

/// A pod that may run as root is not made to look as if it did not.
#[test]
fn what_it_lets_be_is_not_filled_in_and_the_rest_is() {
    let exception = "{controls: [runAsNonRoot], containers: {names: [main]}}";
    let reviewer = reviewer(&policy(&[exception]));
    let mut bare = pod(json!({}), json!({"securityContext": null}));
    bare["spec"]["initContainers"] = json!([{"name": "init", "image": "i"}]);
    let made = mutated(&reviewer, &bare);
    assert_eq!(made["spec"]["containers"][0]["securityContext"].get("runAsNonRoot"), None, "{made}");
    assert_eq!(made["spec"]["containers"][0]["securityContext"]["allowPrivilegeEscalation"], false);
    assert_eq!(made["spec"]["initContainers"][0]["securityContext"]["runAsNonRoot"], true);
    assert_eq!(refusal(&judged(&reviewer, LAST_DAY, &made)), "");
}

#[test]
fn it_loosens_its_own_policy_alone() {
    let other = policy(&[]).replace("name: ml", "name: other").replace("  exceptions:\n", "");
    let both = reviewer(&format!("{}---\n{other}", policy(&[MEMLOCK])));
    let refused = refusal(&judged(&both, LAST_DAY, &adding(&["IPC_LOCK"])));
    assert!(refused.contains("\"other\"") && !refused.contains("\"ml\""), "{refused}");
}

#[test]
fn extended_controls_have_exceptions_too() {
    let registries = "  controls: {imageRegistries: {allowed: [ghcr.io/team]}, runAsUserRanges: {ranges: [{min: 5, max: 9}]}}\n";
    let by = |exceptions: &[&str]| reviewer(&policy_with(registries, exceptions));
    let image = "{controls: [imageRegistries], values: ['registry.example.com/*']}";
    let user = "{controls: [runAsUserRanges], values: ['1000-2000']}";
    let run_as = |user: i64| pod(json!({}), json!({"securityContext": {"runAsUser": user}}));
    for (exceptions, user, expected) in [
        (&[image, user][..], 1500, true),
        (&[image, user], 2001, false),
        (&[image], 1500, false),
        (&[user], 1500, false),
    ] {
        assert_eq!(
            judged(&by(exceptions), LAST_DAY, &run_as(user))["allowed"],
            expected,
            "{exceptions:?} {user}"
        );
    }
}

#[test]
fn what_is_used_is_told_to_the_audit_log_and_counted() {
    let reviewer = reviewer(&policy(&[MEMLOCK]));
    let body = review(&adding(&["IPC_LOCK"]));
    let answer = answer_with(&reviewer, (Webhook::Validate, "2026-11-30"), &body, nobody);
    let used: Vec<(&str, &str)> =
        answer.decision.exceptions.iter().map(|(policy, name)| (policy.as_ref(), name.as_ref())).collect();
    assert_eq!(used, [("ml", "e0")]);
    assert!(answer.decision.findings.is_empty() && answer.decision.has_remarks);
    let response: Json = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!(response["response"]["auditAnnotations"]["exceptions"], "e0 (ml): capabilities_restricted");
    assert_eq!(response["response"].get("warnings"), None);
}
