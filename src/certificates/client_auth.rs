//! Client authentication: an optional check of the client's certificate during the handshake.
//!
//! A client must present a valid certificate from one of the CAs in a file, with one of a list of names.
//! Names are compared whole: as the subject's common name, or as a DNS name or URI of the subjectAltName. The
//! list is never empty, since the CA of a cluster signs certificates for every node in it.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{CertificateError, DigitallySignedStruct, DistinguishedName, RootCertStore, SignatureScheme};
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::FromDer;

use crate::certificates::ca_certificate::CaCertificate;

/// Which clients to let in.
#[derive(Debug, Clone, Default, clap::Args)]
#[command(next_help_heading = "TLS")]
#[group(id = "clients")]
pub struct ClientAuthArgs {
    /// The CAs that the API server's client certificate must be from, in PEM. Read again when they change.
    #[arg(long, env = "PODGATE_CLIENT_CA", value_name = "FILE", requires = "client_name")]
    pub client_ca: Option<PathBuf>,

    /// A name that the client certificate may have: its common name, or a DNS name or URI of its
    /// subjectAltName, letter for letter.
    #[arg(
        long,
        env = "PODGATE_CLIENT_NAME",
        value_name = "NAME",
        requires = "client_ca",
        value_delimiter = ','
    )]
    pub client_name: Vec<String>,
}

/// Why clients cannot be checked.
#[derive(Debug, thiserror::Error)]
pub enum ClientAuthError {
    /// A file that cannot be read.
    #[error("cannot read {}", file.display())]
    Unreadable {
        /// The file.
        file: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A file that is not PEM.
    #[error("{} is not PEM: it should hold blocks that start with -----BEGIN CERTIFICATE-----", file.display())]
    NotPem {
        /// The file.
        file: PathBuf,
        /// What is wrong with it.
        source: pem::Error,
    },
    /// A certificate that cannot sign others.
    #[error(
        "certificate {place} in {} is not that of a CA: name the CA of the client certificates, not one of them",
        file.display()
    )]
    NotAnAuthority {
        /// The file.
        file: PathBuf,
        /// Its place in the file, from 1.
        place: usize,
    },
    /// A file without a certificate.
    #[error("{} holds no certificate", file.display())]
    NoAuthority {
        /// The file.
        file: PathBuf,
    },
    /// Without names nobody could connect, or everybody.
    #[error("no name of a client is given: say who may call with --client-name")]
    NoNames,
}

/// The clients that may connect.
#[derive(Debug, Clone)]
pub struct ClientAuth {
    pub(super) verifier: Arc<dyn ClientCertVerifier>,
}

impl ClientAuth {
    /// Those with a certificate from a CA in this file, and one of these names.
    ///
    /// # Errors
    /// What is wrong with the file, and what to do.
    pub fn from_file(file: &Path, names: &[String]) -> Result<Self, ClientAuthError> {
        Self::read(&read(file)?, file, names)
    }

    fn read(text: &[u8], file: &Path, names: &[String]) -> Result<Self, ClientAuthError> {
        if names.is_empty() || names.iter().any(String::is_empty) {
            return Err(ClientAuthError::NoNames);
        }
        let file = || file.to_owned();
        let mut authorities = Vec::new();
        for (index, block) in CertificateDer::pem_slice_iter(text).enumerate() {
            let der = block.map_err(|source| ClientAuthError::NotPem { file: file(), source })?;
            let authority = CaCertificate::read(der).and_then(ClientCa::new);
            let place = index + 1;
            authorities
                .push(authority.ok_or_else(|| ClientAuthError::NotAnAuthority { file: file(), place })?);
        }
        let hints = authorities.iter().flat_map(|authority| authority.verifier.root_hint_subjects());
        let hints: Vec<DistinguishedName> = hints.cloned().collect();
        if authorities.is_empty() {
            return Err(ClientAuthError::NoAuthority { file: file() });
        }
        Ok(Self { verifier: Arc::new(ClientVerifier { authorities, hints, names: names.to_vec() }) })
    }
}

/// A file of client CAs that is read again and again.
pub struct ClientAuthWatch {
    file: PathBuf,
    names: Vec<String>,
    loaded: Vec<u8>,
}

