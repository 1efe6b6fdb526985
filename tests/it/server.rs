//! The server as its peers see it: real TLS on a port of the system's choosing, HTTP written by hand.
//!
//! Time limits are lowered until they can be waited for. Nothing sleeps: what should happen is awaited up to a
//! deadline, and what should not happen is looked for while something else is awaited.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use clap::Parser;
use futures::future::BoxFuture;
use podgate::admission::{LookedUp, Reply, Unanswerable, Want, Webhook, refuse};
use podgate::certificates::{LOOPBACK, Loaded, TlsVersion, Watch, throwaway};
use podgate::server::{
    Args, Change, Health, Lookup, Metrics, Outcome, Reload, Reloaded, Review, Server, Shutdown, Wiring,
};
use rcgen::{CertificateParams, KeyPair};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ServerConfig};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

pub(crate) use crate::wire::{PATIENCE, client_config, head, post};

/// Short enough to wait for, long enough for a busy machine to be in time.
pub(crate) const SHORT: Duration = Duration::from_millis(400);

// ---- the server under test

/// Refuses every review with its uid; does as the body says.
struct Obedient;

impl Review for Obedient {
    fn review<'b>(&self, webhook: Webhook, body: &'b [u8], _: &LookedUp) -> Result<Reply<'b>, Unanswerable> {
        let text = std::str::from_utf8(body).unwrap_or_default();
        assert!(!text.contains("panic"), "as ordered");
        let mut answer = refuse(webhook, body, 403, "as tested")?;
        if text.contains("megabyte") {
            answer.body.resize(1 << 20, b' ');
        }
        Ok(Reply::Answer(answer))
    }
}

/// Wants a Namespace for every review, and refuses with what was found.
pub(crate) struct Wanting;

impl Review for Wanting {
    fn review<'b>(
        &self,
        webhook: Webhook,
        body: &'b [u8],
        looked_up: &LookedUp,
    ) -> Result<Reply<'b>, Unanswerable> {
        match &looked_up.namespace {
            None => Ok(Reply::Wants(Want::Namespace("team".into()))),
            Some(Err(reason)) => Ok(Reply::Answer(refuse(webhook, body, 403, &reason.to_string())?)),
            Some(Ok(_)) => Ok(Reply::Answer(refuse(webhook, body, 403, "found")?)),
        }
    }
}

/// Looks things up as it is told.
pub(crate) enum Looker {
    Never,
    Panics,
}

impl Lookup for Looker {
    fn look_up<'l>(&'l self, _: Want, _: Instant, _: &'l mut LookedUp) -> BoxFuture<'l, ()> {
        match self {
            Self::Never => Box::pin(std::future::pending()),
            Self::Panics => Box::pin(async { panic!("as ordered") }),
        }
    }
}

#[derive(Parser)]
struct Cli {
    #[command(flatten)]
    args: Args,
}

pub(crate) fn args() -> Args {
    let mut args = Cli::parse_from(["podgate", "--listen=127.0.0.1:0", "--admin-listen=127.0.0.1:0"]).args;
    args.drain_delay = Duration::ZERO;
    args
}

pub(crate) struct Running {
    pub(crate) address: SocketAddr,
    admin: SocketAddr,
    pub(crate) certificate: String,
    tls: Arc<ArcSwap<ServerConfig>>,
    health: Health,
    metrics: Arc<Metrics>,
    pub(crate) shutdown: Shutdown,
    ended: JoinHandle<Outcome>,
}

pub(crate) async fn start(args: Args) -> Running {
    let made = throwaway(&LOOPBACK, TlsVersion::V1_3).unwrap();
    start_with(args, made.loaded.config, made.certificate).await
}

async fn start_with(args: Args, config: Arc<ServerConfig>, certificate: String) -> Running {
    start_answering(args, (config, certificate), Arc::new(Obedient), None).await
}

pub(crate) async fn start_answering(
    args: Args,
    (config, certificate): (Arc<ServerConfig>, String),
    review: Arc<dyn Review>,
    lookup: Option<Arc<dyn Lookup>>,
) -> Running {
    let tls = Arc::new(ArcSwap::new(config));
    let (health, metrics) = (Health::default(), Arc::new(Metrics::new().unwrap()));
    let wiring = Wiring {
        tls: Arc::clone(&tls),
        review,
        lookup,
        health: health.clone(),
        metrics: Arc::clone(&metrics),
    };
    let server = Server::bind(&args, wiring).await.unwrap();
    let (address, admin) = (server.address(), server.admin_address());
    let shutdown = Shutdown::default();
    let ended = tokio::spawn(server.run(shutdown.clone()));
    Running { address, admin, certificate, tls, health, metrics, shutdown, ended }
}

impl Running {
    pub(crate) async fn connect(&self) -> Client<TlsStream<TcpStream>> {
        let config = client_config(&self.certificate, &[&rustls::version::TLS13], &[b"http/1.1"]);
        Client::new(self.handshake(config).await.unwrap())
    }

