//! A bundle of CA certificates, as in the `caBundle` of a webhook, and the verification of certificates by it.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustls::RootCertStore;
use rustls::client::{verify_server_cert_signed_by_trust_anchor, verify_server_name};
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;

use crate::certificates::ca_certificate::CaCertificate;
use crate::certificates::service::WebhookService;
use crate::certificates::x509::to_pem;

/// CA certificates that somebody trusts.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CaBundle {
    authorities: Vec<CaCertificate>,
    /// Whether it has anything but these.
    has_others: bool,
}

impl CaBundle {
    /// Reads what a webhook entry holds. Anything but CA certificates in PEM is skipped, as API servers do.
    #[must_use]
    pub fn read(pem: &[u8]) -> Self {
        let mut bundle = Self::default();
        let mut blocks = 0;
        for block in CertificateDer::pem_slice_iter(pem) {
            blocks += 1;
            match block.ok().and_then(CaCertificate::read) {
                Some(authority) => bundle.authorities.push(authority),
                None => bundle.has_others = true,
            }
            // A broken block may not end the iteration; no bundle has as many as this.
            if blocks == MOST_BLOCKS {
                bundle.has_others = true;
                break;
            }
        }
        bundle.has_others |= blocks == 0 && !pem.trim_ascii().is_empty();
        bundle
    }

    /// A bundle of this CA alone.
    #[must_use]
    pub fn of(authority: &CaCertificate) -> Self {
        Self { authorities: vec![authority.clone()], has_others: false }
    }

    /// The CAs in it.
    #[must_use]
    pub fn authorities(&self) -> &[CaCertificate] {
        &self.authorities
    }

    /// Whether this CA is in it.
    #[must_use]
    pub fn holds(&self, authority: &CaCertificate) -> bool {
        self.authorities.contains(authority)
    }

    /// Whether it has exactly these, in any order.
    #[must_use]
    pub fn is(&self, authorities: &[&CaCertificate]) -> bool {
        !self.has_others
            && authorities.iter().all(|authority| self.holds(authority))
            && self.authorities.iter().all(|authority| authorities.contains(&authority))
    }

    /// Whether a client that trusts this bundle, and whose clock shows `at`, accepts the certificate for the
    /// Service.
    #[must_use]
    pub fn verifies(&self, leaf: &CertificateDer<'_>, service: &WebhookService, at: SystemTime) -> bool {
        self.verifies_chain(leaf, &[], service, at)
    }

    /// The same for a certificate that is presented with intermediates.
    #[must_use]
    pub fn verifies_chain(
        &self,
        leaf: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        service: &WebhookService,
        at: SystemTime,
    ) -> bool {
        let Ok(parsed) = ParsedCertificate::try_from(leaf) else {
            return false;
        };
        let Ok(name) = ServerName::try_from(service.name()) else {
            return false;
        };
        let mut roots = RootCertStore::empty();
        for authority in &self.authorities {
            // Go checks the dates of roots, webpki does not.
            if authority.not_before() <= at && at <= authority.not_after() {
                // One that webpki cannot use verifies nothing.
                let _ = roots.add(authority.der().clone());
            }
        }
        let at = UnixTime::since_unix_epoch(at.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO));
        let algorithms = aws_lc_rs::default_provider().signature_verification_algorithms.all;
        verify_server_cert_signed_by_trust_anchor(&parsed, &roots, intermediates, at, algorithms).is_ok()
            && verify_server_name(&parsed, &name).is_ok()
    }
}

/// More blocks than any bundle has; an object of the API holds no more than about 2,000.
const MOST_BLOCKS: usize = 10_000;

/// These CAs as a `caBundle`, before base64.
#[must_use]
pub fn render(authorities: &[&CaCertificate]) -> Vec<u8> {
    authorities.iter().map(|authority| to_pem(authority.der())).collect::<String>().into_bytes()
}

