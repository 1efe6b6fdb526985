//! The exchange of a service account is complete: what the API server did for the old one is done for the new one.

use podgate::admission::Webhook;
use podgate::identity::{ENFORCE_MOUNTABLE_SECRETS, ServiceAccount};
use podgate::policy::LookupError;
use serde_json::{Value as Json, json};

use super::{CLIENT_A, CLIENT_ID, Case, account, policy, trainer, trainers, whole, without_token};

fn with(mut pod: Json, field: &str, value: Json) -> Json {
    pod["spec"][field] = value;
    pod
}

fn pull(names: &[&str]) -> Json {
    names.iter().map(|name| json!({ "name": name })).collect()
}

#[test]
fn pull_secrets_that_came_from_the_old_account_are_those_of_the_new_one() {
    for (written, old, new, expected) in [
        (&["old"][..], &["old"][..], &["new", "newer"][..], Some(pull(&["new", "newer"]))),
        (&["old"], &["old"], &[], None),
        (&["old"], &["old"], &["old"], Some(pull(&["old"]))),
        (&["mine"], &["old"], &["new"], Some(pull(&["mine"]))),
        (&["old", "mine"], &["old"], &["new"], Some(pull(&["old", "mine"]))),
    ] {
        let case = Case::new(&trainers("", ""))
            .with_account("default", ServiceAccount::default().with_pull_secrets(old.iter().copied()))
            .with_account("trainer-wi", account().with_pull_secrets(new.iter().copied()));
        let outcome = case.mutated(&with(trainer("default"), "imagePullSecrets", pull(written)));
        let mut after = whole("trainer-wi");
        if let Some(expected) = expected {
            after["spec"]["imagePullSecrets"] = expected;
        }
        assert_eq!(outcome.pod, Some(after), "{written:?}");
    }
    // Without any the API server copies them when it looks at the changed pod.
    let case = Case::new(&trainers("", "")).with_account("trainer-wi", account().with_pull_secrets(["new"]));
    assert_eq!(case.mutated(&trainer("default")).pod, Some(whole("trainer-wi")));
    // Whose they are has to be known.
    let case = Case { is_live: true, ..Case::new(&trainers("", "")) }.without_account("default");
    let pod = with(trainer("default"), "imagePullSecrets", pull(&["old"]));
    let failed = case.ask_with(Webhook::Mutate, &pod, &Err(LookupError::Failed));
    assert_eq!(failed.code, 500, "{}", failed.message);
}

#[test]
fn the_token_is_there_as_the_new_account_and_the_policy_say() {
    let off = "automountServiceAccountToken";
    let whole = || whole("trainer-wi");
    let silent = || trainer("default");
    let turned_off = || with(without_token(whole()), off, false.into());
    for (policy, of_account, pod, expected) in [
        ("Inherit", None, silent(), whole()),
        ("Inherit", Some(false), silent(), without_token(whole())),
        ("Inherit", Some(true), silent(), whole()),
        ("Inherit", Some(false), with(silent(), off, true.into()), with(whole(), off, true.into())),
        ("Keep", Some(false), silent(), whole()),
        ("Off", None, silent(), turned_off()),
        ("Off", Some(false), silent(), turned_off()),
        ("Off", None, with(without_token(silent()), off, false.into()), turned_off()),
        ("OffUnlessUsed", None, silent(), whole()),
        ("OffUnlessUsed", Some(false), silent(), without_token(whole())),
    ] {
        let case = Case::new(&trainers("", &format!(", automountToken: {policy}")))
            .with_account("trainer-wi", account().with_automount(of_account));
        let outcome = case.mutated(&pod);
        assert_eq!(outcome.pod, Some(expected), "{policy} {of_account:?}");
        assert_eq!(outcome.warnings, [""; 0]);
    }
}

#[test]
fn a_token_that_is_good_for_nothing_is_taken_out() {
    let unused = with(without_token(whole("trainer-wi")), "automountServiceAccountToken", false.into());
    for (is_bound, expected) in
        [(Some(false), unused), (Some(true), whole("trainer-wi")), (None, whole("trainer-wi"))]
    {
        let case = Case { is_bound, ..Case::new(&trainers("", ", automountToken: OffUnlessUsed")) };
        assert_eq!(case.mutated(&trainer("default")).pod, Some(expected), "{is_bound:?}");
    }
}