    pub(crate) async fn handshake(&self, config: ClientConfig) -> io::Result<TlsStream<TcpStream>> {
        let stream = TcpStream::connect(self.address).await.unwrap();
        let name = ServerName::try_from("localhost").unwrap();
        TlsConnector::from(Arc::new(config)).connect(name, stream).await
    }

    pub(crate) async fn admin(&self, path: &str) -> Response {
        let mut client = Client::new(TcpStream::connect(self.admin).await.unwrap());
        client.send(&format!("GET {path} HTTP/1.1\r\nHost: podgate\r\n\r\n")).await;
        client.receive().await
    }

    /// The value of a series.
    async fn metric(&self, series: &str) -> f64 {
        let text = self.admin("/metrics").await.body;
        let value = text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
        value.unwrap_or_else(|| panic!("no {series} in\n{text}")).parse().unwrap()
    }

    pub(crate) async fn eventually(&self, series: &str, expected: f64) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let found = self.metric(series).await;
            if found == expected {
                return;
            }
            assert!(Instant::now() < deadline, "{series} is {found}, not {expected}");
            tokio::task::yield_now().await;
        }
    }

    pub(crate) async fn outcome(self) -> Outcome {
        within(self.ended).await.unwrap()
    }
}

pub(crate) async fn within<T>(what: impl Future<Output = T>) -> T {
    timeout(PATIENCE, what).await.expect("not in time")
}

// ---- its peer

pub(crate) struct Client<S> {
    pub(crate) stream: S,
    read: Vec<u8>,
}

#[derive(Debug)]
pub(crate) struct Response {
    pub(crate) status: u16,
    head: String,
    pub(crate) body: String,
}

impl Response {
    pub(crate) fn says(&self, header: &str) -> bool {
        self.head.lines().any(|line| line.eq_ignore_ascii_case(header))
    }

