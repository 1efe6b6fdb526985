//! The pods of a namespace, page by page, as the API server writes them.

use serde::Deserialize;

use crate::cluster::client::Cluster;
use crate::cluster::error::ApiError;
use crate::cluster::raw::{escape, parse};

/// Pods in a page.
const PAGE_SIZE: u32 = 500;

/// A page of pods.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PodPage {
    /// A whole PodList, in JSON.
    pub list_json: Vec<u8>,
    /// What the next page is asked for with; `None` behind the last one.
    pub next: Option<String>,
}

#[derive(Deserialize)]
struct PodListHead {
    #[serde(default)]
    metadata: PodListMetadata,
}

#[derive(Default, Deserialize)]
struct PodListMetadata {
    #[serde(default, rename = "continue")]
    next: String,
}

impl Cluster {
    /// A page of the pods of a namespace: the first one, or that after the page that gave `next`.
    ///
    /// # Errors
    ///
    /// What went wrong: `Expired` when listing took too long and has to start again, `RateLimited` when too much was
    /// asked already.
    pub async fn pods(&self, namespace: &str, next: Option<&str>) -> Result<PodPage, ApiError> {
        let mut path = format!("/api/v1/namespaces/{namespace}/pods?limit={PAGE_SIZE}");
        if let Some(next) = next {
            path.push_str("&continue=");
            path.extend(escape(next));
        }
        let call = self.call("Get", &path, "list pods");
        self.known.reads.spend(&call)?;
        let answer = self.send("GET", &path, None, &call).await?;
        let PodListHead { metadata } = parse(&answer, &call)?;
        let next = Some(metadata.next).filter(|next| !next.is_empty());
        Ok(PodPage { list_json: answer.into_bytes(), next })
    }
}
