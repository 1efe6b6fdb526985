//! Which namespaces the webhooks match, compared with those that policies hold in.

use std::collections::BTreeSet;

use serde_json::json;

use crate::doctor::diagnosis::{Diagnosis, arguments, listed};
use crate::doctor::health_check::HealthCheck;
use crate::doctor::installation::Installation;
use crate::doctor::policies::PoliciesInForce;
use crate::doctor::webhook_entry::{WebhookEntry, entries, selects};
use crate::policy::{Labels, PackedLabels, PolicySet, SYSTEM_NAMESPACES, Scope, SecurityPolicy, complete};

/// What the Admissions Enforcer of AKS adds to every selector.
const OF_AKS: [&str; 2] = ["control-plane", "kubernetes.azure.com/managedby"];

/// The label that the shipped webhooks match by.
const LABEL: &str = "podgate.dev/policy";

/// The label by which Kubernetes' own Pod Security Admission refuses pods of a namespace.
const ENFORCE: &str = "pod-security.kubernetes.io/enforce";

/// The one level that refuses nothing; what is no level counts as restricted.
const NOTHING_REFUSED: &str = "privileged";

pub(super) fn check(
    installation: &Installation,
    policies: Option<&PoliciesInForce<'_>>,
    findings: &mut Vec<Diagnosis>,
) {
    let entries = entries(installation);
    for entry in &entries {
        too_far(installation, entry, findings);
        of_aks(entry, findings);
    }
    let Ok(namespaces) = &installation.namespaces else { return };
    let reserved = reserved(installation);
    let namespaces: Vec<LabelledNamespace<'_>> = namespaces
        .iter()
        .filter(|(name, _)| !reserved.contains(&name.as_str()))
        .map(|(name, labels)| LabelledNamespace { name, labels })
        .collect();
    for is_mutating in [false, true] {
        let is_meant =
            |entry: &&WebhookEntry<'_>| entry.is_mutating == is_mutating && !entry.is_for_labelled_pods();
        let of_kind: Vec<&WebhookEntry<'_>> = entries.iter().filter(is_meant).collect();
        let Some(first) = of_kind.first() else { continue };
        if !namespaces.iter().any(|namespace| of_kind.iter().any(|entry| matches(entry, namespace.labels))) {
            findings.push(nothing(first));
        }
        if !is_mutating && policies.is_none_or(|policies| policies.as_ref().pod_security.is_none()) {
            findings.extend(enforced_by_kubernetes(first, &of_kind, &namespaces));
        }
        if let Some(policies) = policies {
            compare(&of_kind, &namespaces, policies.as_ref(), findings);
        }
    }
}

/// A namespace that may be judged.
#[derive(Clone, Copy)]
struct LabelledNamespace<'i> {
    name: &'i str,
    labels: &'i Labels,
}

/// The namespaces that no webhook may match.
fn reserved(installation: &Installation) -> Vec<&str> {
    SYSTEM_NAMESPACES.iter().copied().chain([installation.names.namespace.as_str()]).collect()
}

fn matches(entry: &WebhookEntry<'_>, labels: &Labels) -> bool {
    entry.namespaces.is_none_or(|selector| selects(selector, labels))
}

fn too_far(installation: &Installation, entry: &WebhookEntry<'_>, findings: &mut Vec<Diagnosis>) {
    let known = installation.namespaces.as_deref().unwrap_or_default();
    let is_matched = |name: &&str| {
        let labels = known.iter().find(|(known, _)| known == name).map(|(_, labels)| labels.clone());
        matches(entry, &complete(name, labels.unwrap_or_default()))
    };
    let reserved = reserved(installation);
    let matched: Vec<&str> = reserved.iter().copied().filter(is_matched).collect();
    if matched.is_empty() {
        return;
    }
    let own = installation.names.namespace.as_str();
    let so = if matched.contains(&own) {
        "while podgate is down nothing starts there, and that includes podgate itself"
    } else {
        "while podgate is down nothing starts there, and the cluster may not come up again"
    };
    let term = json!({ "key": "kubernetes.io/metadata.name", "operator": "NotIn", "values": reserved });
    let has_terms = entry.namespaces.is_some_and(|selector| selector.match_expressions.is_some());
    let fix = if has_terms {
        entry.patch("namespaceSelector/matchExpressions/-", &term.to_string())
    } else {
        entry.patch("namespaceSelector/matchExpressions", &json!([term]).to_string())
    };
    let found = format!("matches {}: {so}", listed(&matched));
    findings.push(entry.error(HealthCheck::SelectorTooFar, "namespaceSelector").because(found).fix(fix));
}

fn of_aks(entry: &WebhookEntry<'_>, findings: &mut Vec<Diagnosis>) {
    let terms =
        entry.namespaces.and_then(|selector| selector.match_expressions.as_deref()).unwrap_or_default();
    let keys: BTreeSet<&str> = terms.iter().map(|term| term.key.as_str()).collect();
    let found: Vec<&str> = OF_AKS.iter().copied().filter(|key| keys.contains(key)).collect();
    if found.is_empty() {
        return;
    }
    findings.push(entry.info(HealthCheck::AksSelectors, "namespaceSelector").because(format!(
        "has the terms of AKS' Admissions Enforcer ({}): as it should be there, and namespaces with these labels are not \
         judged",
        found.join(", ")
    )));
}

/// The selectors of all webhooks of a configuration.
const SELECTORS: &str = "webhooks[*].namespaceSelector";

