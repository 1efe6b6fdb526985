//! What exceptions need beside podgate: a right of podgate's for those that RBAC grants, and somebody who looks at their end.

use std::time::SystemTime;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use crate::doctor::diagnosis::Diagnosis;
use crate::doctor::health_check::HealthCheck;
use crate::doctor::installation::Installation;
use crate::doctor::policies::PoliciesInForce;
use crate::policy::{Exception, PolicySet};

/// What gives podgate the right to ask.
const RIGHT: &str = "kubectl apply --kustomize OVERLAY # with manifests/components/exception-rights, or exceptions.rights: true of the chart";

pub(super) fn check(
    installation: &Installation,
    policies: Option<&PoliciesInForce<'_>>,
    findings: &mut Vec<Diagnosis>,
) {
    let Some(policies) = policies.map(AsRef::<PolicySet>::as_ref) else { return };
    if policies.has_granted_exceptions() {
        right(installation, findings);
    }
    let Some(today) = day(installation.now) else { return };
    let exceptions = policies.security.iter().flat_map(|policy| &policy.exceptions);
    findings.extend(exceptions.filter_map(|exception| ending(exception, today)));
}

/// Whether podgate may ask what RBAC grants.
fn right(installation: &Installation, findings: &mut Vec<Diagnosis>) {
    let told = Diagnosis::warning(HealthCheck::ExceptionRights, "ClusterRole podgate");
    match &installation.rights.reviews_access {
        Ok(true) => {}
        Ok(false) => findings.push(
            told.because(
                "podgate may not create SubjectAccessReviews: no exception with grantedBy: rbac holds, and pods that need one \
                 are refused",
            )
            .fix(RIGHT),
        ),
        Err(fault) => findings.push(told.because(format!("what it allows is not known: {fault}"))),
    }
}

fn ending(exception: &Exception, today: Date) -> Option<Diagnosis> {
    let Exception { name, policy, owner, expires, .. } = exception;
    let told = Diagnosis::warning(HealthCheck::ExceptionEnds, format!("SecurityPolicy {policy}"))
        .field(format!("spec.exceptions[{name}].expires"));
    let fix = format!(
        "kubectl --namespace podgate-system get configmaps # take it out of the policy or, with {owner}, renew it"
    );
    if *expires < today {
        return Some(told.because(format!("ended on {expires}: the pods that used it are refused")).fix(fix));
    }
    exception.days_left(today)?;
    Some(told.because(format!("ends on {expires}: the pods that use it are then refused")).fix(fix))
}

fn day(now: SystemTime) -> Option<Date> {
    Some(Timestamp::try_from(now).ok()?.to_zoned(TimeZone::UTC).date())
}
