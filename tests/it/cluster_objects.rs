//! The Secret, the webhook configurations, the Lease and pages of pods, at an API server that fails as ordered.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use podgate::certificates::{VersionedSecret, WebhookBundle};
use podgate::cluster::{ClusterEvent, LeaseLock, OwnObjects, Reason, WatchedResource};
use serde_json::{Value, json};

use crate::cluster_api::{Api, Fault, Verb, until};

const SECRET: &str = "/api/v1/namespaces/podgate-system/secrets/podgate-tls";
const LEASE: &str = "/apis/coordination.k8s.io/v1/namespaces/podgate-system/leases/podgate";
const VALIDATING: &str = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations/podgate";
const MUTATING: &str = "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations/00-podgate";

// ---- the Secret

/// A Secret of this value, to be written over a version, or as a new one.
fn secret(value: &str, version: Option<&str>) -> VersionedSecret {
    VersionedSecret { version: version.map(ToOwned::to_owned), data: data(value) }
}

fn data(value: &str) -> BTreeMap<String, Vec<u8>> {
    BTreeMap::from([("tls.key".to_owned(), value.as_bytes().to_vec())])
}

fn put_empty_secret(api: &Api) {
    let metadata = json!({"name": "podgate-tls", "labels": {"app": "podgate"}});
    api.put(SECRET, json!({"metadata": metadata, "type": "Opaque"}));
}

#[tokio::test]
async fn a_secret_is_written_only_over_the_version_that_was_read() {
    let api = Api::start().await;
    put_empty_secret(&api);
    let cluster = api.cluster().await;
    let read = cluster.secret("podgate-system", "podgate-tls").await.unwrap().unwrap();
    assert!(read.data.is_empty());
    let write = async |value: &str, seen: &VersionedSecret| {
        let new = secret(value, seen.version.as_deref());
        cluster.write_secret("podgate-system", "podgate-tls", &new).await
    };
    let written = write("one", &read).await.unwrap();
    assert_eq!(written.data, data("one"));
    assert_ne!(written.version, read.version);
    assert_eq!(cluster.secret("podgate-system", "podgate-tls").await.unwrap(), Some(written.clone()));
    assert_eq!(api.object(SECRET)["metadata"]["labels"]["app"], "podgate", "all else stays");
    assert_eq!(api.object(SECRET)["type"], "Opaque");

    assert_eq!(write("two", &read).await.unwrap_err().reason, Reason::Conflict);
    // Another writes between our look and our write.
    api.before_next_write(|api| api.put(SECRET, api.object(SECRET)));
    assert_eq!(write("two", &written).await.unwrap_err().reason, Reason::Conflict);
    assert_eq!(cluster.secret("podgate-system", "podgate-tls").await.unwrap().unwrap().data, data("one"));
}

#[tokio::test]
async fn a_secret_that_is_not_there_is_made_once() {
    let api = Api::start().await;
    let cluster = api.cluster().await;
    assert_eq!(cluster.secret("podgate-system", "podgate-tls").await, Ok(None));
    let make = async || cluster.write_secret("podgate-system", "podgate-tls", &secret("one", None)).await;
    assert_eq!(make().await.unwrap().data, data("one"));
    assert_eq!(make().await.unwrap_err().reason, Reason::Conflict);
    let gone = cluster.write_secret("podgate-system", "gone", &secret("one", Some("1"))).await.unwrap_err();
    assert_eq!((gone.reason, gone.to_string().as_str()), (Reason::NotFound, "secrets \"gone\" not found"));
}

