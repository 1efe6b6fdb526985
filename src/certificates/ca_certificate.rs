//! The certificate of a CA: our own or another's.

use std::time::SystemTime;

use rcgen::{KeyPair, PublicKeyData};
use rustls::pki_types::CertificateDer;
use x509_parser::certificate::X509Certificate;

use crate::certificates::x509::{parse, validity};

/// How a CA of ours is recognised: the organisation in its subject, and how its common name begins.
pub(super) const ORGANISATION: &str = "podgate";
pub(super) const CA_NAME: &str = "podgate CA ";

/// The certificate of a CA. Two are equal when their bytes are.
#[derive(Debug, Clone)]
pub struct CaCertificate {
    der: CertificateDer<'static>,
    not_before: SystemTime,
    not_after: SystemTime,
    is_ours: bool,
}

impl PartialEq for CaCertificate {
    fn eq(&self, other: &Self) -> bool {
        self.der == other.der
    }
}

impl Eq for CaCertificate {}

impl CaCertificate {
    /// `None` when this is not a certificate, or one that may not sign others.
    #[must_use]
    pub fn read(der: CertificateDer<'static>) -> Option<Self> {
        let certificate = parse(&der)?;
        let signs = match certificate.key_usage().ok()? {
            Some(usage) => usage.value.key_cert_sign(),
            None => true,
        };
        if !certificate.is_ca() || !signs {
            return None;
        }
        let (not_before, not_after) = validity(&certificate);
        let is_ours = is_ours(&certificate);
        Some(Self { der, not_before, not_after, is_ours })
    }

    /// The certificate's bytes.
    #[must_use]
    pub fn der(&self) -> &CertificateDer<'static> {
        &self.der
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

    /// Whether its subject is one that only podgate gives. This does not prove who made it.
    #[must_use]
    pub fn is_named_as_ours(&self) -> bool {
        self.is_ours
    }

    pub(super) fn is_of(&self, key: &KeyPair) -> bool {
        parse(&self.der)
            .is_some_and(|certificate| certificate.public_key().raw == key.subject_public_key_info())
    }
}

fn is_ours(certificate: &X509Certificate<'_>) -> bool {
    let subject = certificate.subject();
    let is_ours = subject.iter_organization().any(|name| name.as_str() == Ok(ORGANISATION));
    is_ours
        && subject.iter_common_name().any(|name| name.as_str().is_ok_and(|name| name.starts_with(CA_NAME)))
}
