//! `podgate serve`: everything is read and checked, the ports are bound, and only then it serves.

use std::collections::BTreeMap;
use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use arc_swap::ArcSwap;
use rustls::ServerConfig;

use crate::admission::Reviewer;
use crate::certificates::{self, LOOPBACK, Loaded, Watch, throwaway};
use crate::cli::logging::LogArgs;
use crate::cli::sources::{SourceArgs, Sources};
use crate::cli::{ALL_WELL, REFUSED};
use crate::server::{self, Change, Health, Metrics, Outcome, Reload, Reloaded, Server, Shutdown, Wiring};

/// Serve the webhooks.
///
/// POST /validate and POST /mutate over HTTPS; /livez, /readyz and /metrics over plain HTTP on a port of
/// their own.
#[derive(Debug, clap::Args)]
pub(crate) struct Serve {
    /// Try it out: loopback only, a throw-away certificate, and the namespace ml-team-a.
    #[arg(long, env = "PODGATE_DEV", conflicts_with = "tls_cert")]
    dev: bool,

    #[command(flatten)]
    sources: SourceArgs,

    #[command(flatten)]
    server: server::Args,

    #[command(flatten)]
    certificate: certificates::Args,

    #[command(flatten)]
    log: LogArgs,
}

/// The namespace that `--dev` knows, with the label of the built-in policy.
const DEV_NAMESPACE: &str = "ml-team-a";
const DEV_LABEL: (&str, &str) = ("podgate.dev/policy", "ml-restricted");

/// A pod with something to say about, for `--dev`.
const DEV_REVIEW: &str = r#"{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","request":{"uid":"try-it","kind":{"version":"v1","kind":"Pod"},"resource":{"version":"v1","resource":"pods"},"name":"train-bert","namespace":"ml-team-a","operation":"CREATE","object":{"apiVersion":"v1","kind":"Pod","metadata":{"name":"train-bert"},"spec":{"hostIPC":true,"containers":[{"name":"trainer","image":"pytorch","securityContext":{"runAsUser":0,"capabilities":{"add":["IPC_LOCK"]}}}],"volumes":[{"name":"datasets","hostPath":{"path":"/data"}}]}}}}"#;

/// The certificate, and what follows its files.
struct Certificate {
    loaded: Loaded,
    watch: Option<Watch>,
}

impl Serve {
    pub(crate) fn run(mut self, output: &mut impl Write) -> Result<u8> {
        if self.dev {
            self.be_local();
        }
        let sources = self.read()?;
        let reviewer = sources.reviewer()?;
        let certificate = self.certificate()?;
        let _written_at_the_end = self.log.start();
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        let outcome = runtime.block_on(self.serve(sources, reviewer, certificate, output))?;
        Ok(match outcome {
            Outcome::Drained => ALL_WELL,
            Outcome::Cut { .. } | Outcome::Aborted => REFUSED,
        })
    }

    fn be_local(&mut self) {
        for address in [&mut self.server.listen, &mut self.server.admin_listen] {
            if !address.ip().is_loopback() {
                address.set_ip([127, 0, 0, 1].into());
            }
        }
        // No API server has to learn that this one goes.
        self.server.drain_delay = Duration::ZERO;
    }

    fn read(&self) -> Result<Sources> {
        let mut sources = self.sources.read()?;
        if self.dev {
            let labels = BTreeMap::from([(DEV_LABEL.0.to_owned(), DEV_LABEL.1.to_owned())]);
            sources.assume_namespace(DEV_NAMESPACE, labels);
        }
        Ok(sources)
    }

    fn certificate(&self) -> Result<Certificate> {
        let oldest = self.certificate.tls_min_version;
        match (&self.certificate.tls_cert, &self.certificate.tls_key) {
            (Some(certificate), Some(key)) => {
                let (watch, loaded) = Watch::start(certificate, key, oldest)?;
                Ok(Certificate { loaded, watch: Some(watch) })
            }
            _ if self.dev => Ok(Certificate { loaded: throwaway(&LOOPBACK, oldest)?.loaded, watch: None }),
            _ => Err(anyhow!("no certificate: name its files with --tls-cert and --tls-key, or try --dev")),
        }
    }

