//! What `/mutate` does to pods, and that `/validate` then says what was foretold.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use podgate::admission::{Reviewer, Webhook};
use podgate::evaluate::{Context, evaluate};
use podgate::json::Reader;
use podgate::pod::Pod;
use podgate::policy::{BUILT_IN, PolicySet, Snapshot};
use proptest::prelude::*;
use serde_json::{Value as Json, json};

use crate::pods::{Alone as _, any_pod, cases, mendable_pod, own_fixtures, upstream_fixtures};
use crate::policies::policies;

/// Two policies to stand beside the built-in one: an older standard with defaults, and one without.
const TWO_MORE: &str = "
apiVersion: podgate.dev/v1alpha1
kind: SecurityPolicy
metadata: {name: older}
spec:
  match: {namespaces: [team-a]}
  standard: {enforce: restricted:v1.24, warn: baseline}
  defaults: {securityContext: Restricted}
---
apiVersion: podgate.dev/v1alpha1
kind: SecurityPolicy
metadata: {name: without-defaults}
spec:
  match: {namespaces: [team-a]}
  standard: {enforce: baseline, audit: restricted:v1.30}
---
";

/// The namespace that all pods are made in.
const TEAM_A: &str = "team-a";

/// What is known of the cluster: `team-a`, under the built-in policy, and `team-b`, under none.
fn namespaces() -> Snapshot {
    let labels = |policy: &str| BTreeMap::from([("podgate.dev/policy".to_owned(), policy.to_owned())]);
    let mut namespaces = Snapshot::default();
    namespaces.insert(TEAM_A, labels("ml-restricted"));
    namespaces.insert("team-b", labels("none"));
    namespaces
}

fn reviewer(text: &str) -> Reviewer {
    Reviewer::new(policies(text), namespaces())
}

/// The answer to a review.
struct Reply {
    allowed: bool,
    code: u64,
    message: String,
    warnings: Vec<String>,
    patch: Option<json_patch::Patch>,
}

/// Has a pod that is created in a namespace reviewed.
fn ask_in(namespace: &str, reviewer: &Reviewer, webhook: Webhook, pod: &Json) -> Reply {
    let review = json!({
        "apiVersion": "admission.k8s.io/v1",
        "kind": "AdmissionReview",
        "request": {
            "uid": "7",
            "kind": { "group": "", "version": "v1", "kind": "Pod" },
            "resource": { "group": "", "version": "v1", "resource": "pods" },
            "namespace": namespace,
            "operation": "CREATE",
            "object": pod,
        },
    });
    let body = serde_json::to_vec(&review).unwrap();
    let answer = reviewer.alone(webhook, &body).unwrap_or_else(|error| panic!("{error}: {review}"));
    let answer: Json = serde_json::from_slice(&answer.body).unwrap();
    let response = &answer["response"];
    assert_eq!(response["uid"], "7");
    assert_eq!(response["patch"].is_null(), response["patchType"].is_null(), "both or neither");
    Reply {
        allowed: response["allowed"].as_bool().unwrap(),
        code: response["status"]["code"].as_u64().unwrap_or(200),
        message: response["status"]["message"].as_str().unwrap_or_default().to_owned(),
        warnings: serde_json::from_value(response["warnings"].clone()).unwrap_or_default(),
        patch: response["patch"].as_str().map(decode),
    }
}

fn ask(reviewer: &Reviewer, webhook: Webhook, pod: &Json) -> Reply {
    ask_in(TEAM_A, reviewer, webhook, pod)
}

fn decode(patch: &str) -> json_patch::Patch {
    serde_json::from_slice(&BASE64.decode(patch).unwrap()).unwrap()
}

/// The pod as `/mutate` leaves it, and its patch.
fn mutated(reviewer: &Reviewer, pod: &Json) -> (Json, Option<json_patch::Patch>) {
    let reply = ask(reviewer, Webhook::Mutate, pod);
    assert!(reply.allowed, "{}", reply.message);
    let mut result = pod.clone();
    if let Some(patch) = &reply.patch {
        assert!(!patch.0.is_empty());
        json_patch::patch(&mut result, patch).unwrap_or_else(|error| panic!("{error}: {patch} on {pod}"));
    }
    (result, reply.patch)
}

// ---- repair

/// A reviewer, and the same policies to foretell what it says.
struct Gate {
    reviewer: Reviewer,
    policies: PolicySet,
    namespaces: Snapshot,
}

impl Gate {
    fn new(text: &str) -> Self {
        Self { reviewer: reviewer(text), policies: policies(text), namespaces: namespaces() }
    }