fn nothing(entry: &WebhookEntry<'_>) -> Diagnosis {
    Diagnosis::warning(HealthCheck::SelectorMatchesNothing, entry.object())
        .field(SELECTORS)
        .because("matches no namespace that there is: podgate is never asked")
        .fix(format!("kubectl label namespace NAME {LABEL}=ml-restricted"))
}

/// The namespaces whose pods Kubernetes' own admission may refuse before podgate is called.
fn enforced_by_kubernetes(
    first: &WebhookEntry<'_>,
    entries: &[&WebhookEntry<'_>],
    namespaces: &[LabelledNamespace<'_>],
) -> Option<Diagnosis> {
    let is_enforced = |labels: &Labels| labels.get(ENFORCE).is_some_and(|level| level != NOTHING_REFUSED);
    let names: Vec<&str> = namespaces
        .iter()
        .filter(|namespace| is_called_for_pods(entries, namespace.labels) && is_enforced(namespace.labels))
        .map(|namespace| namespace.name)
        .collect();
    if names.is_empty() {
        return None;
    }
    let note = Diagnosis::info(HealthCheck::NamespaceEnforced, first.object()).field(SELECTORS);
    Some(
        note.because(format!(
            "reaches {}, where Kubernetes' own admission enforces a Pod Security Standard: it refuses a pod that violates \
             that before podgate does, and nobody sees podgate's fixes",
            listed(&names)
        ))
        .fix(format!(
            "kubectl label namespace {} {ENFORCE}- # only where a policy of podgate's enforces the same standard",
            arguments(&names)
        )),
    )
}

/// Whether one of the entries is called for pods that are created in a namespace with these labels.
fn is_called_for_pods(entries: &[&WebhookEntry<'_>], labels: &Labels) -> bool {
    entries.iter().any(|entry| entry.is_called_for("pods", "CREATE") && matches(entry, labels))
}

/// Compares the entries of a configuration with the policies.
fn compare(
    entries: &[&WebhookEntry<'_>],
    namespaces: &[LabelledNamespace<'_>],
    policies: &PolicySet,
    findings: &mut Vec<Diagnosis>,
) {
    let Some(first) = entries.first() else { return };
    let is_asked = |namespace: &LabelledNamespace<'_>| is_called_for_pods(entries, namespace.labels);
    let is_wanted = |namespace: &LabelledNamespace<'_>| {
        if first.is_mutating { changes(policies, *namespace) } else { judges(policies, *namespace) }
    };
    let names = |is_meant: &dyn Fn(&LabelledNamespace<'_>) -> bool| -> Vec<&str> {
        namespaces.iter().filter(|namespace| is_meant(namespace)).map(|namespace| namespace.name).collect()
    };
    let missed = names(&|namespace| is_wanted(namespace) && !is_asked(namespace));
    if !missed.is_empty() {
        let so = if first.is_mutating {
            "pods there are not repaired and get no identity"
        } else {
            "pods there are not judged"
        };
        findings.push(
            Diagnosis::error(HealthCheck::NamespaceNotReached, first.object())
                .field(SELECTORS)
                .because(format!("does not match {}, where a policy holds: {so}", listed(&missed)))
                .fix(widen(&missed, policies)),
        );
    }
    // Nothing is said twice: a namespace that is not to be judged needs no repairs either.
    let idle = names(&|namespace| is_asked(namespace) && !is_wanted(namespace));
    if !first.is_mutating && !idle.is_empty() {
        findings.push(
            Diagnosis::warning(HealthCheck::NamespaceWithoutPolicy, first.object())
                .field(SELECTORS)
                .because(format!(
                    "matches {}, where no policy holds: pods there are sent to podgate and admitted, whatever they are",
                    listed(&idle)
                ))
                .fix(format!(
                    "kubectl label --overwrite namespace {} {LABEL}={} # or another value that a policy matches",
                    arguments(&idle),
                    label_value(policies)
                )),
        );
    }
}

/// The command that makes a webhook match namespaces.
fn widen(missed: &[&str], policies: &PolicySet) -> String {
    if policies.pod_security.is_some() {
        return "kubectl apply --kustomize manifests/overlays/pod-security # its webhooks match all namespaces".to_owned();
    }
    let (names, value) = (arguments(missed), label_value(policies));
    format!("kubectl label --overwrite namespace {names} {LABEL}={value} # or widen the selector")
}

/// A value of the label that a policy matches by.
fn label_value(policies: &PolicySet) -> &str {
    let selectors = policies.security.iter().filter_map(|policy| match &policy.scope {
        Scope::Labels(selector) => Some(selector),
        Scope::Names(_) => None,
    });
    let mut values = selectors.filter_map(|selector| selector.match_labels.get(LABEL));
    values.next().unwrap_or("ml-restricted")
}

/// Whether pods of a namespace are judged by a policy.
fn judges(policies: &PolicySet, LabelledNamespace { name, labels }: LabelledNamespace<'_>) -> bool {
    let labels = PackedLabels::from(labels.clone());
    policies.pod_security.is_some()
        || policies.security_for(name, Some(&labels)).next().is_some()
        || policies.identity_for(name, Some(&labels)).next().is_some()
}

/// Whether a policy may change pods of a namespace.
fn changes(policies: &PolicySet, LabelledNamespace { name, labels }: LabelledNamespace<'_>) -> bool {
    let labels = PackedLabels::from(labels.clone());
    policies.security_for(name, Some(&labels)).any(SecurityPolicy::fills_in_defaults)
        || policies.identity_for(name, Some(&labels)).next().is_some()
}
