//! Reads what is not known, once: everybody who waits for the same object shares one call, and whoever comes a moment
//! later gets the same answer. One budget limits all calls for reviews.

use std::time::Duration;

use futures::FutureExt as _;
use futures::future::{BoxFuture, Shared};
use k8s_openapi::api::core::v1::{Namespace, ServiceAccount as CoreServiceAccount};
use kube::core::PartialObjectMeta;
use kube::{Api, Error};
use tokio::time::{Instant, timeout};

use crate::cluster::budget::FOR_UNKNOWN;
use crate::cluster::client::{Cluster, ClusterState};
use crate::cluster::error::{ApiCall, ApiError, Reason};
use crate::cluster::key::{ObjectKey, is_object_name};
use crate::cluster::reads::{ReadGuard, ReadInFlight, ReadResult};
use crate::cluster::watched_object::{ObjectContent, WatchedObject, WholeObject};
use crate::identity::ServiceAccount;
use crate::policy::{NamespaceMetadata, is_namespace};

impl Cluster {
    /// What a Namespace is now; `None` when there is no such Namespace. What was read is kept for
    /// seconds at the most: only the watch can say when it is no longer so.
    ///
    /// # Errors
    ///
    /// What went wrong, at the latest after `within`; the call may go on, for others.
    pub async fn namespace(
        &self,
        name: &str,
        within: Duration,
    ) -> Result<Option<NamespaceMetadata>, ApiError> {
        if !is_namespace(name) {
            return Ok(None);
        }
        let found = self.read(ObjectKey::Namespace(name.to_owned()), within).await?;
        Ok(found.and_then(|content| match content {
            ObjectContent::Namespace(metadata) => Some(metadata.complete(name)),
            ObjectContent::Account(_) | ObjectContent::Binding(_) | ObjectContent::ConfigMap(_) => None,
        }))
    }

    /// A service account, by the snapshot, or else read now; `None` when there is none.
    ///
    /// # Errors
    ///
    /// What went wrong, at the latest after `within`; the call may go on, for others.
    pub async fn service_account(
        &self,
        namespace: &str,
        name: &str,
        within: Duration,
    ) -> Result<Option<ServiceAccount>, ApiError> {
        let known = self.known.snapshot().service_account(namespace, name).cloned();
        if known.is_some() || !is_namespace(namespace) || !is_object_name(name) {
            return Ok(known);
        }
        let (namespace, name) = (namespace.to_owned(), name.to_owned());
        let found = self.read(ObjectKey::ServiceAccount { namespace, name }, within).await?;
        Ok(found.and_then(|content| match content {
            ObjectContent::Account(account) => Some(account),
            ObjectContent::Namespace(_) | ObjectContent::Binding(_) | ObjectContent::ConfigMap(_) => None,
        }))
    }

    async fn read(&self, key: ObjectKey, within: Duration) -> ReadResult {
        let call = key.call(&self.server);
        // A read that only confirms what is known leaves some of the budget for what is unknown.
        let left = if self.known.knows(&key) { FOR_UNKNOWN } else { 0 };
        let answer = {
            let mut state = self.known.reads.lock();
            let now = Instant::now();
            if state.kept.is_absent(&key, now) {
                return Ok(None);
            }
            match state.in_flight.get(&key).map(|read| read.answer.clone()) {
                Some(answer) => answer,
                None if !state.budget.spend(now, left) => {
                    return state
                        .kept
                        .content(&key, now)
                        .map(Some)
                        .ok_or_else(|| ApiError::rate_limited(&call));
                }
                None => {
                    state.begun += 1;
                    let number = state.begun;
                    let answer = self.start(key.clone(), number);
                    state.in_flight.insert(key, ReadInFlight { number, answer: answer.clone() });
                    answer
                }
            }
        };
        timeout(within, answer).await.unwrap_or_else(|_| Err(ApiError::timed_out(&call)))
    }

    /// Starts a read that continues when nobody waits for it any longer: whoever comes next will want it.
    fn start(&self, key: ObjectKey, number: u64) -> Shared<BoxFuture<'static, ReadResult>> {
        let cluster = self.clone();
        let call = key.call(&self.server);
        let task = tokio::spawn(async move {
            let ended = ReadGuard { reads: &cluster.known.reads, key: &key, number };
            let limit = cluster.limits.answer;
            let answer = timeout(limit, cluster.fetch(&key))
                .await
                .unwrap_or_else(|_| Err(ApiError::timed_out(&key.call(&cluster.server))));
            ended.keep(&answer);
            answer
        });
        let ended = move |_| Err(ApiError::new(Reason::InvalidResponse, &call, "the read was cut off"));
        task.map(move |answer| answer.unwrap_or_else(ended)).boxed().shared()
    }

    async fn fetch(&self, key: &ObjectKey) -> ReadResult {
        let Ok(_slot) = self.known.slots.acquire().await else {
            return Err(ApiError::timed_out(&key.call(&self.server)));
        };
        let found = match key {
            ObjectKey::Namespace(name) => {
                let api = Api::<PartialObjectMeta<Namespace>>::all(self.client.clone());
                api.get(name).await.map(WatchedObject::from)
            }
            ObjectKey::ServiceAccount { namespace, name } => {
                let api = Api::<WholeObject<CoreServiceAccount>>::namespaced(self.client.clone(), namespace);
                api.get(name).await.map(WatchedObject::from)
            }
        };
        match found {
            Ok(object) => Ok(Some(object.content)),
            Err(error) => absent_or_fault(&error, &key.call(&self.server)),
        }
    }
}

fn absent_or_fault(error: &Error, call: &ApiCall) -> ReadResult {
    let fault = ApiError::of(error, call);
    if fault.reason == Reason::NotFound { Ok(None) } else { Err(fault) }
}

impl ClusterState {
    /// Whether the snapshot has it.
    fn knows(&self, key: &ObjectKey) -> bool {
        match key {
            ObjectKey::Namespace(name) => self.snapshot().labels(name).is_some(),
            ObjectKey::ServiceAccount { namespace, name } => {
                self.snapshot().service_account(namespace, name).is_some()
            }
        }
    }
}
