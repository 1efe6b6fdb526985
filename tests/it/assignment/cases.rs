//! Which pods a policy is for, and that the account it gives has to be there and in order.

use podgate::admission::Webhook;
use podgate::identity::ServiceAccount;
use podgate::policy::{LookupAnswer, LookupError};
use serde_json::{Value as Json, json};

use super::{CLIENT_A, CLIENT_ID, Case, USE, account, assigned, has_all, policy, trainer, trainers, whole};

fn with_label(mut pod: Json, value: &str) -> Json {
    pod["metadata"]["labels"][USE] = value.into();
    pod
}

fn annotated(mut pod: Json, key: &str, value: &str) -> Json {
    pod["metadata"]["annotations"] = json!({ key: value });
    pod
}

#[test]
fn a_pod_of_the_policy_gets_its_identity_whole() {
    let case = Case::new(&trainers("", ""));
    let outcome = case.mutated(&trainer("default"));
    assert_eq!(outcome.pod, Some(whole("trainer-wi")));
    assert_eq!(outcome.warnings, [""; 0]);
    assert_eq!(outcome.note, "ml-team-a-trainers: ml-team-a/default -> ml-team-a/trainer-wi");
    assert_eq!(case.ask(Webhook::Validate, &whole("trainer-wi")).code, 200);

    let mut bare = trainer("default");
    bare["metadata"].as_object_mut().unwrap().remove("labels");
    let everybody = policy(
        "all",
        "{namespaces: [ml-team-a]}",
        "identity: {provider: azure, serviceAccountName: trainer-wi}",
    );
    let mut expected = whole("trainer-wi");
    expected["metadata"]["labels"] = json!({ USE: "true" });
    assert_eq!(Case::new(&everybody).mutated(&bare).pod, Some(expected));
}

#[test]
fn only_the_pods_of_the_policy_are_given_it() {
    let delegate = trainers("", "").replace("trainer-wi}", "trainer-wi, injection: Delegate}");
    let (high, low) = (
        policy(
            "infer",
            "{namespaces: [ml-team-a]}",
            "identity: {provider: azure, serviceAccountName: infer-wi}, priority: 20",
        ),
        trainers("", ", priority: 10"),
    );
    let same = policy(
        "same",
        "{namespaces: [ml-team-a]}",
        "identity: {provider: azure, serviceAccountName: trainer-wi}",
    );
    let own = with_label(trainer("batch-runner"), "true");
    let none = || None;
    for (what, policies, pod, expected) in [
        ("B03", trainers("", ""), trainer("batch-runner"), none()),
        ("B03l", trainers("", ""), own, Some(whole("batch-runner"))),
        ("B16a", format!("{low}{high}"), trainer("default"), Some(whole("infer-wi"))),
        ("B16a, in the other order", format!("{high}{low}"), trainer("default"), Some(whole("infer-wi"))),
        ("B16c", format!("{same}{}", trainers("", "")), trainer("default"), Some(whole("trainer-wi"))),
        ("B21", delegate, trainer("default"), Some(assigned("trainer-wi"))),
        ("B26", trainers(", ownerKinds: [Job]", ""), trainer("default"), none()),
        (
            "owner",
            trainers(", ownerKinds: [Job, ReplicaSet]", ""),
            trainer("default"),
            Some(whole("trainer-wi")),
        ),
        (
            "mirror",
            trainers("", ""),
            annotated(trainer("default"), "kubernetes.io/config.mirror", "x"),
            none(),
        ),
        (
            "B22b",
            trainers("", ", allowOptOut: true"),
            annotated(trainer("default"), "podgate.dev/skip", "true"),
            none(),
        ),
    ] {
        let case =
            Case::new(&policies).with_account("batch-runner", account()).with_account("infer-wi", account());
        let outcome = case.mutated(&pod);
        assert_eq!(outcome.pod, expected, "{what}");
        assert_eq!(outcome.warnings, [""; 0], "{what}");
    }
    let elsewhere = Case { namespace: "other", ..Case::new(&trainers("", "")) };
    assert_eq!(elsewhere.mutated(&trainer("default")).pod, None, "B17");
}

