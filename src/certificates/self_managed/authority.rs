//! Issues what a self-managed certificate needs: CAs, and leaves for the Service.
//!
//! The time is always a parameter, so that tests can run years of rotations.

use std::time::{SystemTime, UNIX_EPOCH};

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, PublicKeyData, date_time_ymd,
};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};

use crate::certificates::args::TlsVersion;
use crate::certificates::ca_certificate::{CA_NAME, CaCertificate, ORGANISATION};
use crate::certificates::self_managed::lifetimes::{Lifetimes, earlier, later, since_1970};
use crate::certificates::server_certificate::ServerCertificate;
use crate::certificates::service::WebhookService;
use crate::certificates::x509::{parse, to_pem, validity};

/// A CA that can sign. Deliberately without `Debug`: it holds the key.
pub struct CertificateAuthority {
    certificate: CaCertificate,
    key: KeyPair,
}

/// Why a certificate was not issued.
#[derive(Debug, thiserror::Error)]
pub enum IssueError {
    /// What rcgen says. Its errors name no secrets.
    #[error("cannot issue a certificate for {name}: {source}")]
    Refused {
        /// The name that was asked for.
        name: String,
        /// Why.
        source: rcgen::Error,
    },
    /// A certificate that was made and cannot be read back.
    #[error("the certificate that was made for {name} cannot be read back")]
    Unreadable {
        /// The name that was asked for.
        name: String,
    },
}

impl CertificateAuthority {
    /// `None` when the key is not that of the certificate.
    #[must_use]
    pub fn new(certificate: CaCertificate, key: KeyPair) -> Option<Self> {
        certificate.is_of(&key).then_some(Self { certificate, key })
    }

    /// Makes a CA with a unique name, so that no client ever confuses two of them.
    ///
    /// # Errors
    /// When the system gives no randomness.
    pub fn create(now: SystemTime, lifetimes: &Lifetimes) -> Result<Self, IssueError> {
        let failed = |source| IssueError::Refused { name: CA_NAME.trim().to_owned(), source };
        let key = KeyPair::generate().map_err(failed)?;
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::OrganizationName, ORGANISATION);
        params.distinguished_name.push(DnType::CommonName, ca_name(now, &key));
        params.not_before = date_time_ymd(1970, 1, 1) + since_1970(now).saturating_sub(lifetimes.backdated);
        params.not_after = date_time_ymd(1970, 1, 1) + since_1970(now) + lifetimes.authority;
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages =
            vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign, KeyUsagePurpose::DigitalSignature];
        params.use_authority_key_identifier_extension = true;
        let certificate = params.self_signed(&key).map_err(failed)?;
        CaCertificate::read(certificate.into())
            .and_then(|certificate| Self::new(certificate, key))
            .ok_or_else(|| IssueError::Unreadable { name: CA_NAME.trim().to_owned() })
    }

    /// Its certificate.
    #[must_use]
    pub fn certificate(&self) -> &CaCertificate {
        &self.certificate
    }

    /// Gives up the key.
    #[must_use]
    pub fn into_certificate(self) -> CaCertificate {
        self.certificate
    }

    /// The key in PEM. Goes into the Secret and nowhere else.
    #[must_use]
    pub fn key_pem(&self) -> String {
        self.key.serialize_pem()
    }

    /// When a leaf that is issued now would end.
    #[must_use]
    pub fn leaf_until(&self, now: SystemTime, lifetimes: &Lifetimes) -> SystemTime {
        later(now, lifetimes.leaf).min(self.certificate.not_after())
    }

    /// Issues a leaf with a key of its own.
    ///
    /// # Errors
    /// When the Service's name cannot be put into a certificate.
    pub fn issue(
        &self,
        service: &WebhookService,
        now: SystemTime,
        lifetimes: &Lifetimes,
    ) -> Result<LeafCertificate, IssueError> {
        let failed = |source| IssueError::Refused { name: service.name().to_owned(), source };
        let mut params = CertificateParams::new(service.names().to_vec()).map_err(failed)?;
        params.distinguished_name.push(DnType::OrganizationName, ORGANISATION);
        params.distinguished_name.push(DnType::CommonName, "podgate");
        let from = earlier(now, lifetimes.backdated).max(self.certificate.not_before());
        params.not_before = date_time_ymd(1970, 1, 1) + since_1970(from);
        params.not_after = date_time_ymd(1970, 1, 1) + since_1970(self.leaf_until(now, lifetimes));
        params.is_ca = IsCa::ExplicitNoCa;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.use_authority_key_identifier_extension = true;
        let issuer = Issuer::from_ca_cert_der(self.certificate.der(), &self.key).map_err(failed)?;
        let key = KeyPair::generate().map_err(failed)?;
        let certificate = params.signed_by(&key, &issuer).map_err(failed)?;
        LeafCertificate::new(certificate.into(), key)
            .ok_or_else(|| IssueError::Unreadable { name: service.name().to_owned() })
    }
}

