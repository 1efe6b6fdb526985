//! Reviews from namespaces in which no policy holds: admitted, and no longer unseen.

use std::collections::BTreeMap;

use podgate::admission::{Reviewer, Webhook};
use podgate::policy::Snapshot;
use serde_json::{Value as Json, json};

use crate::pods::Alone as _;
use crate::policies::policies;
use crate::reviews::{built_in, well_formed};
use crate::serving::{Process, review_of_bad_pod};

const KEY: &str = "podgate.dev/policy";

/// A policy for a value of the label.
fn policy(name: &str, value: &str) -> String {
    format!(
        "apiVersion: podgate.dev/v1alpha1\nkind: SecurityPolicy\nmetadata: {{name: {name}}}\nspec:\n  \
         match: {{namespaceSelector: {{matchLabels: {{{KEY}: {value}}}}}}}\n  standard: {{enforce: baseline}}\n"
    )
}

fn reviewer(policies: &[&str], namespaces: &[(&str, &[(&str, &str)])]) -> Reviewer {
    let mut snapshot = Snapshot::default();
    for (name, labels) in namespaces {
        let labels = labels.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
        snapshot.insert(name, labels.collect::<BTreeMap<_, _>>());
    }
    Reviewer::new(built_in(policies), snapshot)
}

fn warnings(reviewer: &Reviewer, webhook: Webhook, review: &Json) -> (Vec<String>, bool) {
    let bytes = review.to_string();
    let answer = reviewer.alone(webhook, bytes.as_bytes()).unwrap();
    let response = well_formed("unjudged", webhook, &answer.decision.uid, &answer.body);
    let list = response["warnings"].as_array().cloned().unwrap_or_default();
    let text = |warning: Json| warning.as_str().unwrap().to_owned();
    (list.into_iter().map(text).collect(), answer.decision.is_unjudged)
}

fn of(namespace: &str) -> Json {
    review_of_bad_pod("u", namespace)
}

fn template(namespace: &str) -> Json {
    let mut review = of(namespace);
    review["request"]["kind"] = json!({"group": "apps", "version": "v1", "kind": "Deployment"});
    review["request"]["resource"] = json!({"group": "apps", "version": "v1", "resource": "deployments"});
    review["request"]["object"] = json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "d"},
        "spec": {"template": {"spec": {"hostPID": true, "containers": [{"name": "c"}]}}}});
    review
}

/// `ml-restrictd` admitted everything, and nobody was told.
#[test]
fn a_value_that_no_policy_knows_is_told_with_the_nearest() {
    let gate = reviewer(&[], &[("team", &[(KEY, "ml-restrictd")])]);
    for review in [of("team"), template("team")] {
        let (warnings, is_unjudged) = warnings(&gate, Webhook::Validate, &review);
        assert!(is_unjudged);
        assert_eq!(
            warnings,
            [
                "podgate: no policy holds in namespace \"team\": nothing checked",
                "podgate: its label podgate.dev/policy=ml-restrictd is not known: did you mean ml-restricted?",
            ]
        );
    }
}

#[test]
fn what_is_warned_of_is_said_once_and_by_one_webhook() {
    let gate = reviewer(&[], &[("team", &[(KEY, "ml-restrictd")])]);
    assert_eq!(warnings(&gate, Webhook::Mutate, &of("team")), (vec![], false));
    for review in [of("team"), template("team")] {
        let mut delete = review.clone();
        delete["request"]["operation"] = json!("DELETE");
        delete["request"]["oldObject"] = delete["request"]["object"].take();
        assert_eq!(warnings(&gate, Webhook::Validate, &delete), (vec![], false));
    }
    let mut status = of("team");
    status["request"]["subResource"] = json!("status");
    assert!(!warnings(&gate, Webhook::Validate, &status).1);
}

#[test]
fn what_the_label_may_be_is_said_as_far_as_it_helps() {
    let others = [policy("a", "gpu-jobs"), policy("b", "notebooks"), policy("c", "secret-project-x")];
    let others: Vec<&str> = others.iter().map(String::as_str).collect();
    let far: &[(&str, &str)] = &[(KEY, "zzzzzz")];
    let near: &[(&str, &str)] = &[(KEY, "GPU-jobs")];
    let gate = reviewer(&others, &[("far", far), ("near", near), ("none", &[("team", "x")])]);
    let told = |name: &str| warnings(&gate, Webhook::Validate, &of(name)).0.join("\n");
    // One that is near is all that is needed; nobody learns of the others.
    assert!(told("near").ends_with("did you mean gpu-jobs?"), "{}", told("near"));
    assert!(!told("near").contains("secret-project-x") && !told("near").contains("notebooks"));
    for name in ["far", "none"] {
        let text = told(name);
        assert!(text.contains(KEY) && text.contains("gpu-jobs") && text.contains("notebooks"), "{text}");
        assert!(text.contains(&format!("\"{name}\"")), "{text}");
    }
}

