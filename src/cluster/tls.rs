//! TLS to the API server: whom it is trusted by, and the client certificate, if there is one.
//!
//! Where the configuration names a CA, that one is trusted and no other, and nothing of the system is read.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};

/// How long the CAs of a file are used before it is read again: those of a cluster are rotated.
const FILE_AGE: Duration = Duration::from_secs(60);

/// Whom the API server's certificate has to be from.
pub(super) enum Trust {
    /// One of these CAs, in PEM.
    Authorities(Vec<u8>),
    /// One of the CAs of a file that is read again when it has grown old.
    AuthoritiesOfFile(PathBuf),
    /// One of the CAs of the system.
    System,
    /// Anybody.
    Anybody,
}

/// Why there can be no TLS. It shows nothing of a key.
#[derive(Debug, thiserror::Error)]
pub(super) enum TlsError {
    #[error("{0}: {1}")]
    File(String, io::Error),
    #[error("certificate-authority: it is not PEM with CA certificates")]
    NoAuthority,
    #[error("the kubeconfig names no certificate-authority, and the system has none")]
    NoSystemAuthority,
    #[error("client-certificate or client-key: {0}")]
    Identity(&'static str),
    #[error("client-certificate and client-key: {0}")]
    Unusable(Error),
    #[error("no TLS: {0}")]
    Rustls(Error),
}

/// The configuration of connections, and the client certificate and key in PEM that it has.
pub(super) fn config(trust: Trust, identity: Option<(&[u8], &[u8])>) -> Result<ClientConfig, TlsError> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let verifier = verifier(trust, &provider)?;
    let builder = ClientConfig::builder_with_provider(provider);
    let builder = builder.with_safe_default_protocol_versions().map_err(TlsError::Rustls)?;
    // The verifiers here are those of rustls but for the kubeconfig that asks for none.
    let builder = builder.dangerous().with_custom_certificate_verifier(verifier);
    let Some((certificate, key)) = identity else { return Ok(builder.with_no_client_auth()) };
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(certificate).collect();
    let chain = chain.map_err(|_| TlsError::Identity("the certificate is not PEM"))?;
    if chain.is_empty() {
        return Err(TlsError::Identity("there is no certificate in PEM"));
    }
    let key = PrivateKeyDer::from_pem_slice(key);
    let key = key.map_err(|_| TlsError::Identity("there is no key in PEM (PKCS #8, PKCS #1 or SEC1)"))?;
    builder.with_client_auth_cert(chain, key).map_err(TlsError::Unusable)
}

fn verifier(trust: Trust, provider: &Arc<CryptoProvider>) -> Result<Arc<dyn ServerCertVerifier>, TlsError> {
    Ok(match trust {
        Trust::Authorities(pem) => trusting(roots(&pem)?, provider)?,
        Trust::AuthoritiesOfFile(file) => Arc::new(ApiServerVerifier::of_file(file, provider)?),
        Trust::System => {
            let mut roots = RootCertStore::empty();
            let found = rustls_native_certs::load_native_certs();
            if roots.add_parsable_certificates(found.certs).0 == 0 {
                return Err(TlsError::NoSystemAuthority);
            }
            trusting(roots, provider)?
        }
        Trust::Anybody => {
            Arc::new(ApiServerVerifier { trusted: Trusted::Anybody, provider: Arc::clone(provider) })
        }
    })
}

fn roots(pem: &[u8]) -> Result<RootCertStore, TlsError> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(pem) {
        let certificate = certificate.map_err(|_| TlsError::NoAuthority)?;
        roots.add(certificate).map_err(|_| TlsError::NoAuthority)?;
    }
    if roots.is_empty() { Err(TlsError::NoAuthority) } else { Ok(roots) }
}

fn trusting(
    roots: RootCertStore,
    provider: &Arc<CryptoProvider>,
) -> Result<Arc<WebPkiServerVerifier>, TlsError> {
    let builder = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider));
    builder.build().map_err(|error| TlsError::Rustls(Error::General(error.to_string())))
}

/// What rustls does not verify by itself.
#[derive(Debug)]
struct ApiServerVerifier {
    trusted: Trusted,
    provider: Arc<CryptoProvider>,
}

#[derive(Debug)]
enum Trusted {
    /// Any certificate, for `insecure-skip-tls-verify`. Whoever presents it must still have its key.
    Anybody,
    /// The CAs of a file, as it was last read.
    File { file: PathBuf, last: Mutex<(Arc<WebPkiServerVerifier>, Instant)> },
}

impl ApiServerVerifier {
    fn of_file(file: PathBuf, provider: &Arc<CryptoProvider>) -> Result<Self, TlsError> {
        let last = Mutex::new((read(&file, provider)?, Instant::now()));
        Ok(Self { trusted: Trusted::File { file, last }, provider: Arc::clone(provider) })
    }

    /// Who verifies certificates now; `None` if nobody does. The last CAs stay while the file cannot be read.
    fn current(&self, now: Instant) -> Option<Arc<WebPkiServerVerifier>> {
        let Trusted::File { file, last } = &self.trusted else { return None };
        let mut last = last.lock().unwrap_or_else(PoisonError::into_inner);
        if now.saturating_duration_since(last.1) >= FILE_AGE {
            if let Ok(new) = read(file, &self.provider) {
                last.0 = new;
            }
            last.1 = now;
        }
        Some(Arc::clone(&last.0))
    }
}

fn read(file: &Path, provider: &Arc<CryptoProvider>) -> Result<Arc<WebPkiServerVerifier>, TlsError> {
    let pem = fs::read(file).map_err(|error| TlsError::File(file.display().to_string(), error))?;
    trusting(roots(&pem)?, provider)
}

impl ServerCertVerifier for ApiServerVerifier {
    fn verify_server_cert(
        &self,
        leaf: &CertificateDer<'_>,
        between: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        match self.current(Instant::now()) {
            Some(verifier) => verifier.verify_server_cert(leaf, between, name, ocsp, now),
            None => Ok(ServerCertVerified::assertion()),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signed, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signed, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::*;
    use crate::certificates::{CertificateAuthority, Lifetimes, render_bundle};

    #[test]
    fn the_cas_of_a_file_are_read_again_when_they_are_old() {
        let [first, second] =
            [(); 2].map(|()| CertificateAuthority::create(SystemTime::now(), &Lifetimes::default()).unwrap());
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("ca.crt");
        fs::write(&file, render_bundle(&[first.certificate()])).unwrap();
        let provider = Arc::new(aws_lc_rs::default_provider());
        let verifier = ApiServerVerifier::of_file(file.clone(), &provider).unwrap();
        let start = Instant::now();
        let old = verifier.current(start).unwrap();
        fs::write(&file, render_bundle(&[second.certificate()])).unwrap();
        assert!(Arc::ptr_eq(&old, &verifier.current(start).unwrap()));
        let later = start + FILE_AGE + FILE_AGE;
        let new = verifier.current(later).unwrap();
        assert!(!Arc::ptr_eq(&old, &new));
        fs::write(&file, "no PEM").unwrap();
        assert!(Arc::ptr_eq(&new, &verifier.current(later + FILE_AGE).unwrap()));
        assert!(matches!(ApiServerVerifier::of_file(file, &provider), Err(TlsError::NoAuthority)));
    }
}
