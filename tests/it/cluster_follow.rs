//! Namespaces and service accounts, followed and read, from an API server that fails as ordered.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use podgate::cluster::{ClientLimits, Cluster, ClusterEvent, ConnectError, Reason, WatchedResource};
use podgate::policy::Snapshot;
use serde_json::json;
use tokio::task::{JoinHandle, JoinSet};

use crate::cluster_api::{Api, Fault, PATIENCE, Verb, limits, until};

/// A cluster that is being followed, and all that it said.
struct Followed {
    cluster: Cluster,
    snapshot: Arc<Mutex<Arc<Snapshot>>>,
    events: Arc<Mutex<Vec<ClusterEvent>>>,
    task: JoinHandle<()>,
}

impl Drop for Followed {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn follow(api: &Api) -> Followed {
    follow_with(api, limits()).await
}

async fn follow_with(api: &Api, limits: ClientLimits) -> Followed {
    let cluster = api.cluster_with(limits).await;
    let snapshot = Arc::new(Mutex::new(Arc::new(Snapshot::live())));
    let events = Arc::new(Mutex::new(Vec::new()));
    let task = tokio::spawn({
        let (cluster, snapshot, events) = (cluster.clone(), Arc::clone(&snapshot), Arc::clone(&events));
        async move {
            let publish = |new| *snapshot.lock().unwrap() = new;
            let observe = |event| events.lock().unwrap().push(event);
            match cluster.follow(publish, observe).await {}
        }
    });
    Followed { cluster, snapshot, events, task }
}

impl Followed {
    fn snapshot(&self) -> Arc<Snapshot> {
        Arc::clone(&self.snapshot.lock().unwrap())
    }

    async fn until(&self, what: &str, holds: impl Fn(&Snapshot) -> bool) {
        until(what, || holds(&self.snapshot())).await;
    }

    async fn until_synced(&self) {
        until("synced", || self.count(|event| *event == ClusterEvent::Synced) == 1).await;
    }

    fn count(&self, is_meant: impl Fn(&ClusterEvent) -> bool) -> usize {
        self.events.lock().unwrap().iter().filter(|event| is_meant(event)).count()
    }

    /// Of Namespaces: each change of condition, in a word.
    fn conditions(&self) -> Vec<String> {
        let word = |event: &ClusterEvent| match event {
            ClusterEvent::Up(WatchedResource::Namespaces) => Some("up".to_owned()),
            ClusterEvent::Down(WatchedResource::Namespaces, fault) => Some(fault.reason.as_str().to_owned()),
            ClusterEvent::Up(_)
            | ClusterEvent::Down(..)
            | ClusterEvent::Failed(..)
            | ClusterEvent::Received(_)
            | ClusterEvent::Synced => None,
        };
        self.events.lock().unwrap().iter().filter_map(word).collect()
    }

    async fn until_conditions(&self, expected: &[&str]) {
        until(&format!("{expected:?}"), || self.conditions() == expected).await;
    }

    fn failures(&self) -> usize {
        self.count(|event| matches!(event, ClusterEvent::Failed(WatchedResource::Namespaces, _)))
    }
}

fn label<'s>(snapshot: &'s Snapshot, namespace: &str, key: &str) -> Option<&'s str> {
    snapshot.labels(namespace)?.get(key)
}

#[tokio::test]
async fn the_snapshot_holds_what_the_cluster_has_and_follows_its_changes() {
    let api = Api::start().await;
    api.put_namespace("a", &json!({"team": "x"}));
    api.put_namespace("b", &json!({}));
    api.put_account("a", "default");
    let followed = follow(&api).await;
    followed.until_synced().await;
    let snapshot = followed.snapshot();
    assert!(snapshot.is_live());
    assert_eq!(label(&snapshot, "a", "team"), Some("x"));
    assert_eq!(label(&snapshot, "b", "kubernetes.io/metadata.name"), Some("b"));
    assert!(
        snapshot.service_account("a", "default").is_some()
            && snapshot.service_account("b", "default").is_none()
    );

    api.put_namespace("a", &json!({"team": "y"}));
    api.put_account("b", "trainer");
    api.delete("/api/v1/namespaces/b");
    api.delete("/api/v1/namespaces/a/serviceaccounts/default");
    followed
        .until("the changes", |now| {
            label(now, "a", "team") == Some("y")
                && now.labels("b").is_none()
                && now.service_account("b", "trainer").is_some()
                && now.service_account("a", "default").is_none()
        })
        .await;
    assert_eq!(label(&snapshot, "a", "team"), Some("x"), "what was given out does not change");
    followed.until_conditions(&["up"]).await;
    assert_eq!(followed.failures(), 0);
    let calls = api.calls("GET");
    let is_whole = |call: &&String| call.contains("/serviceaccounts") && !call.ends_with(" meta");
    let is_metadata = |call: &&String| call.contains("/namespaces") && call.ends_with(" meta");
    assert!(calls.iter().all(|call| is_whole(&call) || is_metadata(&call)), "{calls:?}");
}