#[test]
fn a_token_that_the_pod_asks_for_stays_and_is_told() {
    let case = Case::new(&trainers("", ", automountToken: Off"));
    let pod = with(trainer("default"), "automountServiceAccountToken", true.into());
    let outcome = case.mutated(&pod);
    assert_eq!(outcome.pod, Some(with(whole("trainer-wi"), "automountServiceAccountToken", true.into())));
    assert_eq!(
        outcome.warnings,
        [
            "podgate: automountServiceAccountToken: true keeps the API server's token in, which ml-team-a-trainers would \
          take out"
        ]
    );
}

/// A policy without an identity is for pods of any account, and takes out the token alone.
#[test]
fn tokens_are_taken_out_without_an_identity() {
    let alone = policy("no-tokens", "{namespaces: [ml-team-a]}", "automountToken: Off");
    let expected = with(without_token(trainer("batch")), "automountServiceAccountToken", false.into());
    assert_eq!(Case::new(&alone).mutated(&trainer("batch")).pod, Some(expected));
    // With an identity beside it, both are done.
    let both = format!("{alone}{}", trainers("", ""));
    let expected = with(without_token(whole("trainer-wi")), "automountServiceAccountToken", false.into());
    assert_eq!(Case::new(&both).mutated(&trainer("default")).pod, Some(expected));
    // The higher one decides.
    let kept = format!("{alone}{}", trainers("", ", automountToken: Keep, priority: 1"));
    assert_eq!(Case::new(&kept).mutated(&trainer("default")).pod, Some(whole("trainer-wi")));
}

/// A volume that only looks like the API server's is the author's own.
#[test]
fn volumes_of_others_stay() {
    let mut pod = trainer("default");
    pod["spec"]["volumes"].as_array_mut().unwrap().insert(0, json!({"name": "data", "emptyDir": {}}));
    pod["spec"]["volumes"]
        .as_array_mut()
        .unwrap()
        .push(json!({"name": "kube-api-access-mine", "secret": {"secretName": "s"}}));
    let mounts = pod["spec"]["containers"][0]["volumeMounts"].as_array_mut().unwrap();
    mounts.insert(0, json!({"name": "data", "mountPath": "/data"}));
    mounts.push(json!({"name": "kube-api-access-mine", "mountPath": "/mine"}));
    let alone = policy("no-tokens", "{namespaces: [ml-team-a]}", "automountToken: Off");
    let after = Case::new(&alone).ask(Webhook::Mutate, &pod).pod.unwrap();
    let names = |list: &Json| -> Vec<String> {
        list.as_array().unwrap().iter().map(|item| item["name"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(names(&after["spec"]["volumes"]), ["data", "kube-api-access-mine"]);
    assert_eq!(names(&after["spec"]["containers"][0]["volumeMounts"]), ["data", "kube-api-access-mine"]);
}

#[test]
fn secrets_that_the_new_account_does_not_list_are_named() {
    let strict = ServiceAccount::new([(CLIENT_ID, CLIENT_A), (ENFORCE_MOUNTABLE_SECRETS, "true")], [])
        .with_secrets(["listed"]);
    let case = Case::new(&trainers("", "")).with_account("trainer-wi", strict);
    let mut pod = trainer("default");
    for name in ["s1", "listed"] {
        let volume = json!({"name": name, "secret": {"secretName": name}});
        pod["spec"]["volumes"].as_array_mut().unwrap().push(volume);
    }
    let outcome = case.mutated(&pod);
    assert!(outcome.pod.is_some());
    let unlisted = |name: &str| {
        format!(
            "podgate: kubernetes.io/enforce-mountable-secrets: the new service account does not list {name}"
        )
    };
    assert_eq!(outcome.warnings, [unlisted("s1")]);
    pod["spec"]["containers"][0]["envFrom"] = json!([{"secretRef": {"name": "s3"}}]);
    pod["spec"]["imagePullSecrets"] = json!([{"name": "own"}]);
    assert_eq!(case.mutated(&pod).warnings, [unlisted("own"), unlisted("s1"), unlisted("s3")]);
}
