//! Pods in pages, and the identities of AAD Pod Identity: each object as JSON text, so that one that cannot be read hides no
//! other.

use std::fmt;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::cluster::client::Cluster;
use crate::cluster::error::{ApiError, Reason};
use crate::cluster::raw::escape;
use crate::identity::aad_pod_identity::{
    AzureIdentity, AzureIdentityBinding, PodIdentities, PodIdentityKind,
};
use crate::json::Reader;

/// Objects in a page.
const PAGE_SIZE: u32 = 500;
/// Most objects of a kind of AAD Pod Identity: its own limits are far lower.
const MOST_OBJECTS: usize = 10_000;

/// A page of a list, each object as JSON.
#[derive(Debug, Default)]
pub struct RawPage {
    /// The objects.
    pub items: Vec<Box<RawValue>>,
    /// What the next page is asked for with; `None` behind the last one.
    pub next: Option<String>,
}

#[derive(Deserialize)]
struct RawList {
    #[serde(default)]
    metadata: RawListMetadata,
    items: Vec<Box<RawValue>>,
}

#[derive(Default, Deserialize)]
struct RawListMetadata {
    #[serde(default, rename = "continue")]
    next: String,
}

/// The identities and bindings of a cluster.
#[derive(Debug, Default)]
pub struct ListedPodIdentities {
    /// Those that could be read.
    pub known: PodIdentities,
    /// Those that could not, and why.
    pub unread: Vec<String>,
}

impl Cluster {
    /// A page of the pods of a namespace, or of all: the first one, or that after the page that gave `next`. It is not meant for
    /// reviews, and spends nothing of their budget.
    ///
    /// # Errors
    ///
    /// What went wrong.
    pub async fn page_of_pods(
        &self,
        namespace: Option<&str>,
        next: Option<&str>,
    ) -> Result<RawPage, ApiError> {
        let path = match namespace {
            Some(namespace) => format!("/api/v1/namespaces/{}/pods", escape(namespace)),
            None => "/api/v1/pods".to_owned(),
        };
        Ok(self.raw_page(&path, "list pods", next).await?.unwrap_or_default())
    }

    /// The identities of AAD Pod Identity and their bindings, of all namespaces; none where it is not installed.
    ///
    /// # Errors
    ///
    /// What went wrong.
    pub async fn pod_identities(&self) -> Result<ListedPodIdentities, ApiError> {
        let mut listed = ListedPodIdentities::default();
        for kind in PodIdentityKind::ALL {
            let path = format!("/apis/{}/{}", PodIdentityKind::API_VERSION, kind.resource());
            let wanted = format!("list {}", kind.resource());
            let mut count = 0;
            let mut next: Option<String> = None;
            loop {
                let call = self.call("Get", &path, &wanted);
                self.known.reads.spend(&call)?;
                let Some(page) = self.raw_page(&path, &wanted, next.as_deref()).await? else { break };
                count += page.items.len();
                if count > MOST_OBJECTS {
                    let message = format!("there are more than {MOST_OBJECTS} {}", kind.resource());
                    return Err(ApiError::new(Reason::InvalidResponse, &call, message));
                }
                page.items.iter().for_each(|item| listed.add(kind, item));
                next = page.next;
                if next.is_none() {
                    break;
                }
            }
        }
        Ok(listed)
    }

    /// A page of a list; `None` where the kind is not known.
    async fn raw_page(
        &self,
        path: &str,
        wanted: &str,
        next: Option<&str>,
    ) -> Result<Option<RawPage>, ApiError> {
        let next = next.map(|next| format!("&continue={}", escape(next))).unwrap_or_default();
        let query = format!("{path}?limit={PAGE_SIZE}{next}");
        let list: Option<RawList> = self.get_json(&query, wanted).await?;
        Ok(list.map(|RawList { metadata, items }| RawPage {
            items,
            next: Some(metadata.next).filter(|next| !next.is_empty()),
        }))
    }
}

impl ListedPodIdentities {
    fn add(&mut self, kind: PodIdentityKind, item: &RawValue) {
        let reader = Reader::over(item.get());
        let added = match kind {
            PodIdentityKind::Identity => {
                AzureIdentity::read(reader, "").map(|identity| self.known.add_identity(identity))
            }
            PodIdentityKind::Binding => {
                AzureIdentityBinding::read(reader, "").map(|binding| self.known.add_binding(binding))
            }
        };
        if let Err(error) = added {
            self.note(kind, &error);
        }
    }

    fn note(&mut self, kind: PodIdentityKind, error: &dyn fmt::Display) {
        self.unread.push(format!("{}: {error}", kind.name()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_that_cannot_be_read_hides_no_other() {
        let mut listed = ListedPodIdentities::default();
        for (kind, json) in [
            (
                PodIdentityKind::Identity,
                r#"{"metadata":{"name":"i","namespace":"a"},"spec":{"clientID":"x"}}"#,
            ),
            (PodIdentityKind::Binding, r#"{"metadata":{"name":"b"},"spec":{"selector":7}}"#),
            (
                PodIdentityKind::Binding,
                r#"{"metadata":{"name":"c","namespace":"a"},"spec":{"selector":"s","azureIdentity":"i"}}"#,
            ),
        ] {
            listed.add(kind, &RawValue::from_string(json.to_owned()).unwrap());
        }
        assert_eq!(listed.known.bound_to("s", "a").count(), 1);
        let [unread] = listed.unread.as_slice() else { panic!("{:?}", listed.unread) };
        assert!(unread.starts_with("AzureIdentityBinding: spec.selector: expected a string"), "{unread}");
    }
}
