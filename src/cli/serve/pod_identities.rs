//! The identities and bindings of AAD Pod Identity, listed when a migration asks for them, and kept for a moment.
//!
//! They are not watched: only policies that migrate pods depend on them, its resources may not be installed, and listing them
//! takes a right that podgate does without otherwise. A binding changes rarely; a pod that misses one that was made seconds ago
//! goes on with AAD Pod Identity.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::cluster::{ApiError, Cluster, ListedPodIdentities};
use crate::identity::aad_pod_identity::PodIdentities;

/// The resource, in metrics and log lines.
pub(super) const RESOURCE: &str = "azureidentitybindings";

/// How long a list is good for: many pods start at once.
const KEPT: Duration = Duration::from_secs(10);

/// The last list. Whoever comes while one is read waits for it.
#[derive(Default)]
pub(super) struct RecentPodIdentities(Mutex<Option<(Instant, Arc<PodIdentities>)>>);

impl RecentPodIdentities {
    /// The identities and bindings of all namespaces, of a few seconds ago at the most.
    pub(super) async fn list(&self, cluster: &Cluster) -> Result<Arc<PodIdentities>, ApiError> {
        let mut last = self.0.lock().await;
        if let Some((read_at, known)) = last.as_ref()
            && read_at.elapsed() < KEPT
        {
            return Ok(Arc::clone(known));
        }
        let ListedPodIdentities { known, unread } = cluster.pod_identities().await?;
        for error in &unread {
            tracing::warn!(resource = RESOURCE, error, "one that cannot be read gives no pod an identity");
        }
        let known = Arc::new(known);
        *last = Some((Instant::now(), Arc::clone(&known)));
        Ok(known)
    }
}
