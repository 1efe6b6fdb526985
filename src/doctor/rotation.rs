//! Who rotates a self-managed certificate: whoever holds the Lease.

use std::time::{Duration, SystemTime};

use crate::doctor::diagnosis::Diagnosis;
use crate::doctor::health_check::HealthCheck;
use crate::doctor::installation::{Installation, REINSTALL};

/// It is renewed every few seconds, and lasts 20 s.
const SILENCE: Duration = Duration::from_secs(60);

pub(super) fn check(installation: &Installation, findings: &mut Vec<Diagnosis>) {
    if !installation.is_self_managed() {
        return;
    }
    let names = &installation.names;
    let object = || names.own("Lease", &names.lease);
    let lease = match &installation.lease {
        Err(_) => return,
        Ok(None) => {
            let missing = Diagnosis::error(HealthCheck::LeaseMissing, object());
            return findings
                .push(missing.because("not there: nobody rotates the certificate").fix(REINSTALL));
        }
        Ok(Some(lease)) => lease,
    };
    let spec = lease.spec.as_ref();
    let holder = spec.and_then(|spec| spec.holder_identity.as_deref()).unwrap_or_default();
    let logs = names.kubectl(&format!("logs deployment/{}", names.deployment));
    let stale = Diagnosis::warning(HealthCheck::LeaseStale, object()).fix(logs);
    if holder.is_empty() {
        let found = "empty: no replica holds it, and nobody rotates the certificate";
        return findings.push(stale.field("spec.holderIdentity").because(found));
    }
    let renewed = spec.and_then(|spec| spec.renew_time.as_ref()).map(|time| SystemTime::from(time.0));
    let silent = renewed.map(|renewed| installation.now.duration_since(renewed).unwrap_or_default());
    if silent.is_none_or(|silent| silent > SILENCE) {
        let since = renewed.map_or("never".to_owned(), |renewed| {
            format!("last at {}", humantime::format_rfc3339_seconds(renewed))
        });
        let found = format!("renewed {since} by {holder}: nobody rotates the certificate");
        findings.push(stale.field("spec.renewTime").because(found));
    }
}