    /// Whether a pod should be allowed once what is absent is filled in.
    fn foretells(&self, pod: &Json) -> bool {
        let json = serde_json::to_vec(pod).unwrap();
        let pod = Pod::read(&mut Reader::new(&json).unwrap()).unwrap();
        let policies = self.policies.security_for(TEAM_A, self.namespaces.labels(TEAM_A));
        !evaluate(policies, &pod, Context::CREATE).is_denied_with_defaults()
    }
}

static ONE: LazyLock<Gate> = LazyLock::new(|| Gate::new(BUILT_IN));
static THREE: LazyLock<Gate> = LazyLock::new(|| Gate::new(&format!("{TWO_MORE}{BUILT_IN}")));
static WITH_IDENTITY: LazyLock<Reviewer> = LazyLock::new(|| reviewer(&format!("{BUILT_IN}---\n{TRAINERS}")));

/// The built-in policy with nothing to fill in, or nothing to fill it in for.
static WITHOUT_REPAIRS: LazyLock<Vec<Reviewer>> = LazyLock::new(|| {
    [
        ("mode: Enforce", "mode: Warn"),
        ("mode: Enforce", "mode: Audit"),
        ("securityContext: Restricted", "securityContext: Off"),
        // Types of volume are enforced still, but none can be filled in.
        ("    enforce: restricted:latest\n", ""),
    ]
    .map(|(from, to)| {
        assert!(BUILT_IN.contains(from), "{from}");
        reviewer(&BUILT_IN.replace(from, to))
    })
    .into()
});

/// Holds one pod against all that is promised of a repair; tells whether that let it in.
fn check_repair(gate: &Gate, pod: &Json) -> bool {
    let reviewer = &gate.reviewer;
    let before = ask(reviewer, Webhook::Validate, pod);
    let (after, patch) = mutated(reviewer, pod);

    assert!(!(before.allowed && patch.is_some()), "a pod that is allowed as it is, is changed: {patch:?}");
    assert!(mutated(reviewer, &after).1.is_none(), "a second time changes more: {after}");
    assert_eq!(after["spec"]["ephemeralContainers"], pod["spec"]["ephemeralContainers"]);
    let mut added = Vec::new();
    compare("", pod, &after, &mut added);
    for path in &added {
        assert!(is_fillable(path), "adds {path}");
    }
    assert_eq!(added.is_empty(), patch.is_none());

    let validated = ask(reviewer, Webhook::Validate, &after);
    assert_eq!(validated.allowed, gate.foretells(pod), "{}", validated.message);
    patch.is_some() && validated.allowed
}

/// Finds what was added. Nothing may be gone or changed; `null` is absent.
fn compare(path: &str, before: &Json, after: &Json, added: &mut Vec<String>) {
    match (before, after) {
        (Json::Object(before), Json::Object(after)) => {
            for (key, value) in before {
                let found = after.get(key).unwrap_or_else(|| panic!("{path}.{key} is gone"));
                compare(&format!("{path}.{key}"), value, found, added);
            }
            let new = after.iter().filter(|(key, _)| !before.contains_key(*key));
            added.extend(new.flat_map(|(key, value)| leaves(&format!("{path}.{key}"), value)));
        }
        (Json::Array(before), Json::Array(after)) => {
            assert_eq!(before.len(), after.len(), "{path}");
            for (index, (before, after)) in before.iter().zip(after).enumerate() {
                compare(&format!("{path}[{index}]"), before, after, added);
            }
        }
        (Json::Null, after) if !after.is_null() => added.extend(leaves(path, after)),
        (before, after) => assert_eq!(before, after, "{path}"),
    }
}

/// The paths of a value to what is no object, with what is there.
fn leaves(path: &str, value: &Json) -> Vec<String> {
    let Some(members) = value.as_object() else { return vec![format!("{path} = {value}")] };
    members.iter().flat_map(|(key, value)| leaves(&format!("{path}.{key}"), value)).collect()
}

fn is_fillable(path: &str) -> bool {
    const FIELDS: [&str; 4] = [
        "securityContext.allowPrivilegeEscalation = false",
        "securityContext.capabilities.drop = [\"ALL\"]",
        "securityContext.runAsNonRoot = true",
        "securityContext.seccompProfile.type = \"RuntimeDefault\"",
    ];
    let of_container = path.strip_prefix(".spec.containers[").or(path.strip_prefix(".spec.initContainers["));
    of_container.and_then(|rest| rest.split_once("].")).is_some_and(|(_, field)| FIELDS.contains(&field))
}

