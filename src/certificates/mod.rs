//! The server's certificate: where it comes from, and when it is exchanged.
//!
//! Whatever the source, what comes out is a [`Loaded`]: a TLS configuration that is proven to work, and the
//! date on which it stops working. Nothing that fails a check becomes one, so a bad pair of files never
//! replaces a good one.
//!
//! Sessions are not resumed. The API server's Go client has no cache for them, so tickets would be made and
//! sent for nobody, and resumption is what lets a peer in by what was true earlier.

mod authority;
mod bundle;
mod clients;
mod files;
mod front;
mod managed;
mod rotation;
mod stored;
mod terms;
mod throwaway;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::SystemTime;

use rustls::crypto::aws_lc_rs;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::{NoServerSessionStorage, ResolvesServerCert, WebPkiClientVerifier};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::version::{TLS12, TLS13};
use rustls::{ServerConfig, SupportedProtocolVersion};
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::FromDer;
use x509_parser::time::ASN1Time;

pub use authority::{Authority, CaCertificate, IssueError, Leaf};
pub use bundle::{Bundle, render as render_bundle};
pub use clients::{ClientArgs, Clients, ClientsError, ClientsWatch};
pub use files::{Error, Watch, from_files};
pub use front::Front;
pub use managed::{
    Doing, Event, Managed, Moment, Observer, Pause, Phase, Problem, Published, Settings, Status, Store,
    StoreError, Unready, Versioned,
};
pub use rotation::{Change, Situation, Step, plan};
pub use stored::{Data, Fault, IssuedLeaf, Stored};
pub use terms::{Lifetimes, Service};
pub use throwaway::{LOOPBACK, Throwaway, ThrowawayError, throwaway};

/// kube-apiserver speaks nothing else to webhooks. With `h2` in the list a peer would be promised what the
/// server does not speak.
const HTTP_1_1: &[u8] = b"http/1.1";

/// Which certificate to show.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "TLS")]
#[group(id = "certificate")]
pub struct Args {
    /// The server's certificate in PEM, followed by its issuers. Read again when it changes.
    #[arg(long, env = "PODGATE_TLS_CERT", value_name = "FILE", requires = "tls_key")]
    pub tls_cert: Option<PathBuf>,

    /// The key of that certificate, in PEM.
    #[arg(long, env = "PODGATE_TLS_KEY", value_name = "FILE", requires = "tls_cert")]
    pub tls_key: Option<PathBuf>,

    /// The oldest TLS version that is accepted.
    #[arg(long, env = "PODGATE_TLS_MIN_VERSION", value_name = "VERSION", default_value = "1.3")]
    pub tls_min_version: TlsVersion,
}

/// A version of TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum TlsVersion {
    /// For clients older than TLS 1.3; with ECDHE and AEAD only, as rustls has no other.
    #[value(name = "1.2")]
    V1_2,
    /// What every API server built with Go 1.13 or newer speaks.
    #[value(name = "1.3")]
    V1_3,
}

/// A certificate that can be served.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// What to accept connections with, whoever the client is.
    pub config: Arc<ServerConfig>,
    /// When it expires, in seconds since 1970.
    pub not_after: i64,
    /// The names that it is valid for, as in its subjectAltName.
    pub names: Vec<String>,
    certified: CertifiedKey,
    oldest: TlsVersion,
}

impl Loaded {
    /// Fails when the key is not that of the first certificate.
    fn new(
        chain: Vec<CertificateDer<'static>>,
        key: PrivateKeyDer<'static>,
        oldest: TlsVersion,
    ) -> Result<Self, rustls::Error> {
        let facts = chain.first().and_then(Facts::read);
        let certified = CertifiedKey::from_der(chain, key, &aws_lc_rs::default_provider())?;
        let config = config(Arc::new(SingleCertAndKey::from(certified.clone())), oldest, None)?;
        let (not_after, names) = match facts {
            Some(facts) => (facts.not_after.timestamp(), facts.names),
            None => return Err(rustls::CertificateError::BadEncoding.into()),
        };
        Ok(Self { config, not_after, names, certified, oldest })
    }

    fn from_leaf(leaf: &Leaf, oldest: TlsVersion) -> Result<Self, rustls::Error> {
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(leaf.key_der()));
        Self::new(vec![leaf.der().clone()], key, oldest)
    }

    /// What to accept connections with, from these clients only.
    ///
    /// # Errors
    /// When rustls does not take the check.
    pub fn requiring(&self, clients: Option<&Clients>) -> Result<Arc<ServerConfig>, rustls::Error> {
        config(Arc::new(SingleCertAndKey::from(self.certified.clone())), self.oldest, clients)
    }

    /// The certificate, and its issuers if it is shown with them.
    #[must_use]
    pub fn chain(&self) -> &[CertificateDer<'static>] {
        &self.certified.cert
    }
}

impl TlsVersion {
    fn and_newer(self) -> &'static [&'static SupportedProtocolVersion] {
        static BOTH: [&SupportedProtocolVersion; 2] = [&TLS13, &TLS12];
        static NEWEST: [&SupportedProtocolVersion; 1] = [&TLS13];
        match self {
            Self::V1_2 => &BOTH,
            Self::V1_3 => &NEWEST,
        }
    }
}

/// The configuration of a server with this certificate, and this check of its clients.
fn config(
    certificate: Arc<dyn ResolvesServerCert>,
    oldest: TlsVersion,
    clients: Option<&Clients>,
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

/// From when on and until when a certificate is valid, and the names that it is for; `None` when it is not one.
#[must_use]
pub fn dates_and_names(certificate: &CertificateDer<'_>) -> Option<(SystemTime, SystemTime, Vec<String>)> {
    let Facts { names, .. } = Facts::read(certificate)?;
    let (not_before, not_after) = authority::dates(certificate)?;
    Some((not_before, not_after, names))
}

/// What a certificate says of itself.
struct Facts {
    not_after: ASN1Time,
    names: Vec<String>,
}

impl Facts {
    /// `None` when it is not a certificate.
    fn read(certificate: &CertificateDer<'_>) -> Option<Self> {
        let (_, certificate) = X509Certificate::from_der(certificate).ok()?;
        let names = match certificate.subject_alternative_name().ok()? {
            Some(extension) => extension.value.general_names.iter().filter_map(name).collect(),
            None => Vec::new(),
        };
        Some(Self { not_after: certificate.validity().not_after, names })
    }
}

/// The name as a client would ask for it; `None` for kinds that no TLS client asks for.
fn name(name: &GeneralName<'_>) -> Option<String> {
    match name {
        GeneralName::DNSName(name) => Some((*name).to_owned()),
        GeneralName::IPAddress(bytes) => {
            let v4 = <[u8; 4]>::try_from(*bytes).map(|bytes| std::net::IpAddr::from(bytes).to_string());
            let v6 = <[u8; 16]>::try_from(*bytes).map(|bytes| std::net::IpAddr::from(bytes).to_string());
            v4.or(v6).ok()
        }
        GeneralName::OtherName(..)
        | GeneralName::RFC822Name(_)
        | GeneralName::X400Address(_)
        | GeneralName::DirectoryName(_)
        | GeneralName::EDIPartyName(_)
        | GeneralName::URI(_)
        | GeneralName::RegisteredID(_)
        | GeneralName::Invalid(..) => None,
    }
}
