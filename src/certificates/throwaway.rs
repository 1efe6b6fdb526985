//! A certificate for trying the server out: made in memory, gone with the process.
//!
//! The key is never written anywhere. The certificate may be, so that a client can be told to trust it.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair, date_time_ymd};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

use super::{Loaded, TlsVersion};

/// The names under which a server on the same machine is reached.
pub const LOOPBACK: [&str; 3] = ["localhost", "127.0.0.1", "::1"];

/// For clients whose clock is behind.
const BACKDATED: Duration = Duration::from_secs(60 * 60);

/// Longer than anybody tries something out, too short to be left in place.
const LIFE: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// A certificate that nobody has seen before.
#[derive(Debug, Clone)]
pub struct Throwaway {
    /// What to serve with.
    pub loaded: Loaded,
    /// The certificate in PEM, for `curl --cacert`. It is its own issuer.
    pub certificate: String,
}

/// Why no certificate could be made.
#[derive(Debug, thiserror::Error)]
pub enum ThrowawayError {
    /// A name that no certificate can hold.
    #[error("cannot make a certificate for these names: each must be an IP address or an ASCII DNS name")]
    Made(#[from] rcgen::Error),
    /// A certificate that rustls does not take back.
    #[error("the certificate that was made cannot be served with")]
    Served(#[from] rustls::Error),
}

/// Makes an ECDSA P-256 key and a certificate for these DNS names and IP addresses.
///
/// # Errors
/// [`ThrowawayError::Made`] for a name that is neither.
pub fn throwaway(names: &[&str], oldest: TlsVersion) -> Result<Throwaway, ThrowawayError> {
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
    Ok(Throwaway {
        certificate: certificate.pem(),
        loaded: Loaded::new(vec![certificate.into()], private, oldest)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn for_a_server_on_the_same_machine() {
        let made = throwaway(&LOOPBACK, TlsVersion::V1_3).unwrap();
        assert_eq!(made.loaded.names, LOOPBACK);
        assert!(made.certificate.starts_with("-----BEGIN CERTIFICATE-----"), "{}", made.certificate);
        assert!(!made.certificate.contains("PRIVATE"), "{}", made.certificate);
        let expires = UNIX_EPOCH + Duration::from_secs(made.loaded.not_after.try_into().unwrap());
        let left = expires.duration_since(SystemTime::now()).unwrap();
        assert!(left <= LIFE && left > LIFE - BACKDATED, "{left:?}");
    }

    #[test]
    fn a_name_that_no_certificate_holds() {
        let error = throwaway(&["größe"], TlsVersion::V1_3).unwrap_err();
        assert!(error.to_string().contains("each must be an IP address or an ASCII DNS name"), "{error}");
    }
}