/// Pods of the fixtures: those that are no pods themselves are left out.
fn fixture_pods() -> impl Iterator<Item = (String, Json)> {
    own_fixtures()
        .into_iter()
        .chain(upstream_fixtures())
        .map(|fixture| (fixture.name, serde_json::from_slice(&fixture.json).unwrap()))
        .filter(|(_, pod): &(String, Json)| pod["kind"] == "Pod")
}

#[test]
fn fixtures_are_repaired_as_foretold() {
    let mut repaired = 0;
    for (name, pod) in fixture_pods() {
        eprintln!("{name}");
        repaired += usize::from(check_repair(&ONE, &pod)) + usize::from(check_repair(&THREE, &pod));
    }
    assert!(
        repaired > 10,
        "only {repaired} fixtures were let in for their repair: the test has lost its meaning"
    );
}

proptest! {
    #![proptest_config(cases(200))]

    #[test]
    fn any_pod_is_repaired_as_foretold(pod in any_pod()) {
        check_repair(&ONE, &pod);
    }

    #[test]
    fn pods_in_need_of_repair_are_repaired_as_foretold(pod in mendable_pod()) {
        check_repair(&ONE, &pod);
    }

    #[test]
    fn several_policies_repair_as_foretold(pod in mendable_pod()) {
        check_repair(&THREE, &pod);
    }

    #[test]
    fn nothing_changes_where_nothing_is_to_be_filled_in(pod in mendable_pod()) {
        for reviewer in &*WITHOUT_REPAIRS {
            prop_assert!(mutated(reviewer, &pod).1.is_none());
        }
    }

    #[test]
    fn mirror_pods_are_left_alone(mut pod in mendable_pod()) {
        pod["metadata"]["annotations"] = json!({ "kubernetes.io/config.mirror": "7" });
        prop_assert!(mutated(&WITH_IDENTITY, &pod).1.is_none());
    }
}

/// Where none of the generated pods could be repaired, the properties would say nothing.
#[test]
fn many_generated_pods_need_repair_and_get_it() {
    use proptest::strategy::ValueTree as _;
    use proptest::test_runner::TestRunner;

    let mut runner = TestRunner::deterministic();
    let mut repaired = 0;
    for _ in 0..100 {
        let pod = mendable_pod().new_tree(&mut runner).unwrap().current();
        repaired += usize::from(check_repair(&ONE, &pod));
    }
    assert!((10..90).contains(&repaired), "{repaired} of 100");
}

#[test]
fn a_repair_adds_each_missing_object_once() {
    let pod = json!({
        "metadata": {},
        "spec": {
            "initContainers": [{ "name": "i", "securityContext": null }],
            "containers": [
                { "name": "bare" },
                { "name": "half", "securityContext": { "capabilities": { "add": ["NET_BIND_SERVICE"] }, "runAsNonRoot": true } },
                { "name": "null", "securityContext": { "capabilities": null, "seccompProfile": null, "allowPrivilegeEscalation": null } },
            ],
            "ephemeralContainers": [{ "name": "e" }],
        },
    });
    let whole = json!({
        "allowPrivilegeEscalation": false,
        "capabilities": { "drop": ["ALL"] },
        "runAsNonRoot": true,
        "seccompProfile": { "type": "RuntimeDefault" },
    });
    let (after, patch) = mutated(&reviewer(BUILT_IN), &pod);
    let paths: Vec<String> = patch.unwrap().0.iter().map(|operation| operation.path().to_string()).collect();
    assert_eq!(
        paths,
        [
            "/spec/initContainers/0/securityContext",
            "/spec/containers/0/securityContext",
            "/spec/containers/1/securityContext/allowPrivilegeEscalation",
            "/spec/containers/1/securityContext/capabilities/drop",
            "/spec/containers/1/securityContext/seccompProfile",
            "/spec/containers/2/securityContext/allowPrivilegeEscalation",
            "/spec/containers/2/securityContext/capabilities",
            "/spec/containers/2/securityContext/runAsNonRoot",
            "/spec/containers/2/securityContext/seccompProfile",
        ]
    );
    assert_eq!(after["spec"]["initContainers"][0]["securityContext"], whole);
    assert_eq!(after["spec"]["containers"][0]["securityContext"], whole);
    assert_eq!(after["spec"]["containers"][2]["securityContext"], whole);
    assert_eq!(
        after["spec"]["containers"][1]["securityContext"]["capabilities"]["add"],
        json!(["NET_BIND_SERVICE"])
    );
}

// ---- identity

const TRAINERS: &str = "
apiVersion: podgate.dev/v1alpha1
kind: IdentityPolicy
metadata: {name: trainers}
spec:
  match: {namespaceSelector: {matchLabels: {podgate.dev/policy: ml-restricted}}}
  identity: {provider: azure, serviceAccountName: trainer-wi}
