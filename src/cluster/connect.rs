//! Which API server to ask, and as whom: a kubeconfig file, or the pod's own service account.
//!
//! What writes takes no other than these: that `KUBECONFIG` is exported on somebody's machine is no consent. Only what reads for
//! that person, as kubectl does, also looks where kubectl looks.

use std::env;
use std::fmt;
use std::net::Ipv6Addr;
use std::path::{Path, PathBuf};

use hyper::Uri;
use hyper::http::uri::InvalidUri;
use rustls::pki_types::ServerName;

use crate::cluster::client::{ClientLimits, Cluster};
use crate::cluster::credentials::{Caller, Credentials};
use crate::cluster::kubeconfig::{ClusterEntry, Kubeconfig, KubeconfigError, UserEntry};
use crate::cluster::tls::{self, Trust};
use crate::cluster::transport::{self, Target};
use crate::text::{one_line, quoted};

/// Where a kubeconfig is named in the environment.
const KUBECONFIG: &str = "KUBECONFIG";

/// Where a pod learns of its API server.
const IN_CLUSTER: &str = "KUBERNETES_SERVICE_HOST";
const IN_CLUSTER_PORT: &str = "KUBERNETES_SERVICE_PORT";

/// Why there is no cluster to ask. Its text shows nothing of what a file or program contains, which may be a token.
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
        let (target, _) = match file {
            Some(file) => of_file(file, None).await?,
            None => of_pod()?,
        };
        Ok(Self::of_target(target, limits))
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
        let (target, origin) = if let Some(file) = file {
            of_file(file, context).await?
        } else if let Some(named) = kubeconfig_of_environment() {
            let files: Vec<PathBuf> =
                env::split_paths(&named).filter(|file| !file.as_os_str().is_empty()).collect();
            of_files(&files, &named.display().to_string(), context).await?
        } else if context.is_none() && env::var_os(IN_CLUSTER).is_some() {
            of_pod()?
        } else {
            let file = env::home_dir().map(|home| home.join(".kube/config")).filter(|file| file.is_file());
            of_file(&file.ok_or(ConnectError::NotConfigured)?, context).await?
        };
        Ok((Self::of_target(target, ClientLimits::default()), origin))
    }

    fn of_target(target: Target, limits: ClientLimits) -> Self {
        let server = target.server.to_string();
        Self::new(transport::client(target, &limits), server.trim_end_matches('/'), limits)
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

/// The path or paths that the environment names.
fn kubeconfig_of_environment() -> Option<PathBuf> {
    env::var_os(KUBECONFIG).filter(|value| !value.is_empty()).map(PathBuf::from)
}

async fn of_file(file: &Path, context: Option<&str>) -> Result<(Target, ClusterOrigin), ConnectError> {
    of_files(&[file.to_owned()], &file.display().to_string(), context).await
}

async fn of_files(
    files: &[PathBuf],
    shown: &str,
    context: Option<&str>,
) -> Result<(Target, ClusterOrigin), ConnectError> {
    let fault = |error: KubeconfigError| ConnectError::Kubeconfig {
        file: shown.to_owned(),
        problem: error.to_string(),
    };
    let kubeconfig = Kubeconfig::read(files).map_err(fault)?;
    let (cluster, user) = kubeconfig.select(context).map_err(fault)?;
    let server = server(&cluster).map_err(fault)?;
    let trust = trust(&cluster).map_err(fault)?;
    let [certificate, key] = identity(&user).map_err(fault)?;
    let context = context.or(kubeconfig.current_context.as_deref()).unwrap_or_default().to_owned();
    let origin = ClusterOrigin::Kubeconfig { file: shown.to_owned(), context };
    let unusable = |problem: String| ConnectError::Client { origin: origin.to_string(), problem };
    let caller = Caller::of_user(&user, &cluster).await.map_err(|error| unusable(error.to_string()))?;
    let of_plugin =
        caller.identity.as_ref().map(|(certificate, key)| (certificate.as_bytes(), key.as_bytes()));
    let identity = of_plugin.or(certificate.as_deref().zip(key.as_deref()));
    let tls = tls::config(trust, identity).map_err(|error| unusable(error.to_string()))?;
    let name = cluster.tls_server_name.map(ServerName::try_from).transpose();
    let name = name.map_err(|_| fault(KubeconfigError::value(SERVER_NAME, "it is no name or address")))?;
    Ok((Target { server, tls, name, credentials: caller.credentials }, origin))
}

const SERVER_NAME: &str = "tls-server-name, of the cluster of the context";

/// The address. podgate goes there itself, and not past a proxy that is asked for.
fn server(cluster: &ClusterEntry) -> Result<Uri, KubeconfigError> {
    let text = cluster.server.as_ref().ok_or(KubeconfigError::NoServer)?;
    let url = text.parse::<Uri>();
    let url = url.map_err(|error| {
        KubeconfigError::value("server, of the cluster of the context, is no URL", &error)
    })?;
    let proxy = |field| Err(KubeconfigError::value(field, "podgate reaches API servers by no proxy"));
    if cluster.proxy_url.is_some() {
        return proxy("proxy-url, of the cluster of the context");
    }
    for variable in ["HTTPS_PROXY", "https_proxy"] {
        if env::var_os(variable).is_some_and(|value| !value.is_empty()) {
            return proxy(variable);
        }
    }
    Ok(url)
}

fn trust(cluster: &ClusterEntry) -> Result<Trust, KubeconfigError> {
    let named = cluster.authorities.load("certificate-authority, of the cluster of the context")?;
    Ok(match named {
        _ if cluster.is_insecure => Trust::Anybody,
        Some(pem) => Trust::Authorities(pem),
        None => Trust::System,
    })
}

/// The client certificate and its key: both or neither.
fn identity(user: &UserEntry) -> Result<[Option<Vec<u8>>; 2], KubeconfigError> {
    const CERTIFICATE: &str = "client-certificate, of the user of the context";
    const KEY: &str = "client-key, of the user of the context";
    let (certificate, key) = (user.certificate.load(CERTIFICATE)?, user.key.load(KEY)?);
    match (&certificate, &key) {
        (Some(_), None) => Err(KubeconfigError::value(KEY, "there is none for the client-certificate")),
        (None, Some(_)) => Err(KubeconfigError::value(CERTIFICATE, "there is none for the client-key")),
        (Some(_), Some(_)) | (None, None) => Ok([certificate, key]),
    }
}

/// Where a pod has what its service account is known by.
const SERVICE_ACCOUNT: &str = "/var/run/secrets/kubernetes.io/serviceaccount";

fn of_pod() -> Result<(Target, ClusterOrigin), ConnectError> {
    let Some(host) = env::var_os(IN_CLUSTER) else { return Err(ConnectError::NotConfigured) };
    let unusable = |error: &dyn fmt::Display| ConnectError::InCluster(error.to_string());
    let port = env::var(IN_CLUSTER_PORT).map_err(|error| unusable(&format!("{IN_CLUSTER_PORT}: {error}")))?;
    let port = port.parse().map_err(|_| unusable(&format!("{IN_CLUSTER_PORT} is no port")))?;
    let server = address(&host.to_string_lossy(), port);
    let server = server.map_err(|error| unusable(&format!("{IN_CLUSTER}: {error}")))?;
    let folder = Path::new(SERVICE_ACCOUNT);
    let credentials = Credentials::of_file(&folder.join("token")).map_err(|error| unusable(&error))?;
    let trust = Trust::AuthoritiesOfFile(folder.join("ca.crt"));
    let tls = tls::config(trust, None).map_err(|error| unusable(&error))?;
    Ok((Target { server, tls, name: None, credentials }, ClusterOrigin::ServiceAccount))
}

/// The URL of a host, which may be an IPv6 address, and a port.
fn address(host: &str, port: u16) -> Result<Uri, InvalidUri> {
    match host.parse::<Ipv6Addr>() {
        Ok(host) => format!("https://[{host}]:{port}"),
        Err(_) => format!("https://{host}:{port}"),
    }
    .parse()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_api_server_of_a_pod() {
        for (host, port, expected) in [
            ("10.0.0.1", 443, "https://10.0.0.1:443/"),
            ("fd00::1", 6443, "https://[fd00::1]:6443/"),
            ("kubernetes.default.svc", 443, "https://kubernetes.default.svc:443/"),
        ] {
            assert_eq!(address(host, port).unwrap().to_string(), expected);
        }
        assert!(address("a b", 443).is_err());
    }
}
