//! Accepting connections, and waiting for them at the end.
//!
//! By hand rather than by `axum::serve`, which has no limit of any kind: here every connection takes one of a fixed
//! number of slots ([`registry`](crate::server::registry)), a failing accept is retried ever more slowly, and a
//! connection that panics takes nothing else with it. Nor does `axum::serve` empty the system's queue before it closes
//! the listener.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::server::connection;
use crate::server::port::{Port, PortState};
use crate::server::registry::ConnectionSlot;

/// When file descriptors have run out, the first that is closed should soon be used again.
const MIN_BACKOFF: Duration = Duration::from_millis(5);

/// But an error that persists should neither spin nor fill the log.
const MAX_BACKOFF: Duration = Duration::from_secs(1);

/// How soon a slot is looked for again when no connection could be evicted.
const SLOT_RETRY: Duration = Duration::from_millis(2);

/// A connection that was accepted.
type Accepted = (TcpStream, SocketAddr);

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
            accepted = accept(&port), if waiting.is_none() => waiting = Some(accepted),
            () = sleep(SLOT_RETRY), if waiting.is_some() => {}
        }
        if let Some(accepted) = waiting.take() {
            match port.shared.registry.slot(accepted.1.ip()) {
                Some(slot) => spawn(&port.shared, accepted, slot, &stop, &mut connections),
                None => waiting = Some(accepted),
            }
            port.capacity.note(waiting.is_none());
        }
    }
    // Connections that are left when the time is up are cut when the set is dropped.
    let _ = timeout(grace, finish(port, waiting, &stop, &mut connections)).await;
    connections.len()
}

fn spawn(
    shared: &Arc<PortState>,
    accepted: Accepted,
    slot: ConnectionSlot,
    stop: &CancellationToken,
    connections: &mut JoinSet<()>,
) {
    shared.connections.inc();
    let (shared, stop) = (Arc::clone(shared), stop.child_token());
    connections.spawn(async move {
        connection::serve(&shared, accepted, Arc::clone(&slot.activity), stop).await;
        drop(slot);
    });
}

/// Serves the connections that the system has accepted already, and waits for all to end.
///
/// A peer whose connection is still in the system's queue may have sent its review, and closing the listener would reset
/// it. So the listener is closed when the queue is empty, and then at once: a peer that comes later is refused before
/// it has sent anything.
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
                let slot = free_slot(&shared, accepted.1.ip(), connections).await;
                spawn(&shared, accepted, slot, stop, connections);
            }
        }
        Err(error) => tracing::warn!(%error, %address, "cannot look for connections that wait"),
    }
    while let Some(ended) = connections.join_next().await {
        shared.ended(ended);
    }
}

/// A slot for one more connection, as soon as there is one. All that are open are about to end anyway.
async fn free_slot(shared: &PortState, address: IpAddr, connections: &mut JoinSet<()>) -> ConnectionSlot {
    loop {
        if let Some(slot) = shared.registry.free_slot(address) {
            return slot;
        }
        match connections.join_next().await {
            Some(ended) => shared.ended(ended),
            // A slot is free before its connection has ended.
            None => tokio::task::yield_now().await,
        }
    }
}

/// The next connection of a port that can be accepted.
async fn accept(port: &Port) -> Accepted {
    let mut pause = MIN_BACKOFF;
    loop {
        match port.listener.accept().await {
            Ok(accepted) => return accepted,
            Err(error) if is_of_peer(&error) => {}
            Err(error) => {
                tracing::warn!(%error, address = %port.address, ?pause, "cannot accept a connection");
                sleep(pause).await;
                pause = MAX_BACKOFF.min(pause * 2);
            }
        }
    }
}

/// The next connection in the system's queue. Asks the system itself: the runtime knows only what it saw when it last
/// polled.
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

/// The peer went away before it was accepted: no reason to pause.
fn is_of_peer(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionRefused
    )
}
