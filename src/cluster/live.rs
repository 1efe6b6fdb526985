//! What is not known is read, once: all who wait for the same object share one call.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::{BoxFuture, Shared};
use k8s_openapi::api::core::v1::{Namespace, ServiceAccount};
use kube::core::PartialObjectMeta;
use kube::{Api, Error};
use tokio::time::timeout;

use crate::cluster::fault::Call;
use crate::cluster::{Cluster, Fault, Reason};
use crate::policy::{Labels, complete, is_namespace};

/// Most reads that are under way or wait for their turn.
const MOST_READS: usize = 256;

/// An object that can be read.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Key {
    Namespace(String),
    ServiceAccount { namespace: String, name: String },
}

/// The labels of what was read; `None` when it is not there.
type Answer = Result<Option<Labels>, Fault>;

/// The calls that are under way.
#[derive(Default)]
pub(super) struct Reads(Mutex<HashMap<Key, Shared<BoxFuture<'static, Answer>>>>);

impl Cluster {
    /// The labels that a Namespace has now; `None` when there is no such Namespace. What was read is kept by
    /// nobody: only the watch can say when it is no longer so.
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
        let reads = &self.known.reads;
        let read = {
            let mut under_way = reads.lock();
            // A flood of names that nobody has must not make everybody wait for their answers.
            if under_way.len() >= MOST_READS && !under_way.contains_key(&key) {
                return Err(Fault::new(
                    Reason::TooManyRequests,
                    &call,
                    "too many reads are under way; try again",
                ));
            }
            under_way.entry(key.clone()).or_insert_with(|| self.start(key)).clone()
        };
        timeout(within, read).await.unwrap_or_else(|_| Err(Fault::late(&call)))
    }

    /// Begins a read that goes on when nobody waits for it any more: whoever comes next will want it.
    fn start(&self, key: Key) -> Shared<BoxFuture<'static, Answer>> {
        let cluster = self.clone();
        let call = key.call(&self.server);
        let task = tokio::spawn(async move {
            let _ended = Ended { reads: &cluster.known.reads, key: &key };
            let limit = cluster.limits.answer;
            timeout(limit, cluster.get(&key))
                .await
                .unwrap_or_else(|_| Err(Fault::late(&key.call(&cluster.server))))
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
}

impl Drop for Ended<'_> {
    fn drop(&mut self) {
        self.reads.lock().remove(self.key);
    }
}

fn absent_or_fault(error: &Error, call: &Call) -> Answer {
    let fault = Fault::of(error, call);
    if fault.reason == Reason::NotFound { Ok(None) } else { Err(fault) }
}

impl Reads {
    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<Key, Shared<BoxFuture<'static, Answer>>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Key {
    fn call(&self, server: &str) -> Call {
        let (path, wanted) = match self {
            Self::Namespace(name) => (format!("namespaces/{name}"), "get namespaces"),
            Self::ServiceAccount { namespace, name } => {
                (format!("namespaces/{namespace}/serviceaccounts/{name}"), "get serviceaccounts")
            }
        };
        Call { method: "Get", url: format!("{server}/api/v1/{path}"), wanted: wanted.to_owned() }
    }
}

/// Whether an object can have this name. No other goes into the path of a URL.
fn is_object_name(name: &str) -> bool {
    let is_inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-.".contains(&byte);
    (1..=253).contains(&name.len())
        && name.bytes().all(is_inner)
        && !name.starts_with('.')
        && !name.ends_with('.')
}
