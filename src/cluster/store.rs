//! Where a self-managed certificate is kept: the Secret, the webhook configurations and the Lease.

use std::sync::Arc;

use futures::future::{BoxFuture, FutureExt};
use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::certificates::{CertificateStore, StoreError, VersionedSecret, WebhookBundle};
use crate::cluster::client::Cluster;
use crate::cluster::error::{ApiError, Reason};
use crate::cluster::lease::LeaseLock;
use crate::cluster::own_objects::OwnObjects;

/// The objects of a self-managed certificate, in a cluster.
#[derive(Debug)]
pub struct ClusterStore {
    cluster: Cluster,
    objects: OwnObjects,
    lease: Arc<Mutex<LeaseLock>>,
}

impl ClusterStore {
    /// The store of a replica that leads by this Lease.
    #[must_use]
    pub fn new(cluster: Cluster, objects: OwnObjects, lease: Arc<Mutex<LeaseLock>>) -> Self {
        Self { cluster, objects, lease }
    }
}

impl CertificateStore for ClusterStore {
    fn read(&self) -> BoxFuture<'_, Result<VersionedSecret, StoreError>> {
        async move {
            let secret = self.cluster.secret(&self.objects.namespace, &self.objects.secret).await?;
            Ok(secret.unwrap_or_default())
        }
        .boxed()
    }

    fn write<'a>(&'a self, new: &'a VersionedSecret) -> BoxFuture<'a, Result<VersionedSecret, StoreError>> {
        async move {
            let OwnObjects { namespace, secret, .. } = &self.objects;
            Ok(self.cluster.write_secret(namespace, secret, new).await?)
        }
        .boxed()
    }

    fn bundles(&self) -> BoxFuture<'_, Result<Vec<WebhookBundle>, StoreError>> {
        async move { Ok(self.cluster.bundles(&self.objects).await?) }.boxed()
    }

    fn publish<'a>(
        &'a self,
        bundle: &'a [u8],
        seen: &'a [WebhookBundle],
    ) -> BoxFuture<'a, Result<(), StoreError>> {
        async move { Ok(self.cluster.publish(&self.objects, bundle, seen).await?) }.boxed()
    }

    fn lead(&self) -> BoxFuture<'_, Result<bool, StoreError>> {
        async move { Ok(self.lease.lock().await.lead(&self.cluster, Instant::now().into_std()).await?) }
            .boxed()
    }
}

impl From<ApiError> for StoreError {
    fn from(error: ApiError) -> Self {
        let message = error.to_string();
        match error.reason {
            Reason::Conflict => Self::Conflict(message),
            Reason::NotFound => Self::NotFound(message),
            Reason::Forbidden | Reason::Unauthorized => Self::Forbidden(message),
            Reason::TooManyRequests | Reason::RateLimited => {
                Self::TooManyRequests { message, retry_after: error.retry_after }
            }
            Reason::Refused => Self::Invalid(message),
            Reason::Server => Self::Server(message),
            Reason::Unreachable
            | Reason::Timeout
            | Reason::Tls
            | Reason::Expired
            | Reason::InvalidResponse => Self::Unreachable(message),
        }
    }
}
