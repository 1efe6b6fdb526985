//! Accepting connections, and waiting for them at the end.
//!
//! By hand rather than by `axum::serve`, which has no limit of any kind: every connection here takes one of a
//! fixed number of places ([`registry`](super::registry)), a failing accept is tried again ever more slowly, and
//! a connection that panics takes nothing else with it. Nor does it empty the system's queue before it closes
//! the listener.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use axum::Router;
use hyper::server::conn::http1;
use prometheus::{IntCounter, IntGauge};
use rustls::ServerConfig;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinError, JoinSet};
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::activity::Stage;
use super::health::{Condition, Health};
use super::metrics::Metrics;
use super::registry::{Place, Registry};
use super::{Limits, connection};

/// Out of file descriptors, the first to be closed should not have to wait long for its place to be taken.
const FIRST_PAUSE: Duration = Duration::from_millis(5);

/// But a lasting fault should neither spin nor fill the log.
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// Far more than any head that an API server sends, which is some 300 bytes.
const MAX_HEAD_BYTES: usize = 16 * 1024;

/// A TLS record: what a connection may hold of a body before it is taken over. It is kept as long as the connection
/// lasts, and there may be thousands of them.
const MAX_PIECE_BYTES: usize = 16 * 1024;

/// How long everybody may stay since the last step of a handshake or of a request, over any network and from any
/// machine that is merely busy: a lost packet comes again in this time. Without TLS a request is all there at once, as
/// probes and scrapes are.
const TLS_STAY: Duration = Duration::from_millis(250);
const PLAIN_STAY: Duration = Duration::from_millis(25);

/// How soon a place is looked for again where nobody could be sent away.
const LOOK_AGAIN: Duration = Duration::from_millis(2);

/// Who has waited for a place so long is not going to get one soon.
const LONG_WAIT: Duration = Duration::from_secs(1);

/// One port, bound.
pub(super) struct Port {
    listener: TcpListener,
    pub(super) address: SocketAddr,
    shared: Arc<Shared>,
    has_room: Room,
}

/// What all connections of a port share.
pub(super) struct Shared {
    pub(super) tls: Option<Arc<ArcSwap<ServerConfig>>>,
    pub(super) router: Router,
    pub(super) limits: Limits,
    pub(super) registry: Arc<Registry>,
    pub(super) http: http1::Builder,
    pub(super) health: Health,
    pub(super) metrics: Arc<Metrics>,
    connections: IntGauge,
    evictions: Vec<IntCounter>,
}

/// A connection that was accepted.
type Accepted = (TcpStream, SocketAddr);

impl Port {
    pub(super) fn new(
        (listener, address): (TcpListener, SocketAddr),
        tls: Option<Arc<ArcSwap<ServerConfig>>>,
        router: Router,
        limits: Limits,
        (health, metrics): (&Health, &Arc<Metrics>),
    ) -> Self {
        let mut http = http1::Builder::new();
        // Waiting is bounded by the stream: see `patience`.
        // Probes and scrapes are rare. Who sends many requests at once would have them all answered before others.
        http.keep_alive(tls.is_some());
        http.header_read_timeout(None).max_header_size(MAX_HEAD_BYTES).max_buf_size(MAX_PIECE_BYTES);
        let (name, condition, stay) = match &tls {
            Some(_) => ("reviews", "room for connections", TLS_STAY),
            None => ("admin", "room for connections of the admin port", PLAIN_STAY),
        };
        let shared = Arc::new(Shared {
            tls,
            router,
            limits,
            registry: Arc::new(Registry::new(limits.max_connections as usize, stay)),
            http,
            health: health.clone(),
            metrics: Arc::clone(metrics),
            connections: metrics.connections(name),
            evictions: metrics.evictions(name),
        });
        Self { listener, address, shared, has_room: Room::new(health.wait_for(condition)) }
    }

    async fn accept(&self) -> Accepted {
        let mut pause = FIRST_PAUSE;
        loop {
            match self.listener.accept().await {
                Ok(accepted) => return accepted,
                Err(error) if is_of_peer(&error) => {}
                Err(error) => {
                    tracing::warn!(%error, address = %self.address, ?pause, "cannot accept a connection");
                    sleep(pause).await;
                    pause = LONGEST_PAUSE.min(pause * 2);
                }
            }
        }
    }
}

impl Shared {
    /// A connection that was so far was closed to make room.
    pub(super) fn evicted(&self, stage: Stage) {
        if let Some(counter) = self.evictions.get(stage as usize) {
            counter.inc();
        }
    }

    fn ended(&self, ended: Result<(), JoinError>) {
        self.connections.dec();
        if ended.is_err_and(|error| error.is_panic()) {
            self.metrics.panicked();
            tracing::error!("a connection ended in a panic");
        }
    }
}

