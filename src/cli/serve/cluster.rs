//! The cluster that is served: watched, and asked for what a review depends on and the watches have not seen.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use futures::future::{BoxFuture, FutureExt};
use tokio::sync::{Mutex, Notify, Semaphore, watch};
use tokio::time::error::Elapsed;
use tokio::time::timeout;

use crate::admission::ExistingPods;
use crate::cli::serve::grants::RecentGrants;
use crate::cli::serve::pod_identities::{self, RecentPodIdentities};
use crate::cli::serve::switch::{ReadSwitch, SharedReviewer, read_config_map, send};
use crate::cluster::{
    ApiError, Cluster, ClusterEvent, ClusterStore, ConfigMapContent, LeaseLock, OwnObjects, Reason,
    WatchedResource,
};
use crate::policy::{
    Lookup, LookupAnswer, LookupError, PodsQuery, SWITCH_CONFIG_MAP, Snapshot, is_namespace,
};
use crate::server::{ClusterMetrics, Health, ReadinessCondition, Resolver};

/// The readiness condition that is met once the first lists are complete. Until then reviews are judged all the same,
/// but each needs look-ups.
const CONDITION: &str = "the namespaces and service accounts of the cluster";

/// How long listing the pods of a namespace may take.
const LONGEST_CHECK: Duration = Duration::from_secs(1);

/// How long the start waits for what an API server need not tell.
const LONGEST_START: Duration = Duration::from_secs(2);

/// How long releasing the Lease may take at the end.
const RELEASE_TIMEOUT: Duration = Duration::from_secs(2);

/// How long the Lease lasts; it is renewed every few seconds.
const LEASE_DURATION: Duration = Duration::from_secs(20);

/// A cluster, and podgate's own objects in it.
pub(super) struct Connection {
    cluster: Cluster,
    objects: OwnObjects,
    lease: Arc<Mutex<LeaseLock>>,
}

impl Connection {
    pub(super) fn new(cluster: Cluster, objects: OwnObjects, replica: &str) -> Self {
        let lease = LeaseLock::new(&objects.namespace, &objects.lease, replica, LEASE_DURATION);
        Self { cluster, objects, lease: Arc::new(Mutex::new(lease)) }
    }

    /// The version of the API server, if it tells in time.
    pub(super) async fn version(&self) -> Result<String> {
        let (version, _) =
            timeout(LONGEST_START, self.cluster.version()).await.context("no answer in time")??;
        Ok(version)
    }

    /// Where a self-managed certificate is kept.
    pub(super) fn store(&self) -> ClusterStore {
        ClusterStore::new(self.cluster.clone(), self.objects.clone(), Arc::clone(&self.lease))
    }

    /// Keeps the reviewer's snapshot current from now on. Returns what looks up what it lacks.
    pub(super) fn follow(
        &self,
        review: &SharedReviewer,
        health: &Health,
        metrics: &ClusterMetrics,
    ) -> Arc<dyn Resolver> {
        let ready = health.wait_for(CONDITION);
        let observer = WatchObserver { metrics: metrics.clone(), ready, review: Arc::clone(review) };
        let (review, cluster, known) = (Arc::clone(review), self.cluster.clone(), metrics.clone());
        let publish = move |snapshot: Arc<Snapshot>| {
            known.namespaces(snapshot.namespace_count());
            review.rcu(|reviewer| reviewer.with_snapshot(Arc::clone(&snapshot)));
        };
        tokio::spawn(async move { cluster.follow(publish, |event| observer.event(&event)).await });
        let checks = Semaphore::new(CHECKS_AT_ONCE);
        let pod_identities = RecentPodIdentities::default();
        Arc::new(ApiResolver {
            cluster: self.cluster.clone(),
            metrics: metrics.clone(),
            checks,
            pod_identities,
            grants: RecentGrants::default(),
        })
    }

    /// Notifies `changed` whenever the Secret of the certificate may have changed.
    pub(super) fn follow_secret(&self, changed: Arc<Notify>, metrics: &ClusterMetrics) {
        let (cluster, metrics) = (self.cluster.clone(), metrics.clone());
        let OwnObjects { namespace, secret, .. } = self.objects.clone();
        tokio::spawn(async move {
            let report = |event: ClusterEvent| report(&metrics, &event);
            cluster.follow_secret(&namespace, &secret, || changed.notify_one(), report).await
        });
    }

    /// Sends what the ConfigMap of the switch says, now and whenever it changes.
    pub(super) fn follow_switch(&self, read: watch::Sender<ReadSwitch>, metrics: &ClusterMetrics) {
        let (cluster, metrics) = (self.cluster.clone(), metrics.clone());
        let namespace = self.objects.namespace.clone();
        tokio::spawn(async move {
            let changed = |content: Option<ConfigMapContent>| {
                send(&read, read_config_map(&namespace, content.as_ref()));
            };
            let report = |event: ClusterEvent| report(&metrics, &event);
            cluster.follow_config_map(&namespace, SWITCH_CONFIG_MAP, changed, report).await
        });
    }

