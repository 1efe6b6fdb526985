//! The bundles of the webhooks, the certificate in the Secret, and what is really served.

use std::time::{Duration, SystemTime};

use super::entry::{Entry, entries};
use super::{Authority, Bundle, Certificate, Check, Finding, Installation, Served, Severity};

/// A leaf of podgate's own is renewed 10 days before its end, one of cert-manager's 30: with less than this left,
/// renewing has failed for days.
const LEAF_SOON: Duration = Duration::from_secs(5 * 24 * 60 * 60);

/// A CA of podgate's own is followed by the next when it has 122 days left.
const AUTHORITY_SOON: Duration = Duration::from_secs(30 * 24 * 60 * 60);

pub(super) fn check(installation: &Installation, findings: &mut Vec<Finding>) {
    for entry in entries(installation) {
        bundle(installation, &entry, findings);
    }
    secret(installation, findings);
    served(installation, findings);
}

/// What makes podgate, or whoever else issues its certificate, write the bundle again.
fn publish(installation: &Installation) -> String {
    let names = &installation.names;
    if installation.is_self_managed() {
        return names.restart();
    }
    "kubectl --namespace cert-manager rollout restart deployment/cert-manager-cainjector # or what else writes it"
        .to_owned()
}

/// What makes whoever issues the certificate issue it anew.
fn issue(installation: &Installation) -> String {
    let names = &installation.names;
    if installation.is_self_managed() {
        return format!("{} # the log says why it was not renewed", names.restart());
    }
    names.kubectl(&format!("delete secret {} # cert-manager then issues it anew", names.secret))
}

fn bundle(installation: &Installation, entry: &Entry<'_>, findings: &mut Vec<Finding>) {
    let mut report = |check, severity, found: String| {
        findings.push(Finding {
            check,
            severity,
            object: entry.object(),
            field: entry.field("clientConfig.caBundle"),
            found,
            mend: publish(installation),
        });
    };
    if entry.client.ca_bundle.as_ref().is_none_or(|bundle| bundle.0.is_empty()) {
        let found = "empty: API servers do not trust podgate's certificate, and every call fails".to_owned();
        return report(Check::BundleMissing, Severity::Error, found);
    }
    let is_of =
        |bundle: &&Bundle| (bundle.webhook.as_str(), bundle.is_mutating) == (entry.name, entry.is_mutating);
    let Some(bundle) = installation.bundles.iter().find(is_of) else { return };
    if bundle.authorities.is_empty() {
        let found = "holds no CA certificate in PEM: every call fails".to_owned();
        return report(Check::BundleUnreadable, Severity::Error, found);
    }
    if bundle.has_others {
        let found = "holds something beside CA certificates, which podgate did not write".to_owned();
        report(Check::BundleUnreadable, Severity::Warning, found);
    }
    let now = installation.now;
    let latest = bundle.authorities.iter().map(|authority| authority.not_after).max().unwrap_or(now);
    let is_valid = |authority: &Authority| authority.not_before <= now && now <= authority.not_after;
    if !bundle.authorities.iter().any(is_valid) {
        let found = format!("none of its CAs is valid now; the last one ends at {}", date(latest));
        return report(Check::BundleExpired, Severity::Error, found);
    }
    if ends_within(latest, now, AUTHORITY_SOON) {
        let found = format!("the last of its CAs ends at {}", date(latest));
        report(Check::BundleExpiresSoon, Severity::Warning, found);
    }
    if bundle.vouches == Some(false) && is_sound(installation) {
        let found = format!(
            "does not vouch for the certificate in {}: every call fails once that is served",
            installation.names.own("Secret", &installation.names.secret)
        );
        report(Check::BundleForeign, Severity::Error, found);
    }
}

/// Whether the certificate in the Secret is valid now and for the Service; what else is wrong with it is told there.
fn is_sound(installation: &Installation) -> bool {
    let Ok(Some(secret)) = &installation.secret else { return false };
    secret.certificate.as_ref().is_some_and(|certificate| {
        let is_valid =
            certificate.not_before <= installation.now && installation.now <= certificate.not_after;
        is_valid && certificate.names.contains(&service_name(installation))
    })
}

