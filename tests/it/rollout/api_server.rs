//! A client that treats its connections as kube-apiserver's does, which is Go's `net/http`.
//!
//! HTTP/1.1; up to 25 idle connections, kept for 90 s, the youngest used first; who finds none makes one, and
//! takes whichever comes first, that one or one that somebody gives back. A connection that is found closed
//! before a byte of the review was written is replaced by another. Once a byte is written nothing is tried
//! again: what happens then is what the API server's caller sees.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::wire::client_config;

const MAX_IDLE: usize = 25;
const IDLE_TIMEOUT: Duration = Duration::from_secs(90);
/// `timeoutSeconds` of the webhook.
const TIMEOUT: Duration = Duration::from_secs(10);

/// The answer to a request.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    /// The status line and the header, in lower case.
    pub(super) head: String,
    pub(super) body: String,
}

impl Answer {
    /// Whether it says that the connection is to be closed.
    pub(super) fn is_last(&self) -> bool {
        self.head.contains("\r\nconnection: close")
    }

    /// The value of a header.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    }
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

impl Failure {
    pub(super) fn late(limit: Duration) -> Self {
        Self { sent: None, refused_by: None, error: format!("no answer in {limit:?}") }
    }
}

struct Connection {
    stream: TlsStream<TcpStream>,
    replica: SocketAddr,
    idle_since: Instant,
    is_used: bool,
}

type Connected = Result<Connection, Failure>;

/// A call that waits for a connection, until somebody has given it one.
type Want = Arc<Mutex<Option<oneshot::Sender<Connected>>>>;

#[derive(Default)]
struct Pool {
    idle: Vec<Connection>,
    wants: VecDeque<Want>,
}

/// One API server.
pub(super) struct ApiServer {
    tls: Arc<ClientConfig>,
    /// Where the next connection goes.
    endpoint: Box<dyn Fn() -> SocketAddr + Send + Sync>,
    pool: Mutex<Pool>,
}

impl ApiServer {
    pub(super) fn new(
        certificate: &str,
        endpoint: impl Fn() -> SocketAddr + Send + Sync + 'static,
    ) -> Arc<Self> {
        let tls = client_config(certificate, &[&rustls::version::TLS13], &[b"http/1.1"]);
        Arc::new(Self { tls: Arc::new(tls), endpoint: Box::new(endpoint), pool: Mutex::default() })
    }

    /// Sends a review, and looks whether the answer has its uid and allows it.
    pub(super) async fn call(self: &Arc<Self>, uid: &str, review: &str) -> Result<Answer, Failure> {
        let answer = self.ask(crate::wire::post("/validate?timeout=10s", review).as_bytes()).await?;
        if says_yes(&answer, uid) {
            return Ok(answer);
        }
        // Whoever answered was alive: no death explains this.
        Err(Failure { sent: None, refused_by: None, error: answer.head + &answer.body })
    }

    /// Sends a request, and returns its answer, whatever that says.
    pub(super) async fn ask(self: &Arc<Self>, request: &[u8]) -> Result<Answer, Failure> {
        timeout(TIMEOUT, self.send(request)).await.map_err(|_| Failure::late(TIMEOUT))?
    }

    /// Makes a connection that no call has asked for, as Go does for a call that got another one meanwhile.
    pub(super) async fn connect_ahead(&self) -> Result<(), Failure> {
        self.connect().await.map(|connection| self.give_back(connection))
    }

    /// Closes what is idle.
    pub(super) fn close_idle(&self) {
        self.pool.lock().unwrap().idle.clear();
    }