#[tokio::test]
async fn a_thousand_changes_at_once_make_few_snapshots() {
    let api = Api::start().await;
    let cluster = api.cluster().await;
    let given = Arc::new(Mutex::new((0, Arc::new(Snapshot::live()))));
    let task = tokio::spawn({
        let given = Arc::clone(&given);
        async move {
            let publish = |new| {
                let mut given = given.lock().unwrap();
                *given = (given.0 + 1, new);
            };
            match cluster.follow(publish, |_| ()).await {}
        }
    });
    for index in 0..1000 {
        api.put_namespace(&format!("n{index}"), &json!({}));
    }
    until("all of them", || given.lock().unwrap().1.namespace_count() == 1000).await;
    let snapshots = given.lock().unwrap().0;
    assert!(snapshots < 500, "{snapshots} snapshots for 1000 namespaces");
    task.abort();
}

#[tokio::test]
async fn an_api_server_that_cannot_stream_lists_is_asked_for_pages() {
    let api = Api::start().await;
    api.refuse_streams();
    for index in 0..1201 {
        api.put_namespace(&format!("n{index}"), &json!({}));
    }
    let followed = follow(&api).await;
    followed.until_synced().await;
    assert_eq!(followed.snapshot().namespace_count(), 1201);
    assert_eq!(api.calls("/api/v1/namespaces?&limit=500").len(), 3);
    // It is no fault.
    followed.until_conditions(&["up"]).await;
    api.delete("/api/v1/namespaces/n7");
    followed.until("a change", |now| now.labels("n7").is_none()).await;
}

#[tokio::test]
async fn each_fault_is_told_once_and_survived_and_mended() {
    for (fault, reason) in [
        (Fault::Status(403, "Forbidden"), Reason::Forbidden),
        (Fault::Status(401, "Unauthorized"), Reason::Unauthorized),
        (Fault::Status(500, "InternalError"), Reason::Server),
        (Fault::Status(429, "TooManyRequests"), Reason::TooManyRequests),
        (Fault::Page(502), Reason::Server),
        (Fault::Page(404), Reason::Refused),
        (Fault::Garbage, Reason::InvalidResponse),
        (Fault::Silence, Reason::Timeout),
        (Fault::Reset, Reason::Unreachable),
    ] {
        let api = Api::start().await;
        // A stream that breaks off is taken for one that ended; a list that does is a fault.
        api.refuse_streams();
        api.put_namespace("a", &json!({"team": "x"}));
        let followed = follow(&api).await;
        followed.until_synced().await;
        followed.until_conditions(&["up"]).await;

        api.fail(Verb::Watch, "/namespaces", Fault::Status(500, "InternalError"));
        api.fail(Verb::List, "/namespaces", fault.clone());
        api.compact();
        api.end_watches(true);
        api.mend();
        api.fail(Verb::List, "/namespaces", fault.clone());
        let is_told = || followed.conditions().iter().any(|word| word == reason.as_str());
        until(&format!("{fault:?} is told as {reason:?}"), is_told).await;
        let failures = followed.failures();
        until("three more attempts", || followed.failures() >= failures + 3).await;
        let told = followed.conditions().iter().filter(|word| *word == reason.as_str()).count();
        assert_eq!(told, 1, "{fault:?}: {:?}", followed.conditions());
        assert_eq!(label(&followed.snapshot(), "a", "team"), Some("x"), "{fault:?}: what is known stays");

        api.mend();
        api.put_namespace("b", &json!({}));
        followed.until("mended", |now| now.labels("b").is_some()).await;
        until("up", || followed.conditions().last().is_some_and(|word| word == "up")).await;
        assert_eq!(followed.count(|event| *event == ClusterEvent::Synced), 1);
    }
}

