//! The Kubernetes API: Namespaces and service accounts kept as a snapshot, what is missing read live, and the few
//! objects of our own that are written.
//!
//! The API server may be slow, refuse, or be gone for hours. Nothing here ends for that: what is known stays
//! known, every fault is told to an [`Observer`], and it is tried again.
//!
//! Nothing is cached but the snapshot, and nothing is asked for but what is named here; the role in
//! `manifests` allows no more.

mod fault;
mod follow;
mod inspect;
mod lease;
mod objects;
mod read;
mod secret;
mod webhooks;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use kube::config::{InClusterError, KubeConfigOptions, Kubeconfig, KubeconfigError};
use kube::{Client, Config};

pub use fault::Fault;
pub use follow::{Observer, Watched};
pub use inspect::{Inspected, Surroundings};
pub use lease::Lease;
pub use objects::Objects;
pub use read::Page;
pub use secret::Secret;
pub use webhooks::Entry;

use read::Reads;

/// A connection that cannot be made in this time will not be made.
const CONNECT: Duration = Duration::from_secs(5);

/// A watch is told to end after 290 s, so one that says nothing for longer is dead.
const SILENCE: Duration = Duration::from_secs(295);

/// How long one answer may take, but for a watch's.
const ANSWER: Duration = Duration::from_secs(10);

/// A cluster. Clones share its connections.
#[derive(Clone)]
pub struct Cluster {
    client: Client,
    reads: Arc<Reads>,
}

/// Why there is no cluster to be asked.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// A file that is not a kubeconfig, or not a whole one.
    #[error("the kubeconfig {}", file.display())]
    Kubeconfig {
        /// The file.
        file: PathBuf,
        /// What is wrong with it.
        source: KubeconfigError,
    },
    /// A pod whose service account token is not all there.
    #[error("the service account token of this pod: is automountServiceAccountToken off?")]
    InCluster(#[source] InClusterError),
    /// Something in the configuration that no client can be made of.
    #[error("the cluster's address and credentials cannot be used")]
    Unusable(#[source] kube::Error),
}

impl Cluster {
    /// The cluster of this kubeconfig; else that of the one in `KUBECONFIG`; else the one that we run in; `None`
    /// if there is none of them. Needs a running tokio runtime, and connects to nobody yet.
    ///
    /// # Errors
    /// What is wrong with which of them.
    pub async fn configured(kubeconfig: Option<&Path>) -> Result<Option<Self>, ConnectError> {
        let named = std::env::var_os("KUBECONFIG").filter(|file| !file.is_empty()).map(PathBuf::from);
        let config = match kubeconfig.map(Path::to_owned).or(named) {
            Some(file) => of_file(&file).await?,
            None if std::env::var_os("KUBERNETES_SERVICE_HOST").is_some() => {
                Config::incluster().map_err(ConnectError::InCluster)?
            }
            None => return Ok(None),
        };
        Self::of(config).map(Some)
    }

    fn of(mut config: Config) -> Result<Self, ConnectError> {
        config.connect_timeout = Some(CONNECT);
        config.read_timeout = Some(SILENCE);
        // Each caller knows by itself whether and when to try again.
        config.default_retry = false;
        let client = Client::try_from(config).map_err(ConnectError::Unusable)?;
        Ok(Self { client, reads: Arc::default() })
    }
}

async fn of_file(file: &Path) -> Result<Config, ConnectError> {
    let fault = |source| ConnectError::Kubeconfig { file: file.to_owned(), source };
    let kubeconfig = Kubeconfig::read_from(file).map_err(fault)?;
    Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await.map_err(fault)
}