    async fn send(self: &Arc<Self>, request: &[u8]) -> Result<Answer, Failure> {
        loop {
            let mut connection = self.connection().await?;
            let sent = Some((connection.replica, Instant::now()));
            let failure = |error: String| Failure { sent, refused_by: None, error };
            // One record and one segment: when that fails, nothing was written.
            if let Err(error) = connection.stream.write_all(request).await {
                if connection.is_used {
                    continue;
                }
                return Err(failure(format!("not written: {error}")));
            }
            let answer = read(&mut connection.stream).await.map_err(failure)?;
            if !answer.is_last() {
                connection.is_used = true;
                self.give_back(connection);
            }
            return Ok(answer);
        }
    }

    async fn connection(self: &Arc<Self>) -> Connected {
        if let Some(connection) = self.idle() {
            return Ok(connection);
        }
        let (sender, receiver) = oneshot::channel();
        let want = Arc::new(Mutex::new(Some(sender)));
        self.pool.lock().unwrap().wants.push_back(Arc::clone(&want));
        let this = Arc::clone(self);
        tokio::spawn(async move {
            let connected = this.connect().await;
            if let Some(Ok(connection)) = deliver(&want, connected) {
                this.give_back(connection);
            }
        });
        // The task that connects has the sender until it is done.
        receiver.await.unwrap()
    }

    /// The youngest idle connection that nothing is known to be wrong with.
    fn idle(&self) -> Option<Connection> {
        let mut pool = self.pool.lock().unwrap();
        while let Some(connection) = pool.idle.pop() {
            if connection.idle_since.elapsed() < IDLE_TIMEOUT && is_open(connection.stream.get_ref().0) {
                return Some(connection);
            }
        }
        None
    }

    /// To whoever waits longest, or else to those that are idle.
    fn give_back(&self, connection: Connection) {
        let mut pool = self.pool.lock().unwrap();
        let mut left = Some(Ok(Connection { idle_since: Instant::now(), ..connection }));
        while let Some(given) = left.take() {
            match pool.wants.pop_front() {
                Some(want) => left = deliver(&want, given),
                None => {
                    let is_kept = pool.idle.len() < MAX_IDLE;
                    pool.idle.extend(given.ok().filter(|_| is_kept));
                }
            }
        }
    }

    async fn connect(&self) -> Connected {
        let replica = (self.endpoint)();
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

/// Gives a call what it waits for; it is left where the call has that, or waits no longer.
fn deliver(want: &Want, connected: Connected) -> Option<Connected> {
    match want.lock().unwrap().take() {
        Some(sender) => sender.send(connected).err(),
        None => Some(connected),
    }
}

/// Whether the server has said nothing on an idle connection: whatever it says there, it is the end.
fn is_open(stream: &TcpStream) -> bool {
    // Without a descriptor to spare nobody can tell, and a new connection cannot be made either.
    let Ok(socket) = std::os::fd::AsFd::as_fd(stream).try_clone_to_owned() else { return true };
    let peeked = std::net::TcpStream::from(socket).peek(&mut [0]);
    peeked.is_err_and(|error| error.kind() == std::io::ErrorKind::WouldBlock)
}

async fn read(stream: &mut TlsStream<TcpStream>) -> Result<Answer, String> {
    let mut answer = Vec::new();
    loop {
        let read = stream.read_buf(&mut answer).await.map_err(|error| format!("no answer: {error}"))?;
        if read == 0 {
            return Err(format!("closed after {:?}", String::from_utf8_lossy(&answer)));
        }
        let text = std::str::from_utf8(&answer).map_err(|error| error.to_string())?;
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let head = head.to_ascii_lowercase();
        let length = |line: &str| line.strip_prefix("content-length: ")?.parse::<usize>().ok();
        if head.lines().find_map(length).ok_or("no length")? == body.len() {
            let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).ok_or("no status")?;
            return Ok(Answer { status, body: body.to_owned(), head });
        }
    }
}

fn says_yes(answer: &Answer, uid: &str) -> bool {
    let review: serde_json::Value = serde_json::from_str(&answer.body).unwrap_or_default();
    let response = &review["response"];
    answer.status == 200 && response["uid"] == uid && response["allowed"] == true
}