    #[track_caller]
    pub(crate) fn is_refusal(&self, uid: &str, code: u16) {
        assert_eq!(self.status, 200, "{self:?}");
        assert!(self.says("content-type: application/json"), "{self:?}");
        let review: serde_json::Value = serde_json::from_str(&self.body).expect(&self.body);
        assert_eq!(review["response"]["uid"], uid, "{review}");
        assert_eq!(review["response"]["allowed"], false, "{review}");
        assert_eq!(review["response"]["status"]["code"], code, "{review}");
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Client<S> {
    pub(crate) fn new(stream: S) -> Self {
        Self { stream, read: Vec::new() }
    }

    pub(crate) async fn send(&mut self, text: &str) {
        within(self.stream.write_all(text.as_bytes())).await.unwrap();
        within(self.stream.flush()).await.unwrap();
    }

    pub(crate) async fn post(&mut self, path: &str, body: &str) -> Response {
        self.send(&post(path, body)).await;
        self.receive().await
    }

    pub(crate) async fn receive(&mut self) -> Response {
        let end = loop {
            if let Some(place) = self.read.windows(4).position(|four| four == b"\r\n\r\n") {
                break place;
            }
            assert!(self.more().await.unwrap() > 0, "closed instead of an answer");
        };
        let head = String::from_utf8(self.read.drain(..end + 4).collect()).unwrap();
        let length = head
            .lines()
            .find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok());
        let length = length.unwrap_or(0);
        while self.read.len() < length {
            assert!(self.more().await.unwrap() > 0, "closed within an answer");
        }
        Response {
            status: head[9..12].parse().unwrap(),
            body: String::from_utf8(self.read.drain(..length).collect()).unwrap(),
            head,
        }
    }

    pub(crate) async fn more(&mut self) -> io::Result<usize> {
        within(self.stream.read_buf(&mut self.read)).await
    }

    /// The server has closed, in good order or not.
    pub(crate) async fn is_cut(&mut self) {
        let read = self.more().await;
        assert!(matches!(read, Ok(0) | Err(_)), "{read:?} {:?}", self.read);
    }

    /// The server keeps the connection for that long.
    pub(crate) async fn is_kept_for(&mut self, time: Duration) {
        let read = timeout(time, self.stream.read_buf(&mut self.read)).await;
        assert!(read.is_err(), "{read:?} {:?}", self.read);
    }
}

pub(crate) fn review(uid: &str) -> String {
    format!(
        r#"{{"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1","request":{{"uid":"{uid}","note":"x"}}}}"#
    )
}

/// A review of so many bytes.
fn long_review(uid: &str, bytes: usize) -> String {
    let short = review(uid);
    let filling = "x".repeat(bytes - short.len() + 1);
    short.replace(r#""x"}"#, &format!(r#""{filling}"}}"#))
}

// ---- HTTP

#[tokio::test]
async fn reviews_are_answered_on_one_connection() {
    let server = start(args()).await;
    let mut client = server.connect().await;
    for (path, uid) in [("/validate", "a"), ("/mutate?timeout=10s", "b"), ("/validate?timeout=nonsense", "c")]
    {
        let response = client.post(path, &review(uid)).await;
        response.is_refusal(uid, 403);
        assert!(!response.says("connection: close"), "{response:?}");
    }
    assert_eq!(server.metric("podgate_connections{port=\"reviews\"}").await, 1.0);
    assert_eq!(server.metric("podgate_review_duration_seconds_count{webhook=\"validate\"}").await, 2.0);
    assert_eq!(server.metric("podgate_review_duration_seconds_count{webhook=\"mutate\"}").await, 1.0);
}

/// A look-up that never ends, or panics, must not end the connection: an EOF may let a pod in, a refusal does not.
#[tokio::test]
async fn a_look_up_that_goes_wrong_is_answered() {
    let mut impatient = args();
    impatient.limits.body_timeout = Duration::from_secs(2);
    for (looker, expected) in [
        (None, "there is no cluster to ask"),
        (Some(Looker::Never), "the API server did not answer in time"),
        (Some(Looker::Panics), "the API server did not answer in time"),
    ] {
        let lookup = looker.map(|looker| Arc::new(looker) as Arc<dyn Lookup>);
        let made = throwaway(&LOOPBACK, TlsVersion::V1_3).unwrap();
        let shown = (made.loaded.config, made.certificate);
        let server = start_answering(impatient.clone(), shown, Arc::new(Wanting), lookup).await;
        let mut client = server.connect().await;
        for path in ["/validate", "/validate?timeout=2s", "/validate"] {
            let response = client.post(path, &review("u")).await;
            response.is_refusal("u", 403);
            assert!(response.body.contains(expected), "{path}: {response:?}");
        }
    }
}

#[tokio::test]
async fn bodies_of_every_length_arrive_whole() {
    let mut args = args();
    // Long ones take their time in a build that is not optimised.
    args.limits.body_timeout = PATIENCE;
    let server = start(args).await;
    let mut client = server.connect().await;
    for bytes in [100, 7_000, 8_192, 16_384, 40_000, 1 << 20, 8 << 20] {
        client.post("/validate", &long_review("long", bytes)).await.is_refusal("long", 403);
    }
}

#[tokio::test]
async fn chunked_bodies_are_read() {
    let server = start(args()).await;
    let mut client = server.connect().await;
    let body = review("chunks");
    let (one, other) = body.split_at(20);
    let chunked = format!("{:x}\r\n{one}\r\n{:x}\r\n{other}\r\n0\r\n\r\n", one.len(), other.len());
    for _ in 0..2 {
        client
            .send(
                &(head("/validate", 0).replace("Content-Length: 0", "Transfer-Encoding: chunked") + &chunked),
            )
            .await;
        client.receive().await.is_refusal("chunks", 403);
    }
}

#[tokio::test]
async fn what_no_api_server_sends_is_refused() {
    let server = start(args()).await;
    let good = post("/validate", &review("u"));
    let with = |old: &str, new: &str| good.replacen(old, new, 1);
    let headers = |count: usize| {
        with("Accept:", &"X: y\r\n".repeat(count)).replacen(" application/json, */*\r\n", "", 1)
    };
    let long = |bytes: usize| with("/validate", &format!("/validate?{}", "x".repeat(bytes)));
    for (status, request) in [
        (404, with("/validate", "/")),
        (404, with("/validate", "/validate/")),
        (404, with("/validate", "//validate")),
        (404, with("/validate", "/%76alidate")),
        (404, with("/validate", "/x/../validate")),
        (404, with("/validate", "/metrics")),
        (405, with("POST", "GET")),
        (405, with("POST", "PUT")),
        (405, with("POST", "DELETE")),
        (405, with("POST", "BREW")),
        (414, long(1_015)),
        (415, with("Content-Type: application/json", "X: y")),
        (415, with("Content-Type: application/json", "Content-Type: application/yaml")),
        (415, with("Content-Type: application/json", "Content-Type: application/json; charset=utf-16")),
        (415, with("Accept-Encoding", "Content-Encoding")),
        (431, headers(64)),
        (431, headers(200)),
        (431, with("Accept:", &format!("X: {}\r\nAccept:", "y".repeat(16 * 1024)))),
        (505, with("HTTP/1.1", "HTTP/1.0")),
        (400, with("Host:", "X:")),
        (400, with("Host:", "Host: other\r\nHost:")),
        (400, with("Content-Length:", "Content-Length: 1\r\nContent-Length:")),
        (400, with("Content-Length: ", "Content-Length: +")),
        (400, with("Content-Length: ", "Content-Length: 99999999999999999999")),
        (400, with("Content-Length: ", "Transfer-Encoding: gzip, chunked\r\nX: ")),
        (400, with("Content-Length: ", "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\nX: ")),
        (400, with("Content-Length: ", "Transfer-Encoding: identity\r\nX: ")),
        (400, with("User-Agent:", " folded:")),
        (400, with("User-Agent:", "User-Agent :")),
        (400, with("User-Agent:", "User\0Agent:")),
        (400, with("POST /validate HTTP/1.1", "nonsense")),
        (400, post("/validate", "not a review")),
        (400, post("/validate", "")),
    ] {
        let mut client = server.connect().await;
        client.send(&request).await;
        let response = client.receive().await;
        assert_eq!(response.status, status, "{request:.300}\n{response:?}");
        assert!(response.says("connection: close"), "{request:.300}\n{response:?}");
        client.is_cut().await;
    }
    let mut client = server.connect().await;
    for accepted in [
        with("application/json\r\n", "application/json; charset=UTF-8\r\n"),
        with("Accept-Encoding: gzip", "Content-Encoding: identity"),
        headers(57),
        long(1_014),
        with("/validate", "https://podgate.podgate.svc/validate"),
    ] {
        client.send(&accepted).await;
        client.receive().await.is_refusal("u", 403);
    }
    assert_eq!(server.metric("podgate_rejected_requests_total{reason=\"path\"}").await, 6.0);
    assert_eq!(server.metric("podgate_rejected_requests_total{reason=\"method\"}").await, 4.0);
    assert_eq!(server.metric("podgate_rejected_requests_total{reason=\"no_review\"}").await, 2.0);
}

/// What hyper decides before we see it: as its documentation and RFC 9112 have it, not as we would.
#[tokio::test]
async fn what_hyper_lets_pass() {
    let server = start(args()).await;
    let body = review("u");
    let good = post("/validate", &body);
    let chunked = format!("{:x}\r\n{body}\r\n0\r\n\r\n", body.len());
    let both =
        head("/validate", 3).replacen("Accept:", "Transfer-Encoding: chunked\r\nAccept:", 1) + &chunked;
    let length = format!("Content-Length: {}\r\n", body.len());
    for (request, closes) in [
        (both, true),
        (good.replacen(&length, &length.repeat(2), 1), false),
        (good.replace("\r\n", "\n"), false),
    ] {
        let mut client = server.connect().await;
        client.send(&request).await;
        let response = client.receive().await;
        response.is_refusal("u", 403);
        assert_eq!(response.says("connection: close"), closes, "{response:?}");
    }
}

#[tokio::test]
async fn pipelined_requests_are_answered_in_order_up_to_junk() {
    let server = start(args()).await;
    let mut client = server.connect().await;
    let requests: String = ["1", "2", "3"].map(|uid| post("/validate", &review(uid))).concat();
    client.send(&(requests + "junk\r\n\r\n")).await;
    for uid in ["1", "2", "3"] {
        client.receive().await.is_refusal(uid, 403);
    }
    assert_eq!(client.receive().await.status, 400);
    client.is_cut().await;
    server.eventually("podgate_rejected_requests_total{reason=\"malformed\"}", 1.0).await;
}

#[tokio::test]
async fn an_expected_continue_is_sent() {
    let server = start(args()).await;
    let mut client = server.connect().await;
    let body = review("u");
    client
        .send(&head("/validate", body.len()).replacen("Accept:", "Expect: 100-continue\r\nAccept:", 1))
        .await;
    assert_eq!(client.receive().await.status, 100);
    client.send(&body).await;
    client.receive().await.is_refusal("u", 403);
}

// ---- size

#[tokio::test]
async fn a_review_that_is_too_large_is_refused_by_its_uid() {
    let mut args = args();
    args.limits.max_body_bytes = 10_000;
    let server = start(args).await;
    server.connect().await.post("/validate", &long_review("fits", 10_000)).await.is_refusal("fits", 403);

    // Far more than the buffers of both sockets hold: the answer must survive what is still being sent.
    for bytes in [10_001, 30 << 20] {
        let mut client = server.connect().await;
        let response = client.post("/validate", &long_review("large", bytes)).await;
        response.is_refusal("large", 413);
        assert!(response.says("connection: close"), "{response:?}");
        client.is_cut().await;
    }
    let mut client = server.connect().await;
    assert_eq!(client.post("/validate", &"x".repeat(20_000)).await.status, 413);
    assert_eq!(server.metric("podgate_rejected_requests_total{reason=\"too_large\"}").await, 3.0);
}

#[tokio::test]
async fn a_length_that_is_only_claimed_is_refused_without_waiting_for_it() {
    let server = start(args()).await;
    let mut client = server.connect().await;
    let beginning = long_review("claimed", 5_000);
    client.send(&(head("/validate", 1 << 62) + &beginning)).await;
    client.receive().await.is_refusal("claimed", 413);
}

#[tokio::test]
async fn chunks_are_counted() {
    let mut args = args();
    args.limits.max_body_bytes = 10_000;
    let server = start(args).await;
    let mut client = server.connect().await;
    client.send(&head("/mutate", 0).replace("Content-Length: 0", "Transfer-Encoding: chunked")).await;
    let body = long_review("chunks", 20_000);
    client.send(&format!("{:x}\r\n{body}\r\n0\r\n\r\n", body.len())).await;
    client.receive().await.is_refusal("chunks", 413);
}

/// A body that stands still keeps its place while nobody needs it, and then goes with an answer.
#[tokio::test]
async fn an_unfinished_review_gives_way_to_one_that_is_sent() {
    let mut args = args();
    args.limits.max_body_bytes = 300_000;
    args.limits.max_buffered_bytes = 600_000;
    let server = start(args).await;
    for (held, room) in
        [(long_review("holder", 290_000), "large"), (long_review("holder", 160_000), "ordinary")]
    {
        let mut holder = server.connect().await;
        holder.send(&(head("/validate", held.len()) + &held[..held.len() - 1])).await;
        let taken = format!("podgate_buffered_bytes{{room=\"{room}\"}}");
        server.eventually(&taken, held.len() as f64).await;
        holder.is_kept_for(SHORT).await;
        server.connect().await.post("/validate", &review("small")).await.is_refusal("small", 403);

        let other = held.replace("holder", "other!");
        server.connect().await.post("/validate", &other).await.is_refusal("other!", 403);
        holder.receive().await.is_refusal("holder", 429);
        holder.is_cut().await;
        server.eventually(&taken, 0.0).await;
        server.eventually(&format!("podgate_waiting_reviews{{for=\"{room}\"}}"), 0.0).await;
    }
    let mut nameless = server.connect().await;
    nameless.send(&(head("/validate", 290_000) + &"x".repeat(200_000))).await;
    server.connect().await.post("/validate", &long_review("named", 290_000)).await.is_refusal("named", 403);
    let answer = nameless.receive().await;
    assert_eq!(answer.status, 429);
    assert!(answer.says("retry-after: 1"), "{answer:?}");
}

/// Judges nothing until it is told to.
struct Waits(std::sync::Mutex<std::sync::mpsc::Receiver<()>>);

impl Review for Waits {
    fn review<'b>(&self, webhook: Webhook, body: &'b [u8], _: &LookedUp) -> Result<Reply<'b>, Unanswerable> {
        if body.len() > 100_000 {
            let _ = self.0.lock().unwrap().recv();
        }
        Ok(Reply::Answer(refuse(webhook, body, 403, "as tested")?))
    }
}

