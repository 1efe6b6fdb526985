//! Peers that hold connections, in every way that there is, and a client that merely wants to be served.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::{interval, sleep, timeout};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::server::{client_config, head, post, review};

/// Who is not served by then has given up.
const GIVES_UP: Duration = Duration::from_secs(10);

/// Between the bytes of a peer that drips.
const DRIP: Duration = Duration::from_millis(200);

/// A handshake takes both sides some time: with thousands at once, on a machine that is shared, none would be done
/// in time.
const OPEN_AT_ONCE: usize = 32;

const GET: &str = "GET /metrics HTTP/1.1\r\nHost: podgate\r\n\r\n";

/// What a peer does with its connection, and then holds it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Never sends a byte.
    Silent,
    /// A byte of the handshake now and then.
    DripsHandshake,
    /// Is answered once.
    Idle,
    /// Is answered once, on a review of 60 KB.
    IdleAfterMuch,
    HalfHead,
    DripsHead,
    HalfBody,
    /// Sends requests without reading the answers.
    Unread,
    /// Sends requests without waiting for the answers, and reads these.
    Pipelines,
}

/// The port that is held, over TLS or not.
#[derive(Clone)]
pub(super) struct Target {
    pub(super) address: SocketAddr,
    pub(super) tls: Option<Arc<ClientConfig>>,
    opening: Arc<Semaphore>,
    /// What the system may hold for a peer that does not read; by default megabytes.
    receives: Option<u32>,
}

fn unlimited() -> Arc<Semaphore> {
    Arc::new(Semaphore::new(Semaphore::MAX_PERMITS))
}

pub(super) trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}

impl Target {
    pub(super) fn reviews(address: SocketAddr, certificate: &str) -> Self {
        let config = client_config(certificate, &[&rustls::version::TLS13], &[b"http/1.1"]);
        Self { address, tls: Some(Arc::new(config)), opening: unlimited(), receives: None }
    }

    pub(super) fn admin(address: SocketAddr) -> Self {
        Self { address, tls: None, opening: unlimited(), receives: None }
    }

    pub(super) async fn tcp(&self, from: IpAddr) -> io::Result<TcpStream> {
        let socket = TcpSocket::new_v4()?;
        if let Some(bytes) = self.receives {
            socket.set_recv_buffer_size(bytes)?;
        }
        socket.bind((from, 0).into())?;
        let stream = socket.connect(self.address).await?;
        stream.set_nodelay(true)?;
        Ok(stream)
    }

    pub(super) async fn tls(&self, from: IpAddr) -> io::Result<TlsStream<TcpStream>> {
        let config = self.tls.clone().ok_or(io::ErrorKind::Unsupported)?;
        let name = ServerName::try_from("localhost").map_err(io::Error::other)?;
        TlsConnector::from(config).connect(name, self.tcp(from).await?).await
    }

    async fn open(&self, from: IpAddr) -> io::Result<Box<dyn Stream>> {
        let _one = self.opening.acquire().await;
        Ok(match self.tls {
            Some(_) => Box::new(self.tls(from).await?),
            None => Box::new(self.tcp(from).await?),
        })
    }

    fn request(&self) -> String {
        match self.tls {
            Some(_) => post("/validate", &review("crowd")),
            None => GET.to_owned(),
        }
    }
}

/// A loopback address of its own for each number.
pub(super) fn address(number: usize) -> IpAddr {
    let [.., high, low] = u32::try_from(number + 2).unwrap().to_be_bytes();
    Ipv4Addr::new(127, 0, high, low).into()
}

/// So many peers that hold connections until they are dropped; those that are closed come again at once.
pub(super) fn hold(target: &Target, kind: Kind, peers: usize, addresses: usize) -> JoinSet<()> {
    let mut set = JoinSet::new();
    let opening = Arc::new(Semaphore::new(OPEN_AT_ONCE));
    for peer in 0..peers {
        let receives = (kind == Kind::Unread).then_some(4096);
        let target = Target { opening: Arc::clone(&opening), receives, ..target.clone() };
        let from = address(peer % addresses);
        set.spawn(async move {
            loop {
                // Nothing else than being closed, refused or cut is expected.
                let _ = once(&target, kind, from).await;
            }
        });
    }
    set
}

/// Holds a connection until it is closed.
async fn once(target: &Target, kind: Kind, from: IpAddr) -> io::Result<()> {
    match kind {
        Kind::Silent => read_to_end(&mut target.tcp(from).await?).await,
        Kind::DripsHandshake => {
            // The beginning of a long handshake record.
            let hello = [&[0x16, 3, 1, 0x20, 0, 1, 0, 0x1f, 0xfc, 3, 3][..], &[7; 4096]].concat();
            drip(&mut target.tcp(from).await?, &hello).await
        }
        Kind::Idle => {
            let mut stream = target.open(from).await?;
            ask(&mut stream, &target.request()).await?;
            read_to_end(&mut stream).await
        }
        Kind::IdleAfterMuch => {
            let mut stream = target.open(from).await?;
            let request = post("/validate", &review("much").replace("\"x\"", &much()));
            ask(&mut stream, &request).await?;
            read_to_end(&mut stream).await
        }
        Kind::HalfHead => {
            let mut stream = target.open(from).await?;
            stream.write_all(&target.request().as_bytes()[..20]).await?;
            stream.flush().await?;
            read_to_end(&mut stream).await
        }
        Kind::DripsHead => {
            let request = target.request().replacen("Host", &"X: y\r\n".repeat(40), 1) + "Host";
            drip(&mut target.open(from).await?, request.as_bytes()).await
        }
        Kind::HalfBody => {
            let mut stream = target.open(from).await?;
            stream
                .write_all((head("/validate", 61_000) + &review("half").replace("\"x\"", &much())).as_bytes())
                .await?;
            stream.flush().await?;
            read_to_end(&mut stream).await
        }
        Kind::Unread => {
            let mut stream = target.open(from).await?;
            let requests = target.request().repeat(100);
            // Until nothing more is taken; then until it is closed.
            while timeout(GIVES_UP, stream.write_all(requests.as_bytes())).await.is_ok_and(|it| it.is_ok()) {}
            Ok(())
        }
        Kind::Pipelines => {
            let (mut reader, mut writer) = tokio::io::split(target.open(from).await?);
            let requests = target.request().repeat(10);
            let write = async { while writer.write_all(requests.as_bytes()).await.is_ok() {} };
            tokio::select! { read = read_to_end(&mut reader) => read, () = write => Ok(()) }
        }
    }
}

