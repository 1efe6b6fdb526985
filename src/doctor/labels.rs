//! The labels of namespaces that decide whether pods are judged, and who may change them.
//!
//! What is guarded is read from the guard in the cluster, since that is what refuses. The lists in it are texts with
//! commas between, written as the manifests write them.

use k8s_openapi::api::admissionregistration::v1::ValidatingAdmissionPolicy;

use crate::doctor::deployment::GUARDED;
use crate::doctor::diagnosis::Diagnosis;
use crate::doctor::health_check::HealthCheck;
use crate::doctor::installation::{Installation, REINSTALL};
use crate::doctor::policies::PoliciesInForce;
use crate::doctor::webhook_entry::{WebhookEntry, entries};
use crate::policy::{GUARDED_LABELS, GuardedLabels, UnguardedLabel};

/// The guard of labels, by its name.
const GUARD: &str = "podgate-policy-label";

/// What guards a label, for a person.
const HOW: &str = "to guard the key, add it to guardedLabels of the chart, or to PODGATE_GUARDED_LABELS of the base, \
                   and install again";

pub(super) fn check(
    installation: &Installation,
    policies: Option<&PoliciesInForce<'_>>,
    findings: &mut Vec<Diagnosis>,
) {
    let guard = guard(installation);
    let guarded = guard.and_then(|guard| list(guard, "guarded"));
    let assumed = assumed(installation);
    if let (Some(guard), Some(assumed)) = (guard, &assumed) {
        differ(guard, guarded.as_ref(), assumed, findings);
    }
    let Some(guarded) = guarded.or(assumed) else { return };
    if let Some(policies) = policies {
        for label in policies.as_ref().unguarded_labels(&guarded) {
            findings.push(of_policy(installation, label, &guarded));
        }
    }
    let exempting = guard.and_then(|guard| list(guard, "exempting"));
    let is_guarded = |key: &str| guarded.has(key) || exempting.as_ref().is_none_or(|labels| labels.has(key));
    for entry in &entries(installation) {
        of_webhook(entry, &is_guarded, findings);
    }
}

/// The guard of labels; `None` where it is missing or was not read, which another check reports.
fn guard(installation: &Installation) -> Option<&ValidatingAdmissionPolicy> {
    let found = installation.guards.iter().find(|guard| guard.name == GUARD)?;
    found.policy.as_ref().ok()?.as_ref()
}

/// The labels that podgate itself considers guarded; `None` where that is not known.
fn assumed(installation: &Installation) -> Option<GuardedLabels> {
    let deployment = installation.deployment.as_ref().ok()?.as_ref()?;
    GUARDED.of(deployment).unwrap_or(GUARDED_LABELS).parse().ok()
}

/// A list of the guard, which is a variable of this name: `'a,b'.split(',')`.
fn list(guard: &ValidatingAdmissionPolicy, name: &str) -> Option<GuardedLabels> {
    let variables = guard.spec.as_ref()?.variables.as_ref()?;
    let expression = &variables.iter().find(|variable| variable.name == name)?.expression;
    let keys = expression.trim().strip_prefix('\'')?.strip_suffix("'.split(',')")?;
    keys.parse().ok()
}

/// Whether the guard guards the labels that podgate considers guarded.
fn differ(
    guard: &ValidatingAdmissionPolicy,
    guarded: Option<&GuardedLabels>,
    assumed: &GuardedLabels,
    findings: &mut Vec<Diagnosis>,
) {
    let found = match guarded {
        Some(guarded) if guarded == assumed => return,
        Some(guarded) => {
            format!("guards {guarded}, and podgate is told that {assumed} is guarded ({})", GUARDED.variable)
        }
        None => format!(
            "does not say which labels it guards as podgate's manifests do: {assumed} may be unguarded"
        ),
    };
    let name = guard.metadata.name.as_deref().unwrap_or(GUARD);
    findings.push(
        Diagnosis::warning(HealthCheck::GuardLabels, format!("ValidatingAdmissionPolicy {name}"))
            .field("spec.variables[guarded]")
            .because(found)
            .fix(REINSTALL),
    );
}

fn of_policy(
    installation: &Installation,
    UnguardedLabel { policy, key, is_annotation }: UnguardedLabel,
    guarded: &GuardedLabels,
) -> Diagnosis {
    let names = &installation.names;
    let edit = names.kubectl(&format!("edit configmap/{}", names.config_map));
    if is_annotation {
        return Diagnosis::warning(HealthCheck::LabelUnguarded, policy)
            .field("spec.controls")
            .because(format!(
                "goes by the annotation {key}, which is not guarded: whoever may edit a Namespace can set it, make any pod, \
                 and set it back"
            ))
            .fix(format!("{edit} # to list the ranges themselves; {HOW}"));
    }
    Diagnosis::warning(HealthCheck::LabelUnguarded, policy)
        .field("spec.match.namespaceSelector")
        .because(format!(
            "depends on the label {key}, which is not guarded: whoever may edit a Namespace can set it, make any pod, and \
             set it back"
        ))
        .fix(format!("{edit} # to select by what is guarded ({guarded}); {HOW}"))
}

/// A webhook that is not called for namespaces with some label, which anybody may set.
fn of_webhook(entry: &WebhookEntry<'_>, is_guarded: &dyn Fn(&str) -> bool, findings: &mut Vec<Diagnosis>) {
    let Some(selector) = entry.namespaces else { return };
    let of_terms = selector.match_expressions.iter().flatten().map(|term| term.key.as_str());
    let of_labels = selector.match_labels.iter().flatten().map(|(key, _)| key.as_str());
    for key in of_labels.chain(of_terms).filter(|key| !is_guarded(key)) {
        findings.push(
            entry
                .warning(HealthCheck::LabelUnguarded, "namespaceSelector")
                .because(format!(
                    "depends on the label {key}, which is not guarded: whoever may edit a Namespace can set it, and \
                     podgate is not asked"
                ))
                .fix(format!("{REINSTALL}; {HOW}")),
        );
    }
}
