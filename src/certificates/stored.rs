//! What the Secret of a self-managed podgate holds, read strictly and written whole.
//!
//! Everybody who may write Secrets of the namespace can put anything into this one, and a restored backup or
//! a tool for another kind of certificate does. So each part is proven before it is believed: what fails is
//! named, left out, and made anew by the rotation. A CA certificate is kept even when its key is lost, because
//! what it has signed may still be served and must then be trusted.
//!
//! `Debug` is deliberately not derived: two of the parts are keys.

use std::collections::BTreeMap;
use std::time::SystemTime;

use rcgen::KeyPair;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use super::authority::{Authority, CaCertificate, Leaf, Service};
use super::bundle::{Bundle, render};

/// The keys of the Secret.
const CA: Pair = Pair { certificate: "ca.crt", key: "ca.key" };
const NEXT_CA: Pair = Pair { certificate: "next-ca.crt", key: "next-ca.key" };
const LEAF: Pair = Pair { certificate: "tls.crt", key: "tls.key" };
const OLD_CAS: &str = "old-ca.crt";
const OLD_UNTIL: &str = "old-ca-until";
/// Set by hand, to whatever value, to have a rotation now.
const ROTATE: &str = "rotate";

/// Every key that is ours.
const OURS: [&str; 9] = [
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

/// The names under which a certificate and its key stand.
#[derive(Debug, Clone, Copy)]
struct Pair {
    certificate: &'static str,
    key: &'static str,
}

/// The content of a Secret, as the API has it, with base64 taken off.
pub type Data = BTreeMap<String, Vec<u8>>;

/// The proven parts of the Secret.
#[derive(Default)]
pub struct Stored {
    /// The CA that signs.
    pub current: Option<Authority>,
    /// The CA that will, once everybody trusts it.
    pub next: Option<Authority>,
    /// CAs that sign no more, and whose leaves may still be served.
    pub old: Vec<CaCertificate>,
    /// When the last of those leaves is over.
    pub old_until: Option<SystemTime>,
    /// What is served.
    pub leaf: Option<IssuedLeaf>,
    /// Whether somebody asks for a new CA.
    pub rotate: bool,
    /// What is not ours, kept as it is.
    others: Data,
}

/// A leaf and the CA that it is of.
pub struct IssuedLeaf {
    /// The certificate and its key.
    pub leaf: Leaf,
    /// The CA: the current one, or an old one.
    pub issuer: CaCertificate,
}

/// What is wrong with a part of the Secret. The part is left out.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
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
    /// A leaf that somebody else has issued, or that is for another Service.
    #[error("{certificate} is not a server certificate for {service} from a CA of this Secret")]
    Foreign {
        /// Where it stands.
        certificate: &'static str,
        /// The name that it should be for.
        service: String,
    },
    /// Something between the old CAs that is none.
    #[error("{OLD_CAS} holds something that is not the certificate of a CA")]
    NotOnlyAuthorities,
    /// Old CAs of which nobody knows when they can go.
    #[error("{OLD_UNTIL} is not a time such as 2026-01-31T12:00:00Z")]
    NotATime,
}

impl Stored {
    /// Reads what is there. An empty value is as good as none.
    #[must_use]
    pub fn read(data: &Data, service: &Service) -> (Self, Vec<Fault>) {
        let mut reader = Reader { data, faults: Vec::new(), keyless: Vec::new() };
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
        (Self { current, next, old, old_until, leaf, rotate, others }, reader.faults)
    }

