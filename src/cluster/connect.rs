//! Which API server to ask, and as whom: a kubeconfig file, or the pod's own service account.
//!
//! What writes takes no other than these: that `KUBECONFIG` is exported on somebody's machine is no consent. Only what reads for
//! that person, as kubectl does, also looks where kubectl looks.

use std::env;
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use hyper::header::{HeaderValue, USER_AGENT};
use kube::config::{Config, KubeConfigOptions, Kubeconfig, KubeconfigError};

use crate::cluster::client::{ClientLimits, Cluster};
use crate::cluster::{error, transport};
use crate::text::{one_line, quoted};

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
        "no cluster is configured: name a kubeconfig file with --kubeconfig, or run in a pod with a service account"
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
    /// The cluster of the kubeconfig `file`, or without it the one that this is a pod of. Nothing is sent yet.
    ///
    /// # Errors
    ///
    /// [`ConnectError::NotConfigured`] when neither is there; else what is wrong with the one that is.
    pub async fn connect(file: Option<&Path>) -> Result<Self, ConnectError> {
        Self::connect_with(file, ClientLimits::default()).await
    }

    /// The same, with other limits.
    ///
    /// # Errors
    ///
    /// Those of [`Cluster::connect`].
    pub async fn connect_with(file: Option<&Path>, limits: ClientLimits) -> Result<Self, ConnectError> {
        let (config, origin) = match file {
            Some(file) => of_file(file, None).await?,
            None => of_pod()?,
        };
        Self::of_config(config, &origin, limits)
    }

    /// The cluster that kubectl would talk to: that of the kubeconfig `file`, else of `KUBECONFIG`, else the one that this is
    /// a pod of, else that of `~/.kube/config`; by the `context`, if one is named. Also what it was taken from.
    ///
    /// # Errors
    ///
    /// Those of [`Cluster::connect`].
    pub async fn connect_as_kubectl(
        file: Option<&Path>,
        context: Option<&str>,
    ) -> Result<(Self, ClusterOrigin), ConnectError> {
        let (config, origin) = if let Some(file) = file {
            of_file(file, context).await?
        } else if let Some(named) = kubeconfig_of_environment() {
            let kubeconfig = Kubeconfig::from_env().map_err(|error| fault(&named, &error))?;
            of_kubeconfig(kubeconfig.ok_or(ConnectError::NotConfigured)?, &named, context).await?
        } else if context.is_none() && env::var_os(IN_CLUSTER).is_some() {
            of_pod()?
        } else {
            let file = env::home_dir().map(|home| home.join(".kube/config")).filter(|file| file.is_file());
            of_file(&file.ok_or(ConnectError::NotConfigured)?, context).await?
        };
        let cluster = Self::of_config(config, &origin, ClientLimits::default())?;
        Ok((cluster, origin))
    }

    fn of_config(
        mut config: Config,
        origin: &ClusterOrigin,
        limits: ClientLimits,
    ) -> Result<Self, ConnectError> {
        config.connect_timeout = Some(limits.connect);
        // The longest normal silence is that of a watch without events.
        config.read_timeout = Some(limits.watch + Duration::from_secs(10));
        config.reset_reader_on_write = true;
        // Callers have limits of their own, and want to know of each failure.
        config.default_retry = false;
        let agent = concat!("podgate/", env!("CARGO_PKG_VERSION"));
        config.headers.push((USER_AGENT, HeaderValue::from_static(agent)));
        let server = config.cluster_url.to_string();
        let client = transport::client(&config).map_err(|error| ConnectError::Client {
            origin: origin.to_string(),
            problem: error::of_client(&error),
        })?;
        Ok(Self::new(client, server.trim_end_matches('/'), limits))
    }
}

/// What a cluster was taken from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClusterOrigin {
    /// A kubeconfig.
    Kubeconfig {
        /// Its path, or those that `KUBECONFIG` names.
        file: String,
        /// The context in it.
        context: String,
    },
    /// The service account of the pod that this runs in.
    ServiceAccount,
}

impl fmt::Display for ClusterOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Kubeconfig { file, context } => {
                write!(f, "the context {} of the kubeconfig {}", quoted(context), one_line(file))
            }
            Self::ServiceAccount => f.write_str("the pod's service account"),
        }
    }
}

/// The path or paths that the environment names, as one text.
fn kubeconfig_of_environment() -> Option<String> {
    let value = env::var_os(KUBECONFIG).filter(|value| !value.is_empty())?;
    Some(PathBuf::from(value).display().to_string())
}

async fn of_file(file: &Path, context: Option<&str>) -> Result<(Config, ClusterOrigin), ConnectError> {
    let shown = file.display().to_string();
    let kubeconfig = Kubeconfig::read_from(file).map_err(|error| fault(&shown, &error))?;
    of_kubeconfig(kubeconfig, &shown, context).await
}

async fn of_kubeconfig(
    kubeconfig: Kubeconfig,
    file: &str,
    context: Option<&str>,
) -> Result<(Config, ClusterOrigin), ConnectError> {
    let options =
        KubeConfigOptions { context: context.map(ToOwned::to_owned), ..KubeConfigOptions::default() };
    let context = context.map(ToOwned::to_owned).or_else(|| kubeconfig.current_context.clone());
    let config = Config::from_custom_kubeconfig(kubeconfig, &options).await;
    let config = config.map_err(|error| match (&options.context, &error) {
        (Some(named), KubeconfigError::LoadContext(_)) => ConnectError::Kubeconfig {
            file: file.to_owned(),
            problem: format!("it has no context {named:?}: kubectl config get-contexts lists them"),
        },
        _ => fault(file, &error),
    })?;
    let context = context.unwrap_or_default();
    Ok((config, ClusterOrigin::Kubeconfig { file: file.to_owned(), context }))
}

fn of_pod() -> Result<(Config, ClusterOrigin), ConnectError> {
    if env::var_os(IN_CLUSTER).is_none() {
        return Err(ConnectError::NotConfigured);
    }
    let config = Config::incluster().map_err(|error| ConnectError::InCluster(error.to_string()))?;
    Ok((config, ClusterOrigin::ServiceAccount))
}

fn fault(file: &str, error: &KubeconfigError) -> ConnectError {
    ConnectError::Kubeconfig { file: file.to_owned(), problem: explain(error) }
}
