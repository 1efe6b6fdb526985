//! Publishes the snapshot after changes: the first one that is complete at once, and from then on not too often.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::select;
use tokio::sync::Notify;
use tokio::time::sleep;

use crate::cluster::client::Cluster;
use crate::cluster::event::ClusterEvent;
use crate::policy::Snapshot;

/// The shortest time between two snapshots. A thousand namespaces made at once would otherwise be copied a thousand
/// times.
const BETWEEN_SNAPSHOTS: Duration = Duration::from_millis(10);

/// How many resources are watched for a snapshot.
const FOLLOWED: usize = 2;

/// How many resources have been listed.
#[derive(Default)]
pub(super) struct FirstLists {
    listed: AtomicUsize,
    /// Notified once all are part of the snapshot.
    complete: Notify,
}

impl FirstLists {
    /// The first list of one more resource is part of the snapshot.
    pub(super) fn add(&self) {
        if self.listed.fetch_add(1, Ordering::Relaxed) + 1 == FOLLOWED {
            self.complete.notify_one();
        }
    }

    fn are_complete(&self) -> bool {
        self.listed.load(Ordering::Relaxed) == FOLLOWED
    }
}

impl Cluster {
    /// Publishes the snapshot after changes, and reports when it is complete for the first time.
    pub(super) async fn publish_snapshots(
        &self,
        publish: &impl Fn(Arc<Snapshot>),
        observe: &impl Fn(ClusterEvent),
        lists: &FirstLists,
    ) -> Infallible {
        let mut is_synced = false;
        loop {
            self.known.changed.notified().await;
            let are_complete = lists.are_complete();
            let snapshot = self.known.snapshot().clone();
            publish(Arc::new(snapshot));
            if are_complete && !std::mem::replace(&mut is_synced, true) {
                observe(ClusterEvent::Synced);
            }
            // Readiness waits for the first complete one.
            select! {
                () = sleep(BETWEEN_SNAPSHOTS) => {}
                () = lists.complete.notified(), if !is_synced => self.known.changed.notify_one(),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::future::pending;

    use futures::FutureExt as _;
    use hyper::{Request, Response};
    use kube::Client;
    use kube::client::Body;
    use tokio::time::Instant;
    use tower::{BoxError, service_fn};

    use super::*;
    use crate::cluster::client::ClientLimits;
    use crate::policy::Labels;

    /// The client of a cluster that never answers.
    fn cluster() -> Cluster {
        let silent = service_fn(|_: Request<Body>| pending::<Result<Response<Body>, BoxError>>());
        Cluster::new(Client::new(silent, "default"), "https://silent", ClientLimits::default())
    }

    #[tokio::test(start_paused = true)]
    async fn the_first_complete_snapshot_is_published_at_once_and_later_ones_are_not() {
        let (cluster, lists) = (cluster(), FirstLists::default());
        let start = Instant::now();
        let published = RefCell::new(Vec::new());
        let publish = |snapshot: Arc<Snapshot>| {
            published.borrow_mut().push((snapshot.namespace_count(), start.elapsed()))
        };
        let synced = RefCell::new(Vec::new());
        let observe = |event| {
            assert!(matches!(event, ClusterEvent::Synced), "{event:?}");
            synced.borrow_mut().push(start.elapsed());
        };
        let mut publisher = Box::pin(cluster.publish_snapshots(&publish, &observe, &lists));
        let mut change = |name: &str| {
            cluster.known.change(|snapshot| snapshot.insert(name, Labels::new()));
            assert!(publisher.as_mut().now_or_never().is_none());
        };
        change("a");
        change("b");
        assert_eq!(*published.borrow(), [(1, Duration::ZERO)], "the second one is not complete");
        lists.add();
        lists.add();
        change("c");
        assert_eq!(*published.borrow(), [(1, Duration::ZERO), (3, Duration::ZERO)]);
        assert_eq!(*synced.borrow(), [Duration::ZERO]);
        change("d");
        assert_eq!(published.borrow().len(), 2, "the next one waits");
        tokio::time::advance(BETWEEN_SNAPSHOTS).await;
        change("e");
        assert_eq!(published.borrow().last(), Some(&(5, BETWEEN_SNAPSHOTS)));
        assert_eq!(synced.borrow().len(), 1);
    }
}
