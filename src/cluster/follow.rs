//! Namespaces and service accounts, followed: each change becomes part of the snapshot.
//!
//! The watches are those of kube's runtime. After an error a watch is begun anew, with a list: only so is it
//! certain that it works again, since a watch to which nothing happens says nothing. A watch that the server
//! ends in good order is taken up where it stood.

use std::convert::Infallible;
use std::fmt::Debug;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures::{FutureExt as _, StreamExt as _};
use k8s_openapi::api::core::v1::{Namespace, Secret, ServiceAccount};
use kube::core::{ObjectMeta, PartialObjectMeta};
use kube::runtime::watcher::{self, Config, watcher};
use kube::{Api, Error, Resource as KubeResource};
use serde::de::DeserializeOwned;
use tokio::time::{Instant, sleep, timeout};

use crate::cluster::condition::Condition;
use crate::cluster::fault::Call;
use crate::cluster::keeper::Keeper;
use crate::cluster::pause::Pause;
use crate::cluster::{Cluster, Event, Fault, Reason, Resource};
use crate::policy::Snapshot;

/// Objects in a page of a list.
const PAGE_SIZE: u32 = 500;

/// Changes that are taken into the snapshot at once, at the most.
const BURST: usize = 512;

/// The snapshot is not given out more often than this. A thousand namespaces that are made at once would
/// else be copied a thousand times.
const BETWEEN_SNAPSHOTS: Duration = Duration::from_millis(10);

/// As good as without a limit.
const NEVER: Duration = Duration::from_secs(365 * 86_400);

/// Everything that is followed for a snapshot.
const FOLLOWED: usize = 2;

/// A change, as a watch tells it.
pub(super) enum Change {
    /// A list begins.
    Begun,
    /// An object is there.
    There(ObjectMeta),
    /// An object is gone.
    Gone(ObjectMeta),
    /// The list is complete: what was not in it is gone.
    Listed,
}

impl<K> From<watcher::Event<PartialObjectMeta<K>>> for Change {
    fn from(event: watcher::Event<PartialObjectMeta<K>>) -> Self {
        match event {
            watcher::Event::Init => Self::Begun,
            watcher::Event::InitApply(object) | watcher::Event::Apply(object) => Self::There(object.metadata),
            watcher::Event::Delete(object) => Self::Gone(object.metadata),
            watcher::Event::InitDone => Self::Listed,
        }
    }
}

impl Cluster {
    /// Follows Namespaces and service accounts for as long as it is polled. Each new snapshot goes to
    /// `publish`, and what happens to `observe`. Both are called from the task that polls this, and must not
    /// block. To be called once for all clones of a cluster.
    pub async fn follow(&self, publish: impl Fn(Arc<Snapshot>), observe: impl Fn(Event)) -> Infallible {
        let listed = AtomicUsize::new(0);
        let observe = |event: Event| {
            self.known.reads.note(&event);
            observe(event);
        };
        let follow = |resource, mut keeper: Keeper| {
            let mut is_first = true;
            let (observe, listed) = (&observe, &listed);
            move |changes: Vec<Change>| {
                let is_listed = changes.iter().any(|change| matches!(change, Change::Listed));
                if is_listed && std::mem::take(&mut is_first) {
                    listed.fetch_add(1, Ordering::Relaxed);
                }
                self.known.reads.outdate(resource, &changes);
                self.known.change(|snapshot| keeper.take(changes, snapshot));
                observe(Event::Heard(resource));
            }
        };
        let namespaces = self.watch(
            Api::<PartialObjectMeta<Namespace>>::all(self.client.clone()),
            Config::default(),
            Resource::Namespaces,
            follow(Resource::Namespaces, Keeper::namespaces()),
            &observe,
        );
        let accounts = self.watch(
            Api::<PartialObjectMeta<ServiceAccount>>::all(self.client.clone()),
            Config::default(),
            Resource::ServiceAccounts,
            follow(Resource::ServiceAccounts, Keeper::service_accounts()),
            &observe,
        );
        let (never, _, _) = tokio::join!(
            Box::pin(namespaces),
            Box::pin(accounts),
            self.give_out(&publish, &observe, &listed)
        );
        never
    }

    /// Gives out the snapshot after changes, and says when it holds everything for the first time.
    async fn give_out(
        &self,
        publish: &impl Fn(Arc<Snapshot>),
        observe: &impl Fn(Event),
        listed: &AtomicUsize,
    ) -> Infallible {
        let mut is_synced = false;
        loop {
            self.known.changed.notified().await;
            let holds_all = listed.load(Ordering::Relaxed) == FOLLOWED;
            let snapshot = self.known.snapshot().clone();
            publish(Arc::new(snapshot));
            if holds_all && !std::mem::replace(&mut is_synced, true) {
                observe(Event::Synced);
            }
            sleep(BETWEEN_SNAPSHOTS).await;
        }
    }