impl ClientAuthWatch {
    /// Reads the file for the first time.
    ///
    /// # Errors
    /// As [`ClientAuth::from_file`].
    pub fn start(file: &Path, names: &[String]) -> Result<(Self, ClientAuth), ClientAuthError> {
        let loaded = read(file)?;
        let clients = ClientAuth::read(&loaded, file, names)?;
        Ok((Self { file: file.to_owned(), names: names.to_vec(), loaded }, clients))
    }

    /// Reads the file again. `None` when it is what was loaded last.
    ///
    /// # Errors
    /// As [`ClientAuth::from_file`].
    pub fn look(&mut self) -> Result<Option<ClientAuth>, ClientAuthError> {
        let text = read(&self.file)?;
        if text == self.loaded {
            return Ok(None);
        }
        let clients = ClientAuth::read(&text, &self.file, &self.names)?;
        self.loaded = text;
        Ok(Some(clients))
    }
}

fn read(file: &Path) -> Result<Vec<u8>, ClientAuthError> {
    fs::read(file).map_err(|source| ClientAuthError::Unreadable { file: file.to_owned(), source })
}

/// One CA with the check against it alone, since webpki does not look at the dates of roots.
#[derive(Debug)]
struct ClientCa {
    certificate: CaCertificate,
    verifier: Arc<dyn ClientCertVerifier>,
}

impl ClientCa {
    fn new(certificate: CaCertificate) -> Option<Self> {
        let mut roots = RootCertStore::empty();
        roots.add(certificate.der().clone()).ok()?;
        let provider = Arc::new(aws_lc_rs::default_provider());
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build().ok()?;
        Some(Self { certificate, verifier })
    }

    fn verify(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<(), rustls::Error> {
        self.verifier.verify_client_cert(certificate, intermediates, now)?;
        let at = UNIX_EPOCH + Duration::from_secs(now.as_secs());
        if at < self.certificate.not_before() || at > self.certificate.not_after() {
            return Err(CertificateError::Expired.into());
        }
        Ok(())
    }
}

/// Verifies a client's certificate.
#[derive(Debug)]
struct ClientVerifier {
    /// At least one.
    authorities: Vec<ClientCa>,
    hints: Vec<DistinguishedName>,
    names: Vec<String>,
}

impl ClientVerifier {
    fn any(&self) -> Result<&dyn ClientCertVerifier, rustls::Error> {
        let first = self.authorities.first().map(|authority| authority.verifier.as_ref());
        first.ok_or_else(|| rustls::Error::General("no client CA".to_owned()))
    }

    /// Whether one of the names is in the certificate, letter for letter.
    fn has_listed_name(&self, certificate: &CertificateDer<'_>) -> bool {
        let Ok((_, certificate)) = X509Certificate::from_der(certificate) else {
            return false;
        };
        let is_listed = |name: &str| self.names.iter().any(|listed| listed == name);
        let alternatives = match certificate.subject_alternative_name() {
            Ok(Some(extension)) => extension.value.general_names.as_slice(),
            Ok(None) => &[],
            Err(_) => return false,
        };
        let mut common_names = certificate.subject().iter_common_name();
        // Of two, some readers take the first and some the last.
        let common_name = common_names.next().filter(|_| common_names.next().is_none());
        common_name.is_some_and(|name| name.as_str().is_ok_and(is_listed))
            || alternatives.iter().any(|name| match name {
                GeneralName::DNSName(name) | GeneralName::URI(name) => is_listed(name),
                GeneralName::OtherName(..)
                | GeneralName::RFC822Name(_)
                | GeneralName::X400Address(_)
                | GeneralName::DirectoryName(_)
                | GeneralName::EDIPartyName(_)
                | GeneralName::IPAddress(_)
                | GeneralName::RegisteredID(_)
                | GeneralName::Invalid(..) => false,
            })
    }
}

impl ClientCertVerifier for ClientVerifier {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &self.hints
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        let mut refusal = CertificateError::UnknownIssuer.into();
        for authority in &self.authorities {
            match authority.verify(end_entity, intermediates, now) {
                Ok(()) if self.has_listed_name(end_entity) => return Ok(ClientCertVerified::assertion()),
                Ok(()) => return Err(CertificateError::ApplicationVerificationFailure.into()),
                Err(rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer)) => {}
                Err(error) => refusal = error,
            }
        }
        Err(refusal)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.any()?.verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.any()?.verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        aws_lc_rs::default_provider().signature_verification_algorithms.supported_schemes()
    }
}