";

/// The same for pods with a label, in a namespace by name, and from another service account.
const SELECTED: &str = "
apiVersion: podgate.dev/v1alpha1
kind: IdentityPolicy
metadata: {name: selected}
spec:
  match:
    namespaces: [team-a]
    podSelector: {matchExpressions: [{key: app, operator: In, values: [trainer]}]}
    sourceServiceAccounts: [default, old]
  identity: {provider: azure, serviceAccountName: selected-wi}
";

const LABEL: &str = "azure.workload.identity/use";

fn pod_with(metadata: Json, spec: Json) -> Json {
    let mut pod = json!({ "apiVersion": "v1", "kind": "Pod" });
    pod["metadata"] = metadata;
    pod["spec"] = spec;
    pod["spec"]["containers"] = json!([{ "name": "c" }]);
    pod
}

/// The service account, its alias and the label of a pod.
fn identity_of(pod: &Json) -> [&str; 3] {
    let spec = &pod["spec"];
    [&spec["serviceAccountName"], &spec["serviceAccount"], &pod["metadata"]["labels"][LABEL]]
        .map(|value| value.as_str().unwrap_or("-"))
}

#[test]
fn the_default_service_account_is_exchanged() {
    let reviewer = reviewer(TRAINERS);
    for spec in [
        json!({}),
        json!({ "serviceAccountName": null, "serviceAccount": "" }),
        json!({ "serviceAccountName": "default" }),
        json!({ "serviceAccount": "default" }),
        json!({ "serviceAccountName": "default", "serviceAccount": "default" }),
        json!({ "serviceAccountName": "default", "serviceAccount": "other" }),
    ] {
        for metadata in [
            json!({}),
            json!({ "labels": null }),
            json!({ "labels": {} }),
            json!({ "labels": { LABEL: "true" } }),
        ] {
            let pod = pod_with(metadata, spec.clone());
            let (after, _) = mutated(&reviewer, &pod);
            assert_eq!(identity_of(&after), ["trainer-wi", "trainer-wi", "true"], "{pod}");
            assert!(mutated(&reviewer, &after).1.is_none(), "a second time changes more: {after}");
        }
    }
}

#[test]
fn labels_that_are_there_stay() {
    let pod = pod_with(json!({ "labels": { "app": "x", "a/b~c": "y" } }), json!({}));
    let (after, _) = mutated(&reviewer(TRAINERS), &pod);
    assert_eq!(after["metadata"]["labels"], json!({ "app": "x", "a/b~c": "y", LABEL: "true" }));
}

#[test]
fn a_label_of_another_value_stays_and_is_warned_of() {
    let pod = pod_with(json!({ "labels": { LABEL: "false" } }), json!({}));
    let reply = ask(&reviewer(TRAINERS), Webhook::Mutate, &pod);
    assert_eq!(
        reply.warnings,
        [
            "podgate: label azure.workload.identity/use is \"false\", not \"true\": no token comes into the pod"
        ]
    );
    let (after, _) = mutated(&reviewer(TRAINERS), &pod);
    assert_eq!(identity_of(&after), ["trainer-wi", "trainer-wi", "false"]);
}

#[test]
fn other_service_accounts_are_left_alone() {
    for spec in [
        json!({ "serviceAccountName": "other" }),
        json!({ "serviceAccount": "other" }),
        json!({ "serviceAccountName": "other", "serviceAccount": "default" }),
    ] {
        let pod = pod_with(json!({}), spec);
        assert!(mutated(&reviewer(TRAINERS), &pod).1.is_none(), "{pod}");
    }
}

#[test]
fn a_pod_that_has_half_of_an_identity_gets_the_rest() {
    let pod =
        pod_with(json!({}), json!({ "serviceAccountName": "trainer-wi", "serviceAccount": "trainer-wi" }));
    let (after, _) = mutated(&reviewer(TRAINERS), &pod);
    assert_eq!(identity_of(&after), ["trainer-wi", "trainer-wi", "true"]);
}

#[test]
fn selectors_and_sources_choose_the_pods() {
    let reviewer = reviewer(SELECTED);
    for (labels, account, expected) in [
        (json!({ "app": "trainer" }), "default", ["selected-wi", "selected-wi", "true"]),
        (json!({ "app": "trainer" }), "old", ["selected-wi", "selected-wi", "true"]),
        (json!({ "app": "trainer" }), "new", ["new", "-", "-"]),
        (json!({ "app": "server" }), "default", ["default", "-", "-"]),
        (json!({}), "default", ["default", "-", "-"]),
        (Json::Null, "default", ["default", "-", "-"]),
    ] {
        let pod = pod_with(json!({ "labels": labels }), json!({ "serviceAccountName": account }));
        assert_eq!(identity_of(&mutated(&reviewer, &pod).0), expected, "{pod}");
    }
}