fn secret(installation: &Installation, findings: &mut Vec<Finding>) {
    let names = &installation.names;
    let mut report = |check, severity, field: &str, found: String, mend: String| {
        let object = names.own("Secret", &names.secret);
        findings.push(Finding { check, severity, object, field: field.to_owned(), found, mend });
    };
    let certificate = match &installation.secret {
        Err(_) => return,
        Ok(None) => {
            let found = "not there: podgate has no certificate to serve, and keeps none".to_owned();
            let mend = super::installation::REINSTALL.to_owned();
            return report(Check::SecretMissing, Severity::Error, "", found, mend);
        }
        Ok(Some(secret)) => &secret.certificate,
    };
    let Some(Certificate { not_before, not_after, names: of }) = certificate else {
        let found = "no certificate in PEM".to_owned();
        return report(Check::SecretMissing, Severity::Error, "data[tls.crt]", found, issue(installation));
    };
    let now = installation.now;
    let mut leaf =
        |check, severity, found| report(check, severity, "data[tls.crt]", found, issue(installation));
    if *not_after < now {
        leaf(Check::CertificateExpired, Severity::Error, format!("ended at {}", date(*not_after)));
    } else if *not_before > now {
        leaf(
            Check::CertificateExpired,
            Severity::Error,
            format!("is not valid before {}", date(*not_before)),
        );
    } else if ends_within(*not_after, now, LEAF_SOON) {
        let found = format!("ends at {}, and should have been renewed by now", date(*not_after));
        leaf(Check::CertificateExpiresSoon, Severity::Warning, found);
    }
    let wanted = service_name(installation);
    if !of.contains(&wanted) {
        let found = format!("is for {}, and API servers ask for {wanted}", of.join(", "));
        leaf(Check::CertificateName, Severity::Error, found);
    }
}

fn served(installation: &Installation, findings: &mut Vec<Finding>) {
    let mut is_reached = true;
    for bundle in &installation.bundles {
        match &bundle.served {
            None | Some(Served::Trusted) => {}
            Some(Served::Foreign { address, reason }) => findings.push(Finding {
                check: Check::ServedForeign,
                severity: Severity::Error,
                object: format!("webhook {}", bundle.webhook),
                field: "clientConfig.caBundle".to_owned(),
                found: format!(
                    "does not vouch for what is served at {address} for {}: {reason}",
                    service_name(installation)
                ),
                mend: publish(installation),
            }),
            // Once is enough: it is the same address for all.
            Some(Served::Unreached { address, reason }) if is_reached => {
                is_reached = false;
                findings.push(unreached(installation, address, reason));
            }
            Some(Served::Unreached { .. }) => {}
        }
    }
}

fn unreached(installation: &Installation, address: &str, reason: &str) -> Finding {
    let names = &installation.names;
    let mut found = format!("no TLS connection to {address}: {reason}");
    let mut mend = names.kubectl(&format!("describe service/{}", names.service));
    // Without a ready endpoint nobody could answer, and that is reported by itself.
    if super::service::ready_endpoints(installation) > 0 {
        let policies = installation.network_policies.as_deref().unwrap_or_default();
        let policies: Vec<&str> =
            policies.iter().filter_map(|policy| policy.metadata.name.as_deref()).collect();
        let between = match policies.as_slice() {
            [] => "a firewall".to_owned(),
            some => format!("the NetworkPolicy {} or a firewall", super::finding::listed(some)),
        };
        found.push_str(&format!(
            "; replicas are ready, so something is between: {between}. API servers call the container's port 8443, \
             and not 443, from their own network"
        ));
        mend = names.kubectl("describe networkpolicy # and let API servers reach TCP port 8443 of the pods");
    }
    Finding {
        check: Check::NotReached,
        severity: Severity::Error,
        object: names.own("Service", &names.service),
        field: String::new(),
        found,
        mend,
    }
}

/// The name that API servers ask for.
fn service_name(installation: &Installation) -> String {
    format!("{}.{}.svc", installation.names.service, installation.names.namespace)
}

fn ends_within(end: SystemTime, now: SystemTime, time: Duration) -> bool {
    end.duration_since(now).unwrap_or_default() < time
}

fn date(moment: SystemTime) -> String {
    humantime::format_rfc3339_seconds(moment).to_string()
}
