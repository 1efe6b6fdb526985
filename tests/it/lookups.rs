//! What peers can have podgate ask the API server: so many calls and no more, and of what the API server says not a
//! word goes back to them.

use std::time::{Duration, Instant};

use podgate::cluster::{Cluster, Reason};
use serde_json::{Value as Json, json};
use tokio::task::JoinSet;

use crate::cluster_api::{Api, Fault, PATIENCE, Verb, until};
use crate::serving::{Process, response, review_of_bad_pod};

/// What the API server is asked at the most: at once, and in each second.
const BURST: usize = 50;
const A_SECOND: f64 = 20.0;

/// How many calls may have been made since then.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a few hundred at most")]
fn most_calls(since: Instant) -> usize {
    BURST + (since.elapsed().as_secs_f64() * A_SECOND).ceil() as usize
}

/// podgate before an API server, once it is ready.
pub(crate) async fn serve(api: &Api, files: &[(&str, &str)], arguments: &[&str]) -> Process {
    let (folder, path) = api.kubeconfig();
    let kubeconfig = std::fs::read_to_string(path).unwrap();
    drop(folder);
    let files = [&[("kubeconfig", kubeconfig.as_str())], files].concat();
    let process = Process::start(&files, &[&["--kubeconfig=kubeconfig"], arguments].concat());
    process.until_ready().await;
    process
}

/// Follows a cluster until the test ends, and returns when all is known and the watches stand.
async fn follow(cluster: &Cluster) -> tokio::task::JoinHandle<()> {
    let ups = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let count = std::sync::Arc::clone(&ups);
    let cluster = cluster.clone();
    let task = tokio::spawn(async move {
        let observe = |event| {
            if matches!(event, podgate::cluster::ClusterEvent::Up(_)) {
                count.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            }
        };
        match cluster.follow(|_| (), observe).await {}
    });
    until("both watches", || ups.load(std::sync::atomic::Ordering::Relaxed) == 2).await;
    task
}

// ---- how many calls

/// 600 namespaces that nobody has cost 600 calls once. What is over the limit is judged as strictly as can be.
#[tokio::test]
async fn names_that_nobody_has_cost_few_calls_and_none_is_let_pass() {
    let api = Api::start().await;
    let process = serve(&api, &[], &[]).await;
    let start = Instant::now();
    let mut client = process.connect().await;
    for index in 0..600 {
        let review = review_of_bad_pod("u", &format!("invented-{index}"));
        let answer = response(&client.post("/validate", &review.to_string()).await.body);
        assert_eq!(answer["allowed"], false, "{answer}");
        assert_eq!(answer["status"]["code"], 403, "judged by every policy that may match: {answer}");
    }
    let calls = api.calls("GET /api/v1/namespaces/invented").len();
    assert!(calls <= most_calls(start), "{calls} calls for 600 names in {:?}", start.elapsed());
    let limited =
        process.metric("podgate_cluster_lookups_total{resource=\"namespaces\",result=\"limited\"}").await;
    assert!(limited > 0.0, "{limited}");
    let absent =
        process.metric("podgate_cluster_lookups_total{resource=\"namespaces\",result=\"absent\"}").await;
    assert_eq!(limited + absent, 600.0);
}

#[tokio::test]
async fn every_kind_of_look_up_is_under_one_limit() {
    let api = Api::start().await;
    let cluster = api.cluster().await;
    let start = Instant::now();
    let mut refused = 0;
    for index in 0..200 {
        let name = format!("n{index}");
        let faults = [
            cluster.namespace(&name, PATIENCE).await.err(),
            cluster.service_account(&name, "default", PATIENCE).await.err(),
            cluster.pods(&name, None).await.err(),
        ];
        for fault in faults.into_iter().flatten() {
            assert_eq!(fault.reason, Reason::RateLimited, "{fault}");
            refused += 1;
        }
    }
    let calls = api.calls("GET").len();
    assert_eq!(calls + refused, 600);
    assert!(calls <= most_calls(start), "{calls} calls in {:?}", start.elapsed());
    assert!(calls >= BURST, "{calls}: the burst is not to be had");
}