#[test]
fn an_identity_is_given_in_known_namespaces_only() {
    let pod = pod_with(json!({ "labels": { "app": "trainer" } }), json!({}));
    for (text, namespace, is_given) in [
        (TRAINERS, "team-a", true),
        (TRAINERS, "team-b", false),
        (TRAINERS, "unknown", false),
        (TRAINERS, "", false),
        (TRAINERS, "kube-system", false),
        (SELECTED, "team-a", true),
        (SELECTED, "team-b", false),
        (SELECTED, "", false),
    ] {
        let reply = ask_in(namespace, &reviewer(text), Webhook::Mutate, &pod);
        assert_eq!((reply.allowed, reply.patch.is_some()), (true, is_given), "{namespace:?} by {text}");
    }
}

/// An identity is power, so a doubt withholds it; a rule is a guard, so a doubt keeps it up.
#[test]
fn a_policy_that_may_hold_in_a_namespace_holds() {
    let by_name = "apiVersion: podgate.dev/v1alpha1\nkind: SecurityPolicy\nmetadata: {name: by-name}\n\
                   spec: {match: {namespaces: [team-a]}, standard: {enforce: restricted}}\n";
    let pod = pod_with(json!({}), json!({ "hostPID": true }));
    for (text, namespace, is_judged) in [
        (BUILT_IN, "team-a", true),
        (BUILT_IN, "team-b", false),
        (BUILT_IN, "unknown", true),
        (BUILT_IN, "", true),
        (BUILT_IN, "kube-system", false),
        (by_name, "team-a", true),
        (by_name, "unknown", false),
        (by_name, "", true),
        (by_name, "kube-system", false),
    ] {
        let reply = ask_in(namespace, &reviewer(text), Webhook::Validate, &pod);
        assert_eq!(
            (reply.allowed, reply.code),
            if is_judged { (false, 403) } else { (true, 200) },
            "{namespace:?}"
        );
    }
}

#[test]
fn two_identities_for_one_pod_are_refused() {
    let pod = pod_with(json!({ "labels": { "app": "trainer" } }), json!({}));
    let reply = ask(&reviewer(&format!("{TRAINERS}---{SELECTED}")), Webhook::Mutate, &pod);
    assert_eq!((reply.allowed, reply.code, reply.patch.is_none()), (false, 500, true));
    for words in ["\"trainers\"", "\"selected\"", "trainer-wi", "selected-wi"] {
        assert!(reply.message.contains(words), "{words} in {}", reply.message);
    }
    let same = SELECTED.replace("selected-wi", "trainer-wi");
    let reply = ask(&reviewer(&format!("{TRAINERS}---{same}")), Webhook::Mutate, &pod);
    assert!(reply.allowed && reply.patch.is_some(), "two policies that agree are none too many");
}

#[test]
fn identity_is_given_to_new_pods_alone_and_never_by_validate() {
    let pod = pod_with(json!({}), json!({}));
    assert!(ask(&reviewer(TRAINERS), Webhook::Validate, &pod).patch.is_none());
}

proptest! {
    #![proptest_config(cases(200))]

    /// Repair and identity in one patch, over pods of every kind.
    #[test]
    fn identity_and_repair_together_apply_and_settle(pod in any_pod()) {
        let (mut after, _) = mutated(&WITH_IDENTITY, &pod);
        prop_assert!(mutated(&WITH_IDENTITY, &after).1.is_none(), "a second time changes more: {}", after);
        // Without the identity, the rest is what repair alone would have done.
        let repaired = mutated(&ONE.reviewer, &pod).0;
        for field in ["serviceAccountName", "serviceAccount"] {
            after["spec"][field] = repaired["spec"][field].clone();
        }
        after["metadata"]["labels"] = repaired["metadata"]["labels"].clone();
        prop_assert_eq!(without_null(&after), without_null(&repaired));
    }
}

fn without_null(value: &Json) -> Json {
    if let Some(items) = value.as_array() {
        return items.iter().map(without_null).collect::<Vec<_>>().into();
    }
    let Some(members) = value.as_object() else { return value.clone() };
    members
        .iter()
        .filter(|(_, value)| !value.is_null())
        .map(|(key, value)| (key.clone(), without_null(value)))
        .collect::<serde_json::Map<_, _>>()
        .into()
}
