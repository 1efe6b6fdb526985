//! The flags that name podgate's own objects in a cluster, for every command that looks at them.

use crate::cluster::OwnObjects;

/// The objects that podgate is installed as.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Cluster")]
pub(crate) struct InstallationArgs {
    /// The Service that API servers reach podgate by.
    #[arg(long, env = "PODGATE_SERVICE", value_name = "NAME", default_value = "podgate")]
    pub(crate) service: String,

    /// The Secret that a self-managed certificate is kept in.
    #[arg(long, env = "PODGATE_TLS_SECRET", value_name = "NAME", default_value = "podgate-tls")]
    pub(crate) tls_secret: String,

    /// The Lease of the replica that rotates a self-managed certificate.
    #[arg(long, env = "PODGATE_LEASE", value_name = "NAME", default_value = "podgate")]
    pub(crate) lease: String,

    /// The ValidatingWebhookConfiguration that leads to podgate.
    #[arg(long, env = "PODGATE_VALIDATING_CONFIGURATION", value_name = "NAME", default_value = "podgate")]
    pub(crate) validating_configuration: String,

    /// The MutatingWebhookConfiguration that leads to podgate.
    #[arg(long, env = "PODGATE_MUTATING_CONFIGURATION", value_name = "NAME", default_value = "00-podgate")]
    pub(crate) mutating_configuration: String,
}

impl InstallationArgs {
    /// The objects, some of them in podgate's own namespace.
    pub(crate) fn objects(&self, own_namespace: &str) -> OwnObjects {
        OwnObjects {
            namespace: own_namespace.to_owned(),
            service: self.service.clone(),
            secret: self.tls_secret.clone(),
            lease: self.lease.clone(),
            validating: self.validating_configuration.clone(),
            mutating: self.mutating_configuration.clone(),
        }
    }
}