#[test]
fn whoever_may_not_opt_out_is_told_so() {
    let case = Case::new(&trainers("", ""));
    let outcome = case.mutated(&annotated(trainer("default"), "podgate.dev/skip", "true"));
    assert_eq!(outcome.pod.unwrap()["spec"]["serviceAccountName"], "trainer-wi");
    assert_eq!(
        outcome.warnings,
        ["podgate: podgate.dev/skip is of no effect: ml-team-a-trainers does not allow it"]
    );
    for value in ["", "True", "yes"] {
        let outcome = case.ask(Webhook::Mutate, &annotated(trainer("default"), "podgate.dev/skip", value));
        assert_eq!(outcome.code, 400);
        has_all(&outcome.message, &["podgate.dev/skip", &format!("\"{value}\""), "\"true\" or \"false\""]);
    }
    assert!(case.mutated(&annotated(trainer("default"), "podgate.dev/skip", "false")).warnings.is_empty());
}

#[test]
fn a_tie_between_different_accounts_is_refused() {
    let other = policy(
        "infer",
        "{namespaces: [ml-team-a]}",
        "identity: {provider: azure, serviceAccountName: infer-wi}",
    );
    let lower = policy(
        "low",
        "{namespaces: [ml-team-a]}",
        "identity: {provider: azure, serviceAccountName: low-wi}, priority: -1",
    );
    for policies in
        [format!("{}{other}{lower}", trainers("", "")), format!("{lower}{other}{}", trainers("", ""))]
    {
        let outcome = Case::new(&policies).ask(Webhook::Mutate, &trainer("default"));
        assert_eq!(outcome.code, 500);
        has_all(&outcome.message, &["ml-team-a-trainers", "infer", "trainer-wi", "infer-wi", "priority"]);
        assert!(!outcome.message.contains("low-wi"), "{}", outcome.message);
    }
}

/// Files that name no service account tell nothing: as if it were missing, and with what to do.
#[test]
fn without_any_known_account_the_policy_decides() {
    for (on_missing, code) in [("Deny", 403), ("Warn", 200), ("Skip", 200)] {
        let policies = trainers("", &format!(", onMissingServiceAccount: {on_missing}"));
        let case = Case { accounts: Vec::new(), ..Case::new(&policies) };
        let outcome = case.ask(Webhook::Mutate, &trainer("default"));
        assert_eq!((outcome.code, outcome.pod.is_none()), (code, true), "{on_missing}");
        if code == 403 {
            for fragment in ["IdentityPolicy \"ml-team-a-trainers\"", "not found", "--objects"] {
                assert!(outcome.message.contains(fragment), "{}", outcome.message);
            }
        }
    }
}

/// Whatever is cut, it is not what is wrong.
#[test]
fn warnings_of_accounts_say_what_is_wrong() {
    let long = "x".repeat(200);
    for (value, reason) in
        [("not-a-guid", "client-id is no GUID"), (&long, "client-id is no GUID"), ("", "client-id is empty")]
    {
        for more in [", onMissingServiceAccount: Warn", ", mode: DryRun"] {
            let account = ServiceAccount::new([(CLIENT_ID, value)], []);
            let case = Case::new(&trainers("", more)).with_account("trainer-wi", account);
            let warnings = case.ask(Webhook::Mutate, &trainer("default")).warnings;
            assert!(
                warnings.iter().any(|told| told.contains(reason) && told.contains("ml-team-a-trainers")),
                "{warnings:?}"
            );
        }
    }
}

/// The author of the pod never wrote it: the account that has it is named.
#[test]
fn a_bad_annotation_of_an_account_names_it() {
    let account = ServiceAccount::new(
        [(CLIENT_ID, CLIENT_A), ("azure.workload.identity/service-account-token-expiration", "s")],
        [],
    );
    let case = Case::new(&trainers("", "")).with_account("trainer-wi", account);
    let outcome = case.ask(Webhook::Mutate, &trainer("default"));
    assert!(outcome.code == 400 && outcome.message.contains("ml-team-a/trainer-wi"), "{outcome:?}");
}

