//! `podgate doctor`: an installation is read, looked at, and what is wrong is told with what mends it.

mod trust;

use std::io::{self, Write};
use std::path::PathBuf;
use std::time::SystemTime;

use anyhow::{Context, Result, anyhow};
use k8s_openapi::api::apps::v1::Deployment;
use kube::core::ObjectMeta;
use tokio::runtime::Builder;

use crate::certificates::Service;
use crate::cli::installation::{InstallationArgs, Objects};
use crate::cli::sources::{OWN_NAMESPACE, namespace, policies_of};
use crate::cli::{ALL_WELL, REFUSED};
use crate::cluster::{Cluster, Fault, Inspected, Reason, Sought};
use crate::doctor::{
    Bundle, Found, Guard, Installation, Names, Policies, Secret, Server, ServiceAccount, examine,
    mounted_secret, write_json, write_text,
};
use crate::policy::PolicySet;

use trust::Trust;

/// The ValidatingAdmissionPolicies that podgate is shipped with.
const GUARDS: [&str; 4] =
    ["podgate-policy-label", "podgate-installation", "podgate-webhooks", "podgate-service-account"];

/// The Secret of a self-managed certificate, as the flag has it by default.
const SECRET: &str = "podgate-tls";

/// Look at an installation, and say what is wrong with it and what mends it.
///
/// Only reads. Without --kubeconfig, KUBECONFIG and a cluster that it runs in, the kubeconfig of kubectl is used.
/// Exit codes: 0 all is well, 1 something is wrong, 2 wrong usage, or no cluster was reached.
#[derive(Debug, clap::Args)]
pub(crate) struct Doctor {
    /// The form of the report.
    #[arg(long, env = "PODGATE_FORMAT", value_name = "FORMAT", default_value = "text")]
    format: Format,

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
    #[arg(long, value_name = "NAME", env = "PODGATE_OWN_NAMESPACE", default_value = OWN_NAMESPACE, value_parser = namespace)]
    own_namespace: String,

    #[command(flatten)]
    installation: InstallationArgs,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Format {
    /// For people.
    Text,
    /// For programs: version 1.
    Json,
}

impl Doctor {
    pub(crate) fn run(self, output: &mut impl Write) -> Result<u8> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let report = examine(&runtime.block_on(self.read())?);
        let written = match self.format {
            Format::Text => write_text(&report, output),
            Format::Json => write_json(&report, output),
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
            paths => Some(policies_of(paths, &self.own_namespace)?),
        };
        let cluster = self.cluster().await?;
        let server = match cluster.version().await {
            Err(fault) if is_nobody(&fault) => {
                return Err(anyhow!(fault).context("the API server is not reached"));
            }
            server => told(server).map(|(version, time)| Server { version, time }),
        };
        let now = SystemTime::now();
        let mut objects = self.installation.objects(&self.own_namespace);
        let deployment = cluster.deployment(&objects.namespace, &self.deployment).await;
        if let Ok(Some(deployment)) = &deployment
            && let Some(mounted) = mounted_secret(deployment)
            && objects.secret == SECRET
        {
            mounted.clone_into(&mut objects.secret);
        }
        let sought = self.sought(&objects, &deployment);
        let (inspected, secret) =
            tokio::join!(cluster.inspect(&sought), cluster.secret(&objects.namespace, &objects.secret));
        let service = Service::new(&self.installation.service, &objects.namespace);
        let secret = told(secret).map(|secret| secret.map(|secret| trust::leaf(&secret.data)));
        let leaf = secret.as_ref().ok().and_then(|secret| secret.as_ref()?.as_ref());
        let trust = Trust { service: &service, leaf, now, connect: self.connect.as_deref() };
        let bundles = trust.bundles(&inspected).await;
        let certificate =
            |leaf: Option<trust::Leaf>| Secret { certificate: leaf.map(|leaf| leaf.certificate) };
        let parts = Parts {
            names: self.names(&objects),
            now,
            server,
            bundles,
            secret: secret.map(|secret| secret.map(certificate)),
            deployment: told(deployment),
            policies,
        };
        Ok(parts.with(inspected))
    }

