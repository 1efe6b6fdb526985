//! What a review hangs on and the snapshot does not hold: read live, and by all that want the same at once only
//! one time. A gang of a thousand pods in a new namespace asks for its labels once.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};

use futures::FutureExt;
use futures::future::{BoxFuture, Shared};
use k8s_openapi::api::core::v1::{Namespace, Pod, ServiceAccount};
use kube::api::ListParams;
use kube::core::Request;
use kube::{Api, Resource};
use serde::Deserialize;
use tokio::time::timeout;

use super::{ANSWER, Cluster, Fault};
use crate::policy::{Labels, is_namespace};

/// Pods of a page.
const PAGE: u32 = 500;

/// Reads that are under way.
#[derive(Default)]
pub(super) struct Reads {
    namespaces: Table<String, Option<Labels>>,
    accounts: Table<(String, String), bool>,
}

/// Those of one kind, by what they ask for.
type Table<K, T> = Arc<Mutex<HashMap<K, Shared<BoxFuture<'static, Result<T, Fault>>>>>>;

/// A page of the pods of a namespace.
#[derive(Debug)]
pub struct Page {
    /// A PodList, as the API server wrote it.
    pub json: String,
    /// What to ask for the next page with; `None` after the last.
    pub next: Option<String>,
}

impl Cluster {
    /// The labels of a Namespace, with its current state; `None` if there is no such Namespace.
    ///
    /// # Errors
    /// Why nobody can tell.
    pub async fn namespace(&self, name: &str) -> Result<Option<Labels>, Fault> {
        // No other can exist, and a name from a review must not become a path.
        if !is_namespace(name) {
            return Ok(None);
        }
        let api: Api<Namespace> = Api::all(self.client.clone());
        let asked = name.to_owned();
        let read = async move {
            let found = in_time(api.get_metadata_opt(&asked)).await?;
            Ok(found.map(|found| found.metadata.labels.unwrap_or_default()))
        };
        together(&self.reads.namespaces, name.to_owned(), read).await
    }

    /// Whether there is a service account.
    ///
    /// # Errors
    /// Why nobody can tell.
    pub async fn service_account(&self, namespace: &str, name: &str) -> Result<bool, Fault> {
        if !is_namespace(namespace) {
            return Ok(false);
        }
        let api: Api<ServiceAccount> = Api::namespaced(self.client.clone(), namespace);
        let asked = name.to_owned();
        let read = async move { in_time(api.get_metadata_opt(&asked)).await.map(|found| found.is_some()) };
        together(&self.reads.accounts, (namespace.to_owned(), name.to_owned()), read).await
    }

    /// A page of the pods of a namespace, the first without a token.
    ///
    /// # Errors
    /// Why there is none.
    pub async fn pods(&self, namespace: &str, token: Option<&str>) -> Result<Page, Fault> {
        if !is_namespace(namespace) {
            return Ok(Page { json: "{}".to_owned(), next: None });
        }
        let mut parameters = ListParams::default().limit(PAGE);
        parameters.continue_token = token.map(ToOwned::to_owned);
        let request = Request::new(Pod::url_path(&(), Some(namespace)))
            .list(&parameters)
            .map_err(|error| Fault::Invalid(error.to_string()))?;
        let json = in_time(self.client.request_text(request)).await?;
        let List { metadata } =
            serde_json::from_str(&json).map_err(|error| Fault::Unreachable(error.to_string()))?;
        Ok(Page { json, next: metadata.next.filter(|token| !token.is_empty()) })
    }
}

/// What is read of a list beside its items.
#[derive(Deserialize)]
struct List {
    metadata: ListMeta,
}

#[derive(Deserialize)]
struct ListMeta {
    #[serde(rename = "continue")]
    next: Option<String>,
}

pub(super) async fn in_time<T>(answer: impl Future<Output = kube::Result<T>>) -> Result<T, Fault> {
    match timeout(ANSWER, answer).await {
        Ok(answer) => answer.map_err(Fault::from),
        Err(_) => Err(Fault::late(ANSWER)),
    }
}

/// Waits for the read of this key that is under way, or else begins this one. It goes on when nobody waits any
/// more, so that what the next one joins is always as old as the answer and no older.
async fn together<K, T>(
    table: &Table<K, T>,
    key: K,
    read: impl Future<Output = Result<T, Fault>> + Send + 'static,
) -> Result<T, Fault>
where
    K: Hash + Eq + Clone + Send + 'static,
    T: Clone + Send + Sync + 'static,
{
    let under_way = {
        let mut reads = table.lock().unwrap_or_else(PoisonError::into_inner);
        reads.entry(key.clone()).or_insert_with(|| begin(Arc::clone(table), key, read)).clone()
    };
    under_way.await
}

fn begin<K, T>(
    table: Table<K, T>,
    key: K,
    read: impl Future<Output = Result<T, Fault>> + Send + 'static,
) -> Shared<BoxFuture<'static, Result<T, Fault>>>
where
    K: Hash + Eq + Send + 'static,
    T: Clone + Send + Sync + 'static,
{
    let reading = tokio::spawn(async move {
        let answer = read.await;
        table.lock().unwrap_or_else(PoisonError::into_inner).remove(&key);
        answer
    });
    let answer =
        async move { reading.await.unwrap_or_else(|error| Err(Fault::Unreachable(error.to_string()))) };
    answer.boxed().shared()
}
