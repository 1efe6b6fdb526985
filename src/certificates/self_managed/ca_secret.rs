//! The content of the Secret of a self-managed certificate, read strictly and written as a whole.
//!
//! Everybody who may write Secrets of the namespace can put anything into this one, and a restored backup or another
//! certificate tool does. So each part is verified before it is used: what fails is reported, left out, and replaced by
//! the rotation. A CA certificate is kept even when its key is lost, because leaves that it has signed may still be
//! served and must then be trusted.
//!
//! `Debug` is deliberately not derived: two of the parts are keys.

use std::collections::BTreeMap;
use std::time::SystemTime;

use crate::certificates::bundle::render;
use crate::certificates::ca_certificate::CaCertificate;
use crate::certificates::self_managed::authority::{CertificateAuthority, LeafCertificate};
use crate::certificates::x509::to_pem;

/// The keys of the Secret.
pub(super) const CA: SecretKeys = SecretKeys { certificate: "ca.crt", key: "ca.key" };
pub(super) const NEXT_CA: SecretKeys = SecretKeys { certificate: "next-ca.crt", key: "next-ca.key" };
pub(super) const LEAF: SecretKeys = SecretKeys { certificate: "tls.crt", key: "tls.key" };
pub(super) const OLD_CAS: &str = "old-ca.crt";
pub(super) const OLD_UNTIL: &str = "old-ca-until";
/// Set by hand, to any value, to request a rotation.
pub(super) const ROTATE: &str = "rotate";

/// Every key that is ours.
pub(super) const OURS: [&str; 9] = [
    CA.certificate,
    CA.key,
    NEXT_CA.certificate,
    NEXT_CA.key,
    LEAF.certificate,
    LEAF.key,
    OLD_CAS,
    OLD_UNTIL,
    ROTATE,
];

/// Old CAs that are kept. One is usual; more come only from rotations that follow each other within a month,
/// and without a limit somebody who replaces the Secret again and again would fill it.
pub(super) const MOST_OLD: usize = 8;

/// The keys of a certificate and its private key.
#[derive(Debug, Clone, Copy)]
pub(super) struct SecretKeys {
    pub(super) certificate: &'static str,
    pub(super) key: &'static str,
}

/// The data of a Secret, without base64.
pub type SecretData = BTreeMap<String, Vec<u8>>;

/// The verified parts of the Secret.
#[derive(Default)]
pub struct CaSecret {
    /// The CA that signs.
    pub current: Option<CertificateAuthority>,
    /// The CA that will sign, once everybody trusts it.
    pub next: Option<CertificateAuthority>,
    /// CAs that no longer sign, and whose leaves may still be served; the last to sign comes first.
    pub old: Vec<CaCertificate>,
    /// When the last of those leaves expires.
    pub old_until: Option<SystemTime>,
    /// The leaf that is served.
    pub leaf: Option<IssuedLeaf>,
    /// Whether a rotation is requested.
    pub rotate: bool,
    /// Data that is not ours, kept as it is.
    pub(super) others: SecretData,
}

/// A leaf and the CA that has signed it.
pub struct IssuedLeaf {
    /// The certificate and its key.
    pub leaf: LeafCertificate,
    /// The CA: the current one, or an old one.
    pub issuer: CaCertificate,
}

impl CaSecret {
    /// What to write to the Secret.
    #[must_use]
    pub fn render(&self) -> SecretData {
        let mut data = self.others.clone();
        let mut set = |key: &str, value: String| data.insert(key.to_owned(), value.into_bytes());
        for (pair, authority) in [(CA, &self.current), (NEXT_CA, &self.next)] {
            if let Some(authority) = authority {
                set(pair.certificate, to_pem(authority.certificate().der()));
                set(pair.key, authority.key_pem());
            }
        }
        // A Secret of type kubernetes.io/tls must have both, if only empty: one that a files installation has
        // left behind can be written to this way.
        set(LEAF.certificate, self.leaf.as_ref().map(|leaf| leaf.leaf.certificate_pem()).unwrap_or_default());
        set(LEAF.key, self.leaf.as_ref().map(|leaf| leaf.leaf.key_pem()).unwrap_or_default());
        if let Some(until) = self.old_until {
            set(OLD_UNTIL, humantime::format_rfc3339_seconds(until).to_string());
        }
        if self.rotate {
            set(ROTATE, "true".to_owned());
        }
        if !self.old.is_empty() {
            data.insert(OLD_CAS.to_owned(), render(&self.old.iter().collect::<Vec<_>>()));
        }
        data
    }

    /// Every CA certificate in the Secret: old, current, next.
    pub fn authorities(&self) -> impl Iterator<Item = &CaCertificate> {
        self.old
            .iter()
            .chain([&self.current, &self.next].into_iter().flatten().map(CertificateAuthority::certificate))
    }

    /// Keeps a CA as one that no longer signs. Where there are too many, those that have not signed for longest are
    /// dropped.
    pub fn retire(&mut self, authority: CaCertificate) {
        keep(&mut self.old, authority);
        self.old.truncate(MOST_OLD);
    }
}

pub(super) fn keep(old: &mut Vec<CaCertificate>, authority: CaCertificate) {
    if !old.contains(&authority) {
        old.insert(0, authority);
    }
}
