//! Service accounts as whole objects, and the bindings that name them, from an API server that fails as ordered.

use std::sync::{Arc, Mutex};

use podgate::cluster::{Cluster, ClusterEvent, Reason, WatchedResource};
use podgate::identity::ServiceAccount;
use podgate::policy::Snapshot;
use serde_json::{Value as Json, json};
use tokio::task::JoinHandle;

use crate::cluster_api::{Api, Fault, PATIENCE, Verb, until};

const CLIENT_ID: &str = "azure.workload.identity/client-id";

/// A cluster that is followed.
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

impl Followed {
    async fn of(api: &Api) -> Self {
        let cluster = api.cluster().await;
        let snapshot = Arc::new(Mutex::new(Arc::new(Snapshot::live())));
        let events = Arc::new(Mutex::new(Vec::new()));
        let task = tokio::spawn({
            let (cluster, snapshot, events) = (cluster.clone(), Arc::clone(&snapshot), Arc::clone(&events));
            async move {
                let publish = |new| *snapshot.lock().unwrap() = new;
                match cluster.follow(publish, |event| events.lock().unwrap().push(event)).await {}
            }
        });
        let followed = Self { cluster, snapshot, events, task };
        until("synced", || followed.count(|event| *event == ClusterEvent::Synced) == 1).await;
        followed
    }

    fn snapshot(&self) -> Arc<Snapshot> {
        Arc::clone(&self.snapshot.lock().unwrap())
    }

    fn count(&self, is_meant: impl Fn(&ClusterEvent) -> bool) -> usize {
        self.events.lock().unwrap().iter().filter(|event| is_meant(event)).count()
    }

    /// What is known of whether these service accounts of `team` are bound.
    async fn is_bound<const N: usize>(&self, names: [&str; N]) -> [Option<bool>; N] {
        let mut found = [None; N];
        for (name, found) in names.iter().zip(&mut found) {
            *found = self.cluster.is_bound("team", name, PATIENCE).await.unwrap();
        }
        found
    }
}

fn put_account(api: &Api, name: &str, client_id: &str) {
    api.put(
        &format!("/api/v1/namespaces/team/serviceaccounts/{name}"),
        json!({
            "metadata": {
                "name": name, "namespace": "team",
                "annotations": {CLIENT_ID: client_id, "note": "not looked at"},
                "managedFields": [{"manager": "kubectl"}],
            },
            "automountServiceAccountToken": false,
            "imagePullSecrets": [{"name": "pull"}],
            "secrets": [{"name": "s"}],
        }),
    );
}

fn account(client_id: &str) -> ServiceAccount {
    ServiceAccount::new([(CLIENT_ID, client_id)], []).with_pull_secrets(["pull"]).with_automount(Some(false))
}

#[tokio::test]
async fn a_service_account_is_followed_whole() {
    let api = Api::start().await;
    put_account(&api, "trainer", "a");
    let followed = Followed::of(&api).await;
    assert_eq!(followed.snapshot().service_account("team", "trainer"), Some(&account("a")));
    put_account(&api, "trainer", "b");
    until("the change", || followed.snapshot().service_account("team", "trainer") == Some(&account("b")))
        .await;
    assert!(api.calls("rolebindings").is_empty(), "nobody asks who is bound");
}

/// Case B06: absent from what is watched, present at the API server.
#[tokio::test]
async fn a_service_account_that_no_watch_has_told_of_is_read_whole_and_once() {
    let api = Api::start().await;
    let followed = Followed::of(&api).await;
    api.fall_silent();
    put_account(&api, "trainer", "a");
    let read = async || followed.cluster.service_account("team", "trainer", PATIENCE).await;
    let (one, other) = tokio::join!(read(), read());
    assert_eq!((one, other), (Ok(Some(account("a"))), Ok(Some(account("a")))));
    assert_eq!(
        api.calls("GET /api/v1/namespaces/team/serviceaccounts/trainer"),
        ["GET /api/v1/namespaces/team/serviceaccounts/trainer"]
    );
}

