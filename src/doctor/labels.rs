//! The labels of namespaces that decide whether pods are judged, and who may change them.
//!
//! What is guarded is read from the guard in the cluster, since that is what refuses. The lists in it are texts with
//! commas between, written as the manifests write them.

use k8s_openapi::api::admissionregistration::v1::ValidatingAdmissionPolicy;

use super::entry::{Entry, entries};
use super::installation::REINSTALL;
use super::policies::InForce;
use super::replicas::GUARDED;
use super::{Check, Finding, Installation, Severity};
use crate::policy::{GUARDED_LABELS, GuardedLabels, UnguardedLabel};

/// The guard of labels, by its name.
const GUARD: &str = "podgate-policy-label";

/// What guards a label, for a person.
const HOW: &str = "to guard the label, add it to guardedLabels of the chart, or to PODGATE_GUARDED_LABELS of the base, \
                   and install again";

pub(super) fn check(
    installation: &Installation,
    policies: Option<&InForce<'_>>,
    findings: &mut Vec<Finding>,
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

/// The guard of labels; `None` where it is not there or was not read, which another check tells.
fn guard(installation: &Installation) -> Option<&ValidatingAdmissionPolicy> {
    let found = installation.guards.iter().find(|guard| guard.name == GUARD)?;
    found.policy.as_ref().ok()?.as_ref()
}

/// The labels that podgate itself takes to be guarded; `None` where that cannot be told.
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

/// Whether the guard guards what podgate takes to be guarded.
fn differ(
    guard: &ValidatingAdmissionPolicy,
    guarded: Option<&GuardedLabels>,
    assumed: &GuardedLabels,
    findings: &mut Vec<Finding>,
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
    findings.push(Finding {
        check: Check::GuardLabels,
        severity: Severity::Warning,
        object: format!("ValidatingAdmissionPolicy {name}"),
        field: "spec.variables[guarded]".to_owned(),
        found,
        mend: REINSTALL.to_owned(),
    });
}

fn of_policy(
    installation: &Installation,
    UnguardedLabel { policy, key }: UnguardedLabel,
    guarded: &GuardedLabels,
) -> Finding {
    let names = &installation.names;
    let edit = names.kubectl(&format!("edit configmap/{}", names.config_map));
    Finding {
        check: Check::LabelUnguarded,
        severity: Severity::Warning,
        object: policy,
        field: "spec.match.namespaceSelector".to_owned(),
        found: format!(
            "hangs on the label {key}, which is not guarded: whoever may edit a Namespace can set it, make any pod, and \
             set it back"
        ),
        mend: format!("{edit} # to select by what is guarded ({guarded}); {HOW}"),
    }
}

/// A webhook that is not called for namespaces with some label, which anybody may put on.
fn of_webhook(entry: &Entry<'_>, is_guarded: &dyn Fn(&str) -> bool, findings: &mut Vec<Finding>) {
    let Some(selector) = entry.namespaces else { return };
    let of_terms = selector.match_expressions.iter().flatten().map(|term| term.key.as_str());
    let of_labels = selector.match_labels.iter().flatten().map(|(key, _)| key.as_str());
    for key in of_labels.chain(of_terms).filter(|key| !is_guarded(key)) {
        findings.push(Finding {
            check: Check::LabelUnguarded,
            severity: Severity::Warning,
            object: entry.object(),
            field: entry.field("namespaceSelector"),
            found: format!(
                "hangs on the label {key}, which is not guarded: whoever may edit a Namespace can set it, and podgate \
                 is not asked"
            ),
            mend: format!("{REINSTALL}; {HOW}"),
        });
    }
}