    /// Releases the Lease, so that the next replica takes over at once.
    pub(super) async fn release_lease(&self) {
        let released = async { self.lease.lock().await.release(&self.cluster).await };
        match timeout(RELEASE_TIMEOUT, released).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(%error, "the Lease could not be given up"),
            Err(_) => tracing::warn!("the Lease could not be given up in time"),
        }
    }
}

/// Logs and counts what happens to the watches, and sets readiness when the first lists are complete.
struct WatchObserver {
    metrics: ClusterMetrics,
    ready: ReadinessCondition,
    review: SharedReviewer,
}

impl WatchObserver {
    fn event(&self, event: &ClusterEvent) {
        if matches!(event, ClusterEvent::Synced) {
            let namespaces = self.review.load().snapshot().namespace_count();
            tracing::info!(namespaces, "the namespaces and service accounts of the cluster are known");
            self.ready.set(true);
        }
        report(&self.metrics, event);
    }
}

fn report(metrics: &ClusterMetrics, event: &ClusterEvent) {
    match event {
        ClusterEvent::Up(resource) => {
            metrics.watch(resource.as_str(), true);
            tracing::info!(resource = resource.as_str(), "watching");
        }
        ClusterEvent::Down(resource, error) => {
            metrics.watch(resource.as_str(), false);
            let (resource, advice) = (resource.as_str(), error.advice());
            tracing::warn!(resource, %error, advice, "the watch has failed: what is known stays in force");
        }
        ClusterEvent::Failed(resource, reason) => metrics.error(resource.as_str(), reason.as_str()),
        ClusterEvent::Received(resource) => metrics.heard(resource.as_str()),
        ClusterEvent::Synced => {}
    }
}

/// Resolves lookups by asking the API server.
struct ApiResolver {
    cluster: Cluster,
    metrics: ClusterMetrics,
    /// Limits how many lists of pods are read at once: anybody who reaches the port can ask for one.
    checks: Semaphore,
    pod_identities: RecentPodIdentities,
    grants: RecentGrants,
}

/// What asks whether somebody may do something, as the label of a metric.
const ACCESS_REVIEWS: &str = "subjectaccessreviews";

/// Each holds a page of pods.
const CHECKS_AT_ONCE: usize = 2;

impl Resolver for ApiResolver {
    fn resolve<'l>(
        &'l self,
        lookup: &'l Lookup,
        deadline: Instant,
    ) -> BoxFuture<'l, Result<LookupAnswer, LookupError>> {
        async move {
            let within = deadline.saturating_duration_since(Instant::now());
            match lookup {
                Lookup::Namespace(name) => {
                    let metadata = self.cluster.namespace(name, within).await;
                    self.count(WatchedResource::Namespaces.as_str(), metadata.as_ref().map(Option::is_some));
                    metadata.map(LookupAnswer::Namespace).map_err(|error| lookup_error(&error))
                }
                Lookup::ServiceAccount { namespace, name } => {
                    let account = self.cluster.service_account(namespace, name, within).await;
                    let exists = account.as_ref().map(Option::is_some);
                    self.count(WatchedResource::ServiceAccounts.as_str(), exists);
                    account.map(LookupAnswer::ServiceAccount).map_err(|error| lookup_error(&error))
                }
                Lookup::Bound { namespace, name } => {
                    let is_bound = self.cluster.is_bound(namespace, name, within).await;
                    let found = is_bound.as_ref().map(|is_bound| *is_bound == Some(true));
                    self.count(WatchedResource::RoleBindings.as_str(), found);
                    is_bound.map(LookupAnswer::Bound).map_err(|error| lookup_error(&error))
                }
                Lookup::IdentityRight { namespace, name, client_id } => {
                    let may_use = timeout(within, self.cluster.may_use_identity(namespace, name, client_id));
                    self.identity_right(may_use.await)
                }
                Lookup::Grants { namespace, name, exceptions } => {
                    let granted = self.grants.of(&self.cluster, (namespace, name), exceptions);
                    self.granted(timeout(within, granted).await)
                }
                Lookup::PodIdentities => self.pod_identities(within).await,
                Lookup::PodsIn(query) => self.existing_pods(query, within).await,
            }
        }
        .boxed()
    }
}

/// What the sender of the review may know of an error.
fn lookup_error(error: &ApiError) -> LookupError {
    match error.reason {
        Reason::Timeout => LookupError::TimedOut,
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
        | Reason::InvalidResponse => LookupError::Failed,
    }
}

