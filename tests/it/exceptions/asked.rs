//! `podgate serve` and an API server that is asked whether RBAC grants an exception: what it is asked, how often, and what becomes of
//! a pod when it does not answer as it should.

use std::time::Instant;

use serde_json::{Value as Json, json};

use super::{adding, policy};
use crate::cluster_api::{Api, Fault, PATIENCE, Verb};
use crate::lookups::serve;
use crate::requests::creation;
use crate::serving::Process;

const GRANTED: &str = "{controls: [capabilities_restricted], values: [IPC_LOCK], grantedBy: rbac}";
const REVIEWS: &str = "/subjectaccessreviews";
/// How long an answer is used, in seconds.
const KEPT: u64 = 5;

/// podgate with this exception, which does not end before the test does.
async fn serve_with(api: &Api) -> Process {
    api.put_namespace("team", &json!({}));
    serve(api, &[("p.yaml", &lasting(&[GRANTED]))], &["--policy=p.yaml"]).await
}

fn lasting(exceptions: &[&str]) -> String {
    policy(exceptions).replace("2027-03-31", "9998-12-31")
}

fn review_of(account: &str) -> Json {
    let mut pod = adding(&["IPC_LOCK"]);
    pod["apiVersion"] = "v1".into();
    pod["kind"] = "Pod".into();
    pod["spec"]["serviceAccountName"] = account.into();
    creation("u", "team", &pod)
}

/// The text of the refusal on one line; empty if the pod is allowed.
async fn refusal(process: &Process, account: &str) -> String {
    super::refusal(&process.ask("/validate?timeout=10s", &review_of(account)).await)
}

