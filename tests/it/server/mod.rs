//! The server as its clients see it: real TLS on a port that the system chooses, HTTP written by hand.
//!
//! Time limits are lowered so that tests can wait for them. Nothing sleeps: what should happen is awaited up to a
//! deadline, and what should not happen is watched for while something else is awaited.

mod http;
mod lifecycle;
mod size;
mod time;
mod tls;

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use clap::Parser;
use futures::future::BoxFuture;
use podgate::admission::{Reply, Unanswerable, Webhook, refuse};
use podgate::certificates::{LOOPBACK, TlsVersion, self_signed};
use podgate::policy::{Answers, Lookup, LookupAnswer, LookupError};
use podgate::server::{
    Health, Metrics, Resolver, ReviewHandler, Server, ServerArgs, Shutdown, ShutdownOutcome, Wiring,
};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ServerConfig};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

pub(crate) use crate::wire::{PATIENCE, client_config, head, post};

/// Short enough to wait for, and long enough for a busy machine to meet.
pub(crate) const SHORT: Duration = Duration::from_millis(400);

// ---- the server under test

/// Refuses every review with its uid; a body can ask it to panic or to answer at length.
struct Obedient;

impl ReviewHandler for Obedient {
    fn review<'b>(&self, webhook: Webhook, body: &'b [u8], _: &Answers) -> Result<Reply<'b>, Unanswerable> {
        let text = std::str::from_utf8(body).unwrap_or_default();
        assert!(!text.contains("panic"), "as ordered");
        let mut answer = refuse(webhook, body, 403, "as tested")?;
        if text.contains("megabyte") {
            answer.body.resize(1 << 20, b' ');
        }
        Ok(Reply::Answer(answer))
    }
}

/// Needs a Namespace for every review, and refuses with what was found.
pub(crate) struct Wanting;

impl ReviewHandler for Wanting {
    fn review<'b>(
        &self,
        webhook: Webhook,
        body: &'b [u8],
        answers: &Answers,
    ) -> Result<Reply<'b>, Unanswerable> {
        let lookup = Lookup::Namespace("team".into());
        match answers.get(&lookup) {
            None => Ok(Reply::NeedsLookup(lookup)),
            Some(Err(reason)) => Ok(Reply::Answer(refuse(webhook, body, 403, &reason.to_string())?)),
            Some(Ok(_)) => Ok(Reply::Answer(refuse(webhook, body, 403, "found")?)),
        }
    }
}

/// A look-up that goes wrong.
pub(crate) enum Looker {
    Never,
    Panics,
}

impl Resolver for Looker {
    fn resolve<'l>(&'l self, _: &'l Lookup, _: Instant) -> BoxFuture<'l, Result<LookupAnswer, LookupError>> {
        match self {
            Self::Never => Box::pin(std::future::pending()),
            Self::Panics => Box::pin(async { panic!("as ordered") }),
        }
    }
}

#[derive(Parser)]
struct Cli {
    #[command(flatten)]
    args: ServerArgs,
}

pub(crate) fn args() -> ServerArgs {
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
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) shutdown: Shutdown,
    ended: JoinHandle<ShutdownOutcome>,
}

pub(crate) async fn start(args: ServerArgs) -> Running {
    let made = self_signed(&LOOPBACK, TlsVersion::V1_3).unwrap();
    start_with(args, made.loaded.config, made.certificate).await
}

async fn start_with(args: ServerArgs, config: Arc<ServerConfig>, certificate: String) -> Running {
    start_answering(args, (config, certificate), Arc::new(Obedient), None).await
}

pub(crate) async fn start_answering(
    args: ServerArgs,
    (config, certificate): (Arc<ServerConfig>, String),
    review: Arc<dyn ReviewHandler>,
    resolver: Option<Arc<dyn Resolver>>,
) -> Running {
    let tls = Arc::new(ArcSwap::new(config));
    let (health, metrics) = (Health::default(), Arc::new(Metrics::new().unwrap()));
    let wiring = Wiring {
        tls: Arc::clone(&tls),
        review,
        resolver,
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
        value_of(series, &text)
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

    pub(crate) async fn outcome(self) -> ShutdownOutcome {
        within(self.ended).await.unwrap()
    }
}

/// The value of a series in what `/metrics` answers.
#[track_caller]
pub(crate) fn value_of(series: &str, metrics: &str) -> f64 {
    let value = metrics.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
    value.unwrap_or_else(|| panic!("no {series} in\n{metrics}")).parse().unwrap()
}

pub(crate) async fn within<T>(what: impl Future<Output = T>) -> T {
    timeout(PATIENCE, what).await.expect("not in time")
}

// ---- the client

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

    /// The server has closed the connection, cleanly or not.
    pub(crate) async fn is_cut(&mut self) {
        let read = self.more().await;
        assert!(matches!(read, Ok(0) | Err(_)), "{read:?} {:?}", self.read);
    }

    /// The server keeps the connection open for that long.
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

/// A review of this length.
fn long_review(uid: &str, bytes: usize) -> String {
    let short = review(uid);
    let filling = "x".repeat(bytes - short.len() + 1);
    short.replace(r#""x"}"#, &format!(r#""{filling}"}}"#))
}