#[tokio::test]
async fn nothing_of_a_secret_is_shown() {
    let api = Api::start().await;
    let cluster = api.cluster().await;
    for broken in [
        json!({"metadata": {"name": "podgate-tls"}, "data": {"tls.key": "not base64: hush"}}),
        json!({"metadata": {"name": "podgate-tls"}, "data": {"tls.key": {"hush": "hush"}}}),
        json!({"metadata": {"name": "podgate-tls"}, "data": "hush"}),
    ] {
        api.put(SECRET, broken);
        let fault = cluster.secret("podgate-system", "podgate-tls").await.unwrap_err();
        assert_eq!(fault.reason, Reason::InvalidResponse);
        let shown = format!("{fault} {fault:?} {}", fault.advice());
        assert!(!shown.contains("hush") && !shown.contains("c2VjcmV0"), "{shown}");
    }
    api.fail(Verb::Get, "/secrets", Fault::Garbage);
    let shown = format!("{:?}", cluster.secret("podgate-system", "podgate-tls").await.unwrap_err());
    assert!(!shown.contains("c2VjcmV0"), "{shown}");
    api.mend();
    put_empty_secret(&api);
    let read = cluster.secret("podgate-system", "podgate-tls").await.unwrap().unwrap();
    let hush = secret("hush", read.version.as_deref());
    let written = cluster.write_secret("podgate-system", "podgate-tls", &hush).await;
    let shown = format!("{:?}", written.unwrap());
    assert!(shown.contains("tls.key") && !shown.contains("hush"), "{shown}");
    assert!(!shown.contains(&format!("{:?}", b"hush")), "{shown}");
}

#[tokio::test]
async fn a_secret_is_followed_without_its_content() {
    let api = Api::start().await;
    put_empty_secret(&api);
    let cluster = api.cluster().await;
    let changes = Arc::new(AtomicUsize::new(0));
    let events = Arc::new(Mutex::new(Vec::new()));
    let task = tokio::spawn({
        let (changes, events) = (Arc::clone(&changes), Arc::clone(&events));
        async move {
            let changed = || {
                changes.fetch_add(1, Ordering::Relaxed);
            };
            let observe = |event| events.lock().unwrap().push(event);
            match cluster.follow_secret("podgate-system", "podgate-tls", changed, observe).await {}
        }
    });
    let changes = || changes.load(Ordering::Relaxed);
    until("the first look", || changes() > 0).await;
    let before = changes();
    put_empty_secret(&api);
    until("a change", || changes() > before).await;
    let before = changes();
    api.delete(SECRET);
    until("the end", || changes() > before).await;
    until("up", || events.lock().unwrap().contains(&ClusterEvent::Up(WatchedResource::Secret))).await;
    let calls = api.calls("secrets");
    let is_narrow =
        |call: &String| call.contains("fieldSelector=metadata.name%3Dpodgate-tls") && call.ends_with(" meta");
    assert!(calls.iter().all(is_narrow), "{calls:?}");
    task.abort();
}

// ---- the webhook configurations

fn names() -> OwnObjects {
    OwnObjects {
        validating: "podgate".to_owned(),
        mutating: "00-podgate".to_owned(),
        namespace: "podgate-system".to_owned(),
        service: "podgate".to_owned(),
        secret: "podgate-tls".to_owned(),
        lease: "podgate".to_owned(),
    }
}

fn put_configurations(api: &Api) {
    let service = json!({"namespace": "podgate-system", "name": "podgate"});
    let webhook = |name: &str| json!({"name": name, "clientConfig": {"service": service}});
    let other = json!({"name": "other.example.com", "clientConfig": {"url": "https://example.com"}});
    let elsewhere = json!({"namespace": "podgate-system", "name": "other"});
    let of_others = json!({"name": "third.example.com", "clientConfig": {"service": elsewhere}});
    let validating = [other, webhook("pods.podgate.dev"), of_others, webhook("templates.podgate.dev")];
    api.put(VALIDATING, json!({"metadata": {"name": "podgate"}, "webhooks": validating}));
    let mut mutating = webhook("pods.podgate.dev");
    mutating["clientConfig"]["caBundle"] = STANDARD.encode("old").into();
    api.put(MUTATING, json!({"metadata": {"name": "00-podgate"}, "webhooks": [mutating]}));
}

fn shown(bundles: &[WebhookBundle]) -> Vec<String> {
    let show = |of: &WebhookBundle| {
        format!("{}: {}: {}", of.configuration, of.webhook, String::from_utf8_lossy(&of.bundle))
    };
    bundles.iter().map(show).collect()
}

