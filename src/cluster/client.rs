//! The client of a cluster, and the state that its clones share.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use backon::ExponentialBuilder;
use kube::Client;
use tokio::sync::{Notify, Semaphore};

use crate::cluster::binding_watches::BindingWatches;
use crate::cluster::reads::SharedReads;
use crate::policy::Snapshot;

/// How long to wait.
#[derive(Debug, Clone, Copy)]
pub struct ClientLimits {
    /// For a connection.
    pub connect: Duration,
    /// For the whole answer to a call that is not a watch.
    pub answer: Duration,
    /// For the next page of a list, or the next object of one that is streamed.
    pub list: Duration,
    /// How long a watch is requested for, in whole seconds. One that is silent for 5 s longer is considered dead.
    pub watch: Duration,
    /// How long a watch must last after its list to count as up. A role may allow the one and not the other.
    pub settled: Duration,
    /// After a first failure; it doubles with each further one, with jitter.
    pub first_pause: Duration,
    /// The longest pause between attempts.
    pub longest_pause: Duration,
}

impl ClientLimits {
    /// Pauses that double up to the longest one. Each is somewhere in its second half, so that the replicas of a
    /// cluster whose API server comes back do not all ask at once.
    pub(super) fn backoff(&self) -> ExponentialBuilder {
        // Jitter adds up to as much again.
        ExponentialBuilder::new()
            .with_factor(2.0)
            .with_min_delay(self.first_pause / 2)
            .with_max_delay(self.longest_pause / 2)
            .with_jitter()
            .without_max_times()
    }
}

impl Default for ClientLimits {
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

/// The client of a cluster. Clones share what is known of it.
#[derive(Clone)]
pub struct Cluster {
    pub(super) client: Client,
    pub(super) server: Arc<str>,
    pub(super) limits: ClientLimits,
    pub(super) known: Arc<ClusterState>,
}

/// What is known of the cluster, and what is being read of it.
pub(super) struct ClusterState {
    snapshot: Mutex<Snapshot>,
    /// Notifies the publisher that the snapshot has changed.
    pub(super) changed: Notify,
    pub(super) reads: SharedReads,
    pub(super) bindings: BindingWatches,
    /// Limits the concurrent reads of single objects, so that a slow API server is not asked ever more.
    pub(super) slots: Semaphore,
}

/// The most single objects that are read at once.
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

    pub(super) fn new(client: Client, server: &str, limits: ClientLimits) -> Self {
        let known = ClusterState {
            snapshot: Mutex::new(Snapshot::live()),
            changed: Notify::new(),
            reads: SharedReads::new(),
            bindings: BindingWatches::default(),
            slots: Semaphore::new(READS_AT_ONCE),
        };
        Self { client, server: server.into(), limits, known: Arc::new(known) }
    }
}

impl ClusterState {
    pub(super) fn snapshot(&self) -> MutexGuard<'_, Snapshot> {
        self.snapshot.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the snapshot, and has it published.
    pub(super) fn change<T>(&self, change: impl FnOnce(&mut Snapshot) -> T) -> T {
        let result = change(&mut self.snapshot());
        self.changed.notify_one();
        result
    }
}

#[cfg(test)]
mod tests {
    use backon::BackoffBuilder as _;

    use super::*;

    #[test]
    fn pauses_double_up_to_the_longest() {
        let limits = ClientLimits {
            first_pause: Duration::from_secs(1),
            longest_pause: Duration::from_secs(5),
            ..ClientLimits::default()
        };
        for (whole, pause) in
            [1, 2, 4, 5, 5].map(Duration::from_secs).into_iter().zip(limits.backoff().build())
        {
            assert!(whole / 2 <= pause && pause <= whole, "{pause:?} of {whole:?}");
        }
    }
}
