//! A certificate that is proven to work, and the TLS configuration that serves it.
//!
//! Sessions are not resumed. The API server's Go client has no cache for them, so tickets would be made for nobody,
//! and a resumed session would let a peer in on what was true earlier.

use std::sync::Arc;

use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{NoServerSessionStorage, ResolvesServerCert, WebPkiClientVerifier};
use rustls::sign::{CertifiedKey, SingleCertAndKey};

use crate::certificates::args::TlsVersion;
use crate::certificates::client_auth::ClientAuth;
use crate::certificates::x509::CertificateFacts;

/// kube-apiserver speaks nothing else to webhooks, and this server does not speak `h2`.
const HTTP_1_1: &[u8] = b"http/1.1";

/// A certificate that can be served.
#[derive(Debug, Clone)]
pub struct ServerCertificate {
    /// The configuration that accepts any client.
    pub config: Arc<ServerConfig>,
    /// When it expires, in seconds since 1970.
    pub not_after: i64,
    /// The names that it is valid for, as in its subjectAltName.
    pub names: Vec<String>,
    certified: CertifiedKey,
    oldest: TlsVersion,
}

impl ServerCertificate {
    /// Fails when the key is not that of the first certificate.
    pub(super) fn new(
        chain: Vec<CertificateDer<'static>>,
        key: PrivateKeyDer<'static>,
        oldest: TlsVersion,
    ) -> Result<Self, rustls::Error> {
        let facts = chain.first().and_then(CertificateFacts::read);
        let certified = CertifiedKey::from_der(chain, key, &aws_lc_rs::default_provider())?;
        let config = config(Arc::new(SingleCertAndKey::from(certified.clone())), oldest, None)?;
        let (not_after, names) = match facts {
            Some(facts) => (facts.not_after.timestamp(), facts.names),
            None => return Err(rustls::CertificateError::BadEncoding.into()),
        };
        Ok(Self { config, not_after, names, certified, oldest })
    }

    /// The configuration that accepts these clients only.
    ///
    /// # Errors
    /// When rustls does not take the check.
    pub fn config_for(&self, clients: Option<&ClientAuth>) -> Result<Arc<ServerConfig>, rustls::Error> {
        config(Arc::new(SingleCertAndKey::from(self.certified.clone())), self.oldest, clients)
    }

    /// The certificate, and the intermediates that are presented with it.
    #[must_use]
    pub fn chain(&self) -> &[CertificateDer<'static>] {
        &self.certified.cert
    }
}

/// The configuration of a server with this certificate, and this check of its clients.
pub(super) fn config(
    certificate: Arc<dyn ResolvesServerCert>,
    oldest: TlsVersion,
    clients: Option<&ClientAuth>,
) -> Result<Arc<ServerConfig>, rustls::Error> {
    let clients = match clients {
        Some(clients) => Arc::clone(&clients.verifier),
        None => WebPkiClientVerifier::no_client_auth(),
    };
    let mut config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_protocol_versions(oldest.and_newer())?
        .with_client_cert_verifier(clients)
        .with_cert_resolver(certificate);
    config.alpn_protocols = vec![HTTP_1_1.to_vec()];
    config.send_tls13_tickets = 0;
    config.session_storage = Arc::new(NoServerSessionStorage {});
    Ok(Arc::new(config))
}