/// Long reviews whose judging never ends stop neither short ones nor those of middle length; what waits for its turn
/// is told in time, and a peer that goes while it waits leaves nothing behind.
#[tokio::test]
async fn a_long_review_that_is_judged_keeps_no_other_waiting() {
    let mut args = args();
    args.limits.body_timeout = Duration::from_secs(6);
    let made = throwaway(&LOOPBACK, TlsVersion::V1_3).unwrap();
    let (tell, told) = std::sync::mpsc::channel();
    let waits = Arc::new(Waits(told.into()));
    let longest = args.limits.max_body_bytes;
    let server = start_answering(args, (made.loaded.config, made.certificate), waits, None).await;
    let waiting = "podgate_waiting_reviews{for=\"turn\"}";
    let mut first = server.connect().await;
    first.send(&post("/validate", &long_review("first", longest))).await;
    server.eventually("podgate_buffered_bytes{room=\"large\"}", longest as f64).await;

    let mut gone = server.connect().await;
    gone.send(&post("/validate", &long_review("gone", longest))).await;
    server.eventually(waiting, 1.0).await;
    drop(gone);
    server.eventually(waiting, 0.0).await;
    for bytes in [200, 10_000, 90_000] {
        server.connect().await.post("/validate", &long_review("other", bytes)).await.is_refusal("other", 403);
    }

    let late = server.connect().await.post("/validate", &long_review("late", longest)).await;
    late.is_refusal("late", 504);
    first.receive().await.is_refusal("first", 504);
    drop(tell);
    server.eventually("podgate_buffered_bytes{room=\"large\"}", 0.0).await;
    // What the judging of the first came to in the end was told nobody: its refusal alone is counted.
    assert_eq!(server.metric("podgate_review_duration_seconds_count{webhook=\"validate\"}").await, 5.0);
}

