//! `podgate doctor`: reads an installation, examines it, and reports what is wrong with the fix for each.

mod read;
mod trust;

use std::io::{self, Write};
use std::path::PathBuf;

use anyhow::Result;
use tokio::runtime::Builder;

use crate::cli::connection::{ConnectionArgs, is_nobody, unreached, without_password};
use crate::cli::installation::InstallationArgs;
use crate::cli::report_format::ReportFormat;
use crate::cli::sources::{OWN_NAMESPACE, namespace, policies_of};
use crate::cli::{ALL_WELL, REFUSED};
use crate::doctor::{ApiServer, Installation, InstallationNames, examine, write_json, write_text};

use read::{InstallationReader, in_words};

/// Look at an installation, and say what is wrong with it and how to fix it.
///
/// Only reads. Without --kubeconfig and KUBECONFIG it looks at the cluster that it runs in, or at that of ~/.kube/config.
/// Exit codes: 0 all is well, 1 something is wrong, 2 wrong usage, or no cluster was reached.
#[derive(Debug, clap::Args)]
pub(crate) struct Doctor {
    /// The form of the report.
    #[arg(long, env = "PODGATE_FORMAT", value_name = "FORMAT", default_value = "text")]
    format: ReportFormat,

    /// Connect to podgate here, as through kubectl port-forward, and check the certificate that it serves.
    #[arg(long, value_name = "HOST:PORT")]
    connect: Option<String>,

    /// File or folder with policies; repeat it for more. Without it those of the ConfigMap are meant.
    #[arg(long = "policy", value_name = "PATH", env = "PODGATE_POLICY", value_delimiter = ',')]
    policies: Vec<PathBuf>,

    /// The Deployment of podgate.
    #[arg(long, value_name = "NAME", default_value = "podgate")]
    deployment: String,

    /// The ConfigMap of the policies.
    #[arg(long, value_name = "NAME", default_value = "podgate")]
    config_map: String,

    /// The namespace that podgate runs in.
    #[arg(
        short,
        long = "namespace",
        alias = "own-namespace",
        value_name = "NAME",
        env = "PODGATE_OWN_NAMESPACE",
        default_value = OWN_NAMESPACE,
        value_parser = namespace
    )]
    namespace: String,

    #[command(flatten)]
    connection: ConnectionArgs,

    #[command(flatten)]
    installation: InstallationArgs,
}

impl Doctor {
    pub(crate) fn run(self, output: &mut impl Write) -> Result<u8> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let report = examine(&runtime.block_on(self.read())?);
        let written = match self.format {
            ReportFormat::Text => write_text(&report, output),
            ReportFormat::Json => write_json(&report, output),
        };
        match written.and_then(|()| output.flush()) {
            // Whoever reads has seen enough, but what is wrong is wrong.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {}
            written => written?,
        }
        Ok(if report.is_well() { ALL_WELL } else { REFUSED })
    }

    async fn read(&self) -> Result<Installation> {
        let policies = match self.policies.as_slice() {
            [] => None,
            paths => Some(policies_of(paths, &self.namespace)?),
        };
        let (cluster, origin) = self.connection.cluster().await?;
        // Beside the report, so that a program that reads it is not disturbed.
        writeln!(io::stderr(), "podgate: looks at {}, by {origin}", without_password(cluster.server()))?;
        let server = match cluster.version().await {
            Err(error) if is_nobody(&error) => return Err(unreached(&error, &origin)),
            server => in_words(server).map(|(version, time)| ApiServer { version, time }),
        };
        let reader = InstallationReader { cluster: &cluster, connect: self.connect.as_deref() };
        Ok(Box::pin(reader.read(self.names(), server, policies)).await)
    }

    fn names(&self) -> InstallationNames {
        let InstallationArgs { service, tls_secret, lease, .. } = &self.installation;
        let InstallationArgs { validating_configuration, mutating_configuration, .. } = &self.installation;
        InstallationNames {
            namespace: self.namespace.clone(),
            deployment: self.deployment.clone(),
            service: service.clone(),
            config_map: self.config_map.clone(),
            secret: tls_secret.clone(),
            lease: lease.clone(),
            validating: validating_configuration.clone(),
            mutating: mutating_configuration.clone(),
        }
    }
}