/// An attacker's thousand connections that ask for one name are one call, and so are a thousand one after the other.
#[tokio::test]
async fn what_is_not_there_is_asked_for_once() {
    let api = Api::start().await;
    let cluster = api.cluster().await;
    let start = Instant::now();
    for _ in 0..1000 {
        assert_eq!(cluster.namespace("absent", PATIENCE).await, Ok(None));
        assert_eq!(cluster.service_account("absent", "default", PATIENCE).await, Ok(None));
    }
    // Each is asked again after five seconds, if a busy machine needs as long.
    let rounds = 1 + usize::try_from(start.elapsed().as_secs() / 5).unwrap();
    assert!(api.calls("GET").len() <= 2 * rounds, "{:?}", api.calls("GET"));
}

/// Whoever has just made what was not there must not be told for seconds that it is not.
#[tokio::test]
async fn a_watch_event_ends_what_was_known_not_to_be_there() {
    let api = Api::start().await;
    let cluster = api.cluster().await;
    let task = follow(&cluster).await;
    let mut fastest = PATIENCE;
    for round in 0..5 {
        let name = format!("late-{round}");
        let is_there = async || cluster.namespace(&name, PATIENCE).await.unwrap().is_some();
        let has_account =
            async || cluster.service_account(&name, "trainer", PATIENCE).await.unwrap().is_some();
        assert!(!is_there().await && !has_account().await);
        let start = Instant::now();
        api.put_namespace(&name, &json!({"team": "x"}));
        api.put_account(&name, "trainer");
        while !is_there().await {
            assert!(start.elapsed() < PATIENCE, "{name} is still not there");
            tokio::task::yield_now().await;
        }
        while !has_account().await {
            assert!(start.elapsed() < PATIENCE, "{name} still has no account");
            tokio::task::yield_now().await;
        }
        fastest = start.elapsed().min(fastest);
    }
    task.abort();
    assert!(fastest < Duration::from_secs(4), "{fastest:?}: by its age alone it would take five seconds");
}

/// 50 namespaces that are made at once, each with pods, before the watch has told of any: both webhooks ask for each.
#[tokio::test]
async fn a_burst_of_new_namespaces_is_found_while_the_watch_lags() {
    let api = Api::start().await;
    let cluster = api.cluster().await;
    let task = follow(&cluster).await;
    api.fall_silent();
    for index in 0..50 {
        api.put_namespace(&format!("new-{index}"), &json!({"podgate.dev/policy": "ml-restricted"}));
    }
    let mut asked = JoinSet::new();
    for index in 0..200 {
        let cluster = cluster.clone();
        let name = format!("new-{}", index % 50);
        asked.spawn(async move {
            let mutate = cluster.namespace(&name, PATIENCE).await;
            let validate = cluster.namespace(&name, PATIENCE).await;
            [mutate, validate]
        });
    }
    while let Some(both) = asked.join_next().await {
        for found in both.unwrap() {
            assert_eq!(found.unwrap().unwrap().labels.get("podgate.dev/policy"), Some("ml-restricted"));
        }
    }
    task.abort();
}

/// With its watch up a cluster of any size is known, and nobody is asked.
#[tokio::test]
async fn what_is_known_is_not_asked_for() {
    let api = Api::start().await;
    for index in 0..2000 {
        api.put_namespace(&format!("n{index}"), &json!({"podgate.dev/policy": "ml-restricted"}));
    }
    let process = serve(&api, &[], &[]).await;
    let mut client = process.connect().await;
    for index in 0..2000 {
        let review = review_of_bad_pod("u", &format!("n{index}"));
        let answer = response(&client.post("/validate", &review.to_string()).await.body);
        assert_eq!(answer["status"]["code"], 403, "{answer}");
    }
    assert_eq!(api.calls("GET /api/v1/namespaces/"), [""; 0]);
}

/// A namespace in which no policy holds is looked at again before a pod is let pass; but not without end.
#[tokio::test]
async fn a_namespace_without_a_policy_is_not_asked_for_without_end() {
    let api = Api::start().await;
    api.put_namespace("other", &json!({}));
    let process = serve(&api, &[], &[]).await;
    let start = Instant::now();
    let mut client = process.connect().await;
    for _ in 0..600 {
        let review = review_of_bad_pod("u", "other");
        let answer = response(&client.post("/validate", &review.to_string()).await.body);
        assert_eq!(answer["allowed"], true, "{answer}");
    }
    let calls = api.calls("GET /api/v1/namespaces/other").len();
    assert!(calls <= most_calls(start), "{calls} calls for 600 pods in {:?}", start.elapsed());
}