/// A server's certificate and its key. Deliberately without `Debug`.
pub struct LeafCertificate {
    certificate: CertificateDer<'static>,
    key: KeyPair,
    not_before: SystemTime,
    not_after: SystemTime,
}

impl LeafCertificate {
    /// `None` when this is no certificate, or the key is of another.
    #[must_use]
    pub fn new(certificate: CertificateDer<'static>, key: KeyPair) -> Option<Self> {
        let parsed = parse(&certificate)?;
        if parsed.public_key().raw != key.subject_public_key_info() {
            return None;
        }
        let (not_before, not_after) = validity(&parsed);
        Some(Self { certificate, key, not_before, not_after })
    }

    /// The certificate's bytes.
    #[must_use]
    pub fn der(&self) -> &CertificateDer<'static> {
        &self.certificate
    }

    /// From when on it is valid.
    #[must_use]
    pub fn not_before(&self) -> SystemTime {
        self.not_before
    }

    /// Until when it is valid.
    #[must_use]
    pub fn not_after(&self) -> SystemTime {
        self.not_after
    }

    /// The certificate in PEM.
    #[must_use]
    pub fn certificate_pem(&self) -> String {
        to_pem(&self.certificate)
    }

    /// The key in PEM. Goes into the Secret and nowhere else.
    #[must_use]
    pub fn key_pem(&self) -> String {
        self.key.serialize_pem()
    }

    /// The certificate, ready to be served.
    ///
    /// # Errors
    /// When rustls does not accept it.
    pub fn load(&self, oldest: TlsVersion) -> Result<ServerCertificate, rustls::Error> {
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(self.key.serialize_der()));
        ServerCertificate::new(vec![self.certificate.clone()], key, oldest)
    }
}

