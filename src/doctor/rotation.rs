//! Who rotates a self-managed certificate: whoever holds the Lease.

use std::time::{Duration, SystemTime};

use super::installation::REINSTALL;
use super::{Check, Finding, Installation, Severity};

/// It is renewed every few seconds, and lasts 20 s.
const SILENCE: Duration = Duration::from_secs(60);

pub(super) fn check(installation: &Installation, findings: &mut Vec<Finding>) {
    if !installation.is_self_managed() {
        return;
    }
    let names = &installation.names;
    let mut report = |check, severity, field: &str, found: String, mend: String| {
        let object = names.own("Lease", &names.lease);
        findings.push(Finding { check, severity, object, field: field.to_owned(), found, mend });
    };
    let lease = match &installation.lease {
        Err(_) => return,
        Ok(None) => {
            let found = "not there: nobody rotates the certificate".to_owned();
            return report(Check::LeaseMissing, Severity::Error, "", found, REINSTALL.to_owned());
        }
        Ok(Some(lease)) => lease,
    };
    let spec = lease.spec.as_ref();
    let holder = spec.and_then(|spec| spec.holder_identity.as_deref()).unwrap_or_default();
    let log = names.kubectl(&format!("logs deployment/{}", names.deployment));
    if holder.is_empty() {
        let found = "empty: no replica holds it, and nobody rotates the certificate".to_owned();
        return report(Check::LeaseStale, Severity::Warning, "spec.holderIdentity", found, log);
    }
    let renewed = spec.and_then(|spec| spec.renew_time.as_ref()).map(|time| SystemTime::from(time.0));
    let silent = renewed.map(|renewed| installation.now.duration_since(renewed).unwrap_or_default());
    if silent.is_none_or(|silent| silent > SILENCE) {
        let since = renewed.map_or("never".to_owned(), |renewed| {
            format!("last at {}", humantime::format_rfc3339_seconds(renewed))
        });
        let found = format!("renewed {since} by {holder}: nobody rotates the certificate");
        report(Check::LeaseStale, Severity::Warning, "spec.renewTime", found, log);
    }
}