impl ApiResolver {
    fn count(&self, resource: &str, found: Result<bool, &ApiError>) {
        let result = match found {
            Ok(true) => "found",
            Ok(false) => "absent",
            Err(error) => {
                let advice = error.advice();
                tracing::warn!(resource, %error, advice, "a look-up for a review has failed");
                if error.reason == Reason::RateLimited {
                    "limited"
                } else {
                    self.metrics.error(resource, error.reason.as_str());
                    "failed"
                }
            }
        };
        self.metrics.looked_up(resource, result);
    }

    async fn pod_identities(&self, within: Duration) -> Result<LookupAnswer, LookupError> {
        let Ok(known) = timeout(within, self.pod_identities.list(&self.cluster)).await else {
            self.metrics.looked_up(pod_identities::RESOURCE, "failed");
            return Err(LookupError::TimedOut);
        };
        self.count(pod_identities::RESOURCE, known.as_ref().map(|known| !known.is_empty()));
        known.map(LookupAnswer::PodIdentities).map_err(|error| lookup_error(&error))
    }

    /// What the API server said of the use of an identity. That podgate may not ask is no failure: the right is optional,
    /// and `podgate doctor` names it.
    fn identity_right(
        &self,
        told: Result<Result<bool, ApiError>, Elapsed>,
    ) -> Result<LookupAnswer, LookupError> {
        let Ok(told) = told else {
            self.metrics.looked_up(ACCESS_REVIEWS, "failed");
            return Err(LookupError::TimedOut);
        };
        if let Err(error) = &told
            && error.reason == Reason::Forbidden
        {
            self.metrics.looked_up(ACCESS_REVIEWS, "failed");
            return Ok(LookupAnswer::IdentityRight(None));
        }
        self.count(ACCESS_REVIEWS, told.as_ref().copied());
        told.map(|may_use| LookupAnswer::IdentityRight(Some(may_use))).map_err(|error| lookup_error(&error))
    }

    /// What the API server said of the use of exceptions.
    fn granted(
        &self,
        told: Result<Result<Vec<Arc<str>>, ApiError>, Elapsed>,
    ) -> Result<LookupAnswer, LookupError> {
        let Ok(told) = told else {
            self.metrics.looked_up(ACCESS_REVIEWS, "failed");
            return Err(LookupError::TimedOut);
        };
        self.count(ACCESS_REVIEWS, told.as_ref().map(|granted| !granted.is_empty()));
        told.map(LookupAnswer::Grants).map_err(|error| {
            if error.reason == Reason::Forbidden { LookupError::MayNotAsk } else { lookup_error(&error) }
        })
    }

    /// Judges the pods that exist, in half of the time that is left and at most in a second.
    async fn existing_pods(&self, query: &PodsQuery, left: Duration) -> Result<LookupAnswer, LookupError> {
        let mut pods = ExistingPods::new(query);
        let listed = timeout(LONGEST_CHECK.min(left / 2), self.list(query, &mut pods)).await;
        let (error, reason) = match listed {
            Ok(Ok(())) => {
                self.count("pods", Ok(true));
                return Ok(pods.answer());
            }
            Ok(Err(PodListError::Api(error))) => {
                self.count("pods", Err(&error));
                return Err(lookup_error(&error));
            }
            Ok(Err(PodListError::Unreadable(error))) => (error, LookupError::Failed),
            Err(_) => ("it took too long".to_owned(), LookupError::TimedOut),
        };
        self.metrics.looked_up("pods", "failed");
        let namespace = &query.namespace;
        tracing::warn!(namespace, error, "the pods of a namespace could not be listed");
        Err(reason)
    }

    async fn list(&self, query: &PodsQuery, pods: &mut ExistingPods<'_>) -> Result<(), PodListError> {
        let Ok(_permit) = self.checks.acquire().await else {
            return Err(PodListError::Unreadable("nobody is looked at any more".to_owned()));
        };
        // A name from a review must not become a path.
        if !is_namespace(&query.namespace) {
            return Err(PodListError::Unreadable("no namespace can have this name".to_owned()));
        }
        let mut next: Option<String> = None;
        loop {
            let page = self.cluster.pods(&query.namespace, next.as_deref()).await?;
            pods.add(&page.list_json).map_err(|error| PodListError::Unreadable(error.to_string()))?;
            match page.next {
                None => return Ok(()),
                following => next = following,
            }
        }
    }
}

/// Why the pods of a namespace were not judged.
enum PodListError {
    Api(ApiError),
    Unreadable(String),
}

impl From<ApiError> for PodListError {
    fn from(error: ApiError) -> Self {
        Self::Api(error)
    }
}
