//! A self-signed certificate for trying the server out: made in memory, gone with the process.
//!
//! The key is never written anywhere. The certificate may be, so that a client can be told to trust it.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair, date_time_ymd};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

use crate::certificates::args::TlsVersion;
use crate::certificates::server_certificate::ServerCertificate;

/// The names under which a server on the same machine is reached.
pub const LOOPBACK: [&str; 3] = ["localhost", "127.0.0.1", "::1"];

/// For clients whose clock is behind.
const BACKDATED: Duration = Duration::from_secs(60 * 60);

/// Longer than anybody needs for a trial, too short to be left in production.
const LIFE: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// A certificate made for one run.
#[derive(Debug, Clone)]
pub struct SelfSigned {
    /// What to serve with.
    pub loaded: ServerCertificate,
    /// The certificate in PEM, for `curl --cacert`. It is its own issuer.
    pub certificate: String,
}

/// Why no certificate could be made.
#[derive(Debug, thiserror::Error)]
pub enum SelfSignedError {
    /// A name that no certificate can hold.
    #[error("cannot make a certificate for these names: each must be an IP address or an ASCII DNS name")]
    Made(#[from] rcgen::Error),
    /// A certificate that rustls does not accept.
    #[error("the certificate that was made cannot be served with")]
    Served(#[from] rustls::Error),
}

/// Makes an ECDSA P-256 key and a certificate for these DNS names and IP addresses.
///
/// # Errors
/// [`SelfSignedError::Made`] for a name that is neither.
pub fn self_signed(names: &[&str], oldest: TlsVersion) -> Result<SelfSigned, SelfSignedError> {
    let mut params = CertificateParams::new(names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>())?;
    let mut subject = DistinguishedName::new();
    subject.push(DnType::CommonName, "podgate throw-away certificate");
    params.distinguished_name = subject;
    let now = date_time_ymd(1970, 1, 1) + SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    params.not_before = now - BACKDATED;
    params.not_after = now + LIFE;

    let key = KeyPair::generate()?;
    let certificate = params.self_signed(&key)?;
    let private = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    Ok(SelfSigned {
        certificate: certificate.pem(),
        loaded: ServerCertificate::new(vec![certificate.into()], private, oldest)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn for_a_server_on_the_same_machine() {
        let made = self_signed(&LOOPBACK, TlsVersion::V1_3).unwrap();
        assert_eq!(made.loaded.names, LOOPBACK);
        assert!(made.certificate.starts_with("-----BEGIN CERTIFICATE-----"), "{}", made.certificate);
        assert!(!made.certificate.contains("PRIVATE"), "{}", made.certificate);
        let expires = UNIX_EPOCH + Duration::from_secs(made.loaded.not_after.try_into().unwrap());
        let left = expires.duration_since(SystemTime::now()).unwrap();
        assert!(left <= LIFE && left > LIFE - BACKDATED, "{left:?}");
    }

    #[test]
    fn a_name_that_no_certificate_holds() {
        let error = self_signed(&["größe"], TlsVersion::V1_3).unwrap_err();
        assert!(error.to_string().contains("each must be an IP address or an ASCII DNS name"), "{error}");
    }
}
