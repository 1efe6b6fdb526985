//! The promise is kept: `/validate` sees a pod last, and refuses one that lacks the identity that it was promised, whoever
//! took it out.

use podgate::admission::Webhook;
use podgate::identity::ServiceAccount;
use serde_json::Value as Json;

use super::{Case, USE, policy, trainer, trainers};

/// What another webhook does to a pod.
type Strip = fn(&mut Json);

const STRIPS: [(&str, Strip, &str); 7] = [
    (
        "the volume",
        |pod| {
            pod["spec"]["volumes"]
                .as_array_mut()
                .unwrap()
                .retain(|volume| volume["name"] != "azure-identity-token")
        },
        "no volume with a token for Azure",
    ),
    (
        "the token in the volume",
        |pod| pod["spec"]["volumes"][1]["projected"]["sources"] = serde_json::json!([]),
        "no volume with a token for Azure",
    ),
    (
        "the mount",
        |pod| {
            let mounts = pod["spec"]["containers"][0]["volumeMounts"].as_array_mut().unwrap();
            mounts.retain(|mount| mount["name"] != "azure-identity-token");
        },
        "spec.containers[0] (main) does not mount the volume with the token for Azure",
    ),
    (
        "the file's variable",
        |pod| retain_variables(pod, |name| name != "AZURE_FEDERATED_TOKEN_FILE"),
        "spec.containers[0] (main) has no AZURE_FEDERATED_TOKEN_FILE",
    ),
    (
        "the client id",
        |pod| retain_variables(pod, |name| name != "AZURE_CLIENT_ID"),
        "spec.containers[0] (main) has no AZURE_CLIENT_ID",
    ),
    (
        "the account",
        |pod| {
            pod["spec"]["serviceAccountName"] = "default".into();
            pod["spec"]["serviceAccount"] = "default".into();
        },
        "it runs as default",
    ),
    (
        "a container that came too late",
        |pod| {
            let late = serde_json::json!({"name": "late", "image": "i"});
            pod["spec"]["containers"].as_array_mut().unwrap().push(late);
        },
        "spec.containers[1] (late) has no AZURE_FEDERATED_TOKEN_FILE",
    ),
];

fn retain_variables(pod: &mut Json, keep: fn(&str) -> bool) {
    let variables = pod["spec"]["containers"][0]["env"].as_array_mut().unwrap();
    variables.retain(|variable| keep(variable["name"].as_str().unwrap()));
}

fn mutated(case: &Case) -> Json {
    case.mutated(&trainer("default")).pod.expect("an identity")
}

#[test]
fn what_was_promised_and_taken_out_again_is_missed() {
    let case = Case::new(&trainers("", ""));
    let whole = mutated(&case);
    assert_eq!(case.ask(Webhook::Validate, &whole).code, 200);
    for (what, strip, expected) in STRIPS {
        let mut pod = whole.clone();
        strip(&mut pod);
        let outcome = case.ask(Webhook::Validate, &pod);
        assert_eq!(outcome.code, 403, "{what}");
        for fragment in
            [expected, "ml-team-a/trainer-wi", "IdentityPolicy \"ml-team-a-trainers\"", "Try again"]
        {
            assert!(outcome.message.contains(fragment), "{what}: {}", outcome.message);
        }
    }
}

/// An injector that misses every second pod leaves none without a token: those that it missed are refused.
#[test]
fn an_injector_that_misses_every_second_time_leaves_no_pod_without_a_token() {
    let delegate = trainers("", "")
        .replace("serviceAccountName: trainer-wi}", "serviceAccountName: trainer-wi, injection: Delegate}");
    let case = Case::new(&delegate);
    let asked = case.mutated(&trainer("default")).pod.expect("the account and the label");
    assert_eq!(asked["metadata"]["labels"][USE], "true");
    let injected = mutated(&Case::new(&trainers("", "")));
    for turn in 0..10 {
        let is_injected = turn % 2 == 0;
        let pod = if is_injected { &injected } else { &asked };
        assert_eq!(case.ask(Webhook::Validate, pod).code == 200, is_injected);
    }
}

