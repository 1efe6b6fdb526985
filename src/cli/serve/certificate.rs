//! The certificate that is served: from files, thrown away, or managed by ourselves in the cluster; and who may
//! call.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Error, Result, anyhow};

use super::cluster::Connection;
use super::store::InCluster;
use crate::certificates::{
    self, ClientArgs, Clients, ClientsWatch, Event, Front, LOOPBACK, Loaded, Managed, Observer, Phase,
    Problem, Service, Settings, Status, Watch, throwaway,
};
use crate::server::{Change, ClusterMetrics, Condition, Health, Metrics, Reload, Reloaded, RotationMetrics};

/// What is waited for until API servers accept what is served.
const CONDITION: &str = "a certificate that the published caBundle vouches for";

/// Which certificate to show, and to whom.
#[derive(Debug, clap::Args)]
pub(super) struct CertificateArgs {
    #[command(flatten)]
    own: certificates::Args,

    #[command(flatten)]
    clients: ClientArgs,
}

/// Where the certificate comes from.
pub(super) enum Source {
    /// From two files that are followed.
    Files(Box<Watch>, Loaded),
    /// Made for this run.
    Throwaway(Loaded),
    /// From a Secret of the cluster that we keep.
    Managed,
}

/// The certificate and who may see it, as far as files tell.
pub(super) struct Certificate {
    pub(super) source: Source,
    clients: Option<(ClientsWatch, Clients)>,
    oldest: certificates::TlsVersion,
}

impl CertificateArgs {
    /// Reads the files that the flags name.
    pub(super) fn read(&self, is_dev: bool) -> Result<Certificate> {
        let oldest = self.own.tls_min_version;
        let source = match (&self.own.tls_cert, &self.own.tls_key) {
            (Some(certificate), Some(key)) => {
                let (watch, loaded) = Watch::start(certificate, key, oldest)?;
                Source::Files(Box::new(watch), loaded)
            }
            _ if is_dev => Source::Throwaway(throwaway(&LOOPBACK, oldest)?.loaded),
            _ => Source::Managed,
        };
        let clients = match &self.clients.client_ca {
            Some(file) => Some(ClientsWatch::start(file, &self.clients.client_name)?),
            None => None,
        };
        Ok(Certificate { source, clients, oldest })
    }
}

impl Certificate {
    /// Shows the certificate, and follows what it comes from. One that is managed is shown when it is there.
    pub(super) fn show(
        self,
        cluster: Option<(&Connection, &ClusterMetrics)>,
        service: Service,
        (health, metrics): (&Health, &Arc<Metrics>),
        every: Duration,
    ) -> Result<Arc<Front>> {
        let (watch, clients) = self.clients.unzip();
        let front = Arc::new(Front::new(self.oldest, clients)?);
        let shown = |loaded: Loaded| -> Result<()> {
            metrics.certificate_expires(loaded.not_after);
            Ok(front.show(loaded)?)
        };
        match self.source {
            Source::Throwaway(loaded) => shown(loaded)?,
            Source::Files(watch, loaded) => {
                shown(loaded)?;
                tokio::spawn(follow_certificate(*watch, &front, metrics).run(every));
            }
            Source::Managed => {
                let (connection, counted) = cluster.ok_or_else(|| {
                    anyhow!(
                        "no certificate: name its files with --tls-cert and --tls-key, or a cluster to keep it in \
                         with --kubeconfig, or try --dev"
                    )
                })?;
                let settings = Settings::new(service, self.oldest);
                let managed = manage(connection, settings, &front, (health, metrics))?;
                connection.follow_secret(managed.nudge(), counted);
                tokio::spawn(managed.run());
            }
        }
        if let Some(watch) = watch {
            tokio::spawn(follow_clients(watch, &front, metrics).run(every));
        }
        Ok(front)
    }
}

/// A certificate whose files change is read again; the last good one stays in force.
fn follow_certificate(mut watch: Watch, front: &Arc<Front>, metrics: &Arc<Metrics>) -> Reload<Loaded> {
    let look = move || changed(watch.look());
    let (front, expiry) = (Arc::clone(front), Arc::clone(metrics));
    Reload::new(Reloaded::Certificate, Arc::clone(metrics), look, move |loaded: Loaded| {
        expiry.certificate_expires(loaded.not_after);
        show(&front, loaded);
    })
}

fn follow_clients(mut watch: ClientsWatch, front: &Arc<Front>, metrics: &Arc<Metrics>) -> Reload<Clients> {
    let look = move || changed(watch.look());
    let front = Arc::clone(front);
    Reload::new(Reloaded::Clients, Arc::clone(metrics), look, move |clients| {
        if let Err(error) = front.admit(clients) {
            tracing::error!(%error, "the CAs of clients cannot be used: the last good ones stay in force");
        }
    })
}

fn changed<T, E: Into<Error>>(look: Result<Option<T>, E>) -> Result<Change<T>, String> {
    match look {
        Ok(None) => Ok(Change::Unchanged),
        Ok(Some(new)) => Ok(Change::Changed(new)),
        Err(error) => Err(format!("{:#}", error.into())),
    }
}

fn show(front: &Front, loaded: Loaded) {
    // It has been loaded, so there is nothing left that could be wrong with it.
    if let Err(error) = front.show(loaded) {
        tracing::error!(%error, "the certificate cannot be served: the last good one stays in force");
    }
}

fn manage(
    connection: &Connection,
    settings: Settings,
    front: &Arc<Front>,
    (health, metrics): (&Health, &Arc<Metrics>),
) -> Result<Managed<InCluster>> {
    let told = Told {
        ready: health.wait_for(CONDITION),
        rotation: metrics.rotation().context("cannot set up the metrics")?,
    };
    let (front, expiry) = (Arc::clone(front), Arc::clone(metrics));
    Ok(Managed::new(InCluster::of(connection), settings, told, move |loaded: Loaded| {
        expiry.certificate_expires(loaded.not_after);
        show(&front, loaded);
    }))
}

/// Logs and counts what is told of a managed certificate.
struct Told {
    ready: Condition,
    rotation: RotationMetrics,
}

impl Observer for Told {
    fn event(&self, event: &Event) {
        self.rotation.event(event.name());
        match event {
            Event::Problem(problem) => tracing::warn!(problem = problem.name(), %event, "certificate"),
            Event::Changed(_) | Event::Published { .. } | Event::Serving { .. } | Event::Recovered => {
                tracing::info!(%event, "certificate");
            }
        }
    }

    fn status(&self, status: &Status) {
        let Status { phase, leads, servable, authority_expires, out_of_sync, problem, .. } = status;
        self.rotation.phase(Phase::ALL.map(Phase::name), phase.name());
        self.rotation.state(*leads, servable.is_ok(), out_of_sync.len());
        self.rotation.problem(problem.as_ref().map(Problem::name));
        if let Some(expires) = authority_expires {
            self.rotation.authority_expires(*expires);
        }
        self.ready.set(servable.is_ok());
    }
}
