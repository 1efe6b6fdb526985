//! The certificate that is served (from files, self-signed, or self-managed in the cluster), and client authentication.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Error, Result, anyhow};

use crate::certificates::{
    self, CertificateWatch, ClientAuth, ClientAuthArgs, ClientAuthWatch, LOOPBACK, RotationEvent,
    RotationObserver, RotationPhase, RotationProblem, RotationSettings, RotationStatus,
    SelfManagedCertificate, ServerCertificate, ServerTls, WebhookService, self_signed,
};
use crate::cli::serve::cluster::Connection;
use crate::cluster::ClusterStore;
use crate::server::{
    ClusterMetrics, Health, Metrics, ReadinessCondition, Reload, Reloaded, RotationMetrics, SourceChange,
};

/// The readiness condition that is met once API servers accept the certificate that is served.
const CONDITION: &str = "a certificate that the published caBundle vouches for";

/// Which certificate to serve, and to which clients.
#[derive(Debug, clap::Args)]
pub(super) struct CertificateArgs {
    #[command(flatten)]
    own: certificates::TlsArgs,

    #[command(flatten)]
    clients: ClientAuthArgs,
}

/// Where the certificate comes from.
pub(super) enum CertificateSource {
    /// From two files that are read again when they change.
    Files(Box<CertificateWatch>, ServerCertificate),
    /// Made for this run.
    SelfSigned(ServerCertificate),
    /// From a Secret of the cluster that podgate maintains.
    Managed,
}

/// The certificate and the client authentication, as read from files.
pub(super) struct CertificateSetup {
    pub(super) source: CertificateSource,
    clients: Option<(ClientAuthWatch, ClientAuth)>,
    oldest: certificates::TlsVersion,
}

impl CertificateArgs {
    /// Reads the files that the flags name.
    pub(super) fn read(&self, is_dev: bool) -> Result<CertificateSetup> {
        let oldest = self.own.tls_min_version;
        let source = match (&self.own.tls_cert, &self.own.tls_key) {
            (Some(certificate), Some(key)) => {
                let (watch, loaded) = CertificateWatch::start(certificate, key, oldest)?;
                CertificateSource::Files(Box::new(watch), loaded)
            }
            _ if is_dev => CertificateSource::SelfSigned(self_signed(&LOOPBACK, oldest)?.loaded),
            _ => CertificateSource::Managed,
        };
        let clients = match &self.clients.client_ca {
            Some(file) => Some(ClientAuthWatch::start(file, &self.clients.client_name)?),
            None => None,
        };
        Ok(CertificateSetup { source, clients, oldest })
    }
}

impl CertificateSetup {
    /// Serves the certificate, and follows its source. A managed one is served as soon as it has been issued.
    pub(super) fn show(
        self,
        cluster: Option<(&Connection, &ClusterMetrics)>,
        service: WebhookService,
        (health, metrics): (&Health, &Arc<Metrics>),
        every: Duration,
    ) -> Result<Arc<ServerTls>> {
        let (watch, clients) = self.clients.unzip();
        let tls = Arc::new(ServerTls::new(self.oldest, clients)?);
        let shown = |loaded: ServerCertificate| -> Result<()> {
            metrics.certificate_expires(loaded.not_after);
            Ok(tls.set_certificate(loaded)?)
        };
        match self.source {
            CertificateSource::SelfSigned(loaded) => shown(loaded)?,
            CertificateSource::Files(watch, loaded) => {
                shown(loaded)?;
                tokio::spawn(follow_certificate(*watch, &tls, metrics).run(every));
            }
            CertificateSource::Managed => {
                let (connection, counted) = cluster.ok_or_else(|| {
                    anyhow!(
                        "no certificate: name its files with --tls-cert and --tls-key, or a cluster to keep it in \
                         with --kubeconfig (KUBECONFIG is not taken for it), or try --dev"
                    )
                })?;
                let settings = RotationSettings::new(service, self.oldest);
                let managed = manage(connection, settings, &tls, (health, metrics))?;
                connection.follow_secret(managed.nudge(), counted);
                tokio::spawn(managed.run());
            }
        }
        if let Some(watch) = watch {
            tokio::spawn(follow_clients(watch, &tls, metrics).run(every));
        }
        Ok(tls)
    }
}

