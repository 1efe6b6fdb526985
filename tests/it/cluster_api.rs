//! A small API server in this process: objects that are kept, lists, watches, and faults as ordered.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::header::ACCEPT;
use axum::response::Response;
use futures::StreamExt;
use podgate::cluster::{ClientLimits, Cluster};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// Nothing here takes as long on a machine that is only busy.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// Limits that can be waited for.
pub(crate) fn limits() -> ClientLimits {
    ClientLimits {
        connect: Duration::from_secs(2),
        answer: Duration::from_secs(2),
        list: Duration::from_millis(300),
        watch: Duration::from_secs(30),
        settled: Duration::from_millis(50),
        first_pause: Duration::from_millis(20),
        longest_pause: Duration::from_millis(100),
    }
}

/// What is answered in place of the truth.
#[derive(Debug, Clone)]
pub(crate) enum Fault {
    /// A Status of this code and reason.
    Status(u16, &'static str),
    /// Too many requests, and to come again after so many seconds.
    RetryAfter(u32),
    /// A page that is none of an API server's.
    Page(u16),
    /// A body of this code.
    Body(u16, &'static str),
    /// JSON that breaks off.
    Garbage,
    /// Nothing, ever.
    Silence,
    /// The connection breaks within the body.
    Reset,
}

/// Which calls a fault is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verb {
    Get,
    List,
    Watch,
    Write,
}

/// The API server.
#[derive(Clone)]
pub(crate) struct Api {
    kept: Arc<Mutex<Kept>>,
    pub(crate) address: String,
    serving: Arc<Mutex<Option<JoinHandle<()>>>>,
}

/// What is to happen just before a write.
type BeforeWrite = Box<dyn FnOnce(&Api) + Send>;

#[derive(Default)]
struct Kept {
    /// By the path of each: `/api/v1/namespaces/a`.
    objects: BTreeMap<String, Value>,
    history: Vec<(u64, String, &'static str, Value)>,
    version: u64,
    /// Before this version there is no history.
    oldest: u64,
    watchers: Vec<(String, UnboundedSender<io::Result<Bytes>>)>,
    faults: Vec<(Verb, &'static str, Fault)>,
    /// Every call: `GET /api/v1/namespaces/a`, with ` meta` behind it if metadata was asked for.
    calls: Vec<String>,
    /// The questions whether somebody may do something that were answered.
    access_reviews: Vec<Value>,
    can_stream: bool,
    ends_lists: bool,
    /// Watches that are open, and are told nothing.
    silent: Vec<UnboundedSender<io::Result<Bytes>>>,
    /// Called before each write is done, once.
    before_write: Option<BeforeWrite>,
}

impl Api {
    /// Starts one, with what a cluster has at the least.
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let kept = Kept { can_stream: true, ends_lists: true, version: 10, ..Kept::default() };
        let api = Self { kept: Arc::new(Mutex::new(kept)), address, serving: Arc::new(Mutex::new(None)) };
        api.serve(listener);
        api
    }

    /// One that is not reached before [`Api::rise`]: its port is closed.
    pub(crate) async fn down() -> Self {
        let api = Self::start().await;
        let serving = api.serving.lock().unwrap().take().unwrap();
        serving.abort();
        let _ = serving.await;
        api
    }

    pub(crate) async fn rise(&self) {
        self.serve(TcpListener::bind(&self.address).await.unwrap());
    }

    fn serve(&self, listener: TcpListener) {
        let router = Router::new().fallback(answer).with_state(self.clone());
        let task = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        *self.serving.lock().unwrap() = Some(task);
    }

    /// A client of it.
    pub(crate) async fn cluster(&self) -> Cluster {
        self.cluster_with(limits()).await
    }

    pub(crate) async fn cluster_with(&self, limits: ClientLimits) -> Cluster {
        let (_folder, path) = self.kubeconfig();
        Cluster::connect_with(Some(&path), limits).await.unwrap()
    }

    /// A kubeconfig file for it.
    pub(crate) fn kubeconfig(&self) -> (TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config");
        let text = json!({
            "apiVersion": "v1", "kind": "Config", "current-context": "here",
            "contexts": [{"name": "here", "context": {"cluster": "fake", "user": "me"}}],
            "clusters": [{"name": "fake", "cluster": {"server": format!("http://{}", self.address)}}],
            "users": [{"name": "me", "user": {"token": "a-token"}}],
        });
        std::fs::write(&path, text.to_string()).unwrap();
        (folder, path)
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap()
    }

    /// Puts an object at its path, or replaces it.
    pub(crate) fn put(&self, path: &str, mut object: Value) {
        let kept = &mut *self.kept();
        kept.version += 1;
        object["metadata"]["resourceVersion"] = kept.version.to_string().into();
        let kind = if kept.objects.contains_key(path) { "MODIFIED" } else { "ADDED" };
        kept.objects.insert(path.to_owned(), object.clone());
        kept.tell(path, kind, object);
    }

    pub(crate) fn put_namespace(&self, name: &str, labels: &Value) {
        self.put(
            &format!("/api/v1/namespaces/{name}"),
            json!({"metadata": {"name": name, "labels": labels}}),
        );
    }

    pub(crate) fn put_account(&self, namespace: &str, name: &str) {
        self.put(
            &format!("/api/v1/namespaces/{namespace}/serviceaccounts/{name}"),
            json!({"metadata": {"name": name, "namespace": namespace}}),
        );
    }

    /// Puts a binding of these service accounts; it is a ClusterRoleBinding if the namespace is empty.
    pub(crate) fn put_binding(&self, namespace: &str, name: &str, accounts: &[(&str, &str)]) {
        let subject = |(namespace, name): &(&str, &str)| json!({"kind": "ServiceAccount", "namespace": namespace, "name": name});
        let subjects: Vec<Value> = accounts.iter().map(subject).collect();
        let mut object = json!({"metadata": {"name": name}, "subjects": subjects});
        let root = "/apis/rbac.authorization.k8s.io/v1";
        if namespace.is_empty() {
            return self.put(&format!("{root}/clusterrolebindings/{name}"), object);
        }
        object["metadata"]["namespace"] = namespace.into();
        self.put(&format!("{root}/namespaces/{namespace}/rolebindings/{name}"), object);
    }

    pub(crate) fn delete(&self, path: &str) {
        let kept = &mut *self.kept();
        kept.version += 1;
        let mut object = kept.objects.remove(path).unwrap();
        object["metadata"]["resourceVersion"] = kept.version.to_string().into();
        kept.tell(path, "DELETED", object);
    }

    /// Takes an object away without telling any watch.
    pub(crate) fn forget(&self, path: &str) {
        self.kept().objects.remove(path).unwrap();
    }

    pub(crate) fn object(&self, path: &str) -> Value {
        self.kept().objects.get(path).cloned().unwrap_or_default()
    }

    /// From now on, calls of this verb to paths that contain `path` fail, until [`Api::mend`].
    pub(crate) fn fail(&self, verb: Verb, path: &'static str, fault: Fault) {
        let kept = &mut *self.kept();
        kept.faults.retain(|(known, of, _)| (*known, *of) != (verb, path));
        kept.faults.push((verb, path, fault));
    }

    pub(crate) fn mend(&self) {
        self.kept().faults.clear();
    }

    /// What was kept of the past is no longer.
    pub(crate) fn compact(&self) {
        let kept = &mut *self.kept();
        kept.version += 1;
        kept.oldest = kept.version;
        kept.history.clear();
    }

    pub(crate) fn refuse_streams(&self) {
        self.kept().can_stream = false;
    }

    /// Ends every watch: broken off, or in good order.
    pub(crate) fn end_watches(&self, broken: bool) {
        for (_, watcher) in self.kept().watchers.drain(..) {
            if broken {
                let _ = watcher.send(Err(io::Error::other("broken")));
            }
        }
    }

    /// Every watch stays open, and nothing comes by it any more.
    pub(crate) fn fall_silent(&self) {
        let kept = &mut *self.kept();
        kept.silent.extend(kept.watchers.drain(..).map(|(_, watcher)| watcher));
    }

    /// Streams of lists are begun, and never ended.
    pub(crate) fn leave_lists_open(&self) {
        self.kept().ends_lists = false;
    }

    /// Sends a line to every watch of these paths.
    pub(crate) fn say(&self, path: &str, line: &str) {
        for (of, watcher) in &self.kept().watchers {
            if of.contains(path) {
                let _ = watcher.send(Ok(Bytes::from(format!("{line}\n"))));
            }
        }
    }

    pub(crate) fn before_next_write(&self, act: impl FnOnce(&Self) + Send + 'static) {
        self.kept().before_write = Some(Box::new(act));
    }

    pub(crate) fn calls(&self, containing: &str) -> Vec<String> {
        self.kept().calls.iter().filter(|call| call.contains(containing)).cloned().collect()
    }

    pub(crate) fn access_reviews(&self) -> Vec<Value> {
        self.kept().access_reviews.clone()
    }

    fn fault_of(&self, verb: Verb, path: &str) -> Option<Fault> {
        let kept = self.kept();
        let fault = kept.faults.iter().find(|(of, part, _)| *of == verb && path.contains(part));
        fault.map(|(_, _, fault)| fault.clone())
    }
}

impl Kept {
    fn tell(&mut self, path: &str, kind: &'static str, object: Value) {
        let line = Bytes::from(format!("{}\n", json!({"type": kind, "object": object})));
        self.watchers.retain(|(of, watcher)| !is_in(path, of) || watcher.send(Ok(line.clone())).is_ok());
        self.history.push((self.version, path.to_owned(), kind, object));
    }
}

/// Whether the object at a path is of the collection: `/api/v1/namespaces/a` of `/api/v1/namespaces`, and
/// `/api/v1/namespaces/a/secrets/b` of `/api/v1/secrets` and `/api/v1/namespaces/a/secrets`.
fn is_in(path: &str, collection: &str) -> bool {
    let Some((parent, _)) = path.rsplit_once('/') else { return false };
    let (root, kind) = collection.rsplit_once('/').unwrap();
    parent == collection
        || !root.contains("/namespaces/")
            && parent
                .strip_prefix(root)
                .is_some_and(|rest| rest.starts_with("/namespaces/") && rest.ends_with(&format!("/{kind}")))
}

fn is_collection(path: &str) -> bool {
    let plural = path.rsplit('/').next().unwrap();
    ["namespaces", "serviceaccounts", "pods", "secrets", "configmaps", "leases", "nodes", "endpointslices"]
        .contains(&plural)
        || plural.ends_with("configurations")
        || plural.ends_with("rolebindings")
}

async fn answer(State(api): State<Api>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let path = parts.uri.path().to_owned();
    let query = parts.uri.query().unwrap_or_default().to_owned();
    let method = parts.method.as_str().to_owned();
    let body = axum::body::to_bytes(body, 1 << 22).await.unwrap();
    let accept = parts.headers.get(ACCEPT).map_or("", |value| value.to_str().unwrap());
    let meta = if accept.contains("PartialObjectMetadata") { " meta" } else { "" };
    let shown = if query.is_empty() { path.clone() } else { format!("{path}?{query}") };
    api.kept().calls.push(format!("{method} {shown}{meta}"));
    let verb = match method.as_str() {
        "GET" if query.contains("watch=true") => Verb::Watch,
        "GET" if is_collection(&path) => Verb::List,
        "GET" => Verb::Get,
        _ => Verb::Write,
    };
    if query.contains("sendInitialEvents=true") && !api.kept().can_stream {
        return status(422, "Invalid", "sendInitialEvents is forbidden for watch");
    }
    if let Some(fault) = api.fault_of(verb, &path) {
        return faulty(fault).await;
    }
    match verb {
        Verb::Watch => watch(&api, &path, &query),
        Verb::List => list(&api, &path, &query),
        Verb::Get => match api.kept().objects.get(&path) {
            Some(object) => ok(object),
            None => status(404, "NotFound", &format!("{} not found", quoted(&path))),
        },
        Verb::Write if path.ends_with("/subjectaccessreviews") => review_access(&api, &body),
        Verb::Write => {
            let act = api.kept().before_write.take();
            if let Some(act) = act {
                act(&api);
            }
            write(&api, &method, &path, &body)
        }
    }
}

/// Allows what was put at `/allowed/USER/VERB/GROUP/RESOURCE`, with the namespace and the name behind it that are asked about.
fn review_access(api: &Api, body: &[u8]) -> Response {
    let mut review: Value = serde_json::from_slice(body).unwrap();
    let asked = &review["spec"]["resourceAttributes"];
    let parts = [&review["spec"]["user"], &asked["verb"], &asked["group"], &asked["resource"]];
    let mut path = parts.map(|part| part.as_str().unwrap()).join("/");
    for part in ["namespace", "name"].iter().filter_map(|part| asked[*part].as_str()) {
        path = format!("{path}/{part}");
    }
    api.kept().access_reviews.push(review.clone());
    review["status"] = json!({"allowed": api.kept().objects.contains_key(&format!("/allowed/{path}"))});
    ok(&review)
}

/// `namespaces "a"`.
fn quoted(path: &str) -> String {
    let mut parts = path.rsplit('/');
    let name = parts.next().unwrap();
    format!("{} {name:?}", parts.next().unwrap())
}

fn ok(object: &Value) -> Response {
    Response::builder().header("content-type", "application/json").body(object.to_string().into()).unwrap()
}

fn status(code: u16, reason: &str, message: &str) -> Response {
    let status = json!({
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
        "message": message, "reason": reason, "code": code,
    });
    Response::builder().status(code).body(status.to_string().into()).unwrap()
}

async fn faulty(fault: Fault) -> Response {
    match fault {
        Fault::Status(code, reason) => status(code, reason, &format!("refused with {reason}")),
        Fault::RetryAfter(seconds) => {
            let status = json!({
                "kind": "Status", "status": "Failure", "reason": "TooManyRequests", "code": 429,
                "message": "too many requests", "details": {"retryAfterSeconds": seconds},
            });
            Response::builder()
                .status(429)
                .header("retry-after", seconds)
                .body(status.to_string().into())
                .unwrap()
        }
        Fault::Page(code) => Response::builder().status(code).body("<html>no".into()).unwrap(),
        Fault::Body(code, text) => Response::builder()
            .status(code)
            .header("content-type", "application/json")
            .body(text.into())
            .unwrap(),
        Fault::Garbage => ok_text("{\"items\": [{\"data\": {\"tls.key\": \"c2VjcmV0\""),
        Fault::Silence => std::future::pending().await,
        Fault::Reset => {
            let broken = futures::stream::iter([
                Ok(Bytes::from_static(b"{\"items\": [")),
                Err(io::Error::other("broken")),
            ]);
            Response::new(Body::from_stream(broken))
        }
    }
}

fn ok_text(text: &'static str) -> Response {
    Response::new(text.into())
}

fn parameter<'q>(query: &'q str, name: &str) -> Option<&'q str> {
    query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))
}