// ---- time

#[tokio::test]
async fn a_peer_that_says_nothing_is_cut() {
    let mut args = args();
    args.limits.handshake_timeout = SHORT;
    let server = start(args).await;
    let mut client = Client::new(TcpStream::connect(server.address).await.unwrap());
    client.is_cut().await;
    let mut http = Client::new(TcpStream::connect(server.address).await.unwrap());
    http.send("GET / HTTP/1.1\r\nHost: podgate\r\n\r\n").await;
    http.read.clear();
    while http.more().await.is_ok_and(|bytes| bytes > 0) {}
    assert!(!http.read.starts_with(b"HTTP"), "{:?}", http.read);
    server.eventually("podgate_handshakes_failed_total", 2.0).await;
}

#[tokio::test]
async fn a_slow_head_is_cut() {
    let mut args = args();
    args.limits.header_timeout = SHORT;
    let server = start(args).await;
    for is_first in [true, false] {
        let mut client = server.connect().await;
        if !is_first {
            client.post("/validate", &review("u")).await.is_refusal("u", 403);
        }
        // Each byte is in time for itself; the head is not.
        let head = post("/validate", &review("u"));
        let mut bytes = head.as_bytes().iter();
        let start = Instant::now();
        for byte in bytes.by_ref() {
            let written = client.stream.write_all(&[*byte]).await;
            let read = timeout(SHORT / 8, client.stream.read_buf(&mut client.read)).await;
            if written.is_err() || read.is_ok() {
                break;
            }
        }
        assert!(bytes.next().is_some(), "the whole head was taken");
        assert!(start.elapsed() >= SHORT && client.read.is_empty(), "{:?}", client.read);
    }
    server.eventually("podgate_rejected_requests_total{reason=\"slow_peer\"}", 2.0).await;
}