#[tokio::test]
async fn every_bundle_is_read_and_written() {
    let api = Api::start().await;
    put_configurations(&api);
    let cluster = api.cluster().await;
    let seen = cluster.bundles(&names()).await.unwrap();
    assert_eq!(
        shown(&seen),
        [
            "ValidatingWebhookConfiguration podgate: pods.podgate.dev: ",
            "ValidatingWebhookConfiguration podgate: templates.podgate.dev: ",
            "MutatingWebhookConfiguration 00-podgate: pods.podgate.dev: old",
        ]
    );
    cluster.publish(&names(), b"new", &seen).await.unwrap();
    let now = cluster.bundles(&names()).await.unwrap();
    assert!(now.iter().all(|bundle| bundle.bundle == b"new"), "{:?}", shown(&now));
    assert_eq!(now.len(), 3);
    let webhooks = &api.object(VALIDATING)["webhooks"];
    assert_eq!(webhooks[1]["clientConfig"]["service"]["name"], "podgate");
    for others in [0, 2] {
        assert!(webhooks[others]["clientConfig"]["caBundle"].is_null(), "{webhooks}");
    }
}

#[tokio::test]
async fn a_configuration_that_was_changed_meanwhile_is_left_alone() {
    let api = Api::start().await;
    put_configurations(&api);
    let cluster = api.cluster().await;
    let seen = cluster.bundles(&names()).await.unwrap();
    let mut edited = api.object(VALIDATING);
    edited["webhooks"] = json!([edited["webhooks"][3]]);
    api.put(VALIDATING, edited.clone());
    let fault = cluster.publish(&names(), b"new", &seen).await.unwrap_err();
    assert_eq!(fault.reason, Reason::Conflict, "{fault}");
    assert!(fault.to_string().starts_with("ValidatingWebhookConfiguration podgate: it has been changed"));
    assert_eq!(api.object(VALIDATING)["webhooks"], edited["webhooks"]);

    api.delete(MUTATING);
    let seen = cluster.bundles(&names()).await.unwrap();
    assert_eq!(seen.len(), 1, "what is not there has no webhooks");
    cluster.publish(&names(), b"new", &seen).await.unwrap();
    api.fail(Verb::Write, "/validating", Fault::Status(403, "Forbidden"));
    let seen = cluster.bundles(&names()).await.unwrap();
    let fault = cluster.publish(&names(), b"newer", &seen).await.unwrap_err();
    assert_eq!(fault.reason, Reason::Forbidden);
    assert!(fault.advice().contains("patch validatingwebhookconfigurations"), "{}", fault.advice());
}

// ---- the Lease

const LASTS: Duration = Duration::from_secs(15);

fn lock(holder: &str) -> LeaseLock {
    LeaseLock::new("podgate-system", "podgate", holder, LASTS)
}

fn holder(api: &Api) -> Value {
    api.object(LEASE)["spec"]["holderIdentity"].clone()
}

#[tokio::test]
async fn one_replica_leads_until_it_is_silent_for_long_enough() {
    let api = Api::start().await;
    // As the manifests have it: empty, so that nobody needs the right to make it.
    api.put(LEASE, json!({"metadata": {"name": "podgate", "labels": {"app": "podgate"}}}));
    let cluster = api.cluster().await;
    let (mut a, mut b) = (lock("a"), lock("b"));
    let start = Instant::now();
    let at = |seconds| start + Duration::from_secs(seconds);
    assert!(a.lead(&cluster, at(0)).await.unwrap());
    assert!(a.leads(at(9)) && !a.leads(at(10)), "it gives up before another may take over");
    assert!(!b.lead(&cluster, at(1)).await.unwrap() && !b.leads(at(1)));
    assert!(a.lead(&cluster, at(10)).await.unwrap());
    // b sees the renewal at 14, and waits from then on.
    assert!(!b.lead(&cluster, at(14)).await.unwrap());
    assert!(!b.lead(&cluster, at(28)).await.unwrap());
    assert_eq!(holder(&api), "a");
    assert!(b.lead(&cluster, at(29)).await.unwrap());
    assert_eq!(holder(&api), "b");
    assert_eq!(api.object(LEASE)["spec"]["leaseTransitions"], 1);
    assert_eq!(api.object(LEASE)["metadata"]["labels"]["app"], "podgate", "all else stays");
    assert!(!a.lead(&cluster, at(30)).await.unwrap() && !a.leads(at(30)));
}

