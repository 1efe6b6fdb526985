//! What the Secret of a self-managed podgate holds, read strictly and written whole.
//!
//! Everybody who may write Secrets of the namespace can put anything into this one, and a restored backup or
//! a tool for another kind of certificate does. So each part is proven before it is believed: what fails is
//! named, left out, and made anew by the rotation. A CA certificate is kept even when its key is lost, because
//! what it has signed may still be served and must then be trusted.
//!
//! `Debug` is deliberately not derived: two of the parts are keys.

mod read;

use std::collections::BTreeMap;
use std::time::SystemTime;

use super::authority::{Authority, CaCertificate, Leaf};
use super::bundle::render;

pub use read::Fault;

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
    /// CAs that sign no more, and whose leaves may still be served; the last to sign comes first.
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

impl Stored {
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

    /// Keeps a CA as one that signs no more. Where there are too many, the ones that have not signed for longest
    /// are forgotten.
    pub fn retire(&mut self, authority: CaCertificate) {
        keep(&mut self.old, authority);
        self.old.truncate(MOST_OLD);
    }
}

fn keep(old: &mut Vec<CaCertificate>, authority: CaCertificate) {
    if !old.contains(&authority) {
        old.insert(0, authority);
    }
}

#[cfg(test)]
mod tests;