/// A string of JSON.
fn much() -> String {
    format!("\"{}\"", "x".repeat(60_000))
}

async fn read_to_end(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<()> {
    let mut sink = [0; 4096];
    while stream.read(&mut sink).await? > 0 {}
    Ok(())
}

async fn drip(stream: &mut (impl AsyncRead + AsyncWrite + Unpin), bytes: &[u8]) -> io::Result<()> {
    let mut sink = [0; 64];
    for byte in bytes {
        stream.write_all(&[*byte]).await?;
        stream.flush().await?;
        if let Ok(read) = timeout(DRIP, stream.read(&mut sink)).await {
            read?;
            return Ok(());
        }
    }
    Ok(())
}

/// Sends a request, and reads the answer to its last byte.
pub(super) async fn ask(stream: &mut (impl AsyncRead + AsyncWrite + Unpin), request: &str) -> io::Result<()> {
    stream.write_all(request.as_bytes()).await?;
    stream.flush().await?;
    let mut answer = Vec::new();
    loop {
        if stream.read_buf(&mut answer).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let text = String::from_utf8_lossy(&answer);
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let length = head.to_ascii_lowercase();
        let length = length.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
        if length.is_some_and(|length: usize| body.len() >= length) {
            let is_good = text.starts_with("HTTP/1.1 200 ");
            return if is_good { Ok(()) } else { Err(io::Error::other(head.to_owned())) };
        }
    }
}

/// What clients saw that came one after the other.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// How long each took that was served, in order of size.
    took: Vec<Duration>,
    failures: Vec<String>,
}

impl Seen {
    pub(super) fn count(&self) -> usize {
        self.took.len() + self.failures.len()
    }

    pub(super) fn share_served(&self) -> f64 {
        self.took.len() as f64 / self.count() as f64
    }

    pub(super) fn percentile(&self, percent: usize) -> Duration {
        let last = self.took.len().saturating_sub(1);
        self.took.get(last * percent / 100).copied().unwrap_or(GIVES_UP)
    }

    pub(super) fn line(&self) -> String {
        format!(
            "{} of {} served ({:.1} %), p50 {:.1?}, p99 {:.1?}, max {:.1?}; first failure: {}",
            self.took.len(),
            self.count(),
            100.0 * self.share_served(),
            self.percentile(50),
            self.percentile(99),
            self.percentile(100),
            self.failures.first().map_or("none", |failure| failure)
        )
    }
}

/// New connections at a steady pace, each with one request.
pub(super) async fn new_clients(
    target: &Target,
    path: &str,
    from: IpAddr,
    count: usize,
    pause: Duration,
) -> Seen {
    let request = match target.tls {
        Some(_) => post(path, &review("good")),
        None => format!("GET {path} HTTP/1.1\r\nHost: podgate\r\n\r\n"),
    };
    let mut ticks = interval(pause);
    let mut asked = JoinSet::new();
    for _ in 0..count {
        ticks.tick().await;
        let (target, request) = (target.clone(), request.clone());
        asked.spawn(async move {
            let start = Instant::now();
            let served = timeout(GIVES_UP, async {
                let mut stream = target.open(from).await?;
                ask(&mut stream, &request).await
            });
            match served.await {
                Ok(Ok(())) => Ok(start.elapsed()),
                Ok(Err(error)) => Err(error.to_string()),
                Err(_) => Err("not in time".to_owned()),
            }
        });
    }
    let mut seen = Seen::default();
    while let Some(served) = asked.join_next().await {
        match served.unwrap() {
            Ok(took) => seen.took.push(took),
            Err(failure) => seen.failures.push(failure),
        }
    }
    seen.took.sort_unstable();
    seen
}

/// A client that keeps as many connections as Go does, and asks on each of them now and then.
pub(super) struct Keeper {
    streams: Vec<TlsStream<TcpStream>>,
    pub(super) lost: usize,
    pub(super) asked: usize,
}

impl Keeper {
    pub(super) const CONNECTIONS: usize = 25;

    pub(super) async fn new(target: &Target, from: IpAddr) -> Self {
        let mut keeper = Self { streams: Vec::new(), lost: 0, asked: 0 };
        for _ in 0..Self::CONNECTIONS {
            keeper.streams.push(target.tls(from).await.unwrap());
        }
        keeper.ask().await;
        keeper
    }

    /// Asks once on each.
    pub(super) async fn ask(&mut self) {
        let request = post("/validate", &review("kept"));
        for stream in &mut self.streams {
            self.asked += 1;
            let answered = timeout(GIVES_UP, ask(stream, &request)).await;
            self.lost += usize::from(!answered.is_ok_and(|answered| answered.is_ok()));
        }
    }

    pub(super) async fn ask_until(&mut self, end: Instant, every: Duration) {
        while Instant::now() + every < end {
            sleep(every).await;
            self.ask().await;
        }
    }
}
