//! Which API server to ask, and as whom: a kubeconfig file, `KUBECONFIG`, or the pod's own service account.

use std::env;
use std::path::{Path, PathBuf};
use std::time::Duration;

use hyper::header::{HeaderValue, USER_AGENT};
use kube::Client;
use kube::config::{Config, KubeConfigOptions, Kubeconfig, KubeconfigError};

use crate::cluster::client::{ClientLimits, Cluster};
use crate::cluster::error;

/// Where a kubeconfig is named in the environment.
const KUBECONFIG: &str = "KUBECONFIG";

/// Where a pod learns of its API server.
const IN_CLUSTER: &str = "KUBERNETES_SERVICE_HOST";

/// Why there is no cluster to ask. Its text shows nothing of what a file or program contains: some errors of
/// the client library show the lines around a fault, which may contain a token.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// Nothing names one.
    #[error(
        "no cluster is configured: name a kubeconfig file with --kubeconfig or in KUBECONFIG, or run in a pod \
         with a service account"
    )]
    NotConfigured,
    /// The kubeconfig cannot be used.
    #[error("the kubeconfig {file} cannot be used: {problem}")]
    Kubeconfig {
        /// Its path, or those that `KUBECONFIG` names.
        file: String,
        /// What is wrong with it, and in which field.
        problem: String,
    },
    /// The pod's service account cannot be used.
    #[error(
        "the pod's service account cannot be used: {0}; see that the pod has automountServiceAccountToken: true"
    )]
    InCluster(String),
    /// No client can be made of it.
    #[error("{origin} cannot be used: {problem}")]
    Client {
        /// What the configuration was taken from.
        origin: String,
        /// What is wrong, and in which field.
        problem: String,
    },
}

/// What is wrong with a kubeconfig, and in which of its fields.
fn explain(error: &KubeconfigError) -> String {
    match error {
        KubeconfigError::CurrentContextNotSet => {
            "current-context is not set; choose one with kubectl config use-context".to_owned()
        }
        KubeconfigError::LoadContext(name) => {
            format!("current-context names {name:?}, which is not in contexts")
        }
        KubeconfigError::LoadClusterOfContext(name) => {
            format!("the context names the cluster {name:?}, which is not in clusters")
        }
        KubeconfigError::MissingClusterUrl => "the cluster of the context has no server".to_owned(),
        KubeconfigError::ParseClusterUrl(error) => {
            format!("server, of the cluster of the context, is no URL: {error}")
        }
        KubeconfigError::ReadConfig(error, file) => format!("{}: {error}", file.display()),
        KubeconfigError::Parse(error) => {
            let place = error.location().map(|place| format!(" at line {}", place.line()));
            format!("it is not the YAML of a kubeconfig{}", place.unwrap_or_default())
        }
        KubeconfigError::LoadCertificateAuthority(error) => {
            format!("certificate-authority, of the cluster of the context: {error}")
        }
        KubeconfigError::LoadClientCertificate(error) => {
            format!("client-certificate, of the user of the context: {error}")
        }
        KubeconfigError::LoadClientKey(error) => {
            format!("client-key, of the user of the context: {error}")
        }
        KubeconfigError::ParseCertificates(_) => {
            "certificate-authority, of the cluster of the context, is not PEM".to_owned()
        }
        KubeconfigError::ParseProxyUrl(error) => {
            format!("proxy-url, of the cluster of the context, is no URL: {error}")
        }
        KubeconfigError::KindMismatch | KubeconfigError::ApiVersionMismatch | KubeconfigError::FindPath => {
            error.to_string()
        }
    }
}

impl Cluster {
    /// The cluster of the kubeconfig `file`; else that of `KUBECONFIG`; else the one that this is a pod of.
    /// Nothing is sent yet.
    ///
    /// # Errors
    ///
    /// [`ConnectError::NotConfigured`] when none of them is there; else what is wrong with the one that is.
    pub async fn connect(file: Option<&Path>) -> Result<Self, ConnectError> {
        Self::connect_with(file, ClientLimits::default()).await
    }

    /// The same, with other limits.
    ///
    /// # Errors
    ///
    /// Those of [`Cluster::connect`].
    pub async fn connect_with(file: Option<&Path>, limits: ClientLimits) -> Result<Self, ConnectError> {
        let (mut config, origin) = configuration(file).await?;
        config.connect_timeout = Some(limits.connect);
        // The longest normal silence is that of a watch without events.
        config.read_timeout = Some(limits.watch + Duration::from_secs(10));
        config.reset_reader_on_write = true;
        // Callers have limits of their own, and want to know of each failure.
        config.default_retry = false;
        let agent = concat!("podgate/", env!("CARGO_PKG_VERSION"));
        config.headers.push((USER_AGENT, HeaderValue::from_static(agent)));
        let server = config.cluster_url.to_string();
        let client = Client::try_from(config)
            .map_err(|error| ConnectError::Client { origin, problem: error::of_client(&error) })?;
        Ok(Self::new(client, server.trim_end_matches('/'), limits))
    }
}

/// The configuration, and what it was taken from.
async fn configuration(file: Option<&Path>) -> Result<(Config, String), ConnectError> {
    let named = file
        .map(Path::to_owned)
        .or_else(|| env::var_os(KUBECONFIG).filter(|value| !value.is_empty()).map(PathBuf::from));
    if let Some(named) = named {
        let shown = named.display().to_string();
        let fault = |error: KubeconfigError| ConnectError::Kubeconfig {
            file: shown.clone(),
            problem: explain(&error),
        };
        let kubeconfig = match file {
            Some(file) => Kubeconfig::read_from(file).map_err(fault)?,
            // It may name several files, which are merged.
            None => Kubeconfig::from_env().map_err(fault)?.ok_or(ConnectError::NotConfigured)?,
        };
        let options = KubeConfigOptions::default();
        let config = Config::from_custom_kubeconfig(kubeconfig, &options).await.map_err(fault)?;
        return Ok((config, format!("the kubeconfig {shown}")));
    }
    if env::var_os(IN_CLUSTER).is_none() {
        return Err(ConnectError::NotConfigured);
    }
    let config = Config::incluster().map_err(|error| ConnectError::InCluster(error.to_string()))?;
    Ok((config, "the pod's service account".to_owned()))
}
