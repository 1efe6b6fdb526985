//! Objects of any kind, as `podgate doctor` reads them: each by itself, so that one that may not be read hides no other.

use std::time::SystemTime;

use http_body_util::{BodyExt as _, Limited};
use hyper::{Request, header};
use k8s_openapi::api::core::v1::ServiceAccount as CoreServiceAccount;
use k8s_openapi::apimachinery::pkg::version::Info;
use k8s_openapi::jiff::fmt::rfc2822;
use kube::Resource;
use kube::client::Body;
use kube::core::ObjectMeta;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use tokio::time::timeout;

use crate::cluster::client::Cluster;
use crate::cluster::error::{ApiError, Reason};
use crate::cluster::raw::{escape, parse};
use crate::cluster::watched_object::{ObjectContent, WatchedObject, WholeObject};
use crate::identity::ServiceAccount;

/// Objects of a page.
const PAGE_SIZE: u32 = 500;

/// More than any answer with a version.
const LONGEST_VERSION: usize = 64 * 1024;

/// A page of a list.
#[derive(Deserialize)]
struct ListPage<K> {
    #[serde(default)]
    metadata: PageMetadata,
    items: Vec<K>,
}

#[derive(Default, Deserialize)]
struct PageMetadata {
    #[serde(default, rename = "continue")]
    next: String,
}

/// An object of which only the metadata are read.
#[derive(Deserialize)]
struct MetadataOnly {
    metadata: ObjectMeta,
}

impl Cluster {
    /// The version of the API server, and the time of its clock; `None` if the answer has no date.
    ///
    /// # Errors
    ///
    /// Why it does not answer.
    pub async fn version(&self) -> Result<(String, Option<SystemTime>), ApiError> {
        let call = self.call("Get", "/version", "get /version");
        let garbled = |error: String| ApiError::new(Reason::InvalidResponse, &call, error);
        let request =
            Request::get("/version").body(Body::empty()).map_err(|error| garbled(error.to_string()))?;
        let answer = timeout(self.limits.answer, self.client.send(request)).await;
        let answer =
            answer.map_err(|_| ApiError::timed_out(&call))?.map_err(|error| ApiError::of(&error, &call))?;
        let date = answer.headers().get(header::DATE).and_then(|date| date.to_str().ok());
        let time = date.and_then(|date| rfc2822::parse(date).ok()).map(|date| date.timestamp().into());
        let reason = match answer.status().as_u16() {
            401 => Some(Reason::Unauthorized),
            403 => Some(Reason::Forbidden),
            _ => None,
        };
        if let Some(reason) = reason {
            return Err(ApiError::new(
                reason,
                &call,
                format!("the server answered with {}", answer.status()),
            ));
        }
        let body =
            timeout(self.limits.answer, Limited::new(answer.into_body(), LONGEST_VERSION).collect()).await;
        let body = body
            .map_err(|_| ApiError::timed_out(&call))?
            .map_err(|error| garbled(error.to_string()))?
            .to_bytes();
        let Info { git_version, .. } = parse(&String::from_utf8_lossy(&body), &call)?;
        Ok((git_version, time))
    }

    /// The object of this name; `None` if there is none.
    ///
    /// # Errors
    ///
    /// Why it cannot be read.
    pub async fn get<K>(&self, namespace: Option<&str>, name: &str) -> Result<Option<K>, ApiError>
    where
        K: Resource<DynamicType = ()> + DeserializeOwned,
    {
        let path = format!("{}/{}", K::url_path(&(), namespace), escape(name));
        self.get_json(&path, &format!("get {}", K::plural(&()))).await
    }

    /// All objects of a kind, or those with labels (`key=value,…`), page by page; none where the kind is not known.
    ///
    /// # Errors
    ///
    /// Why they cannot be listed.
    pub async fn list<K>(&self, namespace: Option<&str>, labels: Option<&str>) -> Result<Vec<K>, ApiError>
    where
        K: Resource<DynamicType = ()> + DeserializeOwned,
    {
        self.pages(&K::url_path(&(), namespace), &format!("list {}", K::plural(&())), labels).await
    }

    /// The metadata of all objects of a kind in the cluster.
    ///
    /// # Errors
    ///
    /// Why they cannot be listed.
    pub async fn list_metadata<K: Resource<DynamicType = ()>>(&self) -> Result<Vec<ObjectMeta>, ApiError> {
        let wanted = format!("list {}", K::plural(&()));
        let all = self.pages::<MetadataOnly>(&K::url_path(&(), None), &wanted, None).await?;
        Ok(all.into_iter().map(|MetadataOnly { metadata }| metadata).collect())
    }

    /// Every service account of the cluster, by namespace and name.
    ///
    /// # Errors
    ///
    /// Why they cannot be listed.
    pub async fn service_accounts(&self) -> Result<Vec<(String, String, ServiceAccount)>, ApiError> {
        let path = CoreServiceAccount::url_path(&(), None);
        let all = self.pages::<WholeObject<CoreServiceAccount>>(&path, "list serviceaccounts", None).await?;
        let named = |object: WholeObject<CoreServiceAccount>| {
            let WatchedObject { namespace, name, content } = object.into();
            let account = match content {
                ObjectContent::Account(account) => account,
                ObjectContent::Namespace(_) | ObjectContent::Binding(_) | ObjectContent::ConfigMap(_) => {
                    return None;
                }
            };
            Some((namespace.unwrap_or_default(), name.unwrap_or_default(), account))
        };
        Ok(all.into_iter().filter_map(named).collect())
    }

    async fn pages<T>(&self, path: &str, wanted: &str, labels: Option<&str>) -> Result<Vec<T>, ApiError>
    where
        T: DeserializeOwned,
    {
        let selector = labels.map(|labels| format!("&labelSelector={}", escape(labels))).unwrap_or_default();
        let mut all = Vec::new();
        let mut next = String::new();
        loop {
            let query = format!("{path}?limit={PAGE_SIZE}{selector}{next}");
            let Some(ListPage { metadata, items }) = self.get_json(&query, wanted).await? else {
                return Ok(all);
            };
            all.extend(items);
            if metadata.next.is_empty() {
                return Ok(all);
            }
            next = format!("&continue={}", escape(&metadata.next));
        }
    }
}
