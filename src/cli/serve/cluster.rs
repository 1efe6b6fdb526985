//! The cluster that is served: followed, and asked for what a review hangs on.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::future::{BoxFuture, FutureExt};
use tokio::sync::{Mutex, Notify, Semaphore};
use tokio::time::timeout;

use super::Review;
use crate::admission::{ExistingPods, LookedUp, LookupError, Want};
use crate::cli::installation::Objects;
use crate::cluster::{Cluster, Event, Fault, LeaseLock, Reason, Resource};
use crate::policy::{Snapshot, is_namespace};
use crate::server::{ClusterMetrics, Condition, Health, Lookup};

/// What is waited for until the first lists are there. Without them reviews would be judged all the same, but each
/// by asking.
const CONDITION: &str = "the namespaces and service accounts of the cluster";

/// The longest look at the pods of a namespace.
const LONGEST_CHECK: Duration = Duration::from_secs(1);

/// How long giving up the Lease may take at the end.
const FAREWELL: Duration = Duration::from_secs(2);

/// How long the Lease lasts; it is renewed every few seconds.
const LEASE: Duration = Duration::from_secs(20);

/// A cluster, and podgate's own objects in it.
pub(super) struct Connection {
    cluster: Cluster,
    objects: Objects,
    lease: Arc<Mutex<LeaseLock>>,
}

impl Connection {
    pub(super) fn new(cluster: Cluster, objects: Objects, replica: &str) -> Self {
        let lease = LeaseLock::new(&objects.namespace, &objects.lease, replica, LEASE);
        Self { cluster, objects, lease: Arc::new(Mutex::new(lease)) }
    }

    pub(super) fn cluster(&self) -> &Cluster {
        &self.cluster
    }

    pub(super) fn objects(&self) -> &Objects {
        &self.objects
    }

    pub(super) fn lease(&self) -> &Arc<Mutex<LeaseLock>> {
        &self.lease
    }

    /// Keeps the reviewer's snapshot current from now on. Returns who looks up what it lacks.
    pub(super) fn follow(
        &self,
        review: &Review,
        health: &Health,
        metrics: &ClusterMetrics,
    ) -> Arc<dyn Lookup> {
        let told = Told { metrics: metrics.clone(), ready: health.wait_for(CONDITION) };
        let (review, cluster, known) = (Arc::clone(review), self.cluster.clone(), metrics.clone());
        let publish = move |snapshot: Arc<Snapshot>| {
            known.namespaces(snapshot.namespace_count());
            review.rcu(|reviewer| reviewer.with_snapshot(Arc::clone(&snapshot)));
        };
        tokio::spawn(async move { cluster.follow(publish, |event| told.event(&event)).await });
        let checks = Semaphore::new(CHECKS_AT_ONCE);
        Arc::new(Asks { cluster: self.cluster.clone(), metrics: metrics.clone(), checks })
    }

    /// Tells `changed` whenever the Secret of the certificate may be another.
    pub(super) fn follow_secret(&self, changed: Arc<Notify>, metrics: &ClusterMetrics) {
        let (cluster, metrics) = (self.cluster.clone(), metrics.clone());
        let Objects { namespace, secret, .. } = self.objects.clone();
        tokio::spawn(async move {
            let tell = |event: Event| tell(&metrics, &event);
            cluster.follow_secret(&namespace, &secret, || changed.notify_one(), tell).await
        });
    }

    /// Lets the next replica take over at once.
    pub(super) async fn leave(&self) {
        let released = async { self.lease.lock().await.release(&self.cluster).await };
        match timeout(FAREWELL, released).await {
            Ok(Ok(())) => {}
            Ok(Err(fault)) => tracing::warn!(error = %fault, "the Lease could not be given up"),
            Err(_) => tracing::warn!("the Lease could not be given up in time"),
        }
    }
}

/// Logs and counts how the watches fare, and says when the first lists are there.
struct Told {
    metrics: ClusterMetrics,
    ready: Condition,
}

impl Told {
    fn event(&self, event: &Event) {
        if matches!(event, Event::Synced) {
            self.ready.set(true);
        }
        tell(&self.metrics, event);
    }
}

fn tell(metrics: &ClusterMetrics, event: &Event) {
    match event {
        Event::Up(resource) => {
            metrics.watch(resource.as_str(), true);
            tracing::info!(resource = resource.as_str(), "watching");
        }
        Event::Down(resource, fault) => {
            metrics.watch(resource.as_str(), false);
            let (resource, advice) = (resource.as_str(), fault.advice());
            tracing::warn!(resource, error = %fault, advice, "the watch has failed: what is known stays in force");
        }
        Event::Failed(resource, reason) => metrics.error(resource.as_str(), reason.as_str()),
        Event::Heard(resource) => metrics.heard(resource.as_str()),
        Event::Synced => {}
    }
}