fn ca_name(now: SystemTime, key: &KeyPair) -> String {
    let when = humantime::format_rfc3339_seconds(UNIX_EPOCH + since_1970(now));
    // The first byte of a public key says how it is written; those that follow are its own.
    let unique: String =
        key.public_key_raw().iter().skip(1).take(8).map(|byte| format!("{byte:02x}")).collect();
    format!("{CA_NAME}{when} {unique}")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use x509_parser::certificate::X509Certificate;

    use super::*;
    use crate::certificates::x509::name;

    const HOUR: Duration = Duration::from_secs(60 * 60);
    const DAY: Duration = Duration::from_secs(24 * 60 * 60);

    fn now() -> SystemTime {
        UNIX_EPOCH + 20_000 * DAY
    }

    #[test]
    fn a_ca_and_its_leaf() {
        let lifetimes = Lifetimes::default();
        let authority = CertificateAuthority::create(now(), &lifetimes).unwrap();
        let ca = authority.certificate();
        assert_eq!(ca.not_before(), now() - HOUR);
        assert_eq!(ca.not_after(), now() + 365 * DAY);
        assert!(ca.is_named_as_ours());

        let leaf =
            authority.issue(&WebhookService::new("podgate", "podgate-system"), now(), &lifetimes).unwrap();
        assert_eq!(leaf.not_before(), now() - HOUR);
        assert_eq!(leaf.not_after(), now() + 30 * DAY);
        let (ca, leaf) = (parse(ca.der()).unwrap(), parse(leaf.der()).unwrap());
        leaf.verify_signature(Some(ca.public_key())).unwrap();
        assert_eq!(leaf.issuer(), ca.subject());
        assert!(!leaf.is_ca());
        assert!(leaf.extended_key_usage().unwrap().unwrap().value.server_auth);
        let names = leaf.subject_alternative_name().unwrap().unwrap().value;
        assert_eq!(
            names.general_names.iter().filter_map(name).collect::<Vec<_>>(),
            ["podgate.podgate-system.svc", "podgate.podgate-system.svc.cluster.local"]
        );
        assert_eq!(identifiers(&ca).0, identifiers(&leaf).1, "the leaf names its issuer's key");
        assert!(identifiers(&leaf).0.is_some());
        assert_ne!(identifiers(&leaf).0, identifiers(&ca).0);
    }

    /// The identifiers of its own key and of its issuer's.
    fn identifiers(certificate: &X509Certificate<'_>) -> (Option<Vec<u8>>, Option<Vec<u8>>) {
        use x509_parser::extensions::ParsedExtension::{AuthorityKeyIdentifier, SubjectKeyIdentifier};
        let mut found = (None, None);
        for extension in certificate.extensions() {
            if let SubjectKeyIdentifier(id) = extension.parsed_extension() {
                found.0 = Some(id.0.to_vec());
            }
            if let AuthorityKeyIdentifier(id) = extension.parsed_extension() {
                found.1 = id.key_identifier.as_ref().map(|id| id.0.to_vec());
            }
        }
        found
    }

    #[test]
    fn two_cas_never_share_a_name_or_a_serial() {
        let [one, other] =
            [(); 2].map(|()| CertificateAuthority::create(now(), &Lifetimes::default()).unwrap());
        let [one, other] = [&one, &other].map(|ca| parse(ca.certificate().der()).unwrap());
        assert_ne!(one.subject(), other.subject());
        assert_ne!(one.raw_serial(), other.raw_serial());
        let name = one.subject().iter_common_name().next().unwrap().as_str().unwrap().to_owned();
        assert!(name.starts_with("podgate CA 2024-10-04T00:00:00Z "), "{name}");
        assert!(name.len() <= 64, "the limit of X.520: {name}");
    }

    #[test]
    fn a_leaf_ends_with_its_ca() {
        let lifetimes = Lifetimes::default();
        let authority = CertificateAuthority::create(now(), &lifetimes).unwrap();
        let late = now() + 360 * DAY;
        let leaf = authority.issue(&WebhookService::new("a", "b"), late, &lifetimes).unwrap();
        assert_eq!(leaf.not_after(), authority.certificate().not_after());
    }

    #[test]
    fn a_name_that_no_certificate_can_hold() {
        let authority = CertificateAuthority::create(now(), &Lifetimes::default()).unwrap();
        let error =
            authority.issue(&WebhookService::new("größe", "b"), now(), &Lifetimes::default()).err().unwrap();
        assert!(error.to_string().starts_with("cannot issue a certificate for größe.b.svc: "), "{error}");
    }

    #[test]
    fn what_is_no_ca() {
        let authority = CertificateAuthority::create(now(), &Lifetimes::default()).unwrap();
        let leaf = authority.issue(&WebhookService::new("a", "b"), now(), &Lifetimes::default()).unwrap();
        assert!(CaCertificate::read(leaf.der().clone()).is_none());
        assert!(CaCertificate::read(vec![0x30, 0].into()).is_none());
        let trailing = [authority.certificate().der().as_ref(), &[0]].concat();
        assert!(CaCertificate::read(trailing.into()).is_none());
        assert!(
            CertificateAuthority::new(authority.into_certificate(), KeyPair::generate().unwrap()).is_none()
        );
    }
}
