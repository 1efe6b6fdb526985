//! What the bundles of the webhooks are worth: read, held against the certificate in the Secret, and tried on a
//! connection.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use k8s_openapi::ByteString;
use k8s_openapi::api::admissionregistration::v1::WebhookClientConfig;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use crate::certificates::{self, Service, dates_and_names};
use crate::cluster::Inspected;
use crate::doctor::{Authority, Bundle, Certificate, Served};

/// How long a connection may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// More than any chain has.
const LONGEST_CHAIN: usize = 16;

/// The certificate of a Secret.
pub(super) struct Leaf {
    pub(super) certificate: Certificate,
    /// The certificate, and those that are shown with it.
    chain: Vec<CertificateDer<'static>>,
}

/// The first certificate under `tls.crt`; `None` if there is none.
pub(super) fn leaf(data: &BTreeMap<String, Vec<u8>>) -> Option<Leaf> {
    let chain: Vec<_> =
        CertificateDer::pem_slice_iter(data.get("tls.crt")?).take(LONGEST_CHAIN).flatten().collect();
    let (not_before, not_after, names) = dates_and_names(chain.first()?)?;
    Some(Leaf { certificate: Certificate { not_before, not_after, names }, chain })
}

/// What bundles are held against.
pub(super) struct Trust<'t> {
    pub(super) service: &'t Service,
    pub(super) leaf: Option<&'t Leaf>,
    pub(super) now: SystemTime,
    /// Where to connect to.
    pub(super) connect: Option<&'t str>,
}

impl Trust<'_> {
    /// What the bundle of each webhook comes to.
    pub(super) async fn bundles(&self, inspected: &Inspected) -> Vec<Bundle> {
        // Nearly always the same for all.
        let mut tried: BTreeMap<&[u8], Option<Served>> = BTreeMap::new();
        let mut bundles = Vec::new();
        for (webhook, is_mutating, client) in webhooks(inspected) {
            let Some(ByteString(pem)) = client.ca_bundle.as_ref().filter(|pem| !pem.0.is_empty()) else {
                continue;
            };
            let read = certificates::Bundle::read(pem);
            if !tried.contains_key(pem.as_slice()) {
                let served = match self.connect {
                    Some(address) => Some(self.serve(address, &read).await),
                    None => None,
                };
                tried.insert(pem, served);
            }
            let dates = |authority: &certificates::CaCertificate| Authority {
                not_before: authority.not_before(),
                not_after: authority.not_after(),
            };
            bundles.push(Bundle {
                webhook: webhook.to_owned(),
                is_mutating,
                authorities: read.authorities().iter().map(dates).collect(),
                has_others: !read.is(&read.authorities().iter().collect::<Vec<_>>()),
                vouches: self.leaf.map(|leaf| self.vouches(&read, leaf)),
                served: tried.get(pem.as_slice()).cloned().flatten(),
            });
        }
        bundles
    }

    fn vouches(&self, bundle: &certificates::Bundle, leaf: &Leaf) -> bool {
        let Some((first, between)) = leaf.chain.split_first() else { return false };
        bundle.vouches_for_chain(first, between, self.service, self.now)
    }

    /// Connects as an API server would, but to this address.
    async fn serve(&self, address: &str, bundle: &certificates::Bundle) -> Served {
        let address = address.to_owned();
        let handshake = async {
            let stream = TcpStream::connect(&address).await?;
            let name = ServerName::try_from(self.service.name().to_owned()).map_err(std::io::Error::other)?;
            let config = client(bundle).map_err(std::io::Error::other)?;
            TlsConnector::from(Arc::new(config)).connect(name, stream).await
        };
        match timeout(PATIENCE, handshake).await {
            Ok(Ok(_)) => Served::Trusted,
            Ok(Err(error)) => match certificate_error(&error) {
                Some(reason) => Served::Foreign { address, reason },
                None => Served::Unreached { address, reason: error.to_string() },
            },
            Err(_) => Served::Unreached { address, reason: format!("no answer within {PATIENCE:?}") },
        }
    }
}

fn webhooks(inspected: &Inspected) -> Vec<(&str, bool, &WebhookClientConfig)> {
    let mut webhooks = Vec::new();
    if let Ok(Some(validating)) = &inspected.validating {
        let entries = validating.webhooks.iter().flatten();
        webhooks.extend(entries.map(|entry| (entry.name.as_str(), false, &entry.client_config)));
    }
    if let Ok(Some(mutating)) = &inspected.mutating {
        let entries = mutating.webhooks.iter().flatten();
        webhooks.extend(entries.map(|entry| (entry.name.as_str(), true, &entry.client_config)));
    }
    webhooks
}

/// What a client that trusts a bundle connects with.
fn client(bundle: &certificates::Bundle) -> Result<ClientConfig, rustls::Error> {
    let mut roots = RootCertStore::empty();
    for authority in bundle.authorities() {
        // One that cannot be used vouches for nothing.
        let _ = roots.add(authority.der().clone());
    }
    let builder = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()));
    Ok(builder.with_safe_default_protocol_versions()?.with_root_certificates(roots).with_no_client_auth())
}

/// Why the certificate was not accepted, if that is what went wrong.
fn certificate_error(error: &std::io::Error) -> Option<String> {
    match error.get_ref()?.downcast_ref::<rustls::Error>()? {
        rustls::Error::InvalidCertificate(reason) => Some(format!("{reason:?}")),
        _ => None,
    }
}
