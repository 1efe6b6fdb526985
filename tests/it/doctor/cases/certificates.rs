//! What may be wrong with bundles and certificates.

use std::time::Duration;

use podgate::doctor::{DiagnosisSeverity, HealthCheck, TlsProbe};

use super::super::world::{DAY, MUTATING, VALIDATING, certificate, now};
use super::{Break, Patch, Remove, With, gone, set};

pub(super) fn cases() -> Vec<(HealthCheck, DiagnosisSeverity, &'static str, Break)> {
    use DiagnosisSeverity::{Error, Warning};
    vec![
        (
            HealthCheck::BundleMissing,
            Error,
            "every call fails",
            Patch(VALIDATING, gone("/webhooks/1/clientConfig/caBundle")),
        ),
        (
            HealthCheck::BundleMissing,
            Error,
            "every call fails",
            Patch(MUTATING, set("/webhooks/0/clientConfig/caBundle", "".into())),
        ),
        (
            HealthCheck::BundleUnreadable,
            Error,
            "no CA certificate in PEM",
            With(|installation| {
                installation.bundles[0].authorities.clear();
            }),
        ),
        (
            HealthCheck::BundleUnreadable,
            Warning,
            "something beside CA certificates",
            With(|installation| {
                installation.bundles[1].has_others = true;
            }),
        ),
        (
            HealthCheck::BundleExpired,
            Error,
            "the last one ends at 2026-11-24T12:00:00Z",
            With(|installation| {
                installation.bundles[2].authorities[0].not_after = now() - DAY;
            }),
        ),
        (
            HealthCheck::BundleExpired,
            Error,
            "none of its CAs is valid now",
            With(|installation| {
                installation.bundles[2].authorities[0].not_before = now() + DAY;
            }),
        ),
        (
            HealthCheck::BundleExpiresSoon,
            Warning,
            "ends at 2026-12-24T12:00:00Z",
            With(|installation| {
                installation.bundles[0].authorities[0].not_after = now() + 29 * DAY;
            }),
        ),
        (
            HealthCheck::BundleForeign,
            Error,
            "does not vouch for the certificate in Secret podgate-system/podgate-tls",
            With(|installation| installation.bundles[0].verifies = Some(false)),
        ),
        (HealthCheck::SecretMissing, Error, "keeps none", Remove("Secret")),
        (
            HealthCheck::SecretMissing,
            Error,
            "no certificate in PEM",
            With(|installation| {
                installation.secret = Ok(Some(None));
            }),
        ),
        (
            HealthCheck::CertificateExpired,
            Error,
            "ended at 2026-11-25T11:59:59Z",
            With(|installation| {
                certificate(installation).not_after = now() - Duration::from_secs(1);
            }),
        ),
        (
            HealthCheck::CertificateExpired,
            Error,
            "is not valid before 2026-11-25T12:00:01Z",
            With(|installation| {
                certificate(installation).not_before = now() + Duration::from_secs(1);
            }),
        ),
        (
            HealthCheck::CertificateExpiresSoon,
            Warning,
            "ends at 2026-11-29T12:00:00Z",
            With(|installation| {
                certificate(installation).not_after = now() + 4 * DAY;
            }),
        ),
        (
            HealthCheck::CertificateName,
            Error,
            "API servers ask for podgate.podgate-system.svc",
            With(|installation| {
                certificate(installation).names = vec!["podgate.elsewhere.svc".into()];
            }),
        ),
        (
            HealthCheck::NotReached,
            Error,
            "the NetworkPolicy podgate or a firewall",
            With(|installation| {
                for bundle in &mut installation.bundles {
                    let (address, reason) = ("127.0.0.1:8443".into(), "connection refused".into());
                    bundle.served = Some(TlsProbe::Unreached { address, reason });
                }
            }),
        ),
        (
            HealthCheck::ServedForeign,
            Error,
            "what is served at 127.0.0.1:8443 for podgate.podgate-system.svc: UnknownIssuer",
            With(|installation| {
                let (address, reason) = ("127.0.0.1:8443".into(), "UnknownIssuer".into());
                installation.bundles[0].served = Some(TlsProbe::Foreign { address, reason });
            }),
        ),
    ]
}
