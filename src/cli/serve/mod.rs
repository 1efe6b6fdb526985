//! `podgate serve`: reads and checks everything, binds the ports, and only then serves.

mod certificate;
mod cluster;
mod dev;
mod grants;
mod in_force;
mod pod_identities;
mod policies;
mod switch;

use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use arc_swap::ArcSwap;
use jiff::Timestamp;
use tokio::sync::watch;

use crate::admission::Reviewer;
use crate::certificates::WebhookService;
use crate::cli::azure::AzureArgs;
use crate::cli::exit_code::{ALL_WELL, REFUSED};
use crate::cli::installation::InstallationArgs;
use crate::cli::logging::LogArgs;
use crate::cli::sources::{SourceArgs, Sources};
use crate::cluster::{Cluster, ConnectError};
use crate::policy::{GUARDED_LABELS, GuardedLabels, Snapshot};
use crate::server::{ClusterMetrics, Health, Metrics, Server, ServerArgs, Shutdown, ShutdownOutcome, Wiring};

use certificate::{CertificateArgs, CertificateSetup, CertificateSource};
use cluster::Connection;
use in_force::PoliciesInForce;
use policies::{follow_policies, show_policies, warn_of_unguarded};
use switch::{SharedReviewer, SwitchedPolicies, follow_file};

/// How long files that are still being read are waited for at the end.
const LAST_READS: Duration = Duration::from_secs(1);

/// Serve the webhooks.
///
/// POST /validate and POST /mutate over HTTPS; /livez, /readyz and /metrics over plain HTTP on a port of
/// their own.
#[derive(Debug, clap::Args)]
pub(crate) struct ServeArgs {
    /// Try it out: loopback only, no cluster, a throw-away certificate, and the namespace ml-team-a.
    #[arg(long, env = "PODGATE_DEV", conflicts_with_all = ["tls_cert", "kubeconfig"])]
    dev: bool,

    #[command(flatten)]
    sources: SourceArgs,

    /// The kubeconfig of the cluster; without it the cluster that podgate runs in.
    ///
    /// KUBECONFIG is not enough: a replica writes to the cluster, and an exported variable is no consent to that.
    #[arg(long, env = "PODGATE_KUBECONFIG", value_name = "FILE", help_heading = "Cluster")]
    kubeconfig: Option<PathBuf>,

    /// A file with a switch that turns policies to Audit for a while, in place of the ConfigMap podgate-switch.
    ///
    /// It is looked at every second. As long as it is not there, or at fault, policies hold as they are written.
    #[arg(long, env = "PODGATE_SWITCH_FILE", value_name = "FILE", help_heading = "Policies")]
    switch_file: Option<PathBuf>,

    #[command(flatten)]
    installation: InstallationArgs,

    /// The name of this replica, which holds the Lease by it; without it HOSTNAME, or podgate- and the process id.
    #[arg(long, env = "PODGATE_REPLICA", value_name = "NAME")]
    replica: Option<String>,

    /// Labels of Namespaces that only trusted people can change, with commas between.
    ///
    /// A policy that selects namespaces by another label is warned of: whoever may edit a Namespace can leave it. The
    /// manifests set this to what their label guard guards.
    #[arg(long, env = "PODGATE_GUARDED_LABELS", value_name = "KEYS", default_value = GUARDED_LABELS)]
    guarded_labels: GuardedLabels,

    #[command(flatten)]
    azure: AzureArgs,

    #[command(flatten)]
    server: ServerArgs,

    #[command(flatten)]
    certificate: CertificateArgs,

    #[command(flatten)]
    log: LogArgs,
}

impl ServeArgs {
    pub(crate) fn run(mut self, output: &mut impl Write) -> Result<u8> {
        if self.dev {
            self.be_local()?;
        }
        let sources = self.read()?;
        let reviewer = sources.reviewer()?;
        let certificate = self.certificate.read(self.dev)?;
        let metrics = Arc::new(Metrics::new().context("cannot set up the metrics")?);
        let log = self.log.start(metrics.log_lines_lost()).context("cannot start the log")?;
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        runtime.spawn(log.report_every_second());
        let outcome = runtime.block_on(self.serve((sources, reviewer), certificate, metrics, output));
        // A file that somebody made a pipe may keep a reader for ever, and must not keep the process.
        runtime.shutdown_timeout(LAST_READS);
        Ok(match outcome? {
            ShutdownOutcome::Drained => ALL_WELL,
            ShutdownOutcome::Cut { .. } | ShutdownOutcome::Aborted => REFUSED,
        })
    }

    fn be_local(&mut self) -> Result<()> {
        dev::use_loopback("--listen", &mut self.server.listen)?;
        dev::use_loopback("--admin-listen", &mut self.server.admin_listen)?;
        // No API server has to notice that this one is going.
        self.server.drain_delay = Duration::ZERO;
        Ok(())
    }

    fn read(&self) -> Result<Sources> {
        let mut sources = self.sources.read()?.with_providers(self.azure.providers()?);
        if self.dev {
            sources.assume_namespace(dev::NAMESPACE, dev::labels());
        }
        Ok(sources)
    }