#[cfg(test)]
mod tests {
    use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, date_time_ymd};

    use super::*;
    use crate::certificates::{CertificateAuthority, Lifetimes};

    const LIFETIMES: fn() -> Lifetimes = Lifetimes::default;

    fn now() -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(1_800_000_000)
    }

    fn authority() -> CertificateAuthority {
        CertificateAuthority::create(now(), &LIFETIMES()).unwrap()
    }

    #[test]
    fn read_as_rendered() {
        let (a, b, c) = (authority(), authority(), authority());
        let (a, b, c) = (a.certificate(), b.certificate(), c.certificate());
        let bundle = CaBundle::read(&render(&[a, b]));
        assert!(bundle.is(&[a, b]) && bundle.is(&[b, a]));
        assert!(!bundle.is(&[a]) && !bundle.is(&[a, b, c]) && !bundle.is(&[a, c]));
        assert!(bundle.holds(b) && !bundle.holds(c));
    }

    #[test]
    fn what_is_no_ca_is_passed_over_but_seen() {
        let ca = authority();
        let good = render(&[ca.certificate()]);
        let leaf = ca.issue(&WebhookService::new("a", "b"), now(), &LIFETIMES()).unwrap();
        for (text, expected) in [
            (good.clone(), true),
            ([b"# a comment\n".as_slice(), &good].concat(), true),
            ([good.as_slice(), leaf.certificate_pem().as_bytes()].concat(), false),
            ([good.as_slice(), KeyPair::generate().unwrap().public_key_pem().as_bytes()].concat(), true),
            (
                [good.as_slice(), b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"].concat(),
                false,
            ),
            (
                [good.as_slice(), b"-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n"].concat(),
                false,
            ),
            ([good.as_slice(), b"-----BEGIN CERTIFICATE-----\nAAAA\n"].concat(), false),
        ] {
            let bundle = CaBundle::read(&text);
            assert_eq!(bundle.is(&[ca.certificate()]), expected, "{}", String::from_utf8_lossy(&text));
            assert!(bundle.holds(ca.certificate()));
        }
        assert!(CaBundle::read(b"").is(&[]) && CaBundle::read(b"\n").is(&[]));
        assert!(!CaBundle::read(b"no PEM at all").is(&[]));
        assert!(!CaBundle::read(&[0xff; 100]).is(&[]));
    }

    #[test]
    fn vouches_for_its_own_in_their_time() {
        let (ca, other) = (authority(), authority());
        let service = WebhookService::new("podgate", "podgate-system");
        let leaf = ca.issue(&service, now(), &LIFETIMES()).unwrap();
        let hour = Duration::from_secs(3600);
        let bundle = |authorities: &[&CertificateAuthority]| {
            let certificates: Vec<_> = authorities.iter().map(|ca| ca.certificate()).collect();
            CaBundle::read(&render(&certificates))
        };
        for (authorities, service, at, expected) in [
            (vec![&ca], &service, now(), true),
            (vec![&other, &ca], &service, now(), true),
            (vec![&other], &service, now(), false),
            (vec![], &service, now(), false),
            (vec![&ca], &WebhookService::new("podgate", "elsewhere"), now(), false),
            (vec![&ca], &WebhookService::new("not a name", "elsewhere"), now(), false),
            (vec![&ca], &service, now() - hour + Duration::from_secs(1), true),
            (vec![&ca], &service, now() - hour - Duration::from_secs(1), false),
            (vec![&ca], &service, now() + 30 * 24 * hour - Duration::from_secs(1), true),
            (vec![&ca], &service, now() + 30 * 24 * hour + Duration::from_secs(1), false),
        ] {
            assert_eq!(
                bundle(&authorities).verifies(leaf.der(), service, at),
                expected,
                "{service:?} {at:?}"
            );
        }
        assert!(!bundle(&[&ca]).verifies(&vec![1].into(), &service, now()));
    }

    #[test]
    fn a_root_whose_time_is_over_vouches_for_nothing() {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.not_after = date_time_ymd(2030, 1, 1);
        let root = params.self_signed(&key).unwrap();
        let leaf_key = KeyPair::generate().unwrap();
        // Ours never outlive their CA.
        let mut leaf = CertificateParams::new(vec!["a.b.svc".to_owned()]).unwrap();
        leaf.not_after = date_time_ymd(2040, 1, 1);
        let leaf = leaf.signed_by(&leaf_key, &Issuer::new(params, key)).unwrap();
        let bundle = CaBundle::read(root.pem().as_bytes());
        let year = Duration::from_secs(365 * 24 * 3600);
        for (at, expected) in [(now(), true), (now() + 5 * year, false)] {
            assert_eq!(bundle.verifies(leaf.der(), &WebhookService::new("a", "b"), at), expected, "{at:?}");
        }
    }
}
