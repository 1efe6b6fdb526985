//! One connection, from its TLS handshake to its last answer.

use std::convert::Infallible;
use std::error::Error;
use std::future::{Future, poll_fn};
use std::io;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};

use arc_swap::ArcSwap;
use axum::body::{Body, Bytes, HttpBody};
use axum::http::header::CONNECTION;
use axum::http::{HeaderValue, Request, Response};
use hyper::body::{Frame, Incoming, SizeHint};
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
use super::activity::{Activity, Stage};
use super::deadline::body_deadline;
use super::patience::{Link, Patient};
use super::refusal::Refusal;
use super::wire::{OverWire, Wire};

/// Serves one connection to its end; after `stop` the request in hand is its last.
pub(super) async fn serve(
    shared: &Shared,
    (stream, peer): (TcpStream, SocketAddr),
    activity: Arc<Activity>,
    stop: CancellationToken,
) {
    if let Err(error) = stream.set_nodelay(true) {
        // It only makes small answers slower.
        tracing::debug!(%peer, %error, "cannot switch off Nagle's algorithm");
    }
    let stream = Wire::new(stream, Arc::clone(&activity));
    match &shared.tls {
        None => http(shared, stream, peer, stop).await,
        Some(tls) => {
            if let Some(stream) = handshake(shared, tls, stream, peer).await {
                activity.enter(Stage::Unused);
                http(shared, stream, peer, stop).await;
            }
        }
    }
    if let Some(stage) = activity.left_from() {
        shared.evicted(stage);
        tracing::debug!(%peer, stage = stage.name(), "closed to make room for another connection");
    }
}

async fn handshake(
    shared: &Shared,
    tls: &ArcSwap<ServerConfig>,
    stream: Wire,
    peer: SocketAddr,
) -> Option<TlsStream<Wire>> {
    let activity = Arc::clone(stream.activity());
    let mut accept = TlsAcceptor::from(tls.load_full()).accept(stream);
    let accepted = timeout(shared.limits.handshake_timeout, async {
        loop {
            tokio::select! {
                biased;
                accepted = &mut accept => return Some(accepted),
                () = activity.chosen() => {
                    let has_more = accept.get_ref().is_some_and(Wire::has_more);
                    if activity.is_to_leave() && !has_more {
                        activity.leave();
                        return None;
                    }
                    activity.stay();
                }
            }
        }
    });
    let error = match accepted.await {
        Ok(Some(Ok(stream))) => return Some(stream),
        Ok(Some(Err(error))) => error,
        Ok(None) => return None,
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
    let activity = Arc::clone(stream.wire().activity());
    let (stream, link) = Patient::new(stream, shared.limits, Arc::clone(&shared.registry));
    let service = service_fn(|request: Request<Incoming>| {
        let (link, activity) = (&link, &activity);
        link.begin(body_deadline(request.uri().query(), shared.limits.body_timeout));
        let answer = shared.router.clone().call(request.map(|body| Awaited::new(body, activity)));
        async move {
            let Ok(mut response) = answer.await;
            finish(shared, link, activity, &mut response, peer);
            Ok::<_, Infallible>(response)
        }
    });
    let mut connection = pin!(shared.http.serve_connection(TokioIo::new(stream), service));
    let mut is_stopping = false;
    let ended = loop {
        tokio::select! {
            biased;
            ended = connection.as_mut() => break ended,
            // Hyper's own way to stop takes a connection for idle on which a review has begun to arrive.
            () = stop.cancelled(), if !is_stopping => {
                is_stopping = true;
                link.stop();
            }
            () = activity.chosen() => {
                // The stream decides, in whatever it waits for.
                let polled = poll_fn(|context| Poll::Ready(connection.as_mut().poll(context))).await;
                match polled {
                    Poll::Ready(ended) => break ended,
                    Poll::Pending if activity.has_left() => {}
                    Poll::Pending => activity.stay(),
                }
            }
        }
    };
    if let Err(error) = ended
        && !activity.has_left()
    {
        broke(shared, &error, peer);
    }
}

/// The last look at an answer: what was refused is counted, logged, and ends the connection.
fn finish(
    shared: &Shared,
    link: &Link,
    activity: &Activity,
    response: &mut Response<Body>,
    peer: SocketAddr,
) {
    if let Some(refusal) = response.extensions().get::<Refusal>().copied() {
        shared.metrics.refused(refusal);
        let status = response.status().as_u16();
        tracing::info!(target: "podgate::refusal", %peer, reason = refusal.reason(), status, "request refused");
        link.close();
    } else if shared.health.is_draining() || activity.is_last() {
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

/// The body of a request, which notes when the peer has sent it all: from then on the peer waits for us.
struct Awaited {
    body: Incoming,
    activity: Arc<Activity>,
}

impl Awaited {
    fn new(body: Incoming, activity: &Arc<Activity>) -> Self {
        let awaited = Self { body, activity: Arc::clone(activity) };
        if awaited.body.is_end_stream() {
            awaited.is_over();
        }
        awaited
    }

    fn is_over(&self) {
        self.activity.advance(Stage::Body, Stage::Working);
    }
}

impl HttpBody for Awaited {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let frame = Pin::new(&mut self.body).poll_frame(context);
        if self.body.is_end_stream() || matches!(frame, Poll::Ready(None)) {
            self.is_over();
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// Whoever answers has read enough.
impl Drop for Awaited {
    fn drop(&mut self) {
        self.is_over();
    }
}