#[tokio::test]
async fn clocks_that_differ_do_not_matter() {
    for renewed in ["1999-01-01T00:00:00.000000Z", "2999-01-01T00:00:00.000000Z", "no time at all"] {
        let api = Api::start().await;
        let spec = json!({"holderIdentity": "far", "leaseDurationSeconds": 30, "renewTime": renewed});
        api.put(LEASE, json!({"metadata": {"name": "podgate"}, "spec": spec}));
        let cluster = api.cluster().await;
        let mut here = lock("here");
        let start = Instant::now();
        for (seconds, leads) in [(0, false), (29, false), (30, true)] {
            let now = start + Duration::from_secs(seconds);
            assert_eq!(here.lead(&cluster, now).await, Ok(leads), "{renewed} at {seconds}");
        }
    }
}

#[tokio::test]
async fn of_two_that_take_a_lease_at_once_one_gets_it() {
    let api = Api::start().await;
    let cluster = api.cluster().await;
    let now = Instant::now();
    // Made by another between the look and the write; then renewed by another there.
    let taken = json!({"metadata": {"name": "podgate"},
                       "spec": {"holderIdentity": "b", "leaseDurationSeconds": 15}});
    api.before_next_write(move |api| api.put(LEASE, taken));
    assert_eq!(lock("a").lead(&cluster, now).await, Ok(false));
    let mut late = lock("late");
    assert_eq!(late.lead(&cluster, now).await, Ok(false));
    api.before_next_write(|api| api.put(LEASE, api.object(LEASE)));
    assert_eq!(late.lead(&cluster, now + LASTS).await, Ok(false));
    assert_eq!(holder(&api), "b");
}

#[tokio::test]
async fn a_lease_that_is_given_back_is_free_at_once() {
    let api = Api::start().await;
    let cluster = api.cluster().await;
    let (mut a, mut b) = (lock("a"), lock("b"));
    let now = Instant::now();
    assert!(a.lead(&cluster, now).await.unwrap());
    b.release(&cluster).await.unwrap();
    assert_eq!(holder(&api), "a", "only one's own is given back");
    a.release(&cluster).await.unwrap();
    assert!(!a.leads(now));
    assert!(b.lead(&cluster, now).await.unwrap());
}

#[tokio::test]
async fn a_leader_that_cannot_renew_leads_for_a_while() {
    let api = Api::start().await;
    let cluster = api.cluster().await;
    let mut a = lock("a");
    let start = Instant::now();
    assert!(a.lead(&cluster, start).await.unwrap());
    api.fail(Verb::Get, "/leases", Fault::Status(403, "Forbidden"));
    let fault = a.lead(&cluster, start + Duration::from_secs(5)).await.unwrap_err();
    assert!(fault.advice().contains("get leases"), "{}", fault.advice());
    assert!(a.leads(start + Duration::from_secs(9)) && !a.leads(start + Duration::from_secs(10)));
}

// ---- pods

#[tokio::test]
async fn pods_come_in_pages_as_they_are() {
    let api = Api::start().await;
    for index in 0..750 {
        let name = format!("p{index:03}");
        api.put(
            &format!("/api/v1/namespaces/a/pods/{name}"),
            json!({"metadata": {"name": name}, "spec": {"containers": []}}),
        );
    }
    let cluster = api.cluster().await;
    let first = cluster.pods("a", None).await.unwrap();
    let second = cluster.pods("a", first.next.as_deref()).await.unwrap();
    assert_eq!(second.next, None);
    let count =
        |page: &[u8]| serde_json::from_slice::<Value>(page).unwrap()["items"].as_array().unwrap().len();
    assert_eq!((count(&first.list_json), count(&second.list_json)), (500, 250));
    assert_eq!(count(&cluster.pods("empty", None).await.unwrap().list_json), 0);
    api.fail(Verb::List, "/pods", Fault::Status(410, "Expired"));
    assert_eq!(cluster.pods("a", Some("500")).await.unwrap_err().reason, Reason::Expired);
}
