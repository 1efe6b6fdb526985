//! What is not known is read, once: all who wait for the same object share one call, and whoever comes a moment later
//! gets the same answer. Calls are limited, over all that can be read for a review.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::{BoxFuture, Shared};
use k8s_openapi::api::core::v1::{Namespace, ServiceAccount};
use kube::core::PartialObjectMeta;
use kube::{Api, Error};
use tokio::time::{Instant, timeout};

use crate::cluster::budget::{Budget, FOR_UNKNOWN};
use crate::cluster::fault::Call;
use crate::cluster::follow::Change;
use crate::cluster::kept::Kept;
use crate::cluster::key::{Key, is_object_name};
use crate::cluster::{Cluster, Event, Fault, Known, Reason, Resource};
use crate::policy::{Labels, complete, is_namespace};

/// The labels of what was read; `None` when it is not there.
type Answer = Result<Option<Labels>, Fault>;

/// The calls that are under way, what came of those before, and how many more there may be.
pub(super) struct Reads(Mutex<State>);

struct State {
    under_way: HashMap<Key, Read>,
    /// How many calls were begun.
    begun: u64,
    kept: Kept,
    budget: Budget,
}

/// A call that is under way.
struct Read {
    number: u64,
    answer: Shared<BoxFuture<'static, Answer>>,
}

impl Cluster {
    /// The labels that a Namespace has now; `None` when there is no such Namespace. What was read is kept for
    /// seconds at the most: only the watch can say when it is no longer so.
    ///
    /// # Errors
    ///
    /// What went wrong, at the latest after `within`; the call may go on, for others.
    pub async fn namespace(&self, name: &str, within: Duration) -> Result<Option<Labels>, Fault> {
        if !is_namespace(name) {
            return Ok(None);
        }
        self.read(Key::Namespace(name.to_owned()), within).await
    }

    /// Whether there is a service account: by the snapshot, or else read now.
    ///
    /// # Errors
    ///
    /// What went wrong, at the latest after `within`; the call may go on, for others.
    pub async fn service_account(
        &self,
        namespace: &str,
        name: &str,
        within: Duration,
    ) -> Result<bool, Fault> {
        if self.known.snapshot().has_service_account(namespace, name) {
            return Ok(true);
        }
        if !is_namespace(namespace) || !is_object_name(name) {
            return Ok(false);
        }
        let (namespace, name) = (namespace.to_owned(), name.to_owned());
        self.read(Key::ServiceAccount { namespace, name }, within).await.map(|found| found.is_some())
    }

    async fn read(&self, key: Key, within: Duration) -> Answer {
        let call = key.call(&self.server);
        // What is known already and is only made sure of leaves some calls for what is not.
        let left = if self.known.knows(&key) { FOR_UNKNOWN } else { 0 };
        let answer = {
            let mut state = self.known.reads.lock();
            let now = Instant::now();
            if state.kept.is_absent(&key, now) {
                return Ok(None);
            }
            match state.under_way.get(&key).map(|read| read.answer.clone()) {
                Some(answer) => answer,
                None if !state.budget.spend(now, left) => {
                    return state.kept.labels(&key, now).map(Some).ok_or_else(|| Fault::limited(&call));
                }
                None => {
                    state.begun += 1;
                    let number = state.begun;
                    let answer = self.start(key.clone(), number);
                    state.under_way.insert(key, Read { number, answer: answer.clone() });
                    answer
                }
            }
        };
        timeout(within, answer).await.unwrap_or_else(|_| Err(Fault::late(&call)))
    }

