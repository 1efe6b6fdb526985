//! What may be wrong with bundles and certificates.

use std::time::Duration;

use podgate::doctor::{Check, Secret, Served, Severity};

use super::super::world::{DAY, MUTATING, VALIDATING, certificate, now};
use super::{Break, Patch, Remove, With, gone, set};

pub(super) fn cases() -> Vec<(Check, Severity, &'static str, Break)> {
    use Severity::{Error, Warning};
    vec![
        (
            Check::BundleMissing,
            Error,
            "every call fails",
            Patch(VALIDATING, gone("/webhooks/1/clientConfig/caBundle")),
        ),
        (
            Check::BundleMissing,
            Error,
            "every call fails",
            Patch(MUTATING, set("/webhooks/0/clientConfig/caBundle", "".into())),
        ),
        (
            Check::BundleUnreadable,
            Error,
            "no CA certificate in PEM",
            With(|installation| {
                installation.bundles[0].authorities.clear();
            }),
        ),
        (
            Check::BundleUnreadable,
            Warning,
            "something beside CA certificates",
            With(|installation| {
                installation.bundles[1].has_others = true;
            }),
        ),
        (
            Check::BundleExpired,
            Error,
            "the last one ends at 2026-11-24T12:00:00Z",
            With(|installation| {
                installation.bundles[2].authorities[0].not_after = now() - DAY;
            }),
        ),
        (
            Check::BundleExpired,
            Error,
            "none of its CAs is valid now",
            With(|installation| {
                installation.bundles[2].authorities[0].not_before = now() + DAY;
            }),
        ),
        (
            Check::BundleExpiresSoon,
            Warning,
            "ends at 2026-12-24T12:00:00Z",
            With(|installation| {
                installation.bundles[0].authorities[0].not_after = now() + 29 * DAY;
            }),
        ),
        (
            Check::BundleForeign,
            Error,
            "does not vouch for the certificate in Secret podgate-system/podgate-tls",
            With(|installation| installation.bundles[0].vouches = Some(false)),
        ),
        (Check::SecretMissing, Error, "keeps none", Remove("Secret")),
        (
            Check::SecretMissing,
            Error,
            "no certificate in PEM",
            With(|installation| {
                installation.secret = Ok(Some(Secret { certificate: None }));
            }),
        ),
        (
            Check::CertificateExpired,
            Error,
            "ended at 2026-11-25T11:59:59Z",
            With(|installation| {
                certificate(installation).not_after = now() - Duration::from_secs(1);
            }),
        ),
        (
            Check::CertificateExpired,
            Error,
            "is not valid before 2026-11-25T12:00:01Z",
            With(|installation| {
                certificate(installation).not_before = now() + Duration::from_secs(1);
            }),
        ),
        (
            Check::CertificateExpiresSoon,
            Warning,
            "ends at 2026-11-29T12:00:00Z",
            With(|installation| {
                certificate(installation).not_after = now() + 4 * DAY;
            }),
        ),
        (
            Check::CertificateName,
            Error,
            "API servers ask for podgate.podgate-system.svc",
            With(|installation| {
                certificate(installation).names = vec!["podgate.elsewhere.svc".into()];
            }),
        ),
        (
            Check::NotReached,
            Error,
            "the NetworkPolicy podgate or a firewall",
            With(|installation| {
                for bundle in &mut installation.bundles {
                    let (address, reason) = ("127.0.0.1:8443".into(), "connection refused".into());
                    bundle.served = Some(Served::Unreached { address, reason });
                }
            }),
        ),
        (
            Check::ServedForeign,
            Error,
            "what is served at 127.0.0.1:8443 for podgate.podgate-system.svc: UnknownIssuer",
            With(|installation| {
                let (address, reason) = ("127.0.0.1:8443".into(), "UnknownIssuer".into());
                installation.bundles[0].served = Some(Served::Foreign { address, reason });
            }),
        ),
    ]
}