#[tokio::test]
async fn what_is_missing_in_rbac_is_named() {
    let api = Api::start().await;
    api.fail(Verb::Watch, "/serviceaccounts", Fault::Status(403, "Forbidden"));
    let followed = follow(&api).await;
    let is_down =
        |event: &ClusterEvent| matches!(event, ClusterEvent::Down(WatchedResource::ServiceAccounts, _));
    until("down", || followed.count(is_down) == 1).await;
    let events = followed.events.lock().unwrap();
    let Some(ClusterEvent::Down(_, fault)) = events.iter().find(|event| is_down(event)) else { panic!() };
    assert!(fault.advice().contains("list and watch serviceaccounts"), "{}", fault.advice());
    assert_eq!(fault.to_string(), "refused with Forbidden");
}

#[tokio::test]
async fn a_relist_takes_out_what_is_gone_and_a_watch_that_ends_is_taken_up() {
    let api = Api::start().await;
    api.put_namespace("a", &json!({}));
    api.put_namespace("b", &json!({}));
    api.put_account("b", "trainer");
    let followed = follow(&api).await;
    followed.until_synced().await;

    // In good order: nothing is listed again, and nothing is missed.
    api.end_watches(false);
    api.put_namespace("c", &json!({}));
    followed.until("c", |now| now.labels("c").is_some()).await;
    assert_eq!(
        api.calls("/api/v1/namespaces?").iter().filter(|call| call.contains("sendInitial")).count(),
        1
    );

    // Too far behind: what went meanwhile is not told by any watch.
    api.forget("/api/v1/namespaces/b");
    api.forget("/api/v1/namespaces/b/serviceaccounts/trainer");
    api.compact();
    api.end_watches(false);
    followed
        .until("b is gone", |now| now.labels("b").is_none() && now.service_account("b", "trainer").is_none())
        .await;
    assert!(followed.snapshot().labels("a").is_some());
    // To be behind is no fault.
    followed.until_conditions(&["up"]).await;
}

#[tokio::test]
async fn an_api_server_that_is_not_there_yet_is_waited_for() {
    let api = Api::down().await;
    let followed = follow(&api).await;
    until("it is told", || followed.conditions() == ["unreachable"]).await;
    let error = followed.cluster.namespace("a", PATIENCE).await.unwrap_err();
    let address = &api.address;
    assert_eq!(
        error.to_string(),
        format!(
            "Get \"http://{address}/api/v1/namespaces/a\": dial tcp {address}: connect: connection refused"
        )
    );
    api.rise().await;
    followed.until_synced().await;
    followed.until_conditions(&["unreachable", "up"]).await;
}

#[tokio::test]
async fn a_line_that_is_no_event_is_a_fault_that_mends_itself() {
    let api = Api::start().await;
    let followed = follow(&api).await;
    followed.until_conditions(&["up"]).await;
    api.say("/namespaces", "{\"type\": \"ADDED\", \"object\": 7}");
    followed.until_conditions(&["up", "garbled", "up"]).await;
}

#[tokio::test]
async fn a_right_to_list_alone_is_not_taken_for_one_to_watch() {
    let api = Api::start().await;
    api.refuse_streams();
    api.fail(Verb::Watch, "/namespaces", Fault::Status(403, "Forbidden"));
    let limits = ClientLimits { settled: PATIENCE, ..limits() };
    let followed = follow_with(&api, limits).await;
    until("a few attempts", || followed.failures() > 4).await;
    assert_eq!(followed.conditions(), ["forbidden"]);
    assert_eq!(
        followed.count(|event| *event == ClusterEvent::Synced),
        1,
        "what is there is known all the same"
    );
    api.mend();
    api.put_namespace("new", &json!({}));
    followed.until("mended", |now| now.labels("new").is_some()).await;
}

#[tokio::test]
async fn what_comes_by_a_watch_shows_that_it_stands() {
    let api = Api::start().await;
    let followed = follow_with(&api, ClientLimits { settled: 10 * PATIENCE, ..limits() }).await;
    followed.until_synced().await;
    assert_eq!(followed.conditions(), [""; 0]);
    api.put_namespace("a", &json!({}));
    followed.until_conditions(&["up"]).await;
}

#[tokio::test]
async fn an_api_server_that_never_ends_a_streamed_list_is_asked_for_pages() {
    let api = Api::start().await;
    api.leave_lists_open();
    api.put_namespace("a", &json!({}));
    let followed = follow(&api).await;
    followed.until_synced().await;
    followed.until_conditions(&["timeout", "up"]).await;
}

