//! Pods that are bound to the token endpoint of the cluster: their account needs a right, and is asked for it before they run.

use podgate::admission::Webhook;
use podgate::policy::LookupAnswer;
use serde_json::{Value as Json, json};

use super::{BINDING, CLIENT_A, Case, TEAM, USE, account, has_all, trainer, trainers};

const FRAGMENTS: [&str; 3] = ["use-managed-identity", "cid.wi.aks.azure.com", CLIENT_A];

fn bound(account: &str) -> Json {
    let mut pod = trainer(account);
    pod["metadata"]["annotations"] = json!({ BINDING: "true" });
    pod
}

fn case(more: &str, may_use: bool) -> Case {
    Case { may_use: Some(may_use), ..Case::new(&trainers("", more)) }
}

#[test]
fn a_right_that_is_missing_decides_as_an_account_that_is() {
    assert!(case("", true).mutated(&bound("default")).pod.is_some());
    assert!(case("", false).mutated(&trainer("default")).pod.is_some(), "not bound");

    let denied = case("", false).ask(Webhook::Mutate, &bound("default"));
    assert_eq!(denied.code, 403);
    has_all(&denied.message, &FRAGMENTS);
    has_all(&denied.message, &["ml-team-a-trainers", "system:serviceaccount:ml-team-a:trainer-wi"]);

    let warned = case(", onMissingServiceAccount: Warn", false);
    let told = warned.mutated(&bound("default"));
    assert_eq!((told.pod, told.warnings.len()), (None, 1));
    has_all(&told.warnings[0], &FRAGMENTS);
    // What was left as it was on purpose is no broken promise.
    assert_eq!(warned.ask(Webhook::Validate, &bound("default")).warnings, [""; 0]);

    let skipped = case(", onMissingServiceAccount: Skip", false).mutated(&bound("default"));
    assert_eq!((skipped.pod, skipped.warnings), (None, Vec::new()));

    let tried = case(", mode: DryRun", false).mutated(&bound("default"));
    assert_eq!((tried.pod, tried.warnings.len()), (None, 1));
    has_all(&tried.warnings[0], &["would be denied", "use-managed-identity"]);
}

/// azure-workload-identity lets such a pod run, and so do we, but not without a word.
#[test]
fn a_pod_that_asks_by_its_label_is_told() {
    let mut pod = bound("trainer-wi");
    pod["metadata"]["labels"][USE] = "true".into();
    let told = Case { policies: String::new(), ..case("", false) }.mutated(&pod);
    assert!(told.pod.is_some());
    assert_eq!(told.warnings.len(), 1);
    has_all(&told.warnings[0], &FRAGMENTS);
    assert_eq!(Case { policies: String::new(), ..case("", true) }.mutated(&pod).warnings, [""; 0]);
}

#[test]
fn a_cluster_is_asked_and_need_not_answer() {
    let live = Case { is_live: true, ..case("", false) }.with_account("trainer-wi", account());
    let ask =
        |answer| live.ask_with(Webhook::Mutate, &bound("default"), &Ok(LookupAnswer::IdentityRight(answer)));
    assert_eq!(ask(Some(false)).code, 403);
    for answer in [Some(true), None] {
        assert!(ask(answer).pod.is_some(), "{answer:?} in {TEAM}");
    }
}
