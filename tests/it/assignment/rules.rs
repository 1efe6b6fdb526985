//! Which service accounts pods may run as: said by both webhooks, of the account that the pod has in the end.

use std::collections::BTreeMap;

use podgate::admission::{Reviewer, Webhook};
use podgate::policy::{Answers, LookupError, Snapshot};
use serde_json::{Value as Json, json};

use super::{Case, account, has_all, policy, trainer, trainers, whole};
use crate::policies::policies;

fn no_default(more: &str) -> String {
    policy("no-default", "{namespaces: [ml-team-a]}", &format!("denyDefaultServiceAccount: true{more}"))
}

const RESERVED: &str =
    "reservedServiceAccounts: [{name: payroll, podSelector: {matchLabels: {app: payroll}}}]";

fn payroll(app: &str) -> Json {
    let mut pod = trainer("payroll");
    pod["metadata"]["labels"]["app"] = app.into();
    pod
}

#[test]
fn the_default_account_is_refused_once_identities_are_given() {
    for webhook in [Webhook::Mutate, Webhook::Validate] {
        let refused = Case::new(&no_default("")).ask(webhook, &trainer("default"));
        assert_eq!(refused.code, 403, "{webhook:?}");
        has_all(&refused.message, &["no-default", "ml-team-a", "default", "serviceAccountName"]);
        assert_eq!(Case::new(&no_default("")).ask(webhook, &trainer("mine")).code, 200);
        let exempt = no_default(", defaultServiceAccountAllowedIn: [ml-team-a]");
        assert_eq!(Case::new(&exempt).ask(webhook, &trainer("default")).code, 200);
    }
    let both = format!("{}{}", no_default(""), trainers("", ""));
    assert_eq!(Case::new(&both).mutated(&trainer("default")).pod, Some(whole("trainer-wi")));
    // Whoever got past /mutate.
    assert_eq!(Case::new(&both).ask(Webhook::Validate, &trainer("default")).code, 403);
    // Opting out of what is changed is no way around what is refused.
    let mut skipping = trainer("default");
    skipping["metadata"]["annotations"] = json!({"podgate.dev/skip": "true"});
    let both = format!("{}{}", no_default(""), trainers("", ", allowOptOut: true"));
    assert_eq!(Case::new(&both).ask(Webhook::Mutate, &skipping).code, 403);
}

#[test]
fn a_trial_refuses_nothing_and_says_so() {
    for mode in ["DryRun", "Explain"] {
        for webhook in [Webhook::Mutate, Webhook::Validate] {
            let outcome =
                Case::new(&no_default(&format!(", mode: {mode}"))).ask(webhook, &trainer("default"));
            assert_eq!((outcome.code, outcome.pod), (200, None));
            assert_eq!(
                outcome.warnings,
                ["podgate: would be denied: serviceAccountName default in ml-team-a, by no-default"]
            );
        }
    }
}

#[test]
fn a_reserved_account_is_for_the_pods_that_are_named() {
    let anybody = policy("reserved", "{namespaces: [ml-team-a]}", RESERVED);
    // It is reserved from pods that the rest of the policy is not for, too.
    let trainers =
        policy("reserved", "{namespaces: [ml-team-a], podSelector: {matchLabels: {app: other}}}", RESERVED);
    for text in [anybody, trainers] {
        for webhook in [Webhook::Mutate, Webhook::Validate] {
            let case = Case::new(&text).with_account("payroll", account());
            let refused = case.ask(webhook, &payroll("trainer"));
            assert_eq!(refused.code, 403);
            has_all(&refused.message, &["reserved", "ml-team-a/payroll", "serviceAccountName"]);
            assert_eq!(case.ask(webhook, &payroll("payroll")).code, 200);
        }
    }
}

/// A mirror pod has no account at all; its annotation does not help one that names an account.
#[test]
fn mirror_pods_are_judged_by_what_they_name() {
    let mut mirror = trainer("default");
    mirror["metadata"]["annotations"] = json!({"kubernetes.io/config.mirror": "x"});
    assert_eq!(Case::new(&no_default("")).ask(Webhook::Validate, &mirror).code, 403);
    let spec = mirror["spec"].as_object_mut().unwrap();
    spec.retain(|field, _| !field.starts_with("serviceAccount"));
    assert_eq!(Case::new(&no_default("")).ask(Webhook::Validate, &mirror).code, 200);
}

#[test]
fn what_else_is_wrong_is_told_as_well() {
    let security = "---\napiVersion: podgate.dev/v1alpha1\nkind: SecurityPolicy\nmetadata: {name: base}\n\
                    spec: {match: {namespaces: [ml-team-a]}, standard: {enforce: baseline}}\n";
    let mut pod = trainer("default");
    pod["spec"]["hostPID"] = true.into();
    let refused = Case::new(&format!("{}{security}", no_default(""))).ask(Webhook::Validate, &pod);
    has_all(&refused.message, &["hostPID", "Besides: IdentityPolicy \"no-default\""]);
}

/// The cluster's own namespaces, and podgate's, are never reached.
#[test]
fn reserved_namespaces_are_left_alone() {
    let anywhere = policy(
        "no-default",
        "{namespaceSelector: {matchExpressions: [{key: team, operator: Exists}]}}",
        "denyDefaultServiceAccount: true",
    );
    for namespace in ["kube-system", "podgate-system"] {
        let case = Case { namespace, ..Case::new(&anywhere) };
        for webhook in [Webhook::Mutate, Webhook::Validate] {
            let outcome = case.ask(webhook, &trainer("default"));
            assert_eq!((outcome.code, outcome.pod, outcome.warnings.len()), (200, None, 0), "{namespace}");
        }
    }
    assert_eq!(Case::new(&anywhere).ask(Webhook::Validate, &trainer("default")).code, 403);
}

#[test]
fn nothing_is_allowed_while_the_labels_are_unknown() {
    let by_label = "{namespaceSelector: {matchLabels: {team: ml}}}";
    let text = policy("no-default", by_label, "denyDefaultServiceAccount: true");
    let ask = |text: &str, webhook| -> Json {
        let mut snapshot = Snapshot::live();
        snapshot.insert("known", BTreeMap::new());
        let reviewer = Reviewer::new(policies(text), snapshot);
        let body = Case::new(text).review(&trainer("default"));
        let answer =
            reviewer.answer(webhook, &body, Answers::default(), |_| Err(LookupError::TimedOut)).unwrap();
        serde_json::from_slice::<Json>(&answer.body).unwrap()["response"].take()
    };
    for webhook in [Webhook::Mutate, Webhook::Validate] {
        let answer = ask(&text, webhook);
        assert_eq!(answer["status"]["code"], 500, "{webhook:?}: {answer}");
        has_all(&answer.to_string(), &["ml-team-a", "try again"]);
        // A trial refuses nothing.
        let trial = policy("no-default", by_label, "denyDefaultServiceAccount: true, mode: DryRun");
        assert_eq!(ask(&trial, webhook)["allowed"], true, "{webhook:?}");
    }
}