#[tokio::test]
async fn a_head_and_a_body_have_each_their_own_time() {
    let mut args = args();
    args.limits.header_timeout = SHORT * 3;
    args.limits.body_timeout = SHORT * 3;
    let server = start(args).await;
    let mut client = server.connect().await;
    let request = post("/validate", &review("patient"));
    // More in all than either may take.
    for part in [&request[..10], &request[10..request.len() - 10]] {
        client.send(part).await;
        client.is_kept_for(SHORT * 2).await;
    }
    client.send(&request[request.len() - 10..]).await;
    client.receive().await.is_refusal("patient", 403);
}

#[tokio::test]
async fn an_idle_connection_is_kept_longer_than_a_slow_head() {
    let mut args = args();
    args.limits.header_timeout = SHORT / 4;
    args.limits.body_timeout = SHORT / 4;
    args.limits.idle_timeout = SHORT * 3;
    let server = start(args).await;
    let mut client = server.connect().await;
    for uid in ["1", "2"] {
        client.is_kept_for(SHORT).await;
        client.post("/validate", &review(uid)).await.is_refusal(uid, 403);
    }
    // Closed in good order: the end of the stream, not an error.
    let start = Instant::now();
    assert_eq!(client.more().await.unwrap(), 0);
    assert!(start.elapsed() >= SHORT, "{:?}", start.elapsed());
}

#[tokio::test]
async fn silent_connections_are_borne_while_there_is_room() {
    let mut args = args();
    args.limits.header_timeout = SHORT;
    args.limits.max_connections = 4;
    let server = start(args).await;
    let mut patient = server.connect().await;
    patient.is_kept_for(SHORT / 4).await;
    let _other = server.connect().await;
    let mut surplus = server.connect().await;
    surplus.is_cut().await;
    // Time enough has passed for the first as well.
    patient.post("/validate", &review("u")).await.is_refusal("u", 403);
}

#[tokio::test]
async fn a_slow_body_is_answered_by_its_uid() {
    let mut args = args();
    args.limits.body_timeout = SHORT;
    let server = start(args).await;
    let body = review("slow");

    let mut client = server.connect().await;
    client.send(&(head("/validate", body.len() + 1) + &body)).await;
    let response = client.receive().await;
    response.is_refusal("slow", 504);
    assert!(response.says("connection: close"), "{response:?}");
    client.is_cut().await;

    for part in ["", "{"] {
        let mut client = server.connect().await;
        client.send(&(head("/validate", body.len()) + part)).await;
        assert_eq!(client.receive().await.status, 408);
        client.is_cut().await;
    }
    server.eventually("podgate_rejected_requests_total{reason=\"too_slow\"}", 3.0).await;
}

#[tokio::test]
async fn a_dripping_body_is_answered_by_its_uid() {
    let mut args = args();
    args.limits.body_timeout = SHORT;
    let server = start(args).await;
    let mut client = server.connect().await;
    client.post("/validate", &review("first")).await.is_refusal("first", 403);
    client.send(&(head("/validate", 100_000) + &review("drip"))).await;
    let start = Instant::now();
    let response = loop {
        client.send("x").await;
        if timeout(SHORT / 8, client.stream.read_buf(&mut client.read)).await.is_ok() {
            break client.receive().await;
        }
    };
    response.is_refusal("drip", 504);
    assert!(start.elapsed() >= SHORT / 2 && start.elapsed() < PATIENCE);
}

#[tokio::test]
async fn the_callers_own_timeout_is_heeded() {
    let server = start(args()).await;
    let mut client = server.connect().await;
    let body = review("hurried");
    let start = Instant::now();
    client.send(&(head("/validate?timeout=1s", body.len() + 1) + &body)).await;
    client.receive().await.is_refusal("hurried", 504);
    assert!(start.elapsed() < Duration::from_secs(3), "{:?}", start.elapsed());
}

