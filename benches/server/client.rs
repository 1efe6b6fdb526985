//! The clients: connections kept alive, each sending the next review when it has the answer to the last.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use crate::Result;

const CONNECTIONS: usize = 16;
const ROUND: Duration = Duration::from_millis(1500);
/// Upstream's answer holds the whole review.
const MAX_ANSWER: usize = 256 * 1024;

/// Where to ask, and whom to trust.
#[derive(Clone)]
pub(crate) struct Target {
    pub(crate) address: SocketAddr,
    pub(crate) tls: Arc<ClientConfig>,
}

/// One connection, with room for an answer.
pub(crate) struct Connection {
    stream: StreamOwned<ClientConnection, TcpStream>,
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

    pub(crate) fn connect(&self) -> Result<Connection> {
        let connection = ClientConnection::new(Arc::clone(&self.tls), ServerName::try_from("localhost")?)?;
        let socket = TcpStream::connect(self.address)?;
        socket.set_nodelay(true)?;
        Ok(Connection { stream: StreamOwned::new(connection, socket), answer: vec![0; MAX_ANSWER] })
    }

    /// Sends a request over and over for the time of a round, and returns what `cost` grew by and how many
    /// were answered. The handshakes are over before it begins.
    pub(crate) fn round(
        &self,
        request: &[u8],
        cost: impl Fn() -> Result<Duration>,
    ) -> Result<(Duration, u64)> {
        let mut connections = Vec::new();
        for _ in 0..CONNECTIONS {
            let mut connection = self.connect()?;
            connection.ask(request)?;
            connections.push(connection);
        }
        let (done, answered) = (AtomicBool::new(false), AtomicU64::new(0));
        let before = cost()?;
        thread::scope(|scope| {
            let clients: Vec<_> = connections
                .iter_mut()
                .map(|connection| scope.spawn(|| connection.ask_until(request, &done, &answered)))
                .collect();
            thread::sleep(ROUND);
            done.store(true, Ordering::Relaxed);
            clients.into_iter().try_for_each(|client| client.join().map_err(|_| "a client panicked")?)
        })?;
        Ok((cost()? - before, answered.into_inner()))
    }
}

impl Connection {
    fn ask_until(&mut self, request: &[u8], done: &AtomicBool, answered: &AtomicU64) -> Result<()> {
        while !done.load(Ordering::Relaxed) {
            self.ask(request)?;
            answered.fetch_add(1, Ordering::Relaxed);
        }
        Ok(())
    }

    /// Sends a request, and returns the body of the answer as it came, with the marks of its chunks if it has
    /// such.
    pub(crate) fn ask(&mut self, request: &[u8]) -> Result<&[u8]> {
        self.stream.write_all(request)?;
        let (mut filled, mut body) = (0, None);
        loop {
            let read = self.stream.read(&mut self.answer[filled..])?;
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
pub(crate) fn without_chunks(body: &[u8]) -> Result<Vec<u8>> {
    let (mut rest, mut whole) = (body, Vec::new());
    if body.starts_with(b"{") {
        return Ok(body.to_vec());
    }
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