/// Asks until the pod is allowed, or until it is refused.
async fn until(process: &Process, account: &str, is_allowed: bool) -> String {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let text = refusal(process, account).await;
        if text.is_empty() == is_allowed {
            return text;
        }
        assert!(Instant::now() < deadline, "not so in time: {text:?}");
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn rbac_is_asked_about_the_pods_account_and_what_it_says_holds_for_seconds() {
    const RIGHT: &str =
        "/allowed/system:serviceaccount:team:trainer/use/podgate.dev/securityexceptions/team/e0";
    let api = Api::start().await;
    let process = serve_with(&api).await;
    let start = Instant::now();
    let refused = until(&process, "trainer", false).await;
    let right = "if the service account trainer had the verb use on securityexceptions.podgate.dev/e0 in the namespace team";
    assert!(refused.contains(right), "{refused}");
    api.put(RIGHT, json!({}));
    until(&process, "trainer", true).await;
    process.ask("/mutate", &review_of("trainer")).await;
    api.forget(RIGHT);
    until(&process, "trainer", false).await;
    let asked = api.access_reviews();
    let most = 1 + start.elapsed().as_secs() / KEPT;
    assert!(asked.len() as u64 <= most, "{} questions: {asked:?}", asked.len());
    for review in &asked {
        assert_eq!(
            review["spec"],
            json!({
                "user": "system:serviceaccount:team:trainer",
                "groups": ["system:serviceaccounts", "system:authenticated", "system:serviceaccounts:team"],
                "resourceAttributes": {
                    "namespace": "team", "verb": "use", "group": "podgate.dev", "resource": "securityexceptions",
                    "name": "e0",
                },
            })
        );
    }
}

#[tokio::test]
async fn a_pod_that_needs_no_exception_asks_nobody() {
    let api = Api::start().await;
    let process = serve_with(&api).await;
    for capabilities in [&[][..], &["SYS_ADMIN"]] {
        let mut pod = adding(capabilities);
        pod["apiVersion"] = "v1".into();
        pod["kind"] = "Pod".into();
        let answer = process.ask("/validate", &creation("u", "team", &pod)).await;
        assert_eq!(answer["allowed"], capabilities.is_empty(), "{answer}");
    }
    assert_eq!(api.access_reviews(), [""; 0]);
}

/// Whatever goes wrong, the pod is refused in time and the text says what is missing; and nothing of it is kept.
#[tokio::test]
async fn an_api_server_that_fails_to_tell_grants_nothing() {
    let api = Api::start().await;
    let process = serve_with(&api).await;
    let not_granted = "if the service account {} had the verb use on securityexceptions.podgate.dev/e0 in the namespace team";
    let untold = |why: &str| {
        format!("whether the service account {{}} may use the exception e0 could not be told ({why})")
    };
    let failed = untold("the API server could not tell");
    for (index, (fault, expected)) in [
        (Fault::Silence, untold("the API server did not answer in time")),
        (
            Fault::Status(403, "Forbidden"),
            untold("podgate may not ask: whoever administers the cluster can grant it to create subjectaccessreviews"),
        ),
        (Fault::Status(500, "InternalError"), failed.clone()),
        (Fault::Page(502), failed.clone()),
        (Fault::Garbage, failed.clone()),
        (Fault::Reset, failed.clone()),
        (Fault::Body(201, "{}"), failed.clone()),
        (Fault::Body(201, ""), failed.clone()),
        (Fault::Body(201, "{\"kind\":\"SubjectAccessReview\",\"spec\":{}}"), failed.clone()),
        (Fault::Body(201, "{\"status\":null}"), failed.clone()),
        (Fault::Body(201, "{\"status\":{\"allowed\":\"yes\"}}"), failed),
        (Fault::Body(201, "{\"status\":{}}"), not_granted.to_owned()),
        (Fault::Body(201, "{\"status\":{\"allowed\":true,\"denied\":true}}"), not_granted.to_owned()),
    ]
    .into_iter()
    .enumerate()
    {
        let account = format!("trainer-{index}");
        let is_kept = matches!(fault, Fault::Body(..)) && expected == not_granted;
        let shown = format!("{fault:?}");
        api.put(&format!("/allowed/system:serviceaccount:team:{account}/use/podgate.dev/securityexceptions/team/e0"), json!({}));
        api.fail(Verb::Write, REVIEWS, fault);
        let limit = if index == 0 { "/validate?timeout=1s" } else { "/validate?timeout=10s" };
        let answer = process.ask(limit, &review_of(&account)).await;
        let text = super::refusal(&answer);
        assert!(text.contains(&expected.replace("{}", &account)), "{shown}: {text}");
        assert_eq!(answer["status"]["code"], 403, "{shown}");
        api.mend();
        if !is_kept {
            assert_eq!(refusal(&process, &account).await, "", "{shown}");
        }
    }
}

/// What lets a pod be is counted, logged, and found again by `podgate policy check --log`.
#[tokio::test]
async fn a_used_exception_is_in_the_metrics_and_in_the_log() {
    let given = "{controls: [capabilities_restricted], values: [IPC_LOCK]}";
    let other = "{controls: [runAsUser], values: [0]}";
    let text = lasting(&[given, other]);
    let process = Process::start(&[("p.yaml", &text)], &["--policy=p.yaml", "--log-format=json"]);
    let series =
        |name: &str, exception: &str| format!("podgate_{name}{{exception=\"{exception}\",policy=\"ml\"}}");
    let used = series("exceptions_used_total", "e0");
    assert_eq!(process.metric(&used).await, 0.0);
    let end: jiff::Timestamp = "9999-01-01T00:00:00Z".parse().unwrap();
    #[expect(clippy::cast_precision_loss, reason = "it is small enough")]
    let end = end.as_second() as f64;
    assert_eq!(process.metric(&series("exception_expiry_timestamp_seconds", "e0")).await, end);
    for expected in [1.0, 2.0] {
        let answer = process.ask("/validate", &review_of("trainer")).await;
        assert_eq!(answer["allowed"], true, "{answer}");
        assert_eq!(answer["auditAnnotations"]["exceptions"], "e0 (ml): capabilities_restricted");
        assert_eq!(process.metric(&used).await, expected);
    }
    assert!(process.metric(&series("exception_last_used_timestamp_seconds", "e0")).await > 1e9);
    assert_eq!(process.metric(&series("exceptions_used_total", "e1")).await, 0.0);
    let log = process.end();
    let lines = log.lines().map(|line| serde_json::from_str::<Json>(line).unwrap());
    let reviewed: Vec<Json> = lines.filter(|line| line["message"] == "reviewed").collect();
    assert_eq!(reviewed.len(), 2, "{log}");
    for line in &reviewed {
        assert_eq!((&line["policy"], &line["exceptions"]), (&"ml".into(), &"e0".into()), "{line}");
        assert_eq!((&line["decision"], &line["level"]), (&"allowed".into(), &"INFO".into()), "{line}");
    }
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("p.yaml"), text).unwrap();
    let check = ["policy", "check", "p.yaml", "--log", "-"];
    let told = crate::command::run(folder.path(), &check, &log).with(0).output;
    assert!(told.contains("exception e1 of \"ml\" is named by none of 2 reviews logged from "), "{told}");
    assert_eq!(told.lines().count(), 2, "{told}");
}