/// The API server goes by the labels that it has. As long as calls can be made, nobody is let pass by older ones.
#[tokio::test]
async fn a_label_that_was_just_set_is_seen_before_the_watch_tells_of_it() {
    let api = Api::start().await;
    api.put_namespace("team", &json!({"podgate.dev/policy": "ml-restrictd"}));
    let process = serve(&api, &[], &[]).await;
    api.fall_silent();
    let mut client = process.connect().await;
    for _ in 0..10 {
        for (value, allowed) in [("ml-restrictd", true), ("ml-restricted", false)] {
            api.put_namespace("team", &json!({"podgate.dev/policy": value}));
            let review = review_of_bad_pod("u", "team");
            let answer = response(&client.post("/validate", &review.to_string()).await.body);
            assert_eq!(answer["allowed"], allowed, "{value}: {answer}");
        }
    }
}

// ---- what of it is told

const IDENTITY: &str = "apiVersion: podgate.dev/v1alpha1
kind: IdentityPolicy
metadata: {name: trainers}
spec:
  match: {namespaceSelector: {matchLabels: {podgate.dev/policy: ml-restricted}}}
  identity: {provider: azure, serviceAccountName: trainer-wi}
";

const DROP_IN: &str = "apiVersion: pod-security.admission.config.k8s.io/v1
kind: PodSecurityConfiguration
";

fn review_of_raised_level(namespace: &str) -> Json {
    let object = |level: &str| {
        json!({"apiVersion": "v1", "kind": "Namespace",
               "metadata": {"name": namespace, "labels": {"pod-security.kubernetes.io/enforce": level}}})
    };
    json!({
        "apiVersion": "admission.k8s.io/v1",
        "kind": "AdmissionReview",
        "request": {
            "uid": "raised",
            "kind": { "group": "", "version": "v1", "kind": "Namespace" },
            "resource": { "group": "", "version": "v1", "resource": "namespaces" },
            "name": namespace,
            "namespace": namespace,
            "operation": "UPDATE",
            "object": object("restricted"),
            "oldObject": object("privileged"),
        },
    })
}

/// Neither what the API server says, nor where it is, goes to whoever asks; whoever reads the log learns both.
#[tokio::test]
async fn nothing_that_the_api_server_says_goes_to_the_peer() {
    let told = ["refused with", "forbidden", "127.0.0.1", "http", "/api/v1", "get \"", "dial", "<html"];
    for fault in [
        Fault::Status(403, "Forbidden"),
        Fault::Status(500, "InternalError"),
        Fault::RetryAfter(3),
        Fault::Page(502),
        Fault::Page(404),
        Fault::Garbage,
        Fault::Reset,
    ] {
        for (file, text) in [("policy.yaml", IDENTITY), ("drop-in.yaml", DROP_IN)] {
            let api = Api::start().await;
            api.put_namespace("known", &json!({"podgate.dev/policy": "ml-restricted"}));
            let process = serve(&api, &[(file, text)], &["--policy", file]).await;
            api.fail(Verb::Get, "/", fault.clone());
            api.fail(Verb::List, "/pods", fault.clone());
            let mut answers = Vec::new();
            for namespace in ["unheard-of", "known"] {
                let mut review = review_of_bad_pod("u", namespace);
                answers.push(process.ask("/validate", &review).await);
                answers.push(process.ask("/mutate", &review).await);
                review["request"]["kind"] = json!({"group": "apps", "version": "v1", "kind": "Deployment"});
                review["request"]["resource"] =
                    json!({"group": "apps", "version": "v1", "resource": "deployments"});
                review["request"]["object"] = json!({"apiVersion": "apps/v1", "kind": "Deployment",
                    "metadata": {"name": "d"}, "spec": {"template": {"spec": {"hostPID": true}}}});
                answers.push(process.ask("/validate", &review).await);
                answers.push(process.ask("/validate", &review_of_raised_level(namespace)).await);
            }
            for answer in &answers {
                let shown = answer.to_string().to_lowercase();
                for word in told {
                    // Of the code 403 Kubernetes itself says "Forbidden".
                    let shown = shown.replace("\"reason\":\"forbidden\"", "").replace("is forbidden:", "");
                    assert!(!shown.contains(word), "{fault:?} {file}: {word:?} in {answer}");
                }
            }
            let asked = api.calls("GET /api/v1/namespaces/unheard-of");
            assert!(!asked.is_empty(), "{file}: nobody was asked");
            let log = process.end();
            assert!(log.contains("look-up") && log.contains("advice"), "{fault:?} {file}: {log}");
        }
    }
}