/// The objects of a collection that a field selector lets through, by path.
fn selected(kept: &Kept, path: &str, query: &str) -> Vec<(String, Value)> {
    let name = parameter(query, "fieldSelector").and_then(|fields| fields.strip_prefix("metadata.name%3D"));
    let of = kept.objects.iter().filter(|(at, _)| is_in(at, path));
    let named = of.filter(|(_, object)| name.is_none_or(|name| object["metadata"]["name"] == name));
    named.map(|(at, object)| (at.clone(), object.clone())).collect()
}

fn list(api: &Api, path: &str, query: &str) -> Response {
    let kept = api.kept();
    let all = selected(&kept, path, query);
    let limit = parameter(query, "limit").map_or(usize::MAX, |limit| limit.parse().unwrap());
    let from = parameter(query, "continue").map_or(0, |token| token.parse().unwrap());
    let items: Vec<&Value> = all.iter().skip(from).take(limit).map(|(_, object)| object).collect();
    let mut metadata = json!({"resourceVersion": kept.version.to_string()});
    if from + items.len() < all.len() {
        metadata["continue"] = (from + items.len()).to_string().into();
    }
    ok(&json!({"kind": "List", "apiVersion": "v1", "metadata": metadata, "items": items}))
}

fn watch(api: &Api, path: &str, query: &str) -> Response {
    let kept = &mut *api.kept();
    let (sender, receiver) = unbounded_channel();
    let send = |kind: &str, object: &Value| {
        let line = json!({"type": kind, "object": object});
        sender.send(Ok(Bytes::from(format!("{line}\n")))).unwrap();
    };
    let bookmark = |annotations: &Value| {
        json!({"kind": "Any", "apiVersion": "v1",
               "metadata": {"resourceVersion": kept.version.to_string(), "annotations": annotations}})
    };
    if query.contains("sendInitialEvents=true") {
        for (_, object) in selected(kept, path, query) {
            send("ADDED", &object);
        }
        if kept.ends_lists {
            send("BOOKMARK", &bookmark(&json!({"k8s.io/initial-events-end": "true"})));
        }
    } else {
        let from: u64 = parameter(query, "resourceVersion").unwrap().parse().unwrap();
        if from < kept.oldest {
            let gone = json!({"kind": "Status", "status": "Failure", "reason": "Expired", "code": 410,
                              "message": "too old resource version"});
            send("ERROR", &gone);
        }
        for (_, _, kind, object) in
            kept.history.iter().filter(|(version, at, ..)| *version > from && is_in(at, path))
        {
            send(kind, object);
        }
        send("BOOKMARK", &bookmark(&json!({})));
    }
    kept.watchers.push((path.to_owned(), sender));
    Response::new(Body::from_stream(lines(receiver)))
}