/// Case B07.
#[tokio::test]
async fn a_service_account_that_cannot_be_read_is_no_absent_one() {
    let api = Api::start().await;
    put_account(&api, "trainer", "a");
    let cluster = api.cluster().await;
    for (fault, reason) in [
        (Fault::Status(500, "InternalError"), Reason::Server),
        (Fault::Status(403, "Forbidden"), Reason::Forbidden),
        (Fault::Silence, Reason::Timeout),
        (Fault::Garbage, Reason::InvalidResponse),
    ] {
        api.fail(Verb::Get, "/serviceaccounts/", fault);
        let read = cluster.service_account("team", "trainer", PATIENCE).await;
        assert_eq!(read.unwrap_err().reason, reason);
    }
    // What is there and is no service account.
    api.mend();
    let path = "/api/v1/namespaces/team/serviceaccounts/odd";
    api.put(path, json!({"metadata": {"name": "odd", "namespace": "team", "annotations": {CLIENT_ID: 7}}}));
    let read = cluster.service_account("team", "odd", PATIENCE).await;
    assert_eq!(read.unwrap_err().reason, Reason::InvalidResponse);
}

#[tokio::test]
async fn bindings_are_followed_once_somebody_asks() {
    let api = Api::start().await;
    api.put_binding("team", "b", &[("team", "trainer")]);
    api.put_binding("", "b", &[("team", "infer"), ("other", "trainer")]);
    let followed = Followed::of(&api).await;
    let all = ["trainer", "infer", "idle"];
    assert_eq!(followed.is_bound(all).await, [Some(true), Some(true), Some(false)]);
    api.delete("/apis/rbac.authorization.k8s.io/v1/namespaces/team/rolebindings/b");
    api.put_binding("", "c", &[("team", "idle")]);
    until("the changes", || {
        let now = followed.snapshot();
        all.map(|name| now.is_bound("team", name)) == [Some(false), Some(true), Some(true)]
    })
    .await;
    assert_eq!(api.calls("rolebindings").len(), 2, "each is listed once: {:?}", api.calls("rolebindings"));
}

#[tokio::test]
async fn without_the_right_nobody_can_tell_who_is_bound() {
    let api = Api::start().await;
    api.put_binding("team", "b", &[("team", "trainer")]);
    for verb in [Verb::List, Verb::Watch] {
        api.fail(verb, "rolebindings", Fault::Status(403, "Forbidden"));
    }
    let followed = Followed::of(&api).await;
    assert_eq!(followed.is_bound(["trainer", "idle"]).await, [None, None]);
    let is_down = |resource| move |event: &ClusterEvent| matches!(event, ClusterEvent::Down(of, fault) if *of == resource && fault.reason == Reason::Forbidden);
    for resource in [WatchedResource::RoleBindings, WatchedResource::ClusterRoleBindings] {
        assert_eq!(followed.count(is_down(resource)), 1, "it is reported once");
    }
    // Once the right is there, it is used.
    api.mend();
    until("the bindings", || followed.snapshot().is_bound("team", "idle") == Some(false)).await;
    assert_eq!(followed.is_bound(["trainer"]).await, [Some(true)]);
}

#[tokio::test]
async fn nobody_waits_for_bindings_that_do_not_come() {
    let api = Api::start().await;
    let cluster = api.cluster().await;
    // It is not followed at all.
    let asked = cluster.is_bound("team", "trainer", std::time::Duration::from_millis(10)).await;
    assert_eq!(asked.unwrap_err().reason, Reason::Timeout);
}

#[tokio::test]
async fn the_api_server_tells_who_may_use_an_identity() {
    let api = Api::start().await;
    api.put(
        "/allowed/system:serviceaccount:team:trainer/use-managed-identity/cid.wi.aks.azure.com/0a",
        Json::default(),
    );
    let cluster = api.cluster().await;
    assert_eq!(cluster.may_use_identity("team", "trainer", "0a").await, Ok(true));
    assert_eq!(cluster.may_use_identity("team", "trainer", "0b").await, Ok(false));
    assert_eq!(cluster.may_use_identity("team", "other", "0a").await, Ok(false));
    api.fail(Verb::Write, "subjectaccessreviews", Fault::Status(403, "Forbidden"));
    let refused = cluster.may_use_identity("team", "trainer", "0a").await;
    assert_eq!(refused.unwrap_err().reason, Reason::Forbidden);
}
