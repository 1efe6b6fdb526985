//! Reads the Secret part by part, and reports what is wrong with each.

use std::time::SystemTime;

use rcgen::KeyPair;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use crate::certificates::bundle::CaBundle;
use crate::certificates::ca_certificate::CaCertificate;
use crate::certificates::self_managed::authority::{CertificateAuthority, LeafCertificate};
use crate::certificates::self_managed::ca_secret::{
    CA, CaSecret, IssuedLeaf, LEAF, NEXT_CA, OLD_CAS, OLD_UNTIL, OURS, ROTATE, SecretData, SecretKeys, keep,
};
use crate::certificates::service::WebhookService;

/// What is wrong with a part of the Secret. The part is left out.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SecretError {
    /// A certificate that cannot be read.
    #[error("{0} is not one certificate in PEM")]
    NotACertificate(&'static str),
    /// A key that cannot be read.
    #[error("{0} is not one private key in PEM")]
    NotAKey(&'static str),
    /// A certificate without its key, or a key without its certificate.
    #[error("{missing} is missing beside {present}")]
    Incomplete {
        /// What is not there.
        missing: &'static str,
        /// What is.
        present: &'static str,
    },
    /// A key of another certificate.
    #[error("{key} is not the key of {certificate}")]
    Mismatch {
        /// The key.
        key: &'static str,
        /// The certificate.
        certificate: &'static str,
    },
    /// A certificate that may not sign others.
    #[error("{0} is not the certificate of a CA")]
    NotAnAuthority(&'static str),
    /// A leaf of another issuer, or for another Service.
    #[error("{certificate} is not a server certificate for {service} from a CA of this Secret")]
    Foreign {
        /// Where it stands.
        certificate: &'static str,
        /// The name that it should be for.
        service: String,
    },
    /// Something among the old CAs that is not a CA.
    #[error("{OLD_CAS} holds something that is not the certificate of a CA")]
    NotOnlyAuthorities,
    /// The date on which the old CAs can be dropped is missing or unreadable.
    #[error("{OLD_UNTIL} is not a time such as 2026-01-31T12:00:00Z")]
    NotATime,
}

impl CaSecret {
    /// Reads what is there. An empty value is as good as none.
    #[must_use]
    pub fn read(data: &SecretData, service: &WebhookService) -> (Self, Vec<SecretError>) {
        let mut reader = SecretReader { data, errors: Vec::new(), keyless: Vec::new() };
        let current = reader.authority(CA);
        let next = reader.authority(NEXT_CA);
        let mut old = reader.old();
        for authority in std::mem::take(&mut reader.keyless) {
            keep(&mut old, authority);
        }
        let old_until = reader.old_until(!old.is_empty());
        let leaf = reader.leaf(&current, &old, service);
        let others = data
            .iter()
            .filter(|(key, _)| !OURS.contains(&key.as_str()))
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect();
        let rotate = reader.value(ROTATE).is_some();
        (Self { current, next, old, old_until, leaf, rotate, others }, reader.errors)
    }
}

/// Reads part by part, and remembers what was wrong.
struct SecretReader<'a> {
    data: &'a SecretData,
    errors: Vec<SecretError>,
    /// CA certificates whose keys are lost.
    keyless: Vec<CaCertificate>,
}

impl<'a> SecretReader<'a> {
    fn value(&self, key: &str) -> Option<&'a [u8]> {
        self.data.get(key).map(|value| value.trim_ascii()).filter(|value| !value.is_empty())
    }

    /// The certificate of a pair, and its key if there is a good one.
    fn pair(&mut self, pair: SecretKeys) -> Option<(CertificateDer<'static>, Option<KeyPair>)> {
        let SecretKeys { certificate, key } = pair;
        let (der, pem) = match (self.value(certificate), self.value(key)) {
            (None, None) => return None,
            (None, Some(_)) => {
                self.errors.push(SecretError::Incomplete { missing: certificate, present: key });
                return None;
            }
            (Some(der), pem) => (one_certificate(der), pem),
        };
        let Some(der) = der else {
            self.errors.push(SecretError::NotACertificate(certificate));
            return None;
        };
        let Some(pem) = pem else {
            self.errors.push(SecretError::Incomplete { missing: key, present: certificate });
            return Some((der, None));
        };
        let read = std::str::from_utf8(pem).ok().and_then(|pem| KeyPair::from_pem(pem).ok());
        if read.is_none() {
            self.errors.push(SecretError::NotAKey(key));
        }
        Some((der, read))
    }

    fn authority(&mut self, pair: SecretKeys) -> Option<CertificateAuthority> {
        let (der, key) = self.pair(pair)?;
        let Some(certificate) = CaCertificate::read(der) else {
            self.errors.push(SecretError::NotAnAuthority(pair.certificate));
            return None;
        };
        let Some(key) = key else {
            self.keyless.push(certificate);
            return None;
        };
        let authority = CertificateAuthority::new(certificate.clone(), key);
        if authority.is_none() {
            self.errors.push(SecretError::Mismatch { key: pair.key, certificate: pair.certificate });
            self.keyless.push(certificate);
        }
        authority
    }

    fn old(&mut self) -> Vec<CaCertificate> {
        let Some(value) = self.value(OLD_CAS) else {
            return Vec::new();
        };
        let bundle = CaBundle::read(value);
        let authorities = bundle.authorities().to_vec();
        if !bundle.is(&authorities.iter().collect::<Vec<_>>()) {
            self.errors.push(SecretError::NotOnlyAuthorities);
        }
        authorities
    }

    fn old_until(&mut self, is_needed: bool) -> Option<SystemTime> {
        let value = self.value(OLD_UNTIL);
        let until = value
            .and_then(|value| std::str::from_utf8(value).ok())
            .and_then(|value| humantime::parse_rfc3339(value).ok());
        if until.is_none() && (is_needed || value.is_some()) {
            self.errors.push(SecretError::NotATime);
        }
        until.filter(|_| is_needed)
    }

    fn leaf(
        &mut self,
        current: &Option<CertificateAuthority>,
        old: &[CaCertificate],
        service: &WebhookService,
    ) -> Option<IssuedLeaf> {
        let (der, key) = self.pair(LEAF)?;
        let Some(leaf) = LeafCertificate::new(der, key?) else {
            self.errors.push(SecretError::Mismatch { key: LEAF.key, certificate: LEAF.certificate });
            return None;
        };
        let issuer = current.iter().map(CertificateAuthority::certificate).chain(old).find(|issuer| {
            // Whether it is still valid is decided elsewhere, so this checks its first moment.
            let at = leaf.not_before().max(issuer.not_before());
            CaBundle::of(issuer).verifies(leaf.der(), service, at)
        });
        let Some(issuer) = issuer.cloned() else {
            self.errors.push(SecretError::Foreign {
                certificate: LEAF.certificate,
                service: service.name().to_owned(),
            });
            return None;
        };
        Some(IssuedLeaf { leaf, issuer })
    }
}

fn one_certificate(pem: &[u8]) -> Option<CertificateDer<'static>> {
    let mut blocks = CertificateDer::pem_slice_iter(pem);
    let first = blocks.next()?.ok()?;
    blocks.next().is_none().then_some(first)
}

#[cfg(test)]
mod tests;