/// Reads a certificate again when its files change; the last good one stays in force.
fn follow_certificate(
    mut watch: CertificateWatch,
    tls: &Arc<ServerTls>,
    metrics: &Arc<Metrics>,
) -> Reload<ServerCertificate> {
    let look = move || changed(watch.look());
    let (tls, expiry) = (Arc::clone(tls), Arc::clone(metrics));
    Reload::new(Reloaded::Certificate, Arc::clone(metrics), look, move |loaded: ServerCertificate| {
        expiry.certificate_expires(loaded.not_after);
        show(&tls, loaded);
    })
}

fn follow_clients(
    mut watch: ClientAuthWatch,
    tls: &Arc<ServerTls>,
    metrics: &Arc<Metrics>,
) -> Reload<ClientAuth> {
    let look = move || changed(watch.look());
    let tls = Arc::clone(tls);
    Reload::new(Reloaded::Clients, Arc::clone(metrics), look, move |clients| {
        if let Err(error) = tls.set_client_auth(clients) {
            tracing::error!(%error, "the CAs of clients cannot be used: the last good ones stay in force");
        }
    })
}

fn changed<T, E: Into<Error>>(look: Result<Option<T>, E>) -> Result<SourceChange<T>, String> {
    match look {
        Ok(None) => Ok(SourceChange::Unchanged),
        Ok(Some(new)) => Ok(SourceChange::Changed(new)),
        Err(error) => Err(format!("{:#}", error.into())),
    }
}

fn show(tls: &ServerTls, loaded: ServerCertificate) {
    // It has been loaded, so nothing can be wrong with it any longer.
    if let Err(error) = tls.set_certificate(loaded) {
        tracing::error!(%error, "the certificate cannot be served: the last good one stays in force");
    }
}

fn manage(
    connection: &Connection,
    settings: RotationSettings,
    tls: &Arc<ServerTls>,
    (health, metrics): (&Health, &Arc<Metrics>),
) -> Result<SelfManagedCertificate<ClusterStore>> {
    let observer = MetricsObserver {
        ready: health.wait_for(CONDITION),
        rotation: metrics.rotation().context("cannot set up the metrics")?,
    };
    let (tls, expiry) = (Arc::clone(tls), Arc::clone(metrics));
    Ok(SelfManagedCertificate::new(
        connection.store(),
        settings,
        observer,
        move |loaded: ServerCertificate| {
            expiry.certificate_expires(loaded.not_after);
            show(&tls, loaded);
        },
    ))
}

/// Logs and counts the events of a self-managed certificate.
struct MetricsObserver {
    ready: ReadinessCondition,
    rotation: RotationMetrics,
}

impl RotationObserver for MetricsObserver {
    fn event(&self, event: &RotationEvent) {
        self.rotation.event(event.name());
        match event {
            RotationEvent::Problem(problem) => {
                tracing::warn!(problem = problem.name(), %event, "certificate")
            }
            RotationEvent::Changed(_)
            | RotationEvent::Published { .. }
            | RotationEvent::Serving { .. }
            | RotationEvent::Recovered => {
                tracing::info!(%event, "certificate");
            }
        }
    }

    fn status(&self, status: &RotationStatus) {
        let RotationStatus { phase, leads, servable, authority_expires, out_of_sync, problem, .. } = status;
        self.rotation.phase(RotationPhase::ALL.map(RotationPhase::name), phase.name());
        self.rotation.state(*leads, servable.is_ok(), out_of_sync.len());
        self.rotation.problem(problem.as_ref().map(RotationProblem::name));
        if let Some(expires) = authority_expires {
            self.rotation.authority_expires(*expires);
        }
        self.ready.set(servable.is_ok());
    }
}