#[test]
fn a_policy_says_what_a_missing_identity_leads_to() {
    let without = |on_missing: &str, more: &str, has_label: bool| {
        let on_missing = format!(", onMissingServiceAccount: {on_missing}{more}");
        let case = Case::new(&trainers("", &on_missing));
        let mut pod = mutated(&Case::new(&trainers("", "")));
        retain_variables(&mut pod, |name| name != "AZURE_FEDERATED_TOKEN_FILE");
        if !has_label {
            pod["metadata"]["labels"].as_object_mut().unwrap().remove(USE);
        }
        case.ask(Webhook::Validate, &pod)
    };
    assert_eq!(without("Deny", "", true).code, 403);
    let warned = without("Warn", "", true);
    assert!(warned.code == 200 && warned.warnings[0].contains("promised an identity"), "{warned:?}");
    let skipped = without("Skip", "", true);
    assert!(skipped.code == 200 && skipped.warnings.is_empty(), "{skipped:?}");
    assert_eq!(without("Deny", ", mode: DryRun", false).code, 200, "a trial refuses nothing");
    assert_eq!(without("Deny", ", mode: DryRun", true).code, 403, "the label asks for itself");
}

/// Nobody promised those anything.
#[test]
fn pods_that_were_left_alone_are_let_be() {
    let trainer = || trainer("default");
    let unready = |on_missing: &str| {
        let policies = trainers("", &format!(", onMissingServiceAccount: {on_missing}"));
        Case::new(&policies).with_account("trainer-wi", ServiceAccount::default())
    };
    for (what, case, pod) in [
        (
            "no policy is for it",
            Case::new(&policy(
                "p",
                "{namespaces: [other]}",
                "identity: {provider: azure, serviceAccountName: a}",
            )),
            trainer(),
        ),
        ("its own account", Case::new(&trainers("", "")), super::trainer("batch-runner")),
        ("the account was not ready", unready("Warn"), trainer()),
        ("its label says no", Case::new(&trainers("", "")), {
            let mut pod = super::trainer("trainer-wi");
            pod["metadata"]["labels"][USE] = "false".into();
            pod
        }),
        ("it opts out", Case::new(&trainers("", ", allowOptOut: true")), {
            let mut pod = trainer();
            pod["metadata"]["annotations"] = serde_json::json!({"podgate.dev/skip": "true"});
            pod
        }),
        ("a mirror pod", Case::new(&trainers("", "")), {
            let mut pod = trainer();
            pod["metadata"]["annotations"] = serde_json::json!({"kubernetes.io/config.mirror": "x"});
            pod
        }),
    ] {
        let outcome = case.ask(Webhook::Validate, &pod);
        assert_eq!(outcome.code, 200, "{what}: {}", outcome.message);
    }
}

/// The label alone is a promise, too, where a provider is on.
#[test]
fn a_label_is_a_promise() {
    let case = Case::new(&policy(
        "p",
        "{namespaces: [other]}",
        "identity: {provider: azure, serviceAccountName: a}",
    ));
    let mut pod = trainer("trainer-wi");
    pod["metadata"]["labels"][USE] = "true".into();
    let outcome = case.ask(Webhook::Validate, &pod);
    assert!(outcome.code == 403 && outcome.message.contains("by its label"), "{outcome:?}");
    let whole = case.mutated(&pod).pod.expect("an identity");
    assert_eq!(case.ask(Webhook::Validate, &whole).code, 200);
    let case = case.with_account("trainer-wi", super::account());
    pod["metadata"]["annotations"] = serde_json::json!({"azure.workload.identity/skip-containers": "main"});
    let whole = case.mutated(&pod).pod.expect("the volume");
    assert_eq!(case.ask(Webhook::Validate, &whole).code, 200, "what it leaves out itself is not missed");
}
