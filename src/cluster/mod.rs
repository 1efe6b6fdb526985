//! The Kubernetes API, kept as snapshots: who asks here gets what is known, and what is not is read once.
//!
//! A verdict never waits for the API server unless it must know a Namespace that is not known yet. Namespaces
//! and service accounts are followed ([`Cluster::follow`]), metadata only; while the API server cannot be
//! reached, or refuses, the last [`Snapshot`] holds. What changes is told as an [`Event`], for others to log
//! and to count: nothing is logged here, and a condition that lasts is told once.
//!
//! The client library logs on its own, at each attempt, and may put a body that it cannot parse into a log line.
//! Secrets are therefore read here without it, and whoever sets up the log leaves its lines out.

mod budget;
mod condition;
mod connect;
mod event;
mod fault;
mod follow;
mod inspect;
mod keeper;
mod kept;
mod key;
mod lease;
mod live;
mod pause;
mod pods;
mod raw;
mod secret;
mod webhooks;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use kube::Client;
use tokio::sync::{Notify, Semaphore};

use crate::policy::Snapshot;

pub use connect::ConnectError;
pub use event::{Event, Resource};
pub use fault::{Fault, Reason};
pub use inspect::{Inspected, Sought};
pub use lease::LeaseLock;
pub use pods::Page;
pub use secret::Secret;
pub use webhooks::{Bundle, WebhookNames};

/// How long to wait, and how much at a time.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// For a connection.
    pub connect: Duration,
    /// For a whole answer to what is not watched.
    pub answer: Duration,
    /// For the next page of a list, or the next object of one that is streamed.
    pub list: Duration,
    /// How long a watch is asked for, in whole seconds. One that says nothing for 5 s longer is taken for dead.
    pub watch: Duration,
    /// How long a watch must stand behind its list to be called up. A role may allow the one and not the other.
    pub settled: Duration,
    /// After a first failure; it doubles with each further one, and is spread.
    pub first_pause: Duration,
    /// The longest pause between attempts.
    pub longest_pause: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(5),
            answer: Duration::from_secs(10),
            list: Duration::from_secs(30),
            // A watch costs the server little to renew, and a dead connection is noticed within a minute.
            watch: Duration::from_secs(55),
            settled: Duration::from_secs(2),
            first_pause: Duration::from_millis(500),
            longest_pause: Duration::from_secs(30),
        }
    }
}

/// A cluster that can be asked. A clone asks the same one, and shares what is known of it.
#[derive(Clone)]
pub struct Cluster {
    client: Client,
    server: Arc<str>,
    limits: Limits,
    known: Arc<Known>,
}

/// What is known of the cluster, and what is being read of it.
struct Known {
    snapshot: Mutex<Snapshot>,
    /// Tells the publisher that the snapshot is another.
    changed: Notify,
    reads: live::Reads,
    /// Reads for single objects that may run at once. A slow API server must not be asked ever more.
    slots: Semaphore,
}

/// Single objects that are read at once, at the most.
const READS_AT_ONCE: usize = 32;

impl std::fmt::Debug for Cluster {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Cluster").field("server", &self.server).finish_non_exhaustive()
    }
}

impl Cluster {
    /// The address of the API server, as the configuration has it.
    #[must_use]
    pub fn server(&self) -> &str {
        &self.server
    }

    fn new(client: Client, server: &str, limits: Limits) -> Self {
        let known = Known {
            snapshot: Mutex::new(Snapshot::live()),
            changed: Notify::new(),
            reads: live::Reads::new(),
            slots: Semaphore::new(READS_AT_ONCE),
        };
        Self { client, server: server.into(), limits, known: Arc::new(known) }
    }
}

impl Known {
    fn snapshot(&self) -> MutexGuard<'_, Snapshot> {
        self.snapshot.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the snapshot, and has it published.
    fn change<T>(&self, change: impl FnOnce(&mut Snapshot) -> T) -> T {
        let result = change(&mut self.snapshot());
        self.changed.notify_one();
        result
    }
}