    /// The cluster, unless there is none: where objects are named as files, they stand in for it.
    async fn connect(&self) -> Result<Option<Connection>> {
        let is_offline = self.sources.names_objects() && self.kubeconfig.is_none();
        if self.dev || is_offline {
            return Ok(None);
        }
        let cluster = match Cluster::connect(self.kubeconfig.as_deref()).await {
            Ok(cluster) => cluster,
            Err(ConnectError::NotConfigured) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let objects = self.installation.objects(self.sources.own_namespace());
        Ok(Some(Connection::new(cluster, objects, &self.replica())))
    }

    /// The same, with the providers for the version of the API server where that matters and no flag says it. It is asked once:
    /// one that does not answer does not stop the start, and is taken for a newer one.
    async fn for_version_of(
        &self,
        connection: Option<&Connection>,
        (sources, reviewer): (Sources, Reviewer),
    ) -> (Sources, Reviewer) {
        let Some(connection) = connection.filter(|_| self.azure.asks_for_version()) else {
            return (sources, reviewer);
        };
        let version = connection.version().await;
        match version.and_then(|version| self.azure.providers_for(&version)) {
            Ok(providers) => {
                (sources.with_providers(Arc::clone(&providers)), reviewer.with_providers(providers))
            }
            Err(error) => {
                tracing::warn!(
                    error = format!("{error:#}"),
                    advice = "name it with --azure-kubernetes-version if it is before v1.32",
                    "the version of the API server is not known: a proxy becomes a sidecar",
                );
                (sources, reviewer)
            }
        }
    }

    /// The name that distinguishes this replica from the others.
    fn replica(&self) -> String {
        let of_host = || std::env::var("HOSTNAME").ok().filter(|name| !name.is_empty());
        self.replica.clone().or_else(of_host).unwrap_or_else(|| format!("podgate-{}", std::process::id()))
    }

    /// The service that a self-managed certificate is for.
    fn service(&self) -> WebhookService {
        WebhookService::new(&self.installation.service, self.sources.own_namespace())
    }

    /// Follows the switch, where there is anything to read one from.
    fn follow_switch(
        &self,
        cluster: Option<(&Connection, &ClusterMetrics)>,
        policies: &Arc<SwitchedPolicies>,
    ) {
        let (sender, read) = watch::channel(Ok(None));
        match (&self.switch_file, cluster) {
            (Some(file), _) => drop(tokio::spawn(follow_file(file.clone(), sender))),
            (None, Some((connection, metrics))) => connection.follow_switch(sender, metrics),
            (None, None) => return,
        }
        tokio::spawn(Arc::clone(policies).follow(read, Timestamp::now));
    }

    async fn serve(
        self,
        (sources, reviewer): (Sources, Reviewer),
        certificate: CertificateSetup,
        metrics: Arc<Metrics>,
        output: &mut impl Write,
    ) -> Result<ShutdownOutcome> {
        let connection = self.connect().await?;
        let (sources, reviewer) = self.for_version_of(connection.as_ref(), (sources, reviewer)).await;
        let is_managed = matches!(certificate.source, CertificateSource::Managed);
        show_policies(&metrics, &reviewer);
        let namespaces = connection.is_none().then(|| reviewer.snapshot().namespace_count());
        PoliciesInForce::of(&sources).log_start(namespaces, self.server.log_reviews);
        warn_of_unguarded(&reviewer, &self.guarded_labels);
        let health = Health::default();
        let is_tried = dev::is_judged(reviewer.policies());
        let every = self.server.reload_interval;
        let counted = match &connection {
            Some(_) => Some(metrics.cluster().context("cannot set up the metrics")?),
            None => None,
        };
        let cluster = connection.as_ref().zip(counted.as_ref());
        let tls = certificate.show(cluster, self.service(), (&health, &metrics), every)?;
        // Until the first lists are complete, each review needs look-ups.
        let reviewer = match &connection {
            Some(_) => reviewer.with_snapshot(Arc::new(Snapshot::live())),
            None => reviewer,
        };
        let review: SharedReviewer = Arc::new(ArcSwap::from_pointee(reviewer));
        let resolver = cluster.map(|(connection, counted)| connection.follow(&review, &health, counted));
        let wiring = Wiring {
            tls: tls.config(),
            review: Arc::<ArcSwap<Reviewer>>::clone(&review),
            resolver,
            health,
            metrics: Arc::clone(&metrics),
        };
        let server = Server::bind(&self.server, wiring).await?;
        let shutdown = Shutdown::on_signals().context("cannot listen for signals")?;
        let is_live = connection.is_some();
        let policies = SwitchedPolicies::new(sources.clone(), review, Arc::clone(&metrics), is_live);
        let policies = Arc::new(policies);
        self.follow_switch(cluster, &policies);
        tokio::spawn(follow_policies(sources, policies, metrics, self.guarded_labels).run(every));
        tracing::info!(listen = %server.address(), admin = %server.admin_address(), "serving");
        if self.dev {
            dev::print_banner(server.address(), server.admin_address(), is_tried, output)?;
        }
        let outcome = server.run(shutdown).await;
        if let (Some(connection), true) = (&connection, is_managed) {
            connection.release_lease().await;
        }
        Ok(outcome)
    }
}
