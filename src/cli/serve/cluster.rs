//! The cluster that is served: followed, and asked for what a review hangs on.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use futures::future::{BoxFuture, FutureExt};
use tokio::time::timeout;

use super::Review;
use crate::admission::{ExistingPods, LookedUp, Want};
use crate::cluster::{Cluster, Fault, Lease, Objects, Observer, Watched};
use crate::policy::Snapshot;
use crate::server::{ClusterMetrics, Condition, Health, Lookup, Metrics};

/// What is waited for until the first lists are there. Without them reviews would be judged all the same, but each
/// by asking.
const CONDITION: &str = "the namespaces and service accounts of the cluster";

/// The longest look at the pods of a namespace.
const LONGEST_CHECK: Duration = Duration::from_secs(1);

/// How long giving up the Lease may take at the end.
const FAREWELL: Duration = Duration::from_secs(2);

/// A cluster, and podgate's own objects in it.
pub(super) struct Connection {
    cluster: Cluster,
    objects: Objects,
    lease: Arc<Lease>,
}

impl Connection {
    pub(super) fn new(cluster: Cluster, objects: Objects, replica: &str) -> Self {
        let lease = Arc::new(cluster.lease(&objects, replica));
        Self { cluster, objects, lease }
    }

    pub(super) fn cluster(&self) -> &Cluster {
        &self.cluster
    }

    pub(super) fn objects(&self) -> &Objects {
        &self.objects
    }

    pub(super) fn lease(&self) -> &Arc<Lease> {
        &self.lease
    }

    /// Keeps the reviewer's snapshot current from now on. Returns who looks up what it lacks.
    pub(super) fn follow(
        &self,
        review: &Review,
        (health, metrics): (&Health, &Arc<Metrics>),
    ) -> Result<Arc<dyn Lookup>> {
        let metrics = metrics.cluster().context("cannot set up the metrics")?;
        let told = Told { metrics: metrics.clone(), pending: Pending::new(health) };
        let (review, cluster, known) = (Arc::clone(review), self.cluster.clone(), metrics.clone());
        let publish = move |snapshot: Arc<Snapshot>| {
            known.namespaces(snapshot.namespace_count());
            review.rcu(|reviewer| reviewer.with_snapshot(Arc::clone(&snapshot)));
        };
        tokio::spawn(async move { cluster.follow(told, publish).await });
        Ok(Arc::new(Asks { cluster: self.cluster.clone(), metrics }))
    }

    /// Lets the next replica take over at once.
    pub(super) async fn leave(&self) {
        match timeout(FAREWELL, self.lease.release()).await {
            Ok(Ok(())) => {}
            Ok(Err(fault)) => tracing::warn!(error = %fault, "the Lease could not be given up"),
            Err(_) => tracing::warn!("the Lease could not be given up in time"),
        }
    }
}

/// Logs and counts how the watches fare.
struct Told {
    metrics: ClusterMetrics,
    pending: Pending,
}

/// The lists that have not been heard of yet.
struct Pending {
    missing: std::sync::Mutex<Vec<Watched>>,
    condition: Condition,
}

impl Pending {
    fn new(health: &Health) -> Self {
        Self { missing: std::sync::Mutex::new(Watched::ALL.to_vec()), condition: health.wait_for(CONDITION) }
    }

    fn heard(&self, watched: Watched) {
        let mut missing = self.missing.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        missing.retain(|other| *other != watched);
        if missing.is_empty() {
            self.condition.set(true);
        }
    }
}

impl Observer for Told {
    fn up(&self, watched: Watched) {
        self.metrics.watch(watched.resource(), true);
        tracing::info!(resource = watched.resource(), "watching");
        self.pending.heard(watched);
    }

    fn failed(&self, watched: Watched, fault: &Fault, is_news: bool) {
        let resource = watched.resource();
        self.metrics.watch(resource, false);
        self.metrics.error(resource, fault.reason());
        if is_news {
            tracing::warn!(resource, error = %fault, "the watch has failed: what is known stays in force, and it is tried again");
        }
    }
}

/// Asks the API server.
struct Asks {
    cluster: Cluster,
    metrics: ClusterMetrics,
}

impl Lookup for Asks {
    fn look_up<'l>(&'l self, want: Want, deadline: Instant, found: &'l mut LookedUp) -> BoxFuture<'l, ()> {
        async move {
            match want {
                Want::Namespace(name) => {
                    let labels = self.cluster.namespace(&name).await;
                    let labels =
                        labels.map(|labels| labels.map(|labels| crate::policy::complete(&name, labels)));
                    let result = match &labels {
                        Ok(Some(_)) => "found",
                        Ok(None) => "absent",
                        Err(_) => "failed",
                    };
                    found.namespace = Some(self.count("namespaces", result, labels));
                }
                Want::ServiceAccount { namespace, name } => {
                    let is_there = self.cluster.service_account(&namespace, &name).await;
                    let result = match &is_there {
                        Ok(true) => "found",
                        Ok(false) => "absent",
                        Err(_) => "failed",
                    };
                    found.service_account = Some(self.count("serviceaccounts", result, is_there));
                }
                Want::Pods(check) => found.pod_warnings = Some(self.existing_pods(*check, deadline).await),
            }
        }
        .boxed()
    }
}

impl Asks {
    fn count<T>(&self, resource: &str, result: &str, found: Result<T, Fault>) -> Result<T, String> {
        self.metrics.looked_up(resource, result);
        found.map_err(|fault| {
            self.metrics.error(resource, fault.reason());
            tracing::warn!(resource, error = %fault, "a look-up for a review has failed");
            fault.to_string()
        })
    }

    /// Judges the pods that are there, in half of the time that is left and at most in a second.
    async fn existing_pods(&self, mut check: ExistingPods, deadline: Instant) -> Vec<String> {
        let left = deadline.saturating_duration_since(Instant::now());
        let listed = timeout(LONGEST_CHECK.min(left / 2), self.list(&mut check)).await;
        let failed = match listed {
            Ok(Ok(())) => None,
            Ok(Err(fault)) => Some(fault.to_string()),
            Err(_) => Some("it took too long".to_owned()),
        };
        let result = if failed.is_some() { "failed" } else { "found" };
        self.metrics.looked_up("pods", result);
        match failed {
            None => check.warnings(),
            Some(error) => {
                tracing::warn!(
                    namespace = check.namespace(),
                    error,
                    "the pods of a namespace could not be listed"
                );
                ExistingPods::not_listed()
            }
        }
    }

    async fn list(&self, check: &mut ExistingPods) -> Result<(), Fault> {
        let mut token: Option<String> = None;
        loop {
            let page = self.cluster.pods(check.namespace(), token.as_deref()).await?;
            check.add(page.json.as_bytes()).map_err(|error| Fault::Unreachable(error.to_string()))?;
            match page.next {
                None => return Ok(()),
                next => token = next,
            }
        }
    }
}
