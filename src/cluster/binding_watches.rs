//! Whether bindings are watched yet, and whether their lists have come: whoever asks waits for that.

use tokio::sync::{Notify, watch};

use crate::cluster::event::WatchedResource;

/// Whether bindings are to be watched, and whether anything is known of them.
#[derive(Default)]
pub(super) struct BindingWatches {
    wanted: Notify,
    settled: watch::Sender<Settled>,
}

/// Of which of the two kinds a list has come, or failed to.
#[derive(Default, Clone, Copy)]
struct Settled {
    roles: bool,
    cluster_roles: bool,
}

impl BindingWatches {
    /// Waits until somebody asks.
    pub(super) async fn wanted(&self) {
        self.wanted.notified().await;
    }

    /// Has them watched, and waits until a list of both kinds has come, or failed to.
    pub(super) async fn ask(&self) {
        self.wanted.notify_one();
        let mut settled = self.settled.subscribe();
        // The sender is `self`, so that this does not fail.
        let _ = settled.wait_for(|settled| settled.roles && settled.cluster_roles).await;
    }

    /// A list of a resource has come, or failed to.
    pub(super) fn settle(&self, resource: WatchedResource) {
        self.settled.send_if_modified(|settled| {
            let state = match resource {
                WatchedResource::RoleBindings => &mut settled.roles,
                WatchedResource::ClusterRoleBindings => &mut settled.cluster_roles,
                WatchedResource::Namespaces
                | WatchedResource::ServiceAccounts
                | WatchedResource::Secret
                | WatchedResource::ConfigMap => {
                    return false;
                }
            };
            !std::mem::replace(state, true)
        });
    }
}