    /// What to write to the Secret.
    #[must_use]
    pub fn render(&self) -> Data {
        let mut data = self.others.clone();
        let mut set = |key: &str, value: String| data.insert(key.to_owned(), value.into_bytes());
        for (pair, authority) in [(CA, &self.current), (NEXT_CA, &self.next)] {
            if let Some(authority) = authority {
                set(pair.certificate, super::bundle::pem(authority.certificate().der()));
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
        self.old.iter().chain([&self.current, &self.next].into_iter().flatten().map(Authority::certificate))
    }

    /// Keeps a CA as one that signs no more. The newest are kept where there are too many.
    pub fn retire(&mut self, authority: CaCertificate) {
        keep(&mut self.old, authority);
        self.old.sort_by_key(|authority| std::cmp::Reverse(authority.not_before()));
        self.old.truncate(MOST_OLD);
    }
}

fn keep(old: &mut Vec<CaCertificate>, authority: CaCertificate) {
    if !old.contains(&authority) {
        old.push(authority);
    }
}

/// Reads part by part, and remembers what was wrong.
struct Reader<'a> {
    data: &'a Data,
    faults: Vec<Fault>,
    /// CA certificates whose keys are lost.
    keyless: Vec<CaCertificate>,
}

impl<'a> Reader<'a> {
    fn value(&self, key: &str) -> Option<&'a [u8]> {
        self.data.get(key).map(|value| value.trim_ascii()).filter(|value| !value.is_empty())
    }

    /// The certificate of a pair, and its key if there is a good one.
    fn pair(&mut self, pair: Pair) -> Option<(CertificateDer<'static>, Option<KeyPair>)> {
        let Pair { certificate, key } = pair;
        let (der, pem) = match (self.value(certificate), self.value(key)) {
            (None, None) => return None,
            (None, Some(_)) => {
                self.faults.push(Fault::Incomplete { missing: certificate, present: key });
                return None;
            }
            (Some(der), pem) => (one_certificate(der), pem),
        };
        let Some(der) = der else {
            self.faults.push(Fault::NotACertificate(certificate));
            return None;
        };
        let Some(pem) = pem else {
            self.faults.push(Fault::Incomplete { missing: key, present: certificate });
            return Some((der, None));
        };
        let read = std::str::from_utf8(pem).ok().and_then(|pem| KeyPair::from_pem(pem).ok());
        if read.is_none() {
            self.faults.push(Fault::NotAKey(key));
        }
        Some((der, read))
    }

    fn authority(&mut self, pair: Pair) -> Option<Authority> {
        let (der, key) = self.pair(pair)?;
        let Some(certificate) = CaCertificate::read(der) else {
            self.faults.push(Fault::NotAnAuthority(pair.certificate));
            return None;
        };
        let Some(key) = key else {
            self.keyless.push(certificate);
            return None;
        };
        let authority = Authority::new(certificate.clone(), key);
        if authority.is_none() {
            self.faults.push(Fault::Mismatch { key: pair.key, certificate: pair.certificate });
            self.keyless.push(certificate);
        }
        authority
    }

    fn old(&mut self) -> Vec<CaCertificate> {
        let Some(value) = self.value(OLD_CAS) else {
            return Vec::new();
        };
        let bundle = Bundle::read(value);
        let authorities = bundle.authorities().to_vec();
        if !bundle.is(&authorities.iter().collect::<Vec<_>>()) {
            self.faults.push(Fault::NotOnlyAuthorities);
        }
        authorities
    }

    fn old_until(&mut self, is_needed: bool) -> Option<SystemTime> {
        let value = self.value(OLD_UNTIL);
        let until = value
            .and_then(|value| std::str::from_utf8(value).ok())
            .and_then(|value| humantime::parse_rfc3339(value).ok());
        if until.is_none() && (is_needed || value.is_some()) {
            self.faults.push(Fault::NotATime);
        }
        until.filter(|_| is_needed)
    }

    fn leaf(
        &mut self,
        current: &Option<Authority>,
        old: &[CaCertificate],
        service: &Service,
    ) -> Option<IssuedLeaf> {
        let (der, key) = self.pair(LEAF)?;
        let Some(leaf) = Leaf::new(der, key?) else {
            self.faults.push(Fault::Mismatch { key: LEAF.key, certificate: LEAF.certificate });
            return None;
        };
        let issuer = current.iter().map(Authority::certificate).chain(old).find(|issuer| {
            // Whether it is still valid is another question, so that it is asked about its first moment.
            let at = leaf.not_before().max(issuer.not_before());
            Bundle::read(&render(&[issuer])).vouches_for(leaf.der(), service, at)
        });
        let Some(issuer) = issuer.cloned() else {
            self.faults
                .push(Fault::Foreign { certificate: LEAF.certificate, service: service.name().to_owned() });
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
