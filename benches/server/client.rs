//! The clients: connections kept alive, each sending the next review when it has the answer to the last.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use futures::future::try_join_all;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::sleep;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::Result;

const CONNECTIONS: usize = 16;
const ROUND: Duration = Duration::from_millis(1000);
/// Upstream's answer holds the whole review.
const MAX_ANSWER: usize = 256 * 1024;

/// Where to ask, and whom to trust.
#[derive(Clone)]
pub(crate) struct Target {
    pub(crate) address: SocketAddr,
    pub(crate) tls: Arc<ClientConfig>,
}

/// What came of a round.
pub(crate) struct Round {
    pub(crate) answered: u64,
    spent: Duration,
    elapsed: Duration,
}

impl Round {
    /// Microseconds of CPU for each review.
    pub(crate) fn cost(&self) -> f64 {
        self.spent.as_secs_f64() * 1e6 / self.answered as f64
    }

    /// How much of its core the server used, in percent. Where it is not all, the clients were the slower.
    pub(crate) fn busy(&self) -> f64 {
        100.0 * self.spent.as_secs_f64() / self.elapsed.as_secs_f64()
    }
}

/// One connection, with room for an answer.
struct Connection {
    stream: TlsStream<TcpStream>,
    answer: Vec<u8>,
}

/// A client that trusts this certificate alone, in PEM.
pub(crate) fn trusting(pem: &str) -> Result<Arc<ClientConfig>> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(pem.as_bytes())?)?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Arc::new(config))
}

impl Target {
    /// A request as an API server words it.
    pub(crate) fn post(&self, path: &str, review: &[u8]) -> Vec<u8> {
        let head = format!(
            "POST {path}?timeout=10s HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
            self.address,
            review.len()
        );
        [head.as_bytes(), review].concat()
    }

    async fn connect(&self) -> Result<Connection> {
        let socket = TcpStream::connect(self.address).await?;
        socket.set_nodelay(true)?;
        let connector = TlsConnector::from(Arc::clone(&self.tls));
        let stream = connector.connect(ServerName::try_from("localhost")?, socket).await?;
        Ok(Connection { stream, answer: vec![0; MAX_ANSWER] })
    }

    /// Sends one request, and returns the body of its answer.
    pub(crate) fn ask(&self, request: &[u8]) -> Result<Vec<u8>> {
        on_this_thread(async { without_chunks(self.connect().await?.ask(request).await?) })
    }

    /// Sends a request over and over for the time of a round. `cost` is what the server has used so far. The
    /// handshakes are over before it begins.
    pub(crate) fn round(&self, request: &[u8], cost: impl Fn() -> Result<Duration>) -> Result<Round> {
        on_this_thread(async {
            let mut connections = Vec::new();
            for _ in 0..CONNECTIONS {
                let mut connection = self.connect().await?;
                connection.ask(request).await?;
                connections.push(connection);
            }
            let done = AtomicBool::new(false);
            let (before, started) = (cost()?, Instant::now());
            let time = async {
                sleep(ROUND).await;
                done.store(true, Ordering::Relaxed);
                Ok(())
            };
            let asked =
                try_join_all(connections.iter_mut().map(|connection| connection.ask_until(request, &done)));
            let (answered, ()) = tokio::try_join!(asked, time)?;
            let (spent, elapsed) = (cost()? - before, started.elapsed());
            Ok(Round { answered: answered.iter().sum(), spent, elapsed })
        })
    }
}

/// One thread for all connections, so that the client costs little more than what it sends.
fn on_this_thread<T>(what: impl Future<Output = Result<T>>) -> Result<T> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(what)
}

impl Connection {
    async fn ask_until(&mut self, request: &[u8], done: &AtomicBool) -> Result<u64> {
        let mut answered = 0;
        while !done.load(Ordering::Relaxed) {
            self.ask(request).await?;
            answered += 1;
        }
        Ok(answered)
    }

    /// Sends a request, and returns the body of the answer as it came, with the marks of its chunks if it has
    /// such.
    async fn ask(&mut self, request: &[u8]) -> Result<&[u8]> {
        self.stream.write_all(request).await?;
        self.stream.flush().await?;
        let (mut filled, mut body) = (0, None);
        loop {
            let read = self.stream.read(&mut self.answer[filled..]).await?;
            if read == 0 {
                return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
            }
            filled += read;
            let answer = &self.answer[..filled];
            if body.is_none() {
                body = start_of_body(answer)?;
            }
            let Some((start, length)) = body else { continue };
            let is_whole = match length {
                Some(length) => filled == start + length,
                None => answer.ends_with(b"\r\n0\r\n\r\n"),
            };
            if is_whole {
                return Ok(&self.answer[start..filled]);
            }
        }
    }
}

/// Where the body starts, once that is known, and how long it is; `None` where it comes in chunks.
fn start_of_body(answer: &[u8]) -> Result<Option<(usize, Option<usize>)>> {
    let Some(end) = answer.windows(4).position(|window| window == b"\r\n\r\n") else { return Ok(None) };
    let head = std::str::from_utf8(&answer[..end])?;
    if !head.starts_with("HTTP/1.1 200") {
        return Err(head.into());
    }
    let head = head.to_ascii_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    if length.is_none() && !head.contains("transfer-encoding: chunked") {
        return Err("an answer without an end".into());
    }
    Ok(Some((end + 4, length.map(str::parse).transpose()?)))
}

/// What a body says with the marks of its chunks taken out.
fn without_chunks(body: &[u8]) -> Result<Vec<u8>> {
    if body.starts_with(b"{") || body == b"ok" {
        return Ok(body.to_vec());
    }
    let (mut rest, mut whole) = (body, Vec::new());
    loop {
        let end = rest.windows(2).position(|two| two == b"\r\n").ok_or("no end of a chunk's length")?;
        let length = usize::from_str_radix(std::str::from_utf8(&rest[..end])?, 16)?;
        if length == 0 {
            return Ok(whole);
        }
        whole.extend_from_slice(&rest[end + 2..end + 2 + length]);
        rest = &rest[end + 2 + length + 2..];
    }
}
