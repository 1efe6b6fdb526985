//! One connection, from its TLS handshake to its last answer.

use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::io;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};

use arc_swap::ArcSwap;
use hyper::body::{Body, Bytes, Frame, Incoming, SizeHint};
use hyper::header::{CONNECTION, HeaderValue};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_util::sync::CancellationToken;

use crate::server::activity::{ConnectionActivity, ConnectionStage};
use crate::server::counted_stream::{CountedStream, HasSocket};
use crate::server::deadline::body_deadline;
use crate::server::handshake_failure::HandshakeFailure;
use crate::server::port::{AnswerBody, PortState};
use crate::server::rejection::Rejection;
use crate::server::timeout_stream::{ConnectionState, TimeoutStream, is_timeout};

/// Serves one connection to its end; after `stop` the request that has begun is its last.
pub(super) async fn serve(
    shared: &PortState,
    (stream, peer): (TcpStream, SocketAddr),
    activity: Arc<ConnectionActivity>,
    stop: CancellationToken,
) {
    if let Err(error) = stream.set_nodelay(true) {
        // It only makes small answers slower.
        tracing::debug!(%peer, %error, "cannot switch off Nagle's algorithm");
    }
    let stream = CountedStream::new(stream, shared.read_ahead.clone(), Arc::clone(&activity));
    match &shared.tls {
        None => http(shared, stream, peer, stop).await,
        Some(tls) => {
            if let Some(stream) = handshake(shared, tls, stream, peer).await {
                activity.enter(ConnectionStage::Unused);
                http(shared, stream, peer, stop).await;
            }
        }
    }
    if let Some(stage) = activity.evicted_from() {
        shared.evicted(stage);
        tracing::debug!(%peer, stage = stage.name(), "closed to make room for another connection");
    }
}

async fn handshake(
    shared: &PortState,
    tls: &ArcSwap<ServerConfig>,
    stream: CountedStream,
    peer: SocketAddr,
) -> Option<TlsStream<CountedStream>> {
    let activity = Arc::clone(stream.activity());
    let mut accept = TlsAcceptor::from(tls.load_full()).accept(stream);
    let accepted = timeout(shared.limits.handshake_timeout, async {
        loop {
            tokio::select! {
                biased;
                accepted = &mut accept => return Some(accepted),
                () = activity.eviction_requested() => {
                    let has_more = accept.get_ref().is_some_and(CountedStream::has_more);
                    if activity.should_leave() && !has_more {
                        activity.mark_evicted();
                        return None;
                    }
                    activity.decline_eviction();
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
    let HandshakeFailure { reason, advice } = HandshakeFailure::of(&error);
    let peer = peer.ip();
    if activity.state().stage == ConnectionStage::Silent {
        // A load balancer that looks whether the port is open, every few seconds.
        tracing::debug!(%peer, reason, "handshake failed: nothing was sent");
    } else {
        tracing::warn!(%peer, reason, advice, "handshake failed");
    }
    None
}

async fn http<S>(shared: &PortState, stream: S, peer: SocketAddr, stop: CancellationToken)
where
    S: AsyncRead + AsyncWrite + HasSocket + Unpin,
{
    let activity = Arc::clone(stream.socket().activity());
    let (stream, state) = TimeoutStream::new(stream, shared.limits);
    let service = service_fn(|request: Request<Incoming>| {
        let (state, activity) = (&state, &activity);
        let limit = body_deadline(request.uri().query(), shared.limits.body_timeout);
        state.begin(limit);
        let answer = shared.answer(request.map(|body| TrackedBody::new(body, activity)), limit);
        async move {
            let mut response = answer.await;
            finish(shared, state, activity, &mut response, peer);
            Ok::<_, Infallible>(response)
        }
    });
    let mut connection = pin!(shared.http.serve_connection(TokioIo::new(stream), service));
    let mut is_stopping = false;
    let ended = loop {
        tokio::select! {
            biased;
            ended = connection.as_mut() => break ended,
            // Hyper's own graceful shutdown takes a connection for idle although a review has begun to arrive on it.
            () = stop.cancelled(), if !is_stopping => {
                is_stopping = true;
                state.stop();
            }
            () = activity.eviction_requested() => {
                // The stream decides, in whatever it waits for.
                let polled = poll_fn(|context| Poll::Ready(connection.as_mut().poll(context))).await;
                match polled {
                    Poll::Ready(ended) => break ended,
                    Poll::Pending if activity.was_evicted() => {}
                    Poll::Pending => activity.decline_eviction(),
                }
            }
        }
    };
    if let Err(error) = ended
        && !activity.was_evicted()
    {
        report_broken(shared, &error, peer);
    }
}

/// Finishes an answer: a rejection is counted and logged, and ends the connection.
fn finish(
    shared: &PortState,
    state: &ConnectionState,
    activity: &ConnectionActivity,
    response: &mut Response<AnswerBody>,
    peer: SocketAddr,
) {
    if let Some(rejection) = response.extensions().get::<Rejection>().copied() {
        shared.metrics.rejected(rejection);
        let status = response.status().as_u16();
        tracing::info!(target: "podgate::refusal", %peer, reason = rejection.reason(), status, "request refused");
        state.close();
    } else if shared.health.is_draining() || activity.closes_after_answer() {
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    state.end();
}

/// Counts and logs a connection that broke. Hyper has answered a malformed head itself.
fn report_broken(shared: &PortState, error: &hyper::Error, peer: SocketAddr) {
    let rejection = if error.is_parse_too_large() {
        Some(Rejection::Headers)
    } else if error.is_parse() {
        Some(Rejection::Malformed)
    } else if is_timeout(error) {
        Some(Rejection::SlowPeer)
    } else {
        None
    };
    let reason = rejection.map_or("peer", Rejection::reason);
    if let Some(rejection) = rejection {
        shared.metrics.rejected(rejection);
    }
    tracing::debug!(%peer, %error, reason, "connection broke");
}

/// The body of a request, which notes when it is complete: from then on the peer waits for us.
struct TrackedBody {
    body: Incoming,
    activity: Arc<ConnectionActivity>,
}

impl TrackedBody {
    fn new(body: Incoming, activity: &Arc<ConnectionActivity>) -> Self {
        let awaited = Self { body, activity: Arc::clone(activity) };
        if awaited.body.is_end_stream() {
            awaited.is_over();
        }
        awaited
    }

    fn is_over(&self) {
        self.activity.advance(ConnectionStage::Body, ConnectionStage::Working);
    }
}

impl Body for TrackedBody {
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

/// A handler that drops the body has read enough of it.
impl Drop for TrackedBody {
    fn drop(&mut self) {
        self.is_over();
    }
}