#[tokio::test]
async fn an_answer_that_is_not_taken_is_given_up() {
    let mut args = args();
    args.limits.body_timeout = SHORT;
    let server = start(args).await;
    let mut client = server.connect().await;
    // More than the buffers of both sockets hold.
    for _ in 0..16 {
        client.send(&post("/validate", &review("megabyte"))).await;
    }
    server.eventually("podgate_connections{port=\"reviews\"}", 0.0).await;
}

// ---- TLS

#[tokio::test]
async fn only_http_1_1_is_negotiated() {
    let server = start(args()).await;
    let tls13 = [&rustls::version::TLS13];
    let config = |protocols: &[&[u8]]| client_config(&server.certificate, &tls13, protocols);
    let refused = server.handshake(config(&[b"h2"])).await.unwrap_err();
    assert!(refused.to_string().contains("NoApplicationProtocol"), "{refused}");
    let chosen = server.handshake(config(&[b"h2", b"http/1.1"])).await.unwrap();
    assert_eq!(chosen.get_ref().1.alpn_protocol(), Some(&b"http/1.1"[..]));
    let mut silent = Client::new(server.handshake(config(&[])).await.unwrap());
    silent.post("/validate", &review("u")).await.is_refusal("u", 403);
    let mut http2 = Client::new(server.handshake(config(&[])).await.unwrap());
    http2.send("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await;
    http2.is_cut().await;
}

#[tokio::test]
async fn tls_1_2_by_choice() {
    let old = [&rustls::version::TLS12];
    let server = start(args()).await;
    let refused = server.handshake(client_config(&server.certificate, &old, &[])).await.unwrap_err();
    assert!(refused.to_string().contains("ProtocolVersion"), "{refused}");

    let made = throwaway(&LOOPBACK, TlsVersion::V1_2).unwrap();
    let server = start_with(args(), made.loaded.config, made.certificate).await;
    let mut client =
        Client::new(server.handshake(client_config(&server.certificate, &old, &[])).await.unwrap());
    client.post("/validate", &review("u")).await.is_refusal("u", 403);
    server.connect().await.post("/validate", &review("u")).await.is_refusal("u", 403);
}

#[tokio::test]
async fn a_certificate_is_exchanged_by_a_symlink_without_losing_a_connection() {
    let secret = tempfile::tempdir().unwrap();
    let old = publish(secret.path(), "..1", &issue());
    let (mut watch, loaded) = watch(secret.path());
    let server = start_with(args(), loaded.config, old).await;
    let mut client = server.connect().await;
    client.post("/validate", &review("before")).await.is_refusal("before", 403);

    let (tls, metrics) = (Arc::clone(&server.tls), Arc::clone(&server.metrics));
    let mut reload = Reload::new(
        Reloaded::Certificate,
        Arc::clone(&server.metrics),
        move || match watch.look() {
            Ok(Some(loaded)) => Ok(Change::Changed(loaded)),
            Ok(None) => Ok(Change::Unchanged),
            Err(error) => Err(error.to_string()),
        },
        move |loaded: Loaded| {
            metrics.certificate_expires(loaded.not_after);
            tls.store(loaded.config);
        },
    );
    reload.look_once().await;
    let new = publish(secret.path(), "..2", &issue());
    reload.look_once().await;

    client.post("/validate", &review("after")).await.is_refusal("after", 403);
    let tls13 = [&rustls::version::TLS13];
    Client::new(server.handshake(client_config(&new, &tls13, &[])).await.unwrap())
        .post("/validate", &review("new"))
        .await
        .is_refusal("new", 403);
    assert!(server.handshake(client_config(&server.certificate, &tls13, &[])).await.is_err());

    // A key of another certificate: the last good pair stays.
    let stranger = issue();
    publish(secret.path(), "..3", &(stranger.0, issue().1));
    reload.look_once().await;
    assert!(server.handshake(client_config(&new, &tls13, &[])).await.is_ok());
    assert_eq!(server.metric("podgate_certificate_reload_total{result=\"changed\"}").await, 1.0);
    assert_eq!(server.metric("podgate_certificate_reload_total{result=\"failed\"}").await, 1.0);
    assert!(server.metric("podgate_certificate_expiry_timestamp_seconds").await > 1e9);
}

fn watch(secret: &Path) -> (Watch, Loaded) {
    Watch::start(&secret.join("tls.crt"), &secret.join("tls.key"), TlsVersion::V1_3).unwrap()
}

/// A certificate and its key in PEM.
fn issue() -> (String, String) {
    let params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    let key = KeyPair::generate().unwrap();
    (params.self_signed(&key).unwrap().pem(), key.serialize_pem())
}

/// Writes a version of a Secret as the kubelet does: into a folder of its own, which `..data` then names.
fn publish(secret: &Path, version: &str, (certificate, key): &(String, String)) -> String {
    std::fs::create_dir(secret.join(version)).unwrap();
    for (name, content) in [("tls.crt", certificate), ("tls.key", key)] {
        std::fs::write(secret.join(version).join(name), content).unwrap();
        // It is there from the first version on.
        let _ = symlink(Path::new("..data").join(name), secret.join(name));
    }
    symlink(version, secret.join("..data_tmp")).unwrap();
    std::fs::rename(secret.join("..data_tmp"), secret.join("..data")).unwrap();
    certificate.clone()
}

// ---- bad luck

#[tokio::test]
async fn a_panic_costs_one_review() {
    let server = start(args()).await;
    let response = server.connect().await.post("/validate", &review("panic")).await;
    response.is_refusal("panic", 500);
    let response = server.connect().await.post("/validate", "panic").await;
    assert_eq!(response.status, 500);
    server.connect().await.post("/validate", &review("u")).await.is_refusal("u", 403);
    assert_eq!(server.metric("podgate_panics_total").await, 2.0);
}

#[tokio::test]
async fn a_taken_port_is_named() {
    let server = start(args()).await;
    let made = throwaway(&LOOPBACK, TlsVersion::V1_3).unwrap();
    let wiring = Wiring {
        tls: Arc::new(ArcSwap::new(made.loaded.config)),
        review: Arc::new(Obedient),
        lookup: None,
        health: Health::default(),
        metrics: Arc::new(Metrics::new().unwrap()),
    };
    let mut args = args();
    args.admin_listen = server.address;
    let error = Server::bind(&args, wiring).await.err().unwrap();
    let expected = format!("cannot listen on {}: choose another address with --admin-listen", server.address);
    assert_eq!(error.to_string(), expected);
}

// ---- the admin port

#[tokio::test]
async fn ready_when_everything_is_there() {
    let server = start(args()).await;
    let policies = server.health.wait_for("policies");
    let unready = server.admin("/readyz").await;
    assert_eq!((unready.status, unready.body.as_str()), (503, "waiting for policies"));
    assert_eq!(server.admin("/livez").await.status, 200);
    policies.set(true);
    let ready = server.admin("/readyz").await;
    assert_eq!((ready.status, ready.body.as_str()), (200, "ok"));
    assert_eq!(server.admin("/validate").await.status, 404);
    let metrics = server.admin("/metrics").await;
    assert!(metrics.says("content-type: text/plain; version=0.0.4; charset=utf-8"), "{metrics:?}");
    for name in ["podgate_build_info{", "podgate_reviews_total{", "process_resident_memory_bytes "] {
        assert!(metrics.body.lines().any(|line| line.starts_with(name)), "{name}");
    }
}

// ---- the end

#[tokio::test]
async fn draining_loses_no_request() {
    let mut args = args();
    args.drain_delay = SHORT * 2;
    args.drain_timeout = PATIENCE;
    let server = start(args).await;
    let mut idle = server.connect().await;
    idle.post("/validate", &review("early")).await.is_refusal("early", 403);
    let mut slow = server.connect().await;
    let body = review("slow");
    slow.send(&(head("/validate", body.len()) + &body[..10])).await;
    slow.is_kept_for(SHORT / 8).await;

    server.shutdown.drain();
    let deadline = Instant::now() + PATIENCE;
    while server.admin("/readyz").await.body != "draining" {
        assert!(Instant::now() < deadline, "still ready");
    }
    let mut late = server.connect().await;
    let response = late.post("/validate", &review("late")).await;
    response.is_refusal("late", 403);
    assert!(response.says("connection: close"), "{response:?}");
    late.is_cut().await;

    // The idle one is closed when the delay is over; the one in hand is not.
    assert_eq!(idle.more().await.unwrap(), 0);
    assert!(TcpStream::connect(server.address).await.is_err(), "still accepting");
    slow.send(&body[10..]).await;
    let response = slow.receive().await;
    response.is_refusal("slow", 403);
    assert!(response.says("connection: close"), "{response:?}");
    slow.is_cut().await;
    assert_eq!(server.outcome().await, Outcome::Drained);
}

#[tokio::test]
async fn draining_ends_in_time() {
    let mut args = args();
    args.drain_timeout = SHORT;
    let server = start(args).await;
    let mut slow = server.connect().await;
    slow.send(&head("/validate", 10)).await;
    slow.is_kept_for(SHORT / 8).await;
    server.shutdown.drain();
    assert_eq!(server.outcome().await, Outcome::Cut { connections: 1 });
    slow.is_cut().await;
}

#[tokio::test]
async fn a_second_order_ends_at_once() {
    let mut args = args();
    args.drain_delay = PATIENCE * 10;
    let server = start(args).await;
    let mut client = server.connect().await;
    server.shutdown.drain();
    server.shutdown.abort();
    assert_eq!(server.outcome().await, Outcome::Aborted);
    client.is_cut().await;
}