    async fn serve(
        self,
        sources: Sources,
        reviewer: Reviewer,
        certificate: Certificate,
        output: &mut impl Write,
    ) -> Result<Outcome> {
        let Certificate { loaded, watch } = certificate;
        let metrics = Arc::new(Metrics::new().context("cannot set up the metrics")?);
        metrics.policies(reviewer.policy_count());
        if reviewer.is_pod_security() {
            metrics.show_pod_security();
        }
        metrics.certificate_expires(loaded.not_after);
        let tls = Arc::new(ArcSwap::new(loaded.config));
        let review = Arc::new(ArcSwap::from_pointee(reviewer));
        let wiring = Wiring {
            tls: Arc::clone(&tls),
            review: Arc::<ArcSwap<Reviewer>>::clone(&review),
            lookup: None,
            health: Health::default(),
            metrics: Arc::clone(&metrics),
        };
        let server = Server::bind(&self.server, wiring).await?;
        let shutdown = Shutdown::on_signals().context("cannot listen for signals")?;
        let every = self.server.reload_interval;
        tokio::spawn(follow_policies(sources, review, Arc::clone(&metrics)).run(every));
        if let Some(watch) = watch {
            tokio::spawn(follow_certificate(watch, tls, metrics).run(every));
        }
        tracing::info!(listen = %server.address(), admin = %server.admin_address(), "serving");
        if self.dev {
            greet(&server, output)?;
        }
        Ok(server.run(shutdown).await)
    }
}

/// Policies and objects that change are read again; the last good ones stay in force.
fn follow_policies(
    mut sources: Sources,
    review: Arc<ArcSwap<Reviewer>>,
    metrics: Arc<Metrics>,
) -> Reload<Reviewer> {
    let look = move || match sources.changed() {
        Ok(None) => Ok(Change::Unchanged),
        Ok(Some(changed)) => {
            let reviewer = changed.reviewer().map_err(|error| format!("{error:#}"))?;
            sources = changed;
            Ok(Change::Changed(reviewer))
        }
        Err(error) => Err(format!("{error:#}")),
    };
    let loaded = Arc::clone(&metrics);
    Reload::new(Reloaded::Policies, metrics, look, move |reviewer: Reviewer| {
        loaded.policies(reviewer.policy_count());
        if reviewer.is_pod_security() {
            loaded.show_pod_security();
        }
        review.store(Arc::new(reviewer));
    })
}

/// A certificate whose files change is read again; the last good one stays in force.
fn follow_certificate(
    mut watch: Watch,
    tls: Arc<ArcSwap<ServerConfig>>,
    metrics: Arc<Metrics>,
) -> Reload<Loaded> {
    let look = move || match watch.look() {
        Ok(None) => Ok(Change::Unchanged),
        Ok(Some(loaded)) => Ok(Change::Changed(loaded)),
        Err(error) => Err(format!("{:#}", anyhow::Error::from(error))),
    };
    let expiry = Arc::clone(&metrics);
    Reload::new(Reloaded::Certificate, metrics, look, move |loaded: Loaded| {
        expiry.certificate_expires(loaded.not_after);
        tls.store(loaded.config);
    })
}

/// Says where it serves, and what to try.
fn greet(server: &Server, output: &mut impl Write) -> Result<()> {
    let address = server.address();
    writeln!(
        output,
        "podgate serves on https://{address} with a throw-away certificate; health and metrics on http://{}.\n\
         Try it:\n\n  \
         curl -sk https://{address}/validate -H 'Content-Type: application/json' -d '{DEV_REVIEW}'\n",
        server.admin_address()
    )?;
    output.flush()?;
    Ok(())
}