    /// Calls `changed` whenever the Secret may be another than before, and once at the start. Its contents
    /// are not read.
    pub async fn follow_secret(
        &self,
        namespace: &str,
        name: &str,
        changed: impl Fn(),
        observe: impl Fn(Event),
    ) -> Infallible {
        let api = Api::<PartialObjectMeta<Secret>>::namespaced(self.client.clone(), namespace);
        let config = Config::default().fields(&format!("metadata.name={name}"));
        let take = |changes: Vec<Change>| {
            observe(Event::Heard(Resource::Secret));
            if !changes.iter().all(|change| matches!(change, Change::Begun)) {
                changed();
            }
        };
        Box::pin(self.watch(api, config, Resource::Secret, take, &observe)).await
    }

    /// Watches for ever. What changes goes to `take`, as much at a time as has come.
    fn watch<K>(
        &self,
        api: Api<PartialObjectMeta<K>>,
        config: Config,
        resource: Resource,
        mut take: impl FnMut(Vec<Change>),
        observe: &impl Fn(Event),
    ) -> impl Future<Output = Infallible>
    where
        K: KubeResource + Clone + Debug + DeserializeOwned + Send + 'static,
    {
        let call = Call {
            method: "Get",
            url: format!("{}{}", self.server, api.resource_url()),
            wanted: format!("list and watch {}", resource.as_str()),
        };
        let seconds = u32::try_from(self.limits.watch.as_secs()).unwrap_or(u32::MAX);
        let config = config.timeout(seconds).page_size(PAGE_SIZE);
        async move {
            let mut condition = Condition::new(resource, observe);
            let mut pause = Pause::new(&self.limits);
            let mut is_streaming = true;
            loop {
                let config = if is_streaming { config.clone().streaming_lists() } else { config.clone() };
                let end = self.watch_until_error(&api, config, &call, &mut take, &mut condition).await;
                // An API server that cannot stream lists says so, and is asked for pages from then on.
                if is_streaming && end.is_unable_to_stream {
                    is_streaming = false;
                    continue;
                }
                // One that ignores the wish to stream leaves the list open for ever.
                if is_streaming && end.fault.reason == Reason::Timeout && end.stood.is_none() {
                    is_streaming = false;
                }
                if end.stood.is_some_and(|stood| stood > self.limits.longest_pause) {
                    pause.reset();
                }
                condition.failed(end.fault.reason);
                // That a watch has fallen too far behind is in order: a list follows.
                if end.fault.reason != Reason::Expired || end.stood.is_none() {
                    condition.down(&end.fault);
                }
                let asked = end.fault.retry_after.unwrap_or_default();
                sleep(pause.next().max(asked.min(self.limits.longest_pause))).await;
            }
        }
    }

    async fn watch_until_error<K>(
        &self,
        api: &Api<PartialObjectMeta<K>>,
        config: Config,
        call: &Call,
        take: &mut impl FnMut(Vec<Change>),
        condition: &mut Condition<'_, impl Fn(Event)>,
    ) -> End
    where
        K: KubeResource + Clone + Debug + DeserializeOwned + Send + 'static,
    {
        let mut stream = pin!(watcher(api.clone(), config));
        let mut progress = Progress::default();
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
                Err(_) => return progress.end(Fault::late(call), false),
            };
            let mut changes = Vec::new();
            let mut error = None;
            let mut next = first;
            while let Some(item) = next {
                match item {
                    Ok(event) => changes.push(Change::from(event)),
                    Err(fault) => error = Some(fault),
                }
                if error.is_some() || changes.len() >= BURST {
                    break;
                }
                next = stream.next().now_or_never().flatten();
            }
            // What comes behind the list comes by the watch.
            if progress.listed.is_some() && !changes.is_empty() && error.is_none() {
                condition.up();
            }
            progress.note(&changes);
            if !changes.is_empty() {
                take(changes);
            }
            if let Some(error) = error {
                return progress.end(Fault::of_watcher(&error, call), is_unable_to_stream(&error));
            }
            // kube begins such a list anew, at once and as often as it breaks.
            if progress.has_broken_off {
                let fault = Fault::new(Reason::Unreachable, call, call.go("the list broke off: EOF"));
                return progress.end(fault, false);
            }
        }
    }
}

/// How far a watch has come.
#[derive(Default)]
struct Progress {
    has_begun: bool,
    /// Whether its list ended before it was whole.
    has_broken_off: bool,
    /// Since when it is listed whole.
    listed: Option<Instant>,
}

impl Progress {
    fn note(&mut self, changes: &[Change]) {
        for change in changes {
            match change {
                Change::Begun if self.listed.is_none() && self.has_begun => self.has_broken_off = true,
                Change::Begun => self.has_begun = true,
                Change::Listed => self.listed = Some(Instant::now()),
                Change::There(_) | Change::Gone(_) => {}
            }
        }
    }

    fn end(&self, fault: Fault, is_unable_to_stream: bool) -> End {
        End { fault, stood: self.listed.map(|since| since.elapsed()), is_unable_to_stream }
    }
}

/// Why a watch ended.
struct End {
    fault: Fault,
    /// For how long it stood after a whole list; `None` if it did not get as far.
    stood: Option<Duration>,
    /// Whether the server does not know how to stream a list.
    is_unable_to_stream: bool,
}

fn is_unable_to_stream(error: &watcher::Error) -> bool {
    let watcher::Error::WatchStartFailed(Error::Api(status)) = error else { return false };
    matches!(status.code, 400 | 422)
}
