//! The Secret, the configurations and the Lease of a self-managed certificate, as the cluster has them.

use std::sync::Arc;

use futures::future::{BoxFuture, FutureExt};

use super::cluster::Connection;
use crate::certificates::{Published, Store, StoreError, Versioned};
use crate::cluster::{Cluster, Entry, Fault, Lease, Objects, Secret};

/// Where a self-managed certificate lives.
pub(super) struct InCluster {
    cluster: Cluster,
    objects: Objects,
    lease: Arc<Lease>,
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
            let secret = self.cluster.secret(&self.objects).await?;
            Ok(secret.map_or_else(Versioned::absent, versioned))
        }
        .boxed()
    }

    fn write<'a>(&'a self, new: &'a Versioned) -> BoxFuture<'a, Result<Versioned, StoreError>> {
        async move {
            let version = new.version.as_deref();
            Ok(versioned(self.cluster.replace_secret(&self.objects, version, &new.data).await?))
        }
        .boxed()
    }

    fn bundles(&self) -> BoxFuture<'_, Result<Vec<Published>, StoreError>> {
        async move {
            let entries = self.cluster.webhook_entries(&self.objects).await?;
            Ok(entries.into_iter().map(published).collect())
        }
        .boxed()
    }

    fn publish<'a>(
        &'a self,
        bundle: &'a [u8],
        seen: &'a [Published],
    ) -> BoxFuture<'a, Result<(), StoreError>> {
        async move {
            let seen: Vec<Entry> = seen.iter().cloned().map(entry).collect();
            Ok(self.cluster.publish_bundle(&self.objects, bundle, &seen).await?)
        }
        .boxed()
    }

    fn lead(&self) -> BoxFuture<'_, Result<bool, StoreError>> {
        async move { Ok(self.lease.hold().await?) }.boxed()
    }
}

fn versioned(Secret { version, data }: Secret) -> Versioned {
    Versioned { version: Some(version), data }
}

fn published(Entry { configuration, version, webhook, bundle }: Entry) -> Published {
    Published { configuration, version, webhook, bundle }
}

fn entry(Published { configuration, version, webhook, bundle }: Published) -> Entry {
    Entry { configuration, version, webhook, bundle }
}

impl From<Fault> for StoreError {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Conflict(message) => Self::Conflict(message),
            Fault::NotFound(message) => Self::NotFound(message),
            Fault::Forbidden(message) => Self::Forbidden(message),
            Fault::TooManyRequests(message) => Self::TooManyRequests { message, retry_after: None },
            Fault::Invalid(message) => Self::Invalid(message),
            Fault::Server(message) => Self::Server(message),
            Fault::Unreachable(message) => Self::Unreachable(message),
        }
    }
}
