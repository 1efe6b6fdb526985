//! One connection, from its TLS handshake to its last answer.

use std::convert::Infallible;
use std::error::Error;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;

use arc_swap::ArcSwap;
use axum::body::Body;
use axum::http::header::CONNECTION;
use axum::http::{HeaderValue, Request, Response};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_util::sync::CancellationToken;
use tower_service::Service;

use super::accept::Shared;
use super::deadline::body_deadline;
use super::patience::{Link, Patient};
use super::refusal::Refusal;
use super::wire::{OverWire, Wire};

/// Serves one connection to its end; after `stop` the request in hand is its last.
pub(super) async fn serve(shared: &Shared, stream: TcpStream, peer: SocketAddr, stop: CancellationToken) {
    if let Err(error) = stream.set_nodelay(true) {
        // It only makes small answers slower.
        tracing::debug!(%peer, %error, "cannot switch off Nagle's algorithm");
    }
    let stream = Wire::new(stream);
    match &shared.tls {
        None => http(shared, stream, peer, stop).await,
        Some(tls) => {
            if let Some(stream) = handshake(shared, tls, stream, peer).await {
                http(shared, stream, peer, stop).await;
            }
        }
    }
}

async fn handshake(
    shared: &Shared,
    tls: &ArcSwap<ServerConfig>,
    stream: Wire,
    peer: SocketAddr,
) -> Option<TlsStream<Wire>> {
    let acceptor = TlsAcceptor::from(tls.load_full());
    let error = match timeout(shared.limits.handshake_timeout, acceptor.accept(stream)).await {
        Ok(Ok(stream)) => return Some(stream),
        Ok(Err(error)) => error,
        Err(_) => io::ErrorKind::TimedOut.into(),
    };
    shared.metrics.handshake_failed();
    tracing::debug!(%peer, %error, "handshake failed");
    None
}

async fn http<S>(shared: &Shared, stream: S, peer: SocketAddr, stop: CancellationToken)
where
    S: AsyncRead + AsyncWrite + OverWire + Unpin,
{
    let (stream, link) = Patient::new(stream, shared.limits, Arc::clone(&shared.slots));
    let service = service_fn(|request: Request<Incoming>| {
        let link = &link;
        link.begin(body_deadline(request.uri().query(), shared.limits.body_timeout));
        let answer = shared.router.clone().call(request);
        async move {
            let Ok(mut response) = answer.await;
            finish(shared, link, &mut response, peer);
            Ok::<_, Infallible>(response)
        }
    });
    let mut connection = pin!(shared.http.serve_connection(TokioIo::new(stream), service));
    let ended = tokio::select! {
        biased;
        ended = connection.as_mut() => ended,
        // Hyper's own way to stop takes a connection for idle on which a review has begun to arrive.
        () = stop.cancelled() => {
            link.stop();
            connection.await
        }
    };
    if let Err(error) = ended {
        broke(shared, &error, peer);
    }
}

/// The last look at an answer: what was refused is counted, logged, and ends the connection.
fn finish(shared: &Shared, link: &Link, response: &mut Response<Body>, peer: SocketAddr) {
    if let Some(refusal) = response.extensions().get::<Refusal>().copied() {
        shared.metrics.refused(refusal);
        let status = response.status().as_u16();
        tracing::info!(target: "podgate::refusal", %peer, reason = refusal.reason(), status, "request refused");
        link.close();
    } else if shared.health.is_draining() {
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    link.end();
}

/// A connection that ended before its time. Hyper has answered a malformed head itself.
fn broke(shared: &Shared, error: &hyper::Error, peer: SocketAddr) {
    let refusal = if error.is_parse_too_large() {
        Some(Refusal::Headers)
    } else if error.is_parse() {
        Some(Refusal::Malformed)
    } else if is_timeout(error) {
        Some(Refusal::SlowPeer)
    } else {
        None
    };
    let reason = refusal.map_or("peer", Refusal::reason);
    if let Some(refusal) = refusal {
        shared.metrics.refused(refusal);
    }
    tracing::debug!(%peer, %error, reason, "connection broke");
}

fn is_timeout(error: &hyper::Error) -> bool {
    let cause = error.source().and_then(|source| source.downcast_ref::<io::Error>());
    cause.is_some_and(|error| error.kind() == io::ErrorKind::TimedOut)
}
