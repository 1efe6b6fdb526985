//! Follows one ConfigMap, by its name.

use std::convert::Infallible;

use k8s_openapi::api::core::v1::ConfigMap;
use kube::Api;
use kube::runtime::watcher::Config;

use crate::cluster::client::Cluster;
use crate::cluster::event::{ClusterEvent, WatchedResource};
use crate::cluster::watch_event::WatchEvent;
use crate::cluster::watched_object::{ConfigMapContent, ObjectContent, WatchedObject, WholeObject};

impl Cluster {
    /// Calls `changed` with what the ConfigMap holds once that is known, and whenever it may have changed; with `None` when there
    /// is none. While the API server cannot be reached it is not called: what was known last still holds. It must not block.
    pub async fn follow_config_map(
        &self,
        namespace: &str,
        name: &str,
        changed: impl Fn(Option<ConfigMapContent>),
        observe: impl Fn(ClusterEvent),
    ) -> Infallible {
        let api = Api::<WholeObject<ConfigMap>>::namespaced(self.client.clone(), namespace);
        let config = Config::default().fields(&format!("metadata.name={name}"));
        let mut listing = Listing::default();
        let take = |changes: Vec<WatchEvent>| {
            observe(ClusterEvent::Received(WatchedResource::ConfigMap));
            // Of several changes at once the last alone is of any use.
            if let Some(content) = changes.into_iter().filter_map(|change| listing.take(change, name)).last()
            {
                changed(content);
            }
        };
        Box::pin(self.watch(api, config, WatchedResource::ConfigMap, take, &observe)).await
    }
}

/// What a list has had so far: only when it is complete, what was not in it is gone.
#[derive(Default)]
struct Listing {
    is_open: bool,
    content: Option<ConfigMapContent>,
}

impl Listing {
    /// What the ConfigMap holds after a change, if that says so; `Some(None)` when it is gone.
    fn take(&mut self, change: WatchEvent, name: &str) -> Option<Option<ConfigMapContent>> {
        match change {
            WatchEvent::Init => {
                *self = Self { is_open: true, content: None };
                None
            }
            WatchEvent::InitDone => {
                self.is_open = false;
                Some(self.content.take())
            }
            WatchEvent::Apply(object) => {
                let content = content(object, name)?;
                if self.is_open {
                    self.content = Some(content);
                    return None;
                }
                Some(Some(content))
            }
            WatchEvent::Delete(object) => content(object, name).map(|_| None),
        }
    }
}

/// What an object holds, if it is the ConfigMap of this name.
fn content(object: WatchedObject, name: &str) -> Option<ConfigMapContent> {
    match object.content {
        ObjectContent::ConfigMap(content) => (object.name.as_deref() == Some(name)).then_some(content),
        ObjectContent::Namespace(_) | ObjectContent::Account(_) | ObjectContent::Binding(_) => None,
    }
}