#[test]
fn whatever_a_namespace_is_called_the_warning_is_short_and_printable() {
    let long = "n".repeat(63);
    let value = "v".repeat(63);
    let key = format!("{}/{}", vec!["d".repeat(60); 4].join("."), "k".repeat(63));
    let by_key = policy("long", &"w".repeat(63)).replace(KEY, &key);
    let gate = reviewer(&[&by_key], &[(&long, &[(KEY, &value), (&key, &"w".repeat(62))])]);
    let (told, is_unjudged) = warnings(&gate, Webhook::Validate, &of(&long));
    assert!(is_unjudged && told[0].contains(&long), "{told:?}");
    // By name alone: the namespace is whatever the request says.
    let by_name = "apiVersion: podgate.dev/v1alpha1\nkind: SecurityPolicy\nmetadata: {name: p}\nspec:\n  \
                   match: {namespaces: [ml-a, ml-b]}\n  standard: {enforce: baseline}\n";
    let gate = Reviewer::new(policies(by_name), Snapshot::default());
    for name in ["two\nlines\u{1b}[2J", "\u{202e}", &"\u{1f600}".repeat(500), "ml-c"] {
        let mut review = of(name);
        review["request"]["object"]["metadata"]["namespace"] = json!("");
        let (told, is_unjudged) = warnings(&gate, Webhook::Validate, &review);
        assert!(is_unjudged && !told.is_empty(), "{name:?}: {told:?}");
        assert!(told[0].starts_with("podgate: no policy holds"), "{told:?}");
    }
}

#[test]
fn who_is_not_meant_to_be_judged_is_not_warned() {
    let restricted: &[(&str, &str)] = &[(KEY, "ml-restricted")];
    let unknown: &[(&str, &str)] = &[(KEY, "ml-restrictd")];
    let namespaces = [
        ("held", restricted),
        ("kube-system", unknown),
        ("podgate-system", unknown),
        ("kube-public", unknown),
    ];
    let gate = reviewer(&[], &namespaces);
    for name in ["held", "kube-system", "kube-public", "kube-node-lease", "podgate-system", "unheard-of", ""]
    {
        let (told, is_unjudged) = warnings(&gate, Webhook::Validate, &of(name));
        assert!(!is_unjudged, "{name}: {told:?}");
        assert!(!told.iter().any(|warning| warning.contains("no policy holds")), "{name}: {told:?}");
    }
    // An identity is a policy, too.
    let identity = "apiVersion: podgate.dev/v1alpha1\nkind: IdentityPolicy\nmetadata: {name: i}\nspec:\n  \
                    match: {namespaces: [team]}\n  \
                    identity: {provider: azure, serviceAccountName: trainer}\n";
    let gate = reviewer(&[identity], &[("team", unknown)]);
    assert!(!warnings(&gate, Webhook::Validate, &of("team")).1);
    // One standard for all, and Kubernetes' own labels.
    let standard = podgate::policy::PolicySet::of_standard(&"baseline:latest".parse().unwrap());
    let gate = Reviewer::new(standard, Snapshot::default());
    assert!(!warnings(&gate, Webhook::Validate, &of("team")).1);
}

const NAMESPACES: &str = "apiVersion: v1
kind: Namespace
metadata: {name: ml-team-a, labels: {podgate.dev/policy: ml-restrictd}}
---
apiVersion: v1
kind: Namespace
metadata: {name: ml-team-b, labels: {podgate.dev/policy: ml-restrictd}}
";

/// Counted each time, and logged once a namespace until the policies change.
#[tokio::test]
async fn it_is_counted_and_logged_once_a_namespace() {
    let before = policy("p", "ml-baseline");
    let files = [("namespaces.yaml", NAMESPACES), ("policy.yaml", before.as_str())];
    let arguments = ["--objects=namespaces.yaml", "--policy=policy.yaml", "--reload-interval=50ms"];
    let process = Process::start(&files, &arguments);
    let count = async || process.metric("podgate_unjudged_reviews_total").await;
    assert_eq!(count().await, 0.0);
    for namespace in ["ml-team-a", "ml-team-b"] {
        for path in ["/validate", "/mutate"] {
            for _ in 0..5 {
                assert_eq!(process.ask(path, &of(namespace)).await["allowed"], true);
            }
        }
    }
    assert_eq!(count().await, 10.0);
    let lines =
        |log: &str| log.lines().filter(|line| line.contains("no policy holds in a namespace")).count();
    process.change("policy.yaml", &policy("q", "ml-baselines"));
    let changed = "podgate_policy_reload_total{result=\"changed\"}";
    let deadline = std::time::Instant::now() + crate::server::PATIENCE;
    while process.metric(changed).await < 1.0 {
        assert!(std::time::Instant::now() < deadline);
        tokio::task::yield_now().await;
    }
    for _ in 0..5 {
        process.ask("/validate", &of("ml-team-a")).await;
    }
    let log = process.end();
    assert_eq!(lines(&log), 3, "{log}");
}