#[tokio::test]
async fn a_streamed_list_that_breaks_off_is_a_fault_and_not_begun_again_at_once() {
    let api = Api::start().await;
    api.fail(Verb::Watch, "/namespaces", Fault::Reset);
    let followed = follow(&api).await;
    until("a few attempts", || followed.failures() > 3).await;
    assert_eq!(followed.conditions(), ["unreachable"]);
    let calls = api.calls("/api/v1/namespaces?").len();
    assert!(calls <= 2 * (followed.failures() + 1), "{calls} calls for {} failures", followed.failures());
    api.mend();
    followed.until_synced().await;
}

#[tokio::test]
async fn a_watch_that_fell_silent_is_taken_up_and_nothing_is_missed() {
    let api = Api::start().await;
    api.put_namespace("a", &json!({}));
    let followed = follow_with(&api, ClientLimits { watch: Duration::from_secs(1), ..limits() }).await;
    followed.until_synced().await;
    api.fall_silent();
    api.put_namespace("b", &json!({}));
    followed.until("what came by no watch", |now| now.labels("b").is_some()).await;
    let lists = api.calls("/api/v1/namespaces?").iter().filter(|call| call.contains("sendInitial")).count();
    assert_eq!(lists, 1, "nothing is listed again");
}

#[tokio::test]
async fn annotations_that_controls_read_are_followed_and_no_others() {
    const KEY: &str = "openshift.io/sa.scc.uid-range";
    let api = Api::start().await;
    let put = |name: &str, annotations: serde_json::Value| {
        let metadata = json!({"name": name, "labels": {"team": "x"}, "annotations": annotations});
        api.put(&format!("/api/v1/namespaces/{name}"), json!({"metadata": metadata}));
    };
    put("a", json!({KEY: "1000/10", "note": "x".repeat(1 << 18)}));
    put("b", json!({"note": "x"}));
    let followed = follow(&api).await;
    followed.until_synced().await;
    let range = |now: &Snapshot, name: &str| now.namespace(name)?.annotations().uid_range.clone();
    followed.until("the annotation of the list", |now| range(now, "a").as_deref() == Some("1000/10")).await;
    put("a", json!({KEY: "2000/10"}));
    put("b", json!({KEY: "3000/10"}));
    followed
        .until("those of the watch", |now| {
            range(now, "a").as_deref() == Some("2000/10") && range(now, "b").as_deref() == Some("3000/10")
        })
        .await;
    put("b", json!(null));
    followed
        .until("one that is taken off", |now| now.namespace("b").is_some_and(|of| !of.has_annotations()))
        .await;
    let cluster = api.cluster().await;
    let read = cluster.namespace("a", PATIENCE).await.unwrap().unwrap();
    assert_eq!(read.annotations().uid_range.as_deref(), Some("2000/10"));
}

#[tokio::test]
async fn who_asks_us_to_wait_for_a_day_is_asked_again_sooner() {
    let api = Api::start().await;
    api.fail(Verb::Watch, "/namespaces", Fault::RetryAfter(86_400));
    let followed = follow(&api).await;
    until("a few attempts", || followed.failures() > 3).await;
    assert_eq!(followed.conditions(), ["too-many-requests"]);
}

#[tokio::test]
async fn a_thousand_misses_of_one_namespace_are_one_call() {
    let api = Api::start().await;
    api.put_namespace("new", &json!({"team": "x"}));
    let cluster = api.cluster().await;
    let mut asked = JoinSet::new();
    for _ in 0..1000 {
        let cluster = cluster.clone();
        asked.spawn(async move { cluster.namespace("new", PATIENCE).await });
    }
    while let Some(answer) = asked.join_next().await {
        let labels = answer.unwrap().unwrap().unwrap();
        assert_eq!(labels.labels.get("team"), Some("x"));
        assert_eq!(labels.labels.get("kubernetes.io/metadata.name"), Some("new"));
    }
    assert_eq!(api.calls("GET"), ["GET /api/v1/namespaces/new meta"]);
    api.put_account("new", "default");
    assert!(cluster.service_account("new", "default", PATIENCE).await.unwrap().is_some());
    // What was there is kept by nobody: without a watch nobody could say when it is no longer so.
    api.delete("/api/v1/namespaces/new/serviceaccounts/default");
    assert_eq!(cluster.service_account("new", "default", PATIENCE).await, Ok(None));
    api.put_namespace("new", &json!({"team": "y"}));
    let now = cluster.namespace("new", PATIENCE).await.unwrap().unwrap();
    assert_eq!(now.labels.get("team"), Some("y"));
}

