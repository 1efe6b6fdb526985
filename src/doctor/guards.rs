//! The ValidatingAdmissionPolicies that keep tenants from taking the label off, and podgate's objects as they are.

use super::installation::REINSTALL;
use super::{Check, Finding, Installation, Severity};

/// The first version without ValidatingAdmissionPolicies is told by another check.
pub(super) fn check(installation: &Installation, findings: &mut Vec<Finding>) {
    for guard in &installation.guards {
        let mut report = |check, field: &str, found: &str, mend: String| {
            let object = format!("ValidatingAdmissionPolicy {}", guard.name);
            let (severity, field, found) = (Severity::Warning, field.to_owned(), found.to_owned());
            findings.push(Finding { check, severity, object, field, found, mend });
        };
        let policy = match &guard.policy {
            Err(_) => continue,
            Ok(None) => {
                let found = "not there: who may edit a Namespace or podgate's objects can switch podgate off";
                report(Check::GuardMissing, "", found, REINSTALL.to_owned());
                continue;
            }
            Ok(Some(policy)) => policy,
        };
        let failure_policy = policy.spec.as_ref().and_then(|spec| spec.failure_policy.as_deref());
        if failure_policy == Some("Ignore") {
            let found = "Ignore: what it cannot judge, it lets pass";
            report(Check::GuardUnbound, "spec.failurePolicy", found, REINSTALL.to_owned());
        }
        let Ok(bindings) = &installation.bindings else { continue };
        let denies = bindings.iter().map(|binding| &binding.spec).any(|spec| {
            spec.policy_name == guard.name && spec.validation_actions.iter().any(|action| action == "Deny")
        });
        if !denies {
            let found = "no binding of it has the action Deny: it refuses nothing";
            report(Check::GuardUnbound, "", found, REINSTALL.to_owned());
        }
    }
}
