//! Accepting connections, and waiting for them at the end.
//!
//! By hand rather than by `axum::serve`, which has no limit of any kind: every connection here takes one of a
//! fixed number of slots, a failing accept is tried again ever more slowly, and a connection that panics
//! takes nothing else with it. Nor does it empty the system's queue before it closes the listener.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use axum::Router;
use hyper::server::conn::http1;
use prometheus::IntGauge;
use rustls::ServerConfig;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::{JoinError, JoinSet};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::health::Health;
use super::metrics::Metrics;
use super::{Limits, connection};

/// Out of file descriptors, the first to be closed should not have to wait long for its place to be taken.
const FIRST_PAUSE: Duration = Duration::from_millis(5);

/// But a lasting fault should neither spin nor fill the log.
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// Far more than any head that an API server sends, which is some 300 bytes.
const MAX_HEAD_BYTES: usize = 16 * 1024;

/// Four TLS records: what a connection may hold of a body before it is taken over.
const MAX_PIECE_BYTES: usize = 64 * 1024;

/// One port, bound.
pub(super) struct Port {
    listener: TcpListener,
    pub(super) address: SocketAddr,
    shared: Arc<Shared>,
}

/// What all connections of a port share.
pub(super) struct Shared {
    pub(super) tls: Option<Arc<ArcSwap<ServerConfig>>>,
    pub(super) router: Router,
    pub(super) limits: Limits,
    pub(super) slots: Arc<Semaphore>,
    pub(super) http: http1::Builder,
    pub(super) health: Health,
    pub(super) metrics: Arc<Metrics>,
    connections: IntGauge,
}

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
        http.header_read_timeout(None).max_header_size(MAX_HEAD_BYTES).max_buf_size(MAX_PIECE_BYTES);
        let connections = metrics.connections(if tls.is_some() { "reviews" } else { "admin" });
        let shared = Arc::new(Shared {
            tls,
            router,
            limits,
            slots: Arc::new(Semaphore::new(limits.max_connections as usize)),
            http,
            health: health.clone(),
            metrics: Arc::clone(metrics),
            connections,
        });
        Self { listener, address, shared }
    }

    async fn accept(&self) -> (TcpStream, SocketAddr, OwnedSemaphorePermit) {
        let mut pause = FIRST_PAUSE;
        loop {
            // The semaphore is never closed; if it were, nobody could be served.
            let Ok(slot) = Arc::clone(&self.shared.slots).acquire_owned().await else {
                return std::future::pending().await;
            };
            match self.listener.accept().await {
                Ok((stream, peer)) => return (stream, peer, slot),
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
pub(super) async fn serve(port: Port, stop: CancellationToken, grace: Duration) -> usize {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            biased;
            () = stop.cancelled() => break,
            Some(ended) = connections.join_next() => port.shared.ended(ended),
            accepted = port.accept() => spawn(&port.shared, accepted, &stop, &mut connections),
        }
    }
    // What is left when the time is up is cut when the set is dropped.
    let _ = timeout(grace, finish(port, &stop, &mut connections)).await;
    connections.len()
}

fn spawn(
    shared: &Arc<Shared>,
    (stream, peer, slot): (TcpStream, SocketAddr, OwnedSemaphorePermit),
    stop: &CancellationToken,
    connections: &mut JoinSet<()>,
) {
    shared.connections.inc();
    let (shared, stop) = (Arc::clone(shared), stop.child_token());
    connections.spawn(async move {
        connection::serve(&shared, stream, peer, stop).await;
        drop(slot);
    });
}

/// Serves whom the system has let in already, and waits for all to end.
///
/// A peer whose connection the system holds for us may have written its review, and closing the listener
/// would reset it. So the listener is closed when nobody is left there, and then at once: a peer that comes
/// later is refused before it has written anything.
async fn finish(port: Port, stop: &CancellationToken, connections: &mut JoinSet<()>) {
    let Port { listener, shared, address } = port;
    match listener.into_std() {
        Ok(listener) => {
            while let Some(slot) = slot(&shared, connections).await
                && let Some((stream, peer)) = next_waiting(&listener, address)
            {
                spawn(&shared, (stream, peer, slot), stop, connections);
            }
        }
        Err(error) => tracing::warn!(%error, %address, "cannot look for connections that wait"),
    }
    while let Some(ended) = connections.join_next().await {
        shared.ended(ended);
    }
}

/// A place for one more connection, as soon as there is one.
async fn slot(shared: &Shared, connections: &mut JoinSet<()>) -> Option<OwnedSemaphorePermit> {
    loop {
        tokio::select! {
            biased;
            slot = Arc::clone(&shared.slots).acquire_owned() => return slot.ok(),
            Some(ended) = connections.join_next() => shared.ended(ended),
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
