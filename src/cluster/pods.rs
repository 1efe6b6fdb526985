//! The pods of a namespace, page by page, as the API server writes them.

use serde::Deserialize;

use crate::cluster::raw::parse;
use crate::cluster::{Cluster, Fault};

/// Pods in a page.
const PAGE_SIZE: u32 = 500;

/// A page of pods.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// A whole PodList, in JSON.
    pub list_json: Vec<u8>,
    /// What the next page is asked for with; `None` behind the last one.
    pub next: Option<String>,
}

#[derive(Deserialize)]
struct List {
    #[serde(default)]
    metadata: Metadata,
}

#[derive(Default, Deserialize)]
struct Metadata {
    #[serde(default, rename = "continue")]
    next: String,
}

impl Cluster {
    /// A page of the pods of a namespace: the first one, or that after the page that gave `next`.
    ///
    /// # Errors
    ///
    /// What went wrong. [`crate::cluster::Reason::Expired`] when the pages went on for too long, and have to
    /// be begun anew; [`crate::cluster::Reason::RateLimited`] when too much was asked already.
    pub async fn pods(&self, namespace: &str, next: Option<&str>) -> Result<Page, Fault> {
        let mut path = format!("/api/v1/namespaces/{namespace}/pods?limit={PAGE_SIZE}");
        if let Some(next) = next {
            path.push_str("&continue=");
            path.push_str(&escape(next));
        }
        let call = self.call("Get", &path, "list pods");
        self.known.reads.spend(&call)?;
        let answer = self.send("GET", &path, None, &call).await?;
        let List { metadata } = parse(&answer, &call)?;
        let next = Some(metadata.next).filter(|next| !next.is_empty());
        Ok(Page { list_json: answer.into_bytes(), next })
    }
}

/// A token as a part of a query. It is base64, but nobody promises that.
pub(super) fn escape(token: &str) -> String {
    let mut escaped = String::with_capacity(token.len());
    for byte in token.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            escaped.push(char::from(byte));
        } else {
            escaped.push_str(&format!("%{byte:02X}"));
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_token_is_escaped() {
        assert_eq!(super::escape("aZ9-_.~=/+ &"), "aZ9-_.~%3D%2F%2B%20%26");
    }
}
