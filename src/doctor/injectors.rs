//! Who puts the tokens of identities into pods, and what else changes pods around it: one injector, not two, not none.

use k8s_openapi::api::admissionregistration::v1::MutatingAdmissionPolicy;

use crate::doctor::deployment::AZURE_TENANT;
use crate::doctor::diagnosis::Diagnosis;
use crate::doctor::health_check::HealthCheck;
use crate::doctor::installation::Installation;
use crate::doctor::policies::PoliciesInForce;
use crate::policy::Injector;

/// The prefix of the name of azure-workload-identity's webhook configuration, however it was installed.
const WEBHOOK: &str = "azure-wi-webhook";

pub(super) fn check(
    installation: &Installation,
    policies: Option<&PoliciesInForce<'_>>,
    findings: &mut Vec<Diagnosis>,
) {
    let theirs = theirs(installation);
    if let (Some(true), Some(Some(name))) = (is_on(installation), theirs) {
        findings.push(two(installation, name));
    }
    let Some(policies) = policies.map(AsRef::as_ref) else { return };
    if policies.identity.is_empty() {
        return;
    }
    let is_injected = |injector| {
        let assigned = policies.identity.iter().filter_map(|policy| policy.assignment.as_ref());
        assigned.into_iter().any(|assignment| assignment.injection == injector)
    };
    if theirs == Some(None) {
        match is_on(installation) {
            Some(false) => findings.push(none(installation)),
            Some(true) if is_injected(Injector::Delegate) => findings.push(nobody_seen()),
            None if is_injected(Injector::Delegate) => findings.push(nobody_seen()),
            Some(true) | None => {}
        }
    }
    for policy in installation.mutating_policies.iter().flatten().filter(|policy| is_early(policy)) {
        findings.push(early(policy));
    }
}

/// Whether podgate injects what Azure needs; `None` where that is not known.
fn is_on(installation: &Installation) -> Option<bool> {
    let deployment = installation.deployment.as_ref().ok()?.as_ref()?;
    Some(AZURE_TENANT.is_set(deployment))
}

/// The configuration of azure-workload-identity's webhook, if there is one; `None` where that is not known.
fn theirs(installation: &Installation) -> Option<Option<&str>> {
    let names = installation.mutating_names.as_ref().ok()?;
    Some(names.iter().map(String::as_str).find(|name| name.starts_with(WEBHOOK)))
}

fn two(installation: &Installation, name: &str) -> Diagnosis {
    let names = &installation.names;
    let edit = names.kubectl(&format!("set env deployment/{} {}-", names.deployment, AZURE_TENANT.variable));
    Diagnosis::warning(HealthCheck::IdentityInjectors, format!("MutatingWebhookConfiguration {name}"))
        .because(
            "is there, and podgate injects, too: pods get their token once, but two webhooks answer for it, and with \
             other settings than podgate's nobody can tell which of them hold",
        )
        .fix(format!("{edit} # or remove azure-workload-identity (az aks update --disable-workload-identity)"))
}

fn none(installation: &Installation) -> Diagnosis {
    let names = &installation.names;
    Diagnosis::warning(HealthCheck::IdentityWebhook, names.own("Deployment", &names.deployment))
        .field(AZURE_TENANT.variable)
        .because(format!(
            "not set, and no MutatingWebhookConfiguration begins with {WEBHOOK}: pods get a service account and the label, \
             and nobody puts the token in"
        ))
        .fix(names.kubectl(&format!("set env deployment/{} {}=TENANT-ID", names.deployment, AZURE_TENANT.variable)))
}

/// Only a note, since nothing says that it cannot have another name.
fn nobody_seen() -> Diagnosis {
    Diagnosis::info(HealthCheck::IdentityWebhook, "every MutatingWebhookConfiguration")
        .field("metadata.name")
        .because(format!(
            "none begins with {WEBHOOK}: with injection: Delegate podgate sets the service account and the label, and \
             azure-workload-identity's own webhook puts the token in"
        ))
}

/// Whether a policy looks at pods before podgate does, and not after it. Policies come before all webhooks.
fn is_early(policy: &MutatingAdmissionPolicy) -> bool {
    let Some(spec) = &policy.spec else { return false };
    let rules = spec.match_constraints.iter().flat_map(|of| of.resource_rules.iter().flatten());
    let is_of_pods = |name: &String| ["pods", "*", "*/*"].contains(&name.as_str());
    let mut resources = rules.flat_map(|rule| rule.resources.iter().flatten());
    resources.any(is_of_pods) && spec.reinvocation_policy.as_deref() != Some("IfNeeded")
}

fn early(policy: &MutatingAdmissionPolicy) -> Diagnosis {
    let name = policy.metadata.name.as_deref().unwrap_or_default();
    let object = format!("MutatingAdmissionPolicy {name}");
    Diagnosis::info(HealthCheck::MutatingPolicy, object).field("spec.reinvocationPolicy").because(
        "not IfNeeded: it changes pods before every webhook, and does not see the service account, labels and token that \
         podgate adds. If it looks at any of them, set IfNeeded",
    )
}
