//! What is counted of each IdentityPolicy: what it came to for a pod.

use podgate::admission::Webhook;
use podgate::identity::ServiceAccount;
use podgate::policy::{Answers, LookupError};
use serde_json::{Value as Json, json};

use super::{Case, USE, account, assigned, policy, trainer, trainers, whole};

/// What is counted of a review: `policy outcome`.
fn counted(case: &Case, webhook: Webhook, pod: &Json) -> Vec<String> {
    let body = case.review(pod);
    let answer =
        case.reviewer().answer(webhook, &body, Answers::default(), |_| Err(LookupError::NoCluster)).unwrap();
    let identities = answer.decision.identities.iter();
    identities.map(|(policy, outcome)| format!("{policy} {}", outcome.name())).collect()
}

fn opting_out() -> Json {
    let mut pod = trainer("default");
    pod["metadata"]["annotations"] = json!({"podgate.dev/skip": "true"});
    pod
}

#[test]
fn each_policy_that_is_for_a_pod_is_counted_with_what_it_came_to() {
    let case = |more: &str| Case::new(&trainers("", more));
    let without = |more: &str| case(more).without_account("trainer-wi");
    let no_default = policy("no-default", "{namespaces: [ml-team-a]}", "denyDefaultServiceAccount: true");
    let second = policy(
        "second",
        "{namespaces: [ml-team-a]}",
        "identity: {provider: azure, serviceAccountName: batch-runner}",
    );
    let mut port = trainer("default");
    port["metadata"]["annotations"] = json!({
        "azure.workload.identity/inject-proxy-sidecar": "", "azure.workload.identity/proxy-sidecar-port": "x",
    });
    let mut labelled = trainer("batch-runner");
    labelled["metadata"]["labels"][USE] = "true".into();
    let unknown = Case { is_live: true, ..without("") };
    let two = Case::new(&format!("{}{second}", trainers("", ""))).with_account("batch-runner", account());
    let pod = || trainer("default");
    for (what, case, pod, expected) in [
        ("inject", case(""), pod(), &["ml-team-a-trainers injected"][..]),
        ("again", case(""), whole("trainer-wi"), &["ml-team-a-trainers unchanged"]),
        ("delegate", by_delegate(), pod(), &["ml-team-a-trainers delegated"]),
        ("delegated", by_delegate(), assigned("trainer-wi"), &["ml-team-a-trainers unchanged"]),
        ("opted out", case(", allowOptOut: true"), opting_out(), &["ml-team-a-trainers skipped"]),
        ("not ready", without(", onMissingServiceAccount: Skip"), pod(), &["ml-team-a-trainers skipped"]),
        (
            "not ready, told",
            without(", onMissingServiceAccount: Warn"),
            pod(),
            &["ml-team-a-trainers skipped"],
        ),
        ("no account", without(""), pod(), &["ml-team-a-trainers refused"]),
        ("port", case(""), port, &["ml-team-a-trainers refused"]),
        ("default", Case::new(&no_default), pod(), &["no-default refused"]),
        ("tie", two, pod(), &["ml-team-a-trainers unresolved"]),
        ("no answer", unknown, pod(), &["ml-team-a-trainers unresolved"]),
        ("trial", case(", mode: DryRun"), pod(), &["ml-team-a-trainers dry_run"]),
        ("trial that explains", case(", mode: Explain"), pod(), &["ml-team-a-trainers dry_run"]),
        ("trial that refuses", without(", mode: DryRun"), pod(), &["ml-team-a-trainers dry_run"]),
        ("trial of what is there", case(", mode: DryRun"), whole("trainer-wi"), &[]),
        ("not for it", case(""), trainer("batch-runner"), &[]),
        ("by its label alone", case("").with_account("batch-runner", account()), labelled, &[]),
    ] {
        assert_eq!(counted(&case, Webhook::Mutate, &pod), expected, "{what}");
    }
}

fn by_delegate() -> Case {
    Case::new(&trainers("", "").replace("trainer-wi}", "trainer-wi, injection: Delegate}"))
}

#[test]
fn a_promise_that_is_not_kept_is_counted_where_it_is_found() {
    let case = Case::new(&trainers("", ""));
    for (pod, expected) in [
        (whole("trainer-wi"), &[][..]),
        (assigned("trainer-wi"), &["ml-team-a-trainers unkept"]),
        (trainer("default"), &["ml-team-a-trainers unkept"]),
    ] {
        assert_eq!(counted(&case, Webhook::Validate, &pod), expected);
    }
    let no_default = policy("no-default", "{namespaces: [ml-team-a]}", "denyDefaultServiceAccount: true");
    let case = Case::new(&no_default).with_account("default", ServiceAccount::default());
    assert_eq!(counted(&case, Webhook::Validate, &trainer("default")), ["no-default refused"]);
}