    /// Begins a read that goes on when nobody waits for it any more: whoever comes next will want it.
    fn start(&self, key: Key, number: u64) -> Shared<BoxFuture<'static, Answer>> {
        let cluster = self.clone();
        let call = key.call(&self.server);
        let task = tokio::spawn(async move {
            let ended = Ended { reads: &cluster.known.reads, key: &key, number };
            let limit = cluster.limits.answer;
            let answer = timeout(limit, cluster.get(&key))
                .await
                .unwrap_or_else(|_| Err(Fault::late(&key.call(&cluster.server))));
            ended.keep(&answer);
            answer
        });
        let ended = move |_| Err(Fault::new(Reason::Garbled, &call, "the read was cut off"));
        task.map(move |answer| answer.unwrap_or_else(ended)).boxed().shared()
    }

    async fn get(&self, key: &Key) -> Answer {
        let Ok(_slot) = self.known.slots.acquire().await else {
            return Err(Fault::late(&key.call(&self.server)));
        };
        let found = match key {
            Key::Namespace(name) => {
                let api = Api::<PartialObjectMeta<Namespace>>::all(self.client.clone());
                api.get(name).await.map(|object| complete(name, object.metadata.labels.unwrap_or_default()))
            }
            Key::ServiceAccount { namespace, name } => {
                let api =
                    Api::<PartialObjectMeta<ServiceAccount>>::namespaced(self.client.clone(), namespace);
                api.get(name).await.map(|_| Labels::new())
            }
        };
        match found {
            Ok(labels) => Ok(Some(labels)),
            Err(error) => absent_or_fault(&error, &key.call(&self.server)),
        }
    }
}

/// Takes a call out of those that are under way when it ends, however it does.
struct Ended<'c> {
    reads: &'c Reads,
    key: &'c Key,
    number: u64,
}

impl Ended<'_> {
    /// Keeps what was read, unless something has happened to the object meanwhile.
    fn keep(&self, answer: &Answer) {
        let Ok(labels) = answer else { return };
        let mut state = self.reads.lock();
        if state.is_under_way(self.key, self.number) {
            state.kept.put(self.key, labels.as_ref(), Instant::now());
        }
    }
}

impl Drop for Ended<'_> {
    fn drop(&mut self) {
        let mut state = self.reads.lock();
        if state.is_under_way(self.key, self.number) {
            state.under_way.remove(self.key);
        }
    }
}

fn absent_or_fault(error: &Error, call: &Call) -> Answer {
    let fault = Fault::of(error, call);
    if fault.reason == Reason::NotFound { Ok(None) } else { Err(fault) }
}

impl Known {
    /// Whether the snapshot has it.
    fn knows(&self, key: &Key) -> bool {
        match key {
            Key::Namespace(name) => self.snapshot().labels(name).is_some(),
            Key::ServiceAccount { namespace, name } => self.snapshot().has_service_account(namespace, name),
        }
    }
}

impl Reads {
    pub(super) fn new() -> Self {
        let (under_way, kept, budget) = (HashMap::new(), Kept::default(), Budget::new(Instant::now()));
        Self(Mutex::new(State { under_way, begun: 0, kept, budget }))
    }

    /// Takes a call that is not kept or shared, if there is one to be had.
    pub(super) fn spend(&self, call: &Call) -> Result<(), Fault> {
        if self.lock().budget.spend(Instant::now(), 0) { Ok(()) } else { Err(Fault::limited(call)) }
    }

    /// Something has happened to these objects: what was read of them is no longer so, nor is what is being read.
    pub(super) fn outdate(&self, resource: Resource, changes: &[Change]) {
        let mut state = self.lock();
        for change in changes {
            match change {
                Change::There(object) | Change::Gone(object) if !state.is_empty() => {
                    if let Some(key) = Key::of(resource, object) {
                        state.under_way.remove(&key);
                        state.kept.forget(&key);
                    }
                }
                Change::Listed => state.kept.is_watched(resource),
                Change::Begun | Change::There(_) | Change::Gone(_) => {}
            }
        }
    }

    /// Takes note of watches that have failed.
    pub(super) fn note(&self, event: &Event) {
        if let Event::Failed(resource, _) = event {
            self.lock().kept.is_not_watched(*resource);
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn is_under_way(&self, key: &Key, number: u64) -> bool {
        self.under_way.get(key).is_some_and(|read| read.number == number)
    }

    fn is_empty(&self) -> bool {
        self.under_way.is_empty() && self.kept.is_empty()
    }
}