fn lines(receiver: UnboundedReceiver<io::Result<Bytes>>) -> impl futures::Stream<Item = io::Result<Bytes>> {
    futures::stream::unfold(receiver, |mut receiver| async move {
        receiver.recv().await.map(|line| (line, receiver))
    })
    .fuse()
}

fn write(api: &Api, method: &str, path: &str, body: &[u8]) -> Response {
    let sent: Value = serde_json::from_slice(body).unwrap();
    if method == "POST" {
        let path = format!("{path}/{}", sent["metadata"]["name"].as_str().unwrap());
        if api.kept().objects.contains_key(&path) {
            return status(409, "AlreadyExists", &format!("{} already exists", quoted(&path)));
        }
        api.put(&path, sent);
        return ok(&api.object(&path));
    }
    let Some(mut object) = api.kept().objects.get(path).cloned() else {
        return status(404, "NotFound", &format!("{} not found", quoted(path)));
    };
    if method == "PATCH" {
        let patch: json_patch::Patch = serde_json::from_value(sent).unwrap();
        if let Err(error) = json_patch::patch(&mut object, &patch) {
            return status(422, "Invalid", &format!("the patch does not apply: {error}"));
        }
    } else {
        if sent["metadata"]["resourceVersion"] != object["metadata"]["resourceVersion"] {
            return status(409, "Conflict", "the object has been modified");
        }
        object = sent;
    }
    api.put(path, object);
    ok(&api.object(path))
}

/// Waits until something holds.
pub(crate) async fn until(what: &str, holds: impl Fn() -> bool) {
    let wait = async {
        while !holds() {
            tokio::task::yield_now().await;
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    assert!(timeout(PATIENCE, wait).await.is_ok(), "in vain: {what}");
}
