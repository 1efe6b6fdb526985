//! A client that treats its connections as kube-apiserver's does, which is Go's `net/http`.
//!
//! HTTP/1.1; up to 25 idle connections, kept for 90 s, the youngest used first; who finds none makes one, and
//! takes whichever comes first, that one or one that somebody gives back. A connection that is found closed
//! before a byte of the review was written is replaced by another. Once a byte is written nothing is tried
//! again: what happens then is what the API server's caller sees.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{Notify, oneshot};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::balancer::Balancer;
use crate::server::client_config;

const MAX_IDLE: usize = 25;
const IDLE_TIMEOUT: Duration = Duration::from_secs(90);
/// `timeoutSeconds` of the webhook.
const TIMEOUT: Duration = Duration::from_secs(10);

/// The answer to a review.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) is_last: bool,
}

/// A review that was not answered.
#[derive(Debug)]
pub(super) struct Failure {
    /// The replica that it was sent to, and when its connection was taken; none where there was none yet.
    pub(super) sent: Option<(SocketAddr, Instant)>,
    /// Where a connection was refused.
    pub(super) refused_by: Option<SocketAddr>,
    pub(super) error: String,
}

struct Connection {
    stream: TlsStream<TcpStream>,
    replica: SocketAddr,
    idle_since: Instant,
    is_used: bool,
}

/// One API server.
pub(super) struct ApiServer {
    tls: Arc<ClientConfig>,
    balancer: Arc<Balancer>,
    idle: Mutex<Vec<Connection>>,
    given_back: Notify,
}

impl ApiServer {
    pub(super) fn new(certificate: &str, balancer: &Arc<Balancer>) -> Arc<Self> {
        let tls = client_config(certificate, &[&rustls::version::TLS13], &[b"http/1.1"]);
        Arc::new(Self {
            tls: Arc::new(tls),
            balancer: Arc::clone(balancer),
            idle: Mutex::default(),
            given_back: Notify::new(),
        })
    }

    /// Sends a review, and looks whether the answer has its uid and allows it.
    pub(super) async fn call(self: &Arc<Self>, uid: &str, review: &str) -> Result<Answer, Failure> {
        let late = |_| Failure { sent: None, refused_by: None, error: format!("no answer in {TIMEOUT:?}") };
        timeout(TIMEOUT, self.send(uid, review)).await.map_err(late)?
    }

    async fn send(self: &Arc<Self>, uid: &str, review: &str) -> Result<Answer, Failure> {
        let request = crate::server::post("/validate?timeout=10s", review);
        loop {
            let mut connection = self.connection().await?;
            let sent = Some((connection.replica, Instant::now()));
            let failure = |error: String| Failure { sent, refused_by: None, error };
            // One record and one segment: when that fails, nothing was written.
            if let Err(error) = connection.stream.write_all(request.as_bytes()).await {
                if connection.is_used {
                    continue;
                }
                return Err(failure(format!("not written: {error}")));
            }
            let (head, body) = read(&mut connection.stream).await.map_err(failure)?;
            if !says_yes(&head, &body, uid) {
                return Err(failure(head + &body));
            }
            let is_last = head.to_ascii_lowercase().contains("connection: close");
            if !is_last {
                connection.is_used = true;
                self.give_back(connection);
            }
            return Ok(Answer { is_last });
        }
    }

    async fn connection(self: &Arc<Self>) -> Result<Connection, Failure> {
        if let Some(connection) = self.idle() {
            return Ok(connection);
        }
        let (fail, mut failed) = oneshot::channel();
        let this = Arc::clone(self);
        tokio::spawn(async move {
            match this.connect().await {
                Ok(connection) => this.give_back(connection),
                Err(failure) => drop(fail.send(failure)),
            }
        });
        loop {
            tokio::select! {
                Ok(failure) = &mut failed => return Err(failure),
                () = self.given_back.notified() => {}
            }
            if let Some(connection) = self.idle() {
                return Ok(connection);
            }
        }
    }

    /// The youngest idle connection that nothing is known to be wrong with.
    fn idle(&self) -> Option<Connection> {
        let mut idle = self.idle.lock().unwrap();
        while let Some(connection) = idle.pop() {
            if connection.idle_since.elapsed() < IDLE_TIMEOUT && is_open(connection.stream.get_ref().0) {
                return Some(connection);
            }
        }
        None
    }

    fn give_back(&self, connection: Connection) {
        let mut idle = self.idle.lock().unwrap();
        if idle.len() < MAX_IDLE {
            idle.push(Connection { idle_since: Instant::now(), ..connection });
        }
        self.given_back.notify_one();
    }

    async fn connect(&self) -> Result<Connection, Failure> {
        let replica = self.balancer.endpoint();
        let refused = |error: std::io::Error| Failure {
            sent: None,
            refused_by: Some(replica),
            error: format!("no connection: {error}"),
        };
        let stream = TcpStream::connect(replica).await.map_err(refused)?;
        stream.set_nodelay(true).map_err(refused)?;
        let name = ServerName::try_from("podgate.podgate-system.svc").unwrap();
        let connector = TlsConnector::from(Arc::clone(&self.tls));
        let stream = connector.connect(name, stream).await.map_err(refused)?;
        Ok(Connection { stream, replica, idle_since: Instant::now(), is_used: false })
    }
}

/// Whether the server has said nothing on an idle connection: whatever it says there, it is the end.
fn is_open(stream: &TcpStream) -> bool {
    let socket = std::os::fd::AsFd::as_fd(stream).try_clone_to_owned().unwrap();
    let peeked = std::net::TcpStream::from(socket).peek(&mut [0]);
    peeked.is_err_and(|error| error.kind() == std::io::ErrorKind::WouldBlock)
}

/// Head and body of an answer.
async fn read(stream: &mut TlsStream<TcpStream>) -> Result<(String, String), String> {
    let mut answer = Vec::new();
    loop {
        let read = stream.read_buf(&mut answer).await.map_err(|error| format!("no answer: {error}"))?;
        if read == 0 {
            return Err(format!("closed after {:?}", String::from_utf8_lossy(&answer)));
        }
        let text = std::str::from_utf8(&answer).map_err(|error| error.to_string())?;
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let length = |line: &str| line.strip_prefix("content-length: ")?.parse::<usize>().ok();
        if head.lines().find_map(length).ok_or("no length")? == body.len() {
            return Ok((head.to_owned(), body.to_owned()));
        }
    }
}

fn says_yes(head: &str, body: &str, uid: &str) -> bool {
    let review: serde_json::Value = serde_json::from_str(body).unwrap_or_default();
    let response = &review["response"];
    head.starts_with("HTTP/1.1 200 ") && response["uid"] == uid && response["allowed"] == true
}
