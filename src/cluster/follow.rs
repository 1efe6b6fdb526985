//! Watches Namespaces, service accounts and bindings: each change becomes part of the snapshot.
//!
//! The watches are those of kube's runtime. After an error a watch starts again with a list: only that proves that it
//! works again, since a watch without events is silent. A watch that the server ends normally is resumed.

use std::convert::Infallible;
use std::fmt::Debug;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use backon::BackoffBuilder as _;
use futures::{FutureExt as _, StreamExt as _};
use k8s_openapi::api::core::v1::{Namespace, Secret, ServiceAccount};
use k8s_openapi::api::rbac::v1::{ClusterRoleBinding, RoleBinding};
use kube::core::PartialObjectMeta;
use kube::runtime::watcher::{self, Config, watcher};
use kube::{Api, Error, Resource as KubeResource};
use serde::de::DeserializeOwned;
use tokio::time::{Instant, sleep, timeout};

use crate::cluster::client::Cluster;
use crate::cluster::error::{ApiCall, ApiError, Reason};
use crate::cluster::event::{ClusterEvent, WatchedResource};
use crate::cluster::publisher::FirstLists;
use crate::cluster::snapshot_updater::SnapshotUpdater;
use crate::cluster::watch_condition::WatchCondition;
use crate::cluster::watch_event::WatchEvent;
use crate::cluster::watched_object::{WatchedObject, WholeObject};
use crate::policy::Snapshot;

/// Objects in a page of a list.
const PAGE_SIZE: u32 = 500;

/// The most changes that are applied to the snapshot at once.
const BURST: usize = 512;

/// In effect no limit.
const NEVER: Duration = Duration::from_secs(365 * 86_400);

impl Cluster {
    /// Follows Namespaces and service accounts for as long as it is polled, and bindings from when somebody first asks for
    /// them ([`Cluster::is_bound`]). Each new snapshot goes to `publish`, and each event to `observe`. Both are called from
    /// the task that polls this, and must not block. To be called once for all clones of a cluster.
    pub async fn follow(
        &self,
        publish: impl Fn(Arc<Snapshot>),
        observe: impl Fn(ClusterEvent),
    ) -> Infallible {
        let lists = FirstLists::default();
        let observe = |event: ClusterEvent| {
            self.known.reads.note_failures(&event);
            if let ClusterEvent::Failed(resource, _) = event {
                self.known.bindings.settle(resource);
            }
            observe(event);
        };
        let follow = |resource| {
            let mut keeper = SnapshotUpdater::of(resource);
            // Readiness does not wait for what may never be asked for.
            let mut is_first_of_all = !resource.is_on_demand();
            let (observe, lists) = (&observe, &lists);
            move |changes: Vec<WatchEvent>| {
                let is_listed = changes.iter().any(|change| matches!(change, WatchEvent::InitDone));
                self.known.reads.outdate(resource, &changes);
                self.known.change(|snapshot| keeper.take(changes, snapshot));
                if is_listed {
                    self.known.bindings.settle(resource);
                }
                if is_listed && std::mem::take(&mut is_first_of_all) {
                    lists.add();
                }
                observe(ClusterEvent::Received(resource));
            }
        };
        let resource = WatchedResource::Namespaces;
        let api = Api::<PartialObjectMeta<Namespace>>::all(self.client.clone());
        let namespaces = self.watch(api, Config::default(), resource, follow(resource), &observe);
        let resource = WatchedResource::ServiceAccounts;
        let api = Api::<WholeObject<ServiceAccount>>::all(self.client.clone());
        let accounts = self.watch(api, Config::default(), resource, follow(resource), &observe);
        let (never, _, _, _) = tokio::join!(
            Box::pin(namespaces),
            Box::pin(accounts),
            Box::pin(self.follow_bindings(&follow, &observe)),
            self.publish_snapshots(&publish, &observe, &lists)
        );
        never
    }

    async fn follow_bindings<T: FnMut(Vec<WatchEvent>)>(
        &self,
        follow: &impl Fn(WatchedResource) -> T,
        observe: &impl Fn(ClusterEvent),
    ) -> Infallible {
        self.known.bindings.wanted().await;
        let resource = WatchedResource::RoleBindings;
        let api = Api::<WholeObject<RoleBinding>>::all(self.client.clone());
        let roles = self.watch(api, Config::default(), resource, follow(resource), observe);
        let resource = WatchedResource::ClusterRoleBindings;
        let api = Api::<WholeObject<ClusterRoleBinding>>::all(self.client.clone());
        let cluster_roles = self.watch(api, Config::default(), resource, follow(resource), observe);
        let (never, _) = tokio::join!(roles, cluster_roles);
        never
    }

    /// Calls `changed` whenever the Secret may have changed, and once at the start. Its content is not read.
    pub async fn follow_secret(
        &self,
        namespace: &str,
        name: &str,
        changed: impl Fn(),
        observe: impl Fn(ClusterEvent),
    ) -> Infallible {
        let api = Api::<PartialObjectMeta<Secret>>::namespaced(self.client.clone(), namespace);
        let config = Config::default().fields(&format!("metadata.name={name}"));
        let take = |changes: Vec<WatchEvent>| {
            observe(ClusterEvent::Received(WatchedResource::Secret));
            if !changes.iter().all(|change| matches!(change, WatchEvent::Init)) {
                changed();
            }
        };
        Box::pin(self.watch(api, config, WatchedResource::Secret, take, &observe)).await
    }

