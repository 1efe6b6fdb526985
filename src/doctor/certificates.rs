//! The bundles of the webhooks, the certificate in the Secret, and what is really served.

use std::time::{Duration, SystemTime};

use crate::doctor::diagnosis::{Diagnosis, listed};
use crate::doctor::health_check::HealthCheck;
use crate::doctor::installation::{
    BundleState, CaDates, CertificateDates, Installation, REINSTALL, TlsProbe,
};
use crate::doctor::service::ready_endpoints;
use crate::doctor::webhook_entry::{WebhookEntry, entries};

/// A leaf of podgate's own is renewed 10 days before its end, one of cert-manager's 30: with less than this left,
/// renewing has failed for days.
const LEAF_SOON: Duration = Duration::from_secs(5 * 24 * 60 * 60);

/// A CA of podgate's own is followed by the next when it has 122 days left.
const AUTHORITY_SOON: Duration = Duration::from_secs(30 * 24 * 60 * 60);

pub(super) fn check(installation: &Installation, findings: &mut Vec<Diagnosis>) {
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

fn bundle(installation: &Installation, entry: &WebhookEntry<'_>, findings: &mut Vec<Diagnosis>) {
    const FIELD: &str = "clientConfig.caBundle";
    let error = |check| entry.error(check, FIELD).fix(publish(installation));
    let warning = |check| entry.warning(check, FIELD).fix(publish(installation));
    if entry.client.ca_bundle.as_ref().is_none_or(|bundle| bundle.0.is_empty()) {
        let found = "empty: API servers do not trust podgate's certificate, and every call fails";
        return findings.push(error(HealthCheck::BundleMissing).because(found));
    }
    let is_of = |bundle: &&BundleState| {
        (bundle.webhook.as_str(), bundle.is_mutating) == (entry.name, entry.is_mutating)
    };
    let Some(bundle) = installation.bundles.iter().find(is_of) else { return };
    if bundle.authorities.is_empty() {
        let found = "holds no CA certificate in PEM: every call fails";
        return findings.push(error(HealthCheck::BundleUnreadable).because(found));
    }
    if bundle.has_others {
        let found = "holds something beside CA certificates, which podgate did not write";
        findings.push(warning(HealthCheck::BundleUnreadable).because(found));
    }
    let now = installation.now;
    let latest = bundle.authorities.iter().map(|authority| authority.not_after).max().unwrap_or(now);
    let is_valid = |authority: &CaDates| authority.not_before <= now && now <= authority.not_after;
    if !bundle.authorities.iter().any(is_valid) {
        let found = format!("none of its CAs is valid now; the last one ends at {}", date(latest));
        return findings.push(error(HealthCheck::BundleExpired).because(found));
    }
    if ends_within(latest, now, AUTHORITY_SOON) {
        let found = format!("the last of its CAs ends at {}", date(latest));
        findings.push(warning(HealthCheck::BundleExpiresSoon).because(found));
    }
    if bundle.verifies == Some(false) && is_sound(installation) {
        let found = format!(
            "does not vouch for the certificate in {}: every call fails once that is served",
            installation.names.own("Secret", &installation.names.secret)
        );
        findings.push(error(HealthCheck::BundleForeign).because(found));
    }
}

/// Whether the certificate in the Secret is valid now and for the Service; `secret` reports what else is wrong with it.
fn is_sound(installation: &Installation) -> bool {
    let Ok(Some(Some(certificate))) = &installation.secret else { return false };
    let is_valid = certificate.not_before <= installation.now && installation.now <= certificate.not_after;
    is_valid && certificate.names.contains(&service_name(installation))
}

fn secret(installation: &Installation, findings: &mut Vec<Diagnosis>) {
    let object = || installation.names.own("Secret", &installation.names.secret);
    let error = |check| Diagnosis::error(check, object()).field("data[tls.crt]").fix(issue(installation));
    let CertificateDates { not_before, not_after, names } = match &installation.secret {
        Err(_) => return,
        Ok(None) => {
            let found = "not there: podgate has no certificate to serve, and keeps none";
            let missing = Diagnosis::error(HealthCheck::SecretMissing, object());
            return findings.push(missing.because(found).fix(REINSTALL));
        }
        Ok(Some(None)) => {
            return findings.push(error(HealthCheck::SecretMissing).because("no certificate in PEM"));
        }
        Ok(Some(Some(certificate))) => certificate,
    };
    let now = installation.now;
    if *not_after < now {
        let found = format!("ended at {}", date(*not_after));
        findings.push(error(HealthCheck::CertificateExpired).because(found));
    } else if *not_before > now {
        let found = format!("is not valid before {}", date(*not_before));
        findings.push(error(HealthCheck::CertificateExpired).because(found));
    } else if ends_within(*not_after, now, LEAF_SOON) {
        let found = format!("ends at {}, and should have been renewed by now", date(*not_after));
        let soon = Diagnosis::warning(HealthCheck::CertificateExpiresSoon, object()).field("data[tls.crt]");
        findings.push(soon.because(found).fix(issue(installation)));
    }
    let wanted = service_name(installation);
    if !names.contains(&wanted) {
        let found = format!("is for {}, and API servers ask for {wanted}", names.join(", "));
        findings.push(error(HealthCheck::CertificateName).because(found));
    }
}

fn served(installation: &Installation, findings: &mut Vec<Diagnosis>) {
    let mut is_reached = true;
    for bundle in &installation.bundles {
        match &bundle.served {
            None | Some(TlsProbe::Trusted) => {}
            Some(TlsProbe::Foreign { address, reason }) => {
                let service = service_name(installation);
                let found = format!("does not vouch for what is served at {address} for {service}: {reason}");
                findings.push(
                    Diagnosis::error(HealthCheck::ServedForeign, format!("webhook {}", bundle.webhook))
                        .field("clientConfig.caBundle")
                        .because(found)
                        .fix(publish(installation)),
                );
            }
            // Once is enough: it is the same address for all.
            Some(TlsProbe::Unreached { address, reason }) if is_reached => {
                is_reached = false;
                findings.push(unreached(installation, address, reason));
            }
            Some(TlsProbe::Unreached { .. }) => {}
        }
    }
}

fn unreached(installation: &Installation, address: &str, reason: &str) -> Diagnosis {
    let names = &installation.names;
    let not_reached = Diagnosis::error(HealthCheck::NotReached, names.own("Service", &names.service));
    let found = format!("no TLS connection to {address}: {reason}");
    // Without a ready endpoint nobody could answer, and that is reported by itself.
    if ready_endpoints(installation) == 0 {
        let describe = names.kubectl(&format!("describe service/{}", names.service));
        return not_reached.because(found).fix(describe);
    }
    let policies = installation.network_policies.as_deref().unwrap_or_default();
    let policies: Vec<&str> = policies.iter().filter_map(|policy| policy.metadata.name.as_deref()).collect();
    let between = match policies.as_slice() {
        [] => "a firewall".to_owned(),
        some => format!("the NetworkPolicy {} or a firewall", listed(some)),
    };
    not_reached
        .because(format!(
            "{found}; replicas are ready, so something is between: {between}. API servers call the container's port \
             8443, and not 443, from their own network"
        ))
        .fix(names.kubectl("describe networkpolicy # and let API servers reach TCP port 8443 of the pods"))
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
