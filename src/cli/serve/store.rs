//! The Secret, the configurations and the Lease of a self-managed certificate, as the cluster has them.

use std::sync::Arc;

use futures::future::{BoxFuture, FutureExt};
use tokio::sync::Mutex;
use tokio::time::Instant;

use super::cluster::Connection;
use crate::certificates::{Published, Store, StoreError, Versioned};
use crate::cli::installation::Objects;
use crate::cluster::{Bundle, Cluster, Fault, LeaseLock, Reason, Secret};

/// Where a self-managed certificate lives.
pub(super) struct InCluster {
    cluster: Cluster,
    objects: Objects,
    lease: Arc<Mutex<LeaseLock>>,
}

impl InCluster {
    pub(super) fn of(connection: &Connection) -> Self {
        let (cluster, objects) = (connection.cluster().clone(), connection.objects().clone());
        Self { cluster, objects, lease: Arc::clone(connection.lease()) }
    }
}

impl Store for InCluster {
    fn read(&self) -> BoxFuture<'_, Result<Versioned, StoreError>> {
        async move {
            let secret = self.cluster.secret(&self.objects.namespace, &self.objects.secret).await?;
            Ok(secret.map_or_else(Versioned::absent, versioned))
        }
        .boxed()
    }

    fn write<'a>(&'a self, new: &'a Versioned) -> BoxFuture<'a, Result<Versioned, StoreError>> {
        async move {
            let Objects { namespace, secret, .. } = &self.objects;
            let version = new.version.as_deref();
            Ok(versioned(self.cluster.write_secret(namespace, secret, &new.data, version).await?))
        }
        .boxed()
    }

    fn bundles(&self) -> BoxFuture<'_, Result<Vec<Published>, StoreError>> {
        async move {
            let bundles = self.cluster.bundles(&self.objects.webhooks).await?;
            Ok(bundles.into_iter().map(published).collect())
        }
        .boxed()
    }

    fn publish<'a>(
        &'a self,
        bundle: &'a [u8],
        seen: &'a [Published],
    ) -> BoxFuture<'a, Result<(), StoreError>> {
        async move {
            let seen: Vec<Bundle> = seen.iter().cloned().map(of_cluster).collect();
            Ok(self.cluster.publish(&self.objects.webhooks, bundle, &seen).await?)
        }
        .boxed()
    }

    fn lead(&self) -> BoxFuture<'_, Result<bool, StoreError>> {
        async move { Ok(self.lease.lock().await.lead(&self.cluster, Instant::now().into_std()).await?) }
            .boxed()
    }
}

fn versioned(Secret { version, data }: Secret) -> Versioned {
    Versioned { version: Some(version), data }
}

fn published(Bundle { configuration, version, webhook, bundle }: Bundle) -> Published {
    Published { configuration, version, webhook, bundle }
}

fn of_cluster(Published { configuration, version, webhook, bundle }: Published) -> Bundle {
    Bundle { configuration, version, webhook, bundle }
}

impl From<Fault> for StoreError {
    fn from(fault: Fault) -> Self {
        let message = fault.to_string();
        match fault.reason {
            Reason::Conflict => Self::Conflict(message),
            Reason::NotFound => Self::NotFound(message),
            Reason::Forbidden | Reason::Unauthorized => Self::Forbidden(message),
            Reason::TooManyRequests | Reason::RateLimited => {
                Self::TooManyRequests { message, retry_after: fault.retry_after }
            }
            Reason::Refused => Self::Invalid(message),
            Reason::Server => Self::Server(message),
            Reason::Unreachable | Reason::Timeout | Reason::Tls | Reason::Expired | Reason::Garbled => {
                Self::Unreachable(message)
            }
        }
    }
}