    /// Watches for ever. Changes go to `take`, in batches of what has arrived.
    pub(super) fn watch<K>(
        &self,
        api: Api<K>,
        config: Config,
        resource: WatchedResource,
        mut take: impl FnMut(Vec<WatchEvent>),
        observe: &impl Fn(ClusterEvent),
    ) -> impl Future<Output = Infallible>
    where
        K: KubeResource + Clone + Debug + DeserializeOwned + Send + 'static,
        WatchedObject: From<K>,
    {
        let call = ApiCall {
            method: "Get",
            url: format!("{}{}", self.server, api.resource_url()),
            wanted: format!("list and watch {}", resource.as_str()),
        };
        let seconds = u32::try_from(self.limits.watch.as_secs()).unwrap_or(u32::MAX);
        let config = config.timeout(seconds).page_size(PAGE_SIZE);
        async move {
            let mut condition = WatchCondition::new(resource, observe);
            let mut pauses = self.limits.backoff().build();
            let mut is_streaming = true;
            loop {
                let config = if is_streaming { config.clone().streaming_lists() } else { config.clone() };
                let end = self.watch_until_error(&api, config, &call, &mut take, &mut condition).await;
                // An API server that cannot stream lists says so, and is asked for pages from then on.
                if is_streaming && end.is_unable_to_stream {
                    is_streaming = false;
                    continue;
                }
                // One that ignores the request to stream leaves the list open for ever.
                if is_streaming && end.fault.reason == Reason::Timeout && end.stood.is_none() {
                    is_streaming = false;
                }
                if end.stood.is_some_and(|stood| stood > self.limits.longest_pause) {
                    pauses = self.limits.backoff().build();
                }
                condition.failed(end.fault.reason);
                // A watch that has fallen too far behind is normal: a list follows.
                if end.fault.reason != Reason::Expired || end.stood.is_none() {
                    condition.down(&end.fault);
                }
                let asked = end.fault.retry_after.unwrap_or_default();
                let pause = pauses.next().unwrap_or(self.limits.longest_pause);
                sleep(pause.max(asked.min(self.limits.longest_pause))).await;
            }
        }
    }

    async fn watch_until_error<K>(
        &self,
        api: &Api<K>,
        config: Config,
        call: &ApiCall,
        take: &mut impl FnMut(Vec<WatchEvent>),
        condition: &mut WatchCondition<'_, impl Fn(ClusterEvent)>,
    ) -> WatchEnd
    where
        K: KubeResource + Clone + Debug + DeserializeOwned + Send + 'static,
        WatchedObject: From<K>,
    {
        let mut stream = pin!(watcher(api.clone(), config));
        let mut progress = WatchProgress::default();
        loop {
            let within = match progress.listed {
                None => self.limits.list,
                Some(_) if !condition.is_up() => self.limits.settled,
                // kube has limits of its own for silence.
                Some(_) => NEVER,
            };
            let first = match timeout(within, stream.next()).await {
                Ok(first) => first,
                Err(_) if progress.listed.is_some() => {
                    condition.up();
                    continue;
                }
                Err(_) => return progress.end(ApiError::timed_out(call), false),
            };
            let mut changes = Vec::new();
            let mut error = None;
            let mut next = first;
            while let Some(item) = next {
                match item {
                    Ok(event) => changes.push(WatchEvent::from(event)),
                    Err(fault) => error = Some(fault),
                }
                if error.is_some() || changes.len() >= BURST {
                    break;
                }
                next = stream.next().now_or_never().flatten();
            }
            // What comes after the list comes from the watch.
            if progress.listed.is_some() && !changes.is_empty() && error.is_none() {
                condition.up();
            }
            progress.note(&changes);
            if !changes.is_empty() {
                take(changes);
            }
            if let Some(error) = error {
                return progress.end(ApiError::of_watcher(&error, call), is_unable_to_stream(&error));
            }
            // kube would restart such a list at once, and as often as it breaks.
            if progress.has_broken_off {
                let fault = ApiError::new(Reason::Unreachable, call, call.go("the list broke off: EOF"));
                return progress.end(fault, false);
            }
        }
    }
}

/// How far a watch has come.
#[derive(Default)]
struct WatchProgress {
    has_begun: bool,
    /// Whether its list ended before it was complete.
    has_broken_off: bool,
    /// Since when the list is complete.
    listed: Option<Instant>,
}

impl WatchProgress {
    fn note(&mut self, changes: &[WatchEvent]) {
        for change in changes {
            match change {
                WatchEvent::Init if self.listed.is_none() && self.has_begun => self.has_broken_off = true,
                WatchEvent::Init => self.has_begun = true,
                WatchEvent::InitDone => self.listed = Some(Instant::now()),
                WatchEvent::Apply(_) | WatchEvent::Delete(_) => {}
            }
        }
    }

    fn end(&self, fault: ApiError, is_unable_to_stream: bool) -> WatchEnd {
        WatchEnd { fault, stood: self.listed.map(|since| since.elapsed()), is_unable_to_stream }
    }
}

/// Why a watch ended.
struct WatchEnd {
    fault: ApiError,
    /// How long it lasted after a complete list; `None` if it did not get that far.
    stood: Option<Duration>,
    /// Whether the server does not know how to stream a list.
    is_unable_to_stream: bool,
}

fn is_unable_to_stream(error: &watcher::Error) -> bool {
    let watcher::Error::WatchStartFailed(Error::Api(status)) = error else { return false };
    matches!(status.code, 400 | 422)
}