/// Serves a port until `stop`, and then its connections until they end or `grace` has passed. Returns how
/// many were cut.
pub(super) async fn serve(mut port: Port, stop: CancellationToken, grace: Duration) -> usize {
    let mut connections = JoinSet::new();
    let mut waiting = None;
    loop {
        tokio::select! {
            biased;
            () = stop.cancelled() => break,
            Some(ended) = connections.join_next() => port.shared.ended(ended),
            accepted = port.accept(), if waiting.is_none() => waiting = Some(accepted),
            () = sleep(LOOK_AGAIN), if waiting.is_some() => {}
        }
        if let Some(accepted) = waiting.take() {
            match port.shared.registry.place(accepted.1.ip()) {
                Some(place) => spawn(&port.shared, accepted, place, &stop, &mut connections),
                None => waiting = Some(accepted),
            }
            port.has_room.note(waiting.is_none());
        }
    }
    // What is left when the time is up is cut when the set is dropped.
    let _ = timeout(grace, finish(port, waiting, &stop, &mut connections)).await;
    connections.len()
}

/// Whether whoever comes is taken in.
struct Room {
    condition: Condition,
    lacking_since: Option<Instant>,
    is_lacking: bool,
}

impl Room {
    fn new(condition: Condition) -> Self {
        condition.set(true);
        Self { condition, lacking_since: None, is_lacking: false }
    }

    /// Somebody wanted a place, and there was one or not.
    fn note(&mut self, was_found: bool) {
        if was_found {
            self.lacking_since = None;
        } else {
            self.lacking_since.get_or_insert_with(Instant::now);
        }
        let is_lacking = self.lacking_since.is_some_and(|since| since.elapsed() >= LONG_WAIT);
        if is_lacking != self.is_lacking {
            self.is_lacking = is_lacking;
            self.condition.set(!is_lacking);
            if is_lacking {
                tracing::warn!(
                    "no room for another connection: all that are open wait for an answer of ours"
                );
            } else {
                tracing::info!("there is room for connections again");
            }
        }
    }
}

fn spawn(
    shared: &Arc<Shared>,
    accepted: Accepted,
    place: Place,
    stop: &CancellationToken,
    connections: &mut JoinSet<()>,
) {
    shared.connections.inc();
    let (shared, stop) = (Arc::clone(shared), stop.child_token());
    connections.spawn(async move {
        connection::serve(&shared, accepted, Arc::clone(&place.activity), stop).await;
        drop(place);
    });
}

/// Serves whom the system has let in already, and waits for all to end.
///
/// A peer whose connection the system holds for us may have written its review, and closing the listener
/// would reset it. So the listener is closed when nobody is left there, and then at once: a peer that comes
/// later is refused before it has written anything.
async fn finish(
    port: Port,
    waiting: Option<Accepted>,
    stop: &CancellationToken,
    connections: &mut JoinSet<()>,
) {
    let Port { listener, shared, address, .. } = port;
    match listener.into_std() {
        Ok(listener) => {
            let mut next = waiting;
            while let Some(accepted) = next.take().or_else(|| next_waiting(&listener, address)) {
                let place = free_place(&shared, accepted.1.ip(), connections).await;
                spawn(&shared, accepted, place, stop, connections);
            }
        }
        Err(error) => tracing::warn!(%error, %address, "cannot look for connections that wait"),
    }
    while let Some(ended) = connections.join_next().await {
        shared.ended(ended);
    }
}

/// A place for one more connection, as soon as there is one. Whoever is there is about to go anyway.
async fn free_place(shared: &Shared, address: IpAddr, connections: &mut JoinSet<()>) -> Place {
    loop {
        if let Some(place) = shared.registry.free_place(address) {
            return place;
        }
        match connections.join_next().await {
            Some(ended) => shared.ended(ended),
            // A place is free before its connection has ended.
            None => tokio::task::yield_now().await,
        }
    }
}

/// The next connection that waits to be accepted. Asks the system itself: the runtime knows only what it was
/// told when it last looked.
fn next_waiting(listener: &std::net::TcpListener, address: SocketAddr) -> Option<(TcpStream, SocketAddr)> {
    loop {
        let accepted = listener.accept().and_then(|(stream, peer)| {
            stream.set_nonblocking(true)?;
            Ok((TcpStream::from_std(stream)?, peer))
        });
        match accepted {
            Ok(accepted) => return Some(accepted),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return None,
            Err(error) if is_of_peer(&error) => {}
            Err(error) => {
                tracing::warn!(%error, %address, "cannot accept a connection");
                return None;
            }
        }
    }
}

/// The peer went before it was accepted: nothing to wait for.
fn is_of_peer(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionRefused
    )
}
