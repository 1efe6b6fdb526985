//! Checks the bundles of the webhooks against the certificate in the Secret, and on a connection.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use k8s_openapi::ByteString;
use k8s_openapi::api::admissionregistration::v1::{
    MutatingWebhookConfiguration, ValidatingWebhookConfiguration, WebhookClientConfig,
};
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use crate::certificates::{CaBundle, CaCertificate, WebhookService, dates_and_names};
use crate::doctor::{BundleState, CaDates, CertificateDates, ObjectRead, TlsProbe};

/// How long a connection may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// More than any chain has.
const LONGEST_CHAIN: usize = 16;

/// The certificate of a Secret.
pub(super) struct SecretLeaf {
    pub(super) certificate: CertificateDates,
    /// The certificate, and those that are presented with it.
    chain: Vec<CertificateDer<'static>>,
}

/// The first certificate under `tls.crt`; `None` if there is none.
pub(super) fn leaf(data: &BTreeMap<String, Vec<u8>>) -> Option<SecretLeaf> {
    let chain: Vec<_> =
        CertificateDer::pem_slice_iter(data.get("tls.crt")?).take(LONGEST_CHAIN).flatten().collect();
    let (not_before, not_after, names) = dates_and_names(chain.first()?)?;
    Some(SecretLeaf { certificate: CertificateDates { not_before, not_after, names }, chain })
}

/// What bundles are checked against.
pub(super) struct Trust<'t> {
    pub(super) service: &'t WebhookService,
    pub(super) leaf: Option<&'t SecretLeaf>,
    pub(super) now: SystemTime,
    /// Where to connect to.
    pub(super) connect: Option<&'t str>,
}

impl Trust<'_> {
    /// The state of the bundle of each webhook.
    pub(super) async fn bundles(
        &self,
        validating: &ObjectRead<ValidatingWebhookConfiguration>,
        mutating: &ObjectRead<MutatingWebhookConfiguration>,
    ) -> Vec<BundleState> {
        // Nearly always the same for all.
        let mut tried: BTreeMap<&[u8], Option<TlsProbe>> = BTreeMap::new();
        let mut bundles = Vec::new();
        for (webhook, is_mutating, client) in webhooks(validating, mutating) {
            let Some(ByteString(pem)) = client.ca_bundle.as_ref().filter(|pem| !pem.0.is_empty()) else {
                continue;
            };
            let read = CaBundle::read(pem);
            if !tried.contains_key(pem.as_slice()) {
                let served = match self.connect {
                    Some(address) => Some(self.serve(address, &read).await),
                    None => None,
                };
                tried.insert(pem, served);
            }
            let dates = |authority: &CaCertificate| CaDates {
                not_before: authority.not_before(),
                not_after: authority.not_after(),
            };
            bundles.push(BundleState {
                webhook: webhook.to_owned(),
                is_mutating,
                authorities: read.authorities().iter().map(dates).collect(),
                has_others: !read.is(&read.authorities().iter().collect::<Vec<_>>()),
                verifies: self.leaf.map(|leaf| self.verifies(&read, leaf)),
                served: tried.get(pem.as_slice()).cloned().flatten(),
            });
        }
        bundles
    }

    fn verifies(&self, bundle: &CaBundle, leaf: &SecretLeaf) -> bool {
        let Some((first, between)) = leaf.chain.split_first() else { return false };
        bundle.verifies_chain(first, between, self.service, self.now)
    }

    /// Connects as an API server would, but to this address.
    async fn serve(&self, address: &str, bundle: &CaBundle) -> TlsProbe {
        let address = address.to_owned();
        let handshake = async {
            let stream = TcpStream::connect(&address).await?;
            let name = ServerName::try_from(self.service.name().to_owned()).map_err(std::io::Error::other)?;
            let config = client(bundle).map_err(std::io::Error::other)?;
            TlsConnector::from(Arc::new(config)).connect(name, stream).await
        };
        match timeout(CONNECT_TIMEOUT, handshake).await {
            Ok(Ok(_)) => TlsProbe::Trusted,
            Ok(Err(error)) => match certificate_error(&error) {
                Some(reason) => TlsProbe::Foreign { address, reason },
                None => TlsProbe::Unreached { address, reason: error.to_string() },
            },
            Err(_) => {
                TlsProbe::Unreached { address, reason: format!("no answer within {CONNECT_TIMEOUT:?}") }
            }
        }
    }
}

fn webhooks<'w>(
    validating: &'w ObjectRead<ValidatingWebhookConfiguration>,
    mutating: &'w ObjectRead<MutatingWebhookConfiguration>,
) -> Vec<(&'w str, bool, &'w WebhookClientConfig)> {
    let mut webhooks = Vec::new();
    if let Ok(Some(validating)) = validating {
        let entries = validating.webhooks.iter().flatten();
        webhooks.extend(entries.map(|entry| (entry.name.as_str(), false, &entry.client_config)));
    }
    if let Ok(Some(mutating)) = mutating {
        let entries = mutating.webhooks.iter().flatten();
        webhooks.extend(entries.map(|entry| (entry.name.as_str(), true, &entry.client_config)));
    }
    webhooks
}

/// What a client that trusts a bundle connects with.
fn client(bundle: &CaBundle) -> Result<ClientConfig, rustls::Error> {
    let mut roots = RootCertStore::empty();
    for authority in bundle.authorities() {
        // One that cannot be used verifies nothing.
        let _ = roots.add(authority.der().clone());
    }
    let builder = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()));
    Ok(builder.with_safe_default_protocol_versions()?.with_root_certificates(roots).with_no_client_auth())
}

