//! The ValidatingAdmissionPolicies that keep tenants from removing the label and from changing podgate's objects.

use crate::doctor::diagnosis::Diagnosis;
use crate::doctor::health_check::HealthCheck;
use crate::doctor::installation::{Installation, REINSTALL};

/// A version of Kubernetes without ValidatingAdmissionPolicies is reported by another check.
pub(super) fn check(installation: &Installation, findings: &mut Vec<Diagnosis>) {
    for guard in &installation.guards {
        let warning = |check| {
            Diagnosis::warning(check, format!("ValidatingAdmissionPolicy {}", guard.name)).fix(REINSTALL)
        };
        let policy = match &guard.policy {
            Err(_) => continue,
            Ok(None) => {
                let found = "not there: who may edit a Namespace or podgate's objects can switch podgate off";
                findings.push(warning(HealthCheck::GuardMissing).because(found));
                continue;
            }
            Ok(Some(policy)) => policy,
        };
        let failure_policy = policy.spec.as_ref().and_then(|spec| spec.failure_policy.as_deref());
        if failure_policy == Some("Ignore") {
            let found = "Ignore: what it cannot judge, it lets pass";
            findings.push(warning(HealthCheck::GuardUnbound).field("spec.failurePolicy").because(found));
        }
        let Ok(bindings) = &installation.bindings else { continue };
        let denies = bindings.iter().map(|binding| &binding.spec).any(|spec| {
            spec.policy_name == guard.name && spec.validation_actions.iter().any(|action| action == "Deny")
        });
        if !denies {
            let found = "no binding of it has the action Deny: it refuses nothing";
            findings.push(warning(HealthCheck::GuardUnbound).because(found));
        }
    }
}
