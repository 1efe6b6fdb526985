//! A port: its listener, and what all its connections share.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use axum::Router;
use axum::body::Body;
use http_body_util::{Either, Full};
use hyper::body::{Body as HttpBody, Bytes};
use hyper::server::conn::http1;
use hyper::{Request, Response};
use prometheus::{IntCounter, IntGauge};
use rustls::ServerConfig;
use tokio::net::TcpListener;
use tokio::task::JoinError;
use tokio::time::Instant;
use tower_service::Service as _;

use crate::server::activity::ConnectionStage;
use crate::server::args::ServerLimits;
use crate::server::health::{Health, ReadinessCondition};
use crate::server::metrics::Metrics;
use crate::server::read_ahead::ReadAheadPool;
use crate::server::registry::ConnectionRegistry;
use crate::server::reviews::ReviewService;

/// Far more than any head that an API server sends, which is some 300 bytes.
const MAX_HEAD_BYTES: usize = 16 * 1024;

/// A TLS record: what a connection may hold of a body before it is read from there. It is kept as long as the
/// connection lasts, and there may be thousands of them.
const MAX_PIECE_BYTES: usize = 16 * 1024;

/// How long no connection is evicted after a step of a handshake or of a request, over any network and from any machine
/// that is merely busy: a lost packet is sent again in this time. Without TLS a request arrives all at once, as probes
/// and scrapes do.
const TLS_GRACE: Duration = Duration::from_millis(250);
const PLAIN_GRACE: Duration = Duration::from_millis(25);

/// A connection that has waited so long for a slot will not get one soon.
const LONG_WAIT: Duration = Duration::from_secs(1);

/// One port, bound.
pub(super) struct Port {
    pub(super) listener: TcpListener,
    pub(super) address: SocketAddr,
    pub(super) shared: Arc<PortState>,
    pub(super) capacity: CapacityCondition,
}

/// What answers the requests of a port.
pub(super) enum PortService {
    Reviews(ReviewService),
    /// Health and metrics.
    Admin(Router),
}

/// The body of an answer of a port.
pub(super) type AnswerBody = Either<Full<Bytes>, Body>;

/// What all connections of a port share.
pub(super) struct PortState {
    pub(super) tls: Option<Arc<ArcSwap<ServerConfig>>>,
    /// For what is below TLS: without it HTTP reads as much at once itself.
    pub(super) read_ahead: Option<Arc<ReadAheadPool>>,
    service: PortService,
    pub(super) limits: ServerLimits,
    pub(super) registry: Arc<ConnectionRegistry>,
    pub(super) http: http1::Builder,
    pub(super) health: Health,
    pub(super) metrics: Arc<Metrics>,
    pub(super) connections: IntGauge,
    evictions: Vec<IntCounter>,
}

impl Port {
    pub(super) fn new(
        (listener, address): (TcpListener, SocketAddr),
        tls: Option<Arc<ArcSwap<ServerConfig>>>,
        service: PortService,
        limits: ServerLimits,
        (health, metrics): (&Health, &Arc<Metrics>),
    ) -> Self {
        let mut http = http1::Builder::new();
        // The stream bounds the waiting: see `timeout_stream`.
        // Probes and scrapes are rare, so the admin port answers one request a connection: a peer that sends many at once
        // would otherwise have all of them answered before those of others.
        http.keep_alive(tls.is_some());
        http.header_read_timeout(None).max_header_size(MAX_HEAD_BYTES).max_buf_size(MAX_PIECE_BYTES);
        let (name, condition, grace) = match &tls {
            Some(_) => ("reviews", "room for connections", TLS_GRACE),
            None => ("admin", "room for connections of the admin port", PLAIN_GRACE),
        };
        let shared = Arc::new(PortState {
            read_ahead: tls.is_some().then(Arc::default),
            tls,
            service,
            limits,
            registry: Arc::new(ConnectionRegistry::new(limits.max_connections as usize, grace)),
            http,
            health: health.clone(),
            metrics: Arc::clone(metrics),
            connections: metrics.connections(name),
            evictions: metrics.evictions(name),
        });
        Self { listener, address, shared, capacity: CapacityCondition::new(health.wait_for(condition)) }
    }
}

impl PortState {
    /// Answers a request whose body may take so long.
    pub(super) async fn answer<B>(&self, request: Request<B>, limit: Duration) -> Response<AnswerBody>
    where
        B: HttpBody<Data = Bytes, Error = hyper::Error> + Send + Unpin + 'static,
    {
        match &self.service {
            PortService::Reviews(service) => service.answer(request, limit).await.map(Either::Left),
            PortService::Admin(router) => {
                let Ok(response) = router.clone().call(request).await;
                response.map(Either::Right)
            }
        }
    }

    /// A connection in this stage was closed to make room.
    pub(super) fn evicted(&self, stage: ConnectionStage) {
        if let Some(counter) = self.evictions.get(stage as usize) {
            counter.inc();
        }
    }

    /// A connection has ended, or panicked.
    pub(super) fn ended(&self, ended: Result<(), JoinError>) {
        self.connections.dec();
        if ended.is_err_and(|error| error.is_panic()) {
            self.metrics.panicked();
            tracing::error!("a connection ended in a panic");
        }
    }
}

/// Whether new connections find a slot, for `/readyz` and the log.
pub(super) struct CapacityCondition {
    condition: ReadinessCondition,
    lacking_since: Option<Instant>,
    is_lacking: bool,
}

impl CapacityCondition {
    fn new(condition: ReadinessCondition) -> Self {
        condition.set(true);
        Self { condition, lacking_since: None, is_lacking: false }
    }

    /// A connection wanted a slot, and found one or not.
    pub(super) fn note(&mut self, was_found: bool) {
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
