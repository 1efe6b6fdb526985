//! The cluster that a command only reads: kubectl's, unless another is named.

use std::path::PathBuf;

use anyhow::{Error, Result, anyhow, bail};

use crate::cluster::{ApiError, Cluster, ClusterOrigin, ConnectError, Reason};
use crate::text::one_line;

/// Which cluster is meant.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Cluster")]
pub(crate) struct ConnectionArgs {
    /// The kubeconfig of the cluster.
    #[arg(long, env = "PODGATE_KUBECONFIG", value_name = "FILE")]
    kubeconfig: Option<PathBuf>,

    /// The context in the kubeconfig; without it the current one.
    #[arg(long, env = "PODGATE_CONTEXT", value_name = "NAME")]
    context: Option<String>,
}

impl ConnectionArgs {
    /// The cluster that is named, or kubectl's, and what it was taken from.
    pub(crate) async fn cluster(&self) -> Result<(Cluster, ClusterOrigin)> {
        match Cluster::connect_as_kubectl(self.kubeconfig.as_deref(), self.context.as_deref()).await {
            Err(ConnectError::NotConfigured) => {
                bail!("no cluster: give --kubeconfig FILE, or set KUBECONFIG; there is no ~/.kube/config")
            }
            cluster => Ok(cluster?),
        }
    }
}

/// An address without the user and password that may stand before its host.
pub(crate) fn without_password(server: &str) -> String {
    let (scheme, rest) = server.split_once("://").unwrap_or(("https", server));
    let host = rest.rsplit_once('@').map_or(rest, |(_, host)| host);
    one_line(&format!("{scheme}://{host}")).to_string()
}

/// Says that the API server was not reached, by which kubeconfig, and what to try.
pub(crate) fn unreached(error: &ApiError, origin: &ClusterOrigin) -> Error {
    let advice = match error.reason {
        Reason::Tls | Reason::Refused | Reason::InvalidResponse => error.advice(),
        Reason::Unauthorized => {
            "log in again: the token or client certificate is not valid, or has expired".to_owned()
        }
        Reason::Unreachable
        | Reason::Timeout
        | Reason::Forbidden
        | Reason::NotFound
        | Reason::Conflict
        | Reason::Expired
        | Reason::TooManyRequests
        | Reason::RateLimited
        | Reason::Server => {
            "see that the cluster runs, and that this machine reaches it (VPN, proxy, firewall)".to_owned()
        }
    };
    let other = match origin {
        ClusterOrigin::Kubeconfig { .. } => {
            ". Does kubectl get --raw /readyz answer? If another cluster is meant, name it with --context or --kubeconfig"
        }
        ClusterOrigin::ServiceAccount => "",
    };
    anyhow!("{error}; {advice}{other}").context(format!("the API server is not reached by {origin}"))
}

/// Whether an error means that there is no API server, or none that knows us: nothing else could be read either.
pub(crate) fn is_nobody(error: &ApiError) -> bool {
    match error.reason {
        Reason::Unreachable
        | Reason::Timeout
        | Reason::Tls
        | Reason::Unauthorized
        | Reason::Refused
        | Reason::InvalidResponse => true,
        Reason::Forbidden
        | Reason::NotFound
        | Reason::Conflict
        | Reason::Expired
        | Reason::TooManyRequests
        | Reason::RateLimited
        | Reason::Server => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_password_is_shown() {
        for (server, expected) in [
            ("https://10.0.0.1:6443", "https://10.0.0.1:6443"),
            ("https://me:secret@h:6443/path", "https://h:6443/path"),
            ("h", "https://h"),
        ] {
            assert_eq!(without_password(server), expected);
        }
    }
}