/// Asks the API server.
struct Asks {
    cluster: Cluster,
    metrics: ClusterMetrics,
    /// Looks at the pods of a namespace that may be made at once: anybody who reaches the port can ask for one.
    checks: Semaphore,
}

/// Each holds a page of pods.
const CHECKS_AT_ONCE: usize = 2;

impl Lookup for Asks {
    fn look_up<'l>(&'l self, want: Want, deadline: Instant, found: &'l mut LookedUp) -> BoxFuture<'l, ()> {
        async move {
            let within = deadline.saturating_duration_since(Instant::now());
            match want {
                Want::Namespace(name) => {
                    let labels = self.cluster.namespace(&name, within).await;
                    let is_there = labels.as_ref().map(Option::is_some);
                    self.count(Resource::Namespaces.as_str(), is_there);
                    found.namespace = Some(labels.map_err(|fault| told(&fault)));
                }
                Want::ServiceAccount { namespace, name } => {
                    let is_there = self.cluster.service_account(&namespace, &name, within).await;
                    self.count(Resource::ServiceAccounts.as_str(), is_there.as_ref().copied());
                    found.service_account = Some(is_there.map_err(|fault| told(&fault)));
                }
                Want::Pods(check) => found.pod_warnings = Some(self.existing_pods(*check, within).await),
            }
        }
        .boxed()
    }
}

/// What whoever sent the review may know of a fault.
fn told(fault: &Fault) -> LookupError {
    match fault.reason {
        Reason::Timeout => LookupError::Late,
        Reason::RateLimited => LookupError::Limited,
        Reason::Unreachable
        | Reason::Tls
        | Reason::Unauthorized
        | Reason::Forbidden
        | Reason::NotFound
        | Reason::Conflict
        | Reason::Expired
        | Reason::TooManyRequests
        | Reason::Server
        | Reason::Refused
        | Reason::Garbled => LookupError::Failed,
    }
}

impl Asks {
    fn count(&self, resource: &str, found: Result<bool, &Fault>) {
        let result = match found {
            Ok(true) => "found",
            Ok(false) => "absent",
            Err(fault) => {
                let advice = fault.advice();
                tracing::warn!(resource, error = %fault, advice, "a look-up for a review has failed");
                if fault.reason == Reason::RateLimited {
                    "limited"
                } else {
                    self.metrics.error(resource, fault.reason.as_str());
                    "failed"
                }
            }
        };
        self.metrics.looked_up(resource, result);
    }

    /// Judges the pods that are there, in half of the time that is left and at most in a second.
    async fn existing_pods(&self, mut check: ExistingPods, left: Duration) -> Vec<String> {
        let listed = timeout(LONGEST_CHECK.min(left / 2), self.list(&mut check)).await;
        let error = match listed {
            Ok(Ok(())) => {
                self.count("pods", Ok(true));
                return check.warnings();
            }
            Ok(Err(Unlisted::Fault(fault))) => {
                self.count("pods", Err(&fault));
                return ExistingPods::not_listed();
            }
            Ok(Err(Unlisted::Unreadable(error))) => error,
            Err(_) => "it took too long".to_owned(),
        };
        self.metrics.looked_up("pods", "failed");
        let namespace = check.namespace();
        tracing::warn!(namespace, error, "the pods of a namespace could not be listed");
        ExistingPods::not_listed()
    }

    async fn list(&self, check: &mut ExistingPods) -> Result<(), Unlisted> {
        let Ok(_turn) = self.checks.acquire().await else {
            return Err(Unlisted::Unreadable("nobody is looked at any more".to_owned()));
        };
        // A name from a review must not become a path.
        if !is_namespace(check.namespace()) {
            return Err(Unlisted::Unreadable("no namespace can have this name".to_owned()));
        }
        let mut next: Option<String> = None;
        loop {
            let page = self.cluster.pods(check.namespace(), next.as_deref()).await?;
            check.add(&page.list_json).map_err(|error| Unlisted::Unreadable(error.to_string()))?;
            match page.next {
                None => return Ok(()),
                following => next = following,
            }
        }
    }
}

/// Why the pods of a namespace were not judged.
enum Unlisted {
    Fault(Fault),
    Unreadable(String),
}

impl From<Fault> for Unlisted {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}
