//! The sockets: reviews over HTTPS, and a plain HTTP port for the kubelet and Prometheus.
//!
//! It knows nothing of pods, controls or policies: a [`ReviewHandler`] turns the bytes of a request into the bytes of an
//! answer and a record of what was decided, which `record` counts and logs. It knows nothing of files either: the caller
//! fills the [`ArcSwap`] with the TLS configuration, and gives [`Reload`] the functions that read files again.
//!
//! Serving HTTP/1.1 alone is deliberate. It is all that kube-apiserver speaks to webhooks, and what is not
//! served cannot be flooded with resets or continuations.

mod accept;
mod activity;
mod admin;
mod args;
mod body;
mod buffer;
mod connection;
mod counted_stream;
mod deadline;
mod evaluation_slots;
mod eviction;
mod file_limit;
mod handshake_failure;
mod health;
mod labels;
mod lookups;
mod memory_budget;
mod metrics;
mod port;
mod read_ahead;
mod record;
mod registry;
mod rejection;
mod reload;
mod review_size;
mod reviews;
mod shutdown;
mod timeout_stream;

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use rustls::ServerConfig;
use tokio::net::{TcpListener, TcpSocket};
use tokio_util::sync::CancellationToken;

pub use args::{ServerArgs, ServerLimits};
pub use health::{Health, ReadinessCondition};
pub use lookups::Resolver;
pub use metrics::{ClusterMetrics, Metrics, Reloaded, RotationMetrics};
use port::{Port, PortService};
pub use record::LoggedReviews;
pub use reload::{Reload, SourceChange};
pub use reviews::ReviewHandler;
use reviews::ReviewService;
pub use shutdown::{Shutdown, ShutdownOutcome};

/// A scrape and a probe a second from each of a few peers need no more; and a flood of this port must not use up the
/// file descriptors of the other.
const ADMIN_CONNECTIONS: u32 = 256;

/// How many connections the system queues until they are accepted: as many as Linux allows by default. A peer that finds
/// the queue full tries again after a second.
const BACKLOG: u32 = 4096;

/// Nothing is lost when a scrape is cut.
const ADMIN_GRACE: Duration = Duration::from_millis(200);

/// What the server needs from its caller.
pub struct Wiring {
    /// The TLS configuration: loaded for every connection, so that it can be replaced at any time.
    pub tls: Arc<ArcSwap<ServerConfig>>,
    /// Answers the reviews.
    pub review: Arc<dyn ReviewHandler>,
    /// Looks up what they lack; `None` where there is no cluster.
    pub resolver: Option<Arc<dyn Resolver>>,
    /// What `/readyz` says.
    pub health: Health,
    /// What `/metrics` says.
    pub metrics: Arc<Metrics>,
}

/// Both ports, bound and not yet served.
pub struct Server {
    reviews: Port,
    admin: Port,
    health: Health,
    args: ServerArgs,
}

/// Why the server did not start.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// An address that is taken, not ours, or not allowed.
    #[error("cannot listen on {address}: choose another address with {flag}")]
    Bind {
        /// The flag that names the address.
        flag: &'static str,
        /// The address.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// Limits that contradict each other.
    #[error("{0}")]
    Limits(String),
}

impl Server {
    /// Binds both ports, so that every error of start-up is known before anything is served.
    ///
    /// # Errors
    /// [`ServerError::Bind`] with the address and the flag that names it; [`ServerError::Limits`] with the flags.
    pub async fn bind(args: &ServerArgs, wiring: Wiring) -> Result<Self, ServerError> {
        args.limits.check().map_err(ServerError::Limits)?;
        let Wiring { tls, review, resolver, health, metrics } = wiring;
        let max_connections = file_limit::raise(args.limits.max_connections, ADMIN_CONNECTIONS);
        let limits = ServerLimits { max_connections, ..args.limits };
        let admin_limits = ServerLimits { max_connections: ADMIN_CONNECTIONS, ..args.limits };
        let reviews = Port::new(
            listen("--listen", args.listen).await?,
            Some(tls),
            PortService::Reviews(ReviewService::new(
                (review, resolver),
                &limits,
                (&metrics, args.log_reviews),
            )),
            limits,
            (&health, &metrics),
        );
        let admin = Port::new(
            listen("--admin-listen", args.admin_listen).await?,
            None,
            PortService::Admin(admin::router(&health, &metrics)),
            admin_limits,
            (&health, &metrics),
        );
        Ok(Self { reviews, admin, health, args: args.clone() })
    }

    /// Where reviews are answered: the port that was given, or the one the system chose for port 0.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.reviews.address
    }

    /// Where `/livez`, `/readyz` and `/metrics` are answered.
    #[must_use]
    pub fn admin_address(&self) -> SocketAddr {
        self.admin.address
    }

    /// Serves until shutdown, and then until every request has been answered.
    ///
    /// First readiness ends and each answer says `Connection: close`, while connections are still accepted: for some
    /// seconds the API servers do not know yet that this pod is terminating, and to them an EOF is a failed call. Then
    /// no more are accepted, connections on which nothing is coming are closed, and the rest are waited for. Only a
    /// review that crosses the closing of its connection on the network is lost, which no HTTP/1.1 server can prevent;
    /// that connection had been idle for the whole delay.
    pub async fn run(self, shutdown: Shutdown) -> ShutdownOutcome {
        let Self { reviews, admin, health, args } = self;
        let (stop, last) = (CancellationToken::new(), CancellationToken::new());
        let phases = async {
            shutdown.drained().await;
            health.drain();
            tracing::info!(delay = ?args.drain_delay, "draining: no longer ready, still accepting");
            tokio::time::sleep(args.drain_delay).await;
            stop.cancel();
        };
        let reviews = async {
            let cut = accept::serve(reviews, stop.clone(), args.drain_timeout).await;
            last.cancel();
            cut
        };
        let admin = accept::serve(admin, last.clone(), ADMIN_GRACE);
        let served = async {
            let ((), cut, _) = tokio::join!(phases, reviews, admin);
            ShutdownOutcome::of(cut)
        };
        until_aborted(&shutdown, served).await
    }
}

async fn until_aborted(
    shutdown: &Shutdown,
    served: impl Future<Output = ShutdownOutcome>,
) -> ShutdownOutcome {
    tokio::select! {
        outcome = served => outcome,
        () = shutdown.aborted() => ShutdownOutcome::Aborted,
    }
}

async fn listen(flag: &'static str, address: SocketAddr) -> Result<(TcpListener, SocketAddr), ServerError> {
    let bound = async {
        let socket = match address {
            SocketAddr::V4(_) => TcpSocket::new_v4()?,
            SocketAddr::V6(_) => TcpSocket::new_v6()?,
        };
        // The port can be bound again while the system still remembers its last connections.
        socket.set_reuseaddr(true)?;
        socket.bind(address)?;
        let listener: TcpListener = socket.listen(BACKLOG)?;
        let address = listener.local_addr()?;
        Ok((listener, address))
    };
    bound.await.map_err(|source| ServerError::Bind { flag, address, source })
}
