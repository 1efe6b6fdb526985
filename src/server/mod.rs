//! The sockets: reviews over HTTPS, and a plain HTTP port for the kubelet and Prometheus.
//!
//! This is the only module that waits, counts and logs. It knows nothing of pods, controls or policies: a
//! [`Review`] turns the bytes of a request into the bytes of an answer and a record of what was decided,
//! and all that is done with the record is in `record`. It knows nothing of files either: the TLS
//! configuration is an [`ArcSwap`] that somebody else fills, and [`Reload`] is told how to look for news.
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
mod deadline;
mod descriptors;
mod gauges;
mod health;
mod metrics;
mod patience;
mod pod_security;
mod process;
mod record;
mod refusal;
mod registry;
mod reload;
mod reviews;
mod room;
mod shutdown;
mod turns;
mod unjudged;
mod wire;

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use rustls::ServerConfig;
use tokio::net::{TcpListener, TcpSocket};
use tokio_util::sync::CancellationToken;

use accept::Port;
pub use args::{Args, Limits};
pub use gauges::{ClusterMetrics, RotationMetrics};
pub use health::{Condition, Health};
pub use metrics::{Metrics, Reloaded};
pub use reload::{Change, Reload};
pub use reviews::{Lookup, Review};
pub use shutdown::{Outcome, Shutdown};

/// A scrape and a probe a second from each of a few peers need no more; and whoever floods this port must
/// not take the file descriptors of the other.
const ADMIN_CONNECTIONS: u32 = 256;

/// How many connections the system holds until they are accepted: as many as Linux lets it, unless told
/// otherwise. Whoever finds no place there tries again after a second.
const BACKLOG: u32 = 4096;

/// Nobody loses anything when a scrape is cut.
const ADMIN_GRACE: Duration = Duration::from_millis(200);

/// What the server is given by whoever starts it.
pub struct Wiring {
    /// The certificate to show: read anew for every connection, so that it can be exchanged at any time.
    pub tls: Arc<ArcSwap<ServerConfig>>,
    /// Who answers the reviews.
    pub review: Arc<dyn Review>,
    /// Who looks up what they lack; `None` where there is no cluster.
    pub lookup: Option<Arc<dyn Lookup>>,
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
    args: Args,
}

/// Why the server did not start.
#[derive(Debug, thiserror::Error)]
pub enum Error {
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
    /// Binds both ports, so that every fault of start-up is known before anything is served.
    ///
    /// # Errors
    /// [`Error::Bind`] with the address and the flag that names it; [`Error::Limits`] with the flags.
    pub async fn bind(args: &Args, wiring: Wiring) -> Result<Self, Error> {
        args.limits.check().map_err(Error::Limits)?;
        let Wiring { tls, review, lookup, health, metrics } = wiring;
        let max_connections = descriptors::provide(args.limits.max_connections, ADMIN_CONNECTIONS);
        let limits = Limits { max_connections, ..args.limits };
        let admin_limits = Limits { max_connections: ADMIN_CONNECTIONS, ..args.limits };
        let reviews = Port::new(
            listen("--listen", args.listen).await?,
            Some(tls),
            reviews::router((review, lookup), &limits, &metrics),
            limits,
            (&health, &metrics),
        );
        let admin = Port::new(
            listen("--admin-listen", args.admin_listen).await?,
            None,
            admin::router(&health, &metrics),
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

    /// Serves until told to stop, and then until everybody has been served.
    ///
    /// First readiness ends and each answer says `Connection: close`, while connections are still accepted:
    /// for some seconds the API servers do not know yet that this pod is going, and to them an EOF is a
    /// failed call. Then no more are accepted, connections on which nothing is coming are closed, and the rest
    /// are waited for. Only a review that crosses the closing of its connection on the network is lost, which no
    /// server of HTTP/1.1 can help; by then that connection was idle throughout the delay.
    pub async fn run(self, shutdown: Shutdown) -> Outcome {
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
            Outcome::of(cut)
        };
        until_aborted(&shutdown, served).await
    }
}

async fn until_aborted(shutdown: &Shutdown, served: impl Future<Output = Outcome>) -> Outcome {
    tokio::select! {
        outcome = served => outcome,
        () = shutdown.aborted() => Outcome::Aborted,
    }
}

async fn listen(flag: &'static str, address: SocketAddr) -> Result<(TcpListener, SocketAddr), Error> {
    let bound = async {
        let socket = match address {
            SocketAddr::V4(_) => TcpSocket::new_v4()?,
            SocketAddr::V6(_) => TcpSocket::new_v6()?,
        };
        // A port whose last connections the system still remembers can be had again.
        socket.set_reuseaddr(true)?;
        socket.bind(address)?;
        let listener: TcpListener = socket.listen(BACKLOG)?;
        let address = listener.local_addr()?;
        Ok((listener, address))
    };
    bound.await.map_err(|source| Error::Bind { flag, address, source })
}