#[tokio::test]
async fn what_is_not_there_and_what_cannot_be_is_none() {
    let api = Api::start().await;
    let cluster = api.cluster().await;
    assert_eq!(cluster.namespace("absent", PATIENCE).await, Ok(None));
    for name in ["", "a/b", "../secrets", "A", "a?b"] {
        assert_eq!(cluster.namespace(name, PATIENCE).await, Ok(None));
        assert_eq!(cluster.service_account("a", name, PATIENCE).await, Ok(None));
    }
    assert_eq!(api.calls("GET").len(), 1, "no such name is asked for");
}

#[tokio::test]
async fn a_read_has_a_deadline_and_says_what_failed() {
    let api = Api::start().await;
    api.fail(Verb::Get, "/silent", Fault::Silence);
    api.fail(Verb::Get, "/refused", Fault::Status(403, "Forbidden"));
    api.fail(Verb::Get, "/garbled", Fault::Garbage);
    api.fail(Verb::Get, "/busy", Fault::RetryAfter(7));
    api.fail(Verb::Get, "/page", Fault::Page(404));
    let cluster = api.cluster().await;
    let fault = async |name: &str, within| cluster.namespace(name, within).await.unwrap_err();
    let late = fault("silent", Duration::from_millis(50)).await;
    assert_eq!(late.reason, Reason::Timeout);
    assert!(late.to_string().ends_with("/api/v1/namespaces/silent\": context deadline exceeded"), "{late}");
    // The call itself has a limit too, whoever waits.
    assert_eq!(fault("silent", PATIENCE).await.reason, Reason::Timeout);
    let refused = fault("refused", PATIENCE).await;
    assert_eq!((refused.reason, refused.to_string().as_str()), (Reason::Forbidden, "refused with Forbidden"));
    assert!(refused.advice().contains("get namespaces"));
    assert_eq!(fault("garbled", PATIENCE).await.reason, Reason::InvalidResponse);
    let busy = fault("busy", PATIENCE).await;
    assert_eq!((busy.reason, busy.retry_after), (Reason::TooManyRequests, Some(Duration::from_secs(7))));
    assert_eq!(fault("page", PATIENCE).await.reason, Reason::Refused, "such a 404 is no NotFound");
}

#[tokio::test]
async fn a_kubeconfig_that_cannot_be_used_is_named_with_its_field() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("config");
    let users = "users: [{name: me, user: {token: a-secret-token}}]";
    for (text, expected) in [
        (String::new(), "current-context is not set"),
        (
            format!("current-context: gone\n{users}"),
            "current-context names \"gone\", which is not in contexts",
        ),
        (
            format!(
                "current-context: c\ncontexts: [{{name: c, context: {{cluster: d, user: me}}}}]\n{users}"
            ),
            "the context names the cluster \"d\", which is not in clusters",
        ),
        (
            format!(
                "current-context: c\ncontexts: [{{name: c, context: {{cluster: d, user: me}}}}]\n{users}\n\
                 clusters: [{{name: d, cluster: {{}}}}]"
            ),
            "the cluster of the context has no server",
        ),
        (
            format!(
                "current-context: c\ncontexts: [{{name: c, context: {{cluster: d, user: me}}}}]\n{users}\n\
                 clusters: [{{name: d, cluster: {{server: \"https://h\", certificate-authority: /gone}}}}]"
            ),
            "certificate-authority, of the cluster of the context: ",
        ),
        (format!("{users}\nclusters: 7"), "it is not the YAML of a kubeconfig"),
    ] {
        std::fs::write(&path, &text).unwrap();
        let error = Cluster::connect(Some(&path)).await.unwrap_err();
        let shown = format!("{:#}", anyhow::Error::from(error));
        assert!(shown.contains(expected) && shown.contains("config"), "{shown}\n{text}");
        assert!(!shown.contains("secret"), "{shown}");
    }
    let error = Cluster::connect(Some(&folder.path().join("gone"))).await.unwrap_err();
    assert!(matches!(error, ConnectError::Kubeconfig { .. }), "{error}");
    assert!(error.to_string().contains("gone: No such file"), "{error}");
}