/// Why the certificate was not accepted, if that is what went wrong.
fn certificate_error(error: &std::io::Error) -> Option<String> {
    let Some(rustls::Error::InvalidCertificate(reason)) = error.get_ref()?.downcast_ref() else {
        return None;
    };
    Some(format!("{reason:?}"))
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use k8s_openapi::api::admissionregistration::v1::ValidatingWebhook;
    use rustls::ServerConfig;
    use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
    use tokio::net::TcpListener;
    use tokio_rustls::TlsAcceptor;

    use super::*;
    use crate::certificates::{CertificateAuthority, LeafCertificate, Lifetimes, render_bundle};

    /// A configuration with one webhook for each of these bundles.
    fn configuration(bundles: &[Vec<u8>]) -> ObjectRead<ValidatingWebhookConfiguration> {
        let webhook = |bundle: &Vec<u8>| ValidatingWebhook {
            name: format!("{}.bytes", bundle.len()),
            client_config: WebhookClientConfig {
                ca_bundle: Some(ByteString(bundle.clone())),
                ..WebhookClientConfig::default()
            },
            ..ValidatingWebhook::default()
        };
        let webhooks = Some(bundles.iter().map(webhook).collect());
        Ok(Some(ValidatingWebhookConfiguration { webhooks, ..Default::default() }))
    }

    fn secret(pem: String) -> BTreeMap<String, Vec<u8>> {
        BTreeMap::from([("tls.crt".to_owned(), pem.into_bytes())])
    }

    #[test]
    fn the_certificate_of_a_secret() {
        let now = SystemTime::now();
        let ca = CertificateAuthority::create(now, &Lifetimes::default()).unwrap();
        let issued = ca.issue(&WebhookService::new("podgate", "own"), now, &Lifetimes::default()).unwrap();
        let found = leaf(&secret(issued.certificate_pem())).unwrap();
        assert_eq!(found.certificate.names, ["podgate.own.svc", "podgate.own.svc.cluster.local"]);
        assert_eq!(found.certificate.not_after, issued.not_after());
        assert_eq!(found.chain.len(), 1);
        for data in [BTreeMap::new(), secret(String::new()), secret("no PEM".into())] {
            assert!(leaf(&data).is_none());
        }
    }

    /// A server with this certificate, for as long as the runtime lives.
    async fn server(certificate: &LeafCertificate) -> SocketAddr {
        let key = rustls::pki_types::pem::PemObject::from_pem_slice(certificate.key_pem().as_bytes());
        let key: PrivatePkcs8KeyDer<'static> = key.unwrap();
        let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], PrivateKeyDer::Pkcs8(key))
            .unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let _ = acceptor.accept(stream).await;
            }
        });
        address
    }

    #[tokio::test]
    async fn bundles_are_held_against_what_is_kept_and_served() {
        let now = SystemTime::now();
        let [ca, other] = [(); 2].map(|()| CertificateAuthority::create(now, &Lifetimes::default()).unwrap());
        let service = WebhookService::new("podgate", "own");
        let issued = ca.issue(&service, now, &Lifetimes::default()).unwrap();
        let own = render_bundle(&[ca.certificate()]);
        let both = render_bundle(&[other.certificate(), ca.certificate()]);
        let foreign = [render_bundle(&[other.certificate()]).as_slice(), b"and more"].concat();
        let validating = configuration(&[own, both, foreign, b"no PEM".to_vec(), Vec::new()]);
        let kept = leaf(&secret(issued.certificate_pem()));
        let address = server(&issued).await.to_string();
        let trust = Trust { service: &service, leaf: kept.as_ref(), now, connect: Some(&address) };
        let bundles = trust.bundles(&validating, &Ok(None)).await;
        let seen: Vec<_> = bundles
            .iter()
            .map(|bundle| (bundle.authorities.len(), bundle.has_others, bundle.verifies))
            .collect();
        let vouched =
            [(1, false, Some(true)), (2, false, Some(true)), (1, false, Some(false)), (0, true, Some(false))];
        assert_eq!(seen, vouched);
        let is_trusted: Vec<bool> =
            bundles.iter().map(|bundle| bundle.served == Some(TlsProbe::Trusted)).collect();
        assert_eq!(is_trusted, [true, true, false, false]);
        for bundle in &bundles[2..] {
            assert!(
                matches!(&bundle.served, Some(TlsProbe::Foreign { reason, .. }) if reason == "UnknownIssuer")
            );
        }

        let elsewhere = WebhookService::new("podgate", "elsewhere");
        let trust = Trust { service: &elsewhere, leaf: kept.as_ref(), now, connect: Some(&address) };
        let bundle = trust.bundles(&validating, &Ok(None)).await.remove(0);
        assert_eq!(bundle.verifies, Some(false));
        assert!(
            matches!(&bundle.served, Some(TlsProbe::Foreign { reason, .. }) if reason.contains("NotValidForName"))
        );

        let nobody = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().to_string();
        let trust = Trust { service: &service, leaf: None, now, connect: Some(&nobody) };
        let bundle = trust.bundles(&validating, &Ok(None)).await.remove(0);
        assert_eq!(bundle.verifies, None);
        assert!(matches!(bundle.served, Some(TlsProbe::Unreached { .. })), "{bundle:?}");
    }
}
