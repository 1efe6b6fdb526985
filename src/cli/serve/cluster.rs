//! The cluster that is served: followed, and asked for what a review hangs on.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use anyhow::Result;
use futures::future::BoxFuture;

use crate::admission::{ExistingPods, LookedUp, Want};
use crate::certificates::{self, Versioned, StoreError, Published, Store};
use crate::cluster::Cluster;
use crate::server::{Health, Lookup, Metrics};
use super::Review;

#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Cluster")]
pub(super) struct ClusterArgs {
    /// The kubeconfig of the cluster; else that of KUBECONFIG, else the one that podgate runs in.
    #[arg(long, env = "PODGATE_KUBECONFIG", value_name = "FILE")]
    kubeconfig: Option<PathBuf>,
}

pub(super) struct Connection { cluster: Cluster }

impl ClusterArgs {
    pub(super) fn is_optional(&self) -> bool { self.kubeconfig.is_none() }
    pub(super) async fn connect(&self, _own: &str) -> Result<Option<Connection>> {
        if self.kubeconfig.is_none() { return Ok(None) }
        let cluster = Cluster::connect(self.kubeconfig.as_deref()).await?;
        Ok(Some(Connection { cluster }))
    }
}
pub(super) struct NoStore;
impl Store for NoStore {
    fn read(&self) -> BoxFuture<'_, Result<Versioned, StoreError>> { todo!() }
    fn write<'a>(&'a self, _: &'a Versioned) -> BoxFuture<'a, Result<Versioned, StoreError>> { todo!() }
    fn bundles(&self) -> BoxFuture<'_, Result<Vec<Published>, StoreError>> { todo!() }
    fn publish<'a>(&'a self, _: &'a [u8], _: &'a [Published]) -> BoxFuture<'a, Result<(), StoreError>> { todo!() }
    fn lead(&self) -> BoxFuture<'_, Result<bool, StoreError>> { todo!() }
}
impl Connection {
    pub(super) fn managed(&self) -> (NoStore, certificates::Service) { (NoStore, certificates::Service::new("podgate", "podgate-system")) }
    pub(super) fn follow(&self, review: &Review, (_h, _m): (&Health, &Arc<Metrics>)) -> Result<Arc<dyn Lookup>> {
        let (review, cluster) = (Arc::clone(review), self.cluster.clone());
        tokio::spawn(async move { cluster.follow(move |s| { review.rcu(|r| r.with_snapshot(Arc::clone(&s))); }).await });
        Ok(Arc::new(Asks(self.cluster.clone())))
    }
    pub(super) async fn leave(self) {}
}
struct Asks(Cluster);
impl Lookup for Asks {
    fn look_up<'l>(&'l self, want: Want, _deadline: Instant, found: &'l mut LookedUp) -> BoxFuture<'l, ()> {
        Box::pin(async move {
            match want {
                Want::Namespace(name) => found.namespace = Some(self.0.namespace(&name).await),
                Want::ServiceAccount { namespace, name } => found.service_account = Some(self.0.service_account(&namespace, &name).await),
                Want::Pods(mut check) => {
                    found.pod_warnings = Some(match self.0.pods(check.namespace()).await {
                        Ok(page) if check.add(page.as_bytes()).is_ok() => check.warnings(),
                        _ => ExistingPods::not_listed(),
                    });
                }
            }
        })
    }
}