    fn sought(&self, objects: &Objects, deployment: &Result<Option<Deployment>, Fault>) -> Sought {
        let labels = match deployment {
            Ok(Some(deployment)) => deployment.spec.selector.match_labels.as_ref(),
            Ok(None) | Err(_) => None,
        };
        let selector = labels.map(|labels| {
            let terms: Vec<String> = labels.iter().map(|(key, value)| format!("{key}={value}")).collect();
            terms.join(",")
        });
        Sought {
            namespace: objects.namespace.clone(),
            validating: objects.webhooks.validating.clone(),
            mutating: objects.webhooks.mutating.clone(),
            lease: objects.lease.clone(),
            service: self.installation.service.clone(),
            config_map: self.config_map.clone(),
            pods: selector,
            guards: GUARDS.map(ToOwned::to_owned).to_vec(),
        }
    }

    /// The cluster that is named, or kubectl's.
    async fn cluster(&self) -> Result<Cluster> {
        if let Some(cluster) = self.installation.cluster().await? {
            return Ok(cluster);
        }
        let kubeconfig = std::env::home_dir().map(|home| home.join(".kube/config"));
        let kubeconfig = kubeconfig.filter(|file| file.is_file());
        let kubeconfig = kubeconfig.context("no cluster: give --kubeconfig FILE, or set KUBECONFIG")?;
        Ok(Cluster::connect(Some(&kubeconfig)).await?)
    }

    fn names(&self, objects: &Objects) -> Names {
        Names {
            namespace: objects.namespace.clone(),
            deployment: self.deployment.clone(),
            service: self.installation.service.clone(),
            config_map: self.config_map.clone(),
            secret: objects.secret.clone(),
            lease: objects.lease.clone(),
            validating: objects.webhooks.validating.clone(),
            mutating: objects.webhooks.mutating.clone(),
        }
    }
}

/// What is known of an installation beside what the cluster module reads in one go.
struct Parts {
    names: Names,
    now: SystemTime,
    server: Result<Server, String>,
    bundles: Vec<Bundle>,
    secret: Found<Secret>,
    deployment: Found<Deployment>,
    policies: Option<PolicySet>,
}

impl Parts {
    fn with(self, inspected: Inspected) -> Installation {
        let Self { names, now, server, bundles, secret, deployment, policies } = self;
        let config_map = told(inspected.config_map);
        Installation {
            names,
            now,
            server,
            validating: told(inspected.validating),
            mutating: told(inspected.mutating),
            mutating_names: told(inspected.mutating_names),
            bundles,
            secret,
            namespaces: told(inspected.namespaces),
            service_accounts: told(inspected.service_accounts)
                .map(|accounts| accounts.into_iter().map(service_account).collect()),
            policies: policies.map_or(Policies::ConfigMap(config_map), Policies::Given),
            deployment,
            pods: told(inspected.pods),
            budgets: told(inspected.budgets),
            service: told(inspected.service),
            endpoints: told(inspected.endpoints),
            network_policies: told(inspected.network_policies),
            lease: told(inspected.lease),
            guards: inspected
                .guards
                .into_iter()
                .map(|(name, policy)| Guard { name, policy: told(policy) })
                .collect(),
            bindings: told(inspected.bindings),
        }
    }
}

fn service_account(metadata: ObjectMeta) -> ServiceAccount {
    ServiceAccount {
        namespace: metadata.namespace.unwrap_or_default(),
        name: metadata.name.unwrap_or_default(),
        annotations: metadata.annotations.unwrap_or_default(),
    }
}

/// Whether a fault means that there is no API server, or none that knows us: nothing else would be read either.
fn is_nobody(fault: &Fault) -> bool {
    match fault.reason {
        Reason::Unreachable
        | Reason::Timeout
        | Reason::Tls
        | Reason::Unauthorized
        | Reason::Refused
        | Reason::Garbled => true,
        Reason::Forbidden
        | Reason::NotFound
        | Reason::Conflict
        | Reason::Expired
        | Reason::TooManyRequests
        | Reason::RateLimited
        | Reason::Server => false,
    }
}

fn told<T>(read: Result<T, Fault>) -> Result<T, String> {
    read.map_err(|fault| fault.to_string())
}