#[test]
fn an_account_that_is_missing_or_not_in_order_decides_as_the_policy_says() {
    let labelled = |value: &'static str| ServiceAccount::new([], [(CLIENT_ID, value)]);
    let annotated = |value: &'static str| ServiceAccount::new([(CLIENT_ID, value)], []);
    for (what, account, fragments) in [
        ("B04", None, &["ml-team-a", "trainer-wi", "not found", "ml-team-a-trainers"][..]),
        ("B08a", Some(annotated("not-a-guid")), &["client-id", "trainer-wi", "GUID"]),
        ("B08b", Some(ServiceAccount::default()), &["client-id", "trainer-wi", "annotation"]),
        ("B08c", Some(labelled(CLIENT_A)), &["label", "annotation", "trainer-wi"]),
        ("B08d", Some(annotated("00000000-0000-0000-0000-000000000000")), &["client-id"]),
        (
            "near miss",
            Some(ServiceAccount::new([("azure.workload.identity/client_id", CLIENT_A)], [])),
            &["azure.workload.identity/client_id", CLIENT_ID],
        ),
    ] {
        let case = |more: &str| {
            let case = Case::new(&trainers("", more)).without_account("trainer-wi");
            match &account {
                Some(account) => case.with_account("trainer-wi", account.clone()),
                None => case,
            }
        };
        let denied = case("").ask(Webhook::Mutate, &trainer("default"));
        assert_eq!(denied.code, 403, "{what}");
        has_all(&denied.message, fragments);
        has_all(&denied.message, &["system:serviceaccount:ml-team-a:trainer-wi"]);
        let warned = case(", onMissingServiceAccount: Warn").mutated(&trainer("default"));
        assert_eq!((warned.pod, warned.warnings.len()), (None, 1), "{what}: {:?}", warned.warnings);
        has_all(&warned.warnings[0], &["trainer-wi", fragments[0]]);
        let skipped = case(", onMissingServiceAccount: Skip").mutated(&trainer("default"));
        assert_eq!((skipped.pod, skipped.warnings), (None, Vec::new()), "{what}");
        let tried = case(", mode: DryRun").mutated(&trainer("default"));
        assert_eq!((tried.pod, tried.warnings.len()), (None, 1), "{what}");
        has_all(&tried.warnings[0], &["would be denied", fragments[0]]);
    }
    let tried = Case::new(&trainers("", ", mode: DryRun")).without_account("trainer-wi");
    let told = tried.mutated(&trainer("default")).warnings;
    has_all(&told[0], &["would be denied", "ml-team-a", "trainer-wi", "not found", "ml-team-a-trainers"]);
}

#[test]
fn an_account_that_is_not_known_is_asked_for_and_never_guessed() {
    let case = Case { is_live: true, ..Case::new(&trainers("", "")) }.without_account("trainer-wi");
    let found = Ok(LookupAnswer::ServiceAccount(Some(account())));
    assert_eq!(case.ask_with(Webhook::Mutate, &trainer("default"), &found).pod, Some(whole("trainer-wi")));
    let missing =
        case.ask_with(Webhook::Mutate, &trainer("default"), &Ok(LookupAnswer::ServiceAccount(None)));
    assert_eq!(missing.code, 403);
    for more in ["", ", onMissingServiceAccount: Skip"] {
        let case = Case { policies: trainers("", more), ..Case { is_live: true, ..Case::new("") } }
            .without_account("trainer-wi");
        let failed = case.ask_with(Webhook::Mutate, &trainer("default"), &Err(LookupError::TimedOut));
        assert_eq!(failed.code, 500);
        has_all(&failed.message, &["trainer-wi", "try again"]);
    }
}
