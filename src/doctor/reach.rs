//! Which namespaces the webhooks match, beside those that policies hold in.

use std::collections::BTreeSet;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use serde_json::json;

use super::entry::{Entry, entries};
use super::finding::{arguments, listed};
use super::policies::InForce;
use super::{Check, Finding, Installation, Severity};
use crate::policy::{Labels, PolicySet, SYSTEM_NAMESPACES, Scope, Selector, complete};

/// What the Admissions Enforcer of AKS adds to every selector.
const OF_AKS: [&str; 2] = ["control-plane", "kubernetes.azure.com/managedby"];

/// The label that the shipped webhooks match by.
const LABEL: &str = "podgate.dev/policy";

pub(super) fn check(
    installation: &Installation,
    policies: Option<&InForce<'_>>,
    findings: &mut Vec<Finding>,
) {
    let entries = entries(installation);
    for entry in &entries {
        too_far(installation, entry, findings);
        of_aks(entry, findings);
    }
    let Ok(namespaces) = &installation.namespaces else { return };
    let reserved = reserved(installation);
    let namespaces: Vec<Namespace<'_>> = namespaces
        .iter()
        .filter(|(name, _)| !reserved.contains(&name.as_str()))
        .map(|(name, labels)| Namespace { name, labels })
        .collect();
    for is_mutating in [false, true] {
        let of_kind: Vec<&Entry<'_>> =
            entries.iter().filter(|entry| entry.is_mutating == is_mutating).collect();
        let Some(first) = of_kind.first() else { continue };
        if !namespaces.iter().any(|namespace| of_kind.iter().any(|entry| matches(entry, namespace.labels))) {
            findings.push(nothing(first));
        }
        if let Some(policies) = policies {
            compare(&of_kind, &namespaces, policies.as_ref(), findings);
        }
    }
}

/// A namespace that may be judged.
#[derive(Clone, Copy)]
struct Namespace<'i> {
    name: &'i str,
    labels: &'i Labels,
}

/// The namespaces that no webhook may match.
fn reserved(installation: &Installation) -> Vec<&str> {
    SYSTEM_NAMESPACES.iter().copied().chain([installation.names.namespace.as_str()]).collect()
}

fn matches(entry: &Entry<'_>, labels: &Labels) -> bool {
    entry.namespaces.is_none_or(|selector| selects(selector, labels))
}

/// Whether a selector of the API matches labels. One that cannot be understood is taken to match.
pub(super) fn selects(selector: &LabelSelector, labels: &Labels) -> bool {
    let selector = serde_json::to_value(selector).and_then(serde_json::from_value::<Selector>);
    selector.is_ok_and(|selector| selector.matches(|key| labels.get(key).map(String::as_str)))
}

fn too_far(installation: &Installation, entry: &Entry<'_>, findings: &mut Vec<Finding>) {
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
    let mend = if has_terms {
        entry.patch("namespaceSelector/matchExpressions/-", &term.to_string())
    } else {
        entry.patch("namespaceSelector/matchExpressions", &json!([term]).to_string())
    };
    findings.push(Finding {
        check: Check::SelectorTooFar,
        severity: Severity::Error,
        object: entry.object(),
        field: entry.field("namespaceSelector"),
        found: format!("matches {}: {so}", listed(&matched)),
        mend,
    });
}

fn of_aks(entry: &Entry<'_>, findings: &mut Vec<Finding>) {
    let terms =
        entry.namespaces.and_then(|selector| selector.match_expressions.as_deref()).unwrap_or_default();
    let keys: BTreeSet<&str> = terms.iter().map(|term| term.key.as_str()).collect();
    let found: Vec<&str> = OF_AKS.iter().copied().filter(|key| keys.contains(key)).collect();
    if found.is_empty() {
        return;
    }
    findings.push(Finding {
        check: Check::AksSelectors,
        severity: Severity::Info,
        object: entry.object(),
        field: entry.field("namespaceSelector"),
        found: format!(
            "has the terms of AKS' Admissions Enforcer ({}): as it should be there, and namespaces with these labels \
             are not judged",
            found.join(", ")
        ),
        mend: String::new(),
    });
}

fn nothing(entry: &Entry<'_>) -> Finding {
    Finding {
        check: Check::SelectorMatchesNothing,
        severity: Severity::Warning,
        object: entry.object(),
        field: "webhooks[*].namespaceSelector".to_owned(),
        found: "matches no namespace that there is: podgate is never asked".to_owned(),
        mend: format!("kubectl label namespace NAME {LABEL}=ml-restricted"),
    }
}

/// Holds the entries of a configuration against the policies.
fn compare(
    entries: &[&Entry<'_>],
    namespaces: &[Namespace<'_>],
    policies: &PolicySet,
    findings: &mut Vec<Finding>,
) {
    let Some(first) = entries.first() else { return };
    let is_asked = |namespace: &Namespace<'_>| {
        entries.iter().any(|entry| entry.is_called_for("pods", "CREATE") && matches(entry, namespace.labels))
    };
    let is_wanted = |namespace: &Namespace<'_>| {
        if first.is_mutating { changes(policies, *namespace) } else { judges(policies, *namespace) }
    };
    let names = |is_meant: &dyn Fn(&Namespace<'_>) -> bool| -> Vec<&str> {
        namespaces.iter().filter(|namespace| is_meant(namespace)).map(|namespace| namespace.name).collect()
    };
    let missed = names(&|namespace| is_wanted(namespace) && !is_asked(namespace));
    if !missed.is_empty() {
        let so = if first.is_mutating {
            "pods there are not repaired and get no identity"
        } else {
            "pods there are not judged"
        };
        findings.push(Finding {
            check: Check::NamespaceNotReached,
            severity: Severity::Error,
            object: first.object(),
            field: "webhooks[*].namespaceSelector".to_owned(),
            found: format!("does not match {}, where a policy holds: {so}", listed(&missed)),
            mend: widen(&missed, policies),
        });
    }
    // Nothing is said twice: a namespace that is not to be judged needs no repairs either.
    let idle = names(&|namespace| is_asked(namespace) && !is_wanted(namespace));
    if !first.is_mutating && !idle.is_empty() {
        findings.push(Finding {
            check: Check::NamespaceWithoutPolicy,
            severity: Severity::Warning,
            object: first.object(),
            field: "webhooks[*].namespaceSelector".to_owned(),
            found: format!(
                "matches {}, where no policy holds: pods there are sent to podgate and admitted, whatever they are",
                listed(&idle)
            ),
            mend: format!(
                "kubectl label --overwrite namespace {} {LABEL}={} # or another value that a policy matches",
                arguments(&idle),
                label_value(policies)
            ),
        });
    }
}

/// What has a webhook match namespaces.
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
        Scope::Names(_) | Scope::Everywhere => None,
    });
    let mut values = selectors.filter_map(|selector| selector.match_labels.get(LABEL));
    values.next().map_or("ml-restricted", String::as_str)
}

/// Whether pods of a namespace are judged by a policy.
fn judges(policies: &PolicySet, Namespace { name, labels }: Namespace<'_>) -> bool {
    policies.pod_security.is_some()
        || policies.security_for(name, Some(labels)).next().is_some()
        || policies.identity_for(name, Some(labels)).next().is_some()
}

/// Whether a policy may change pods of a namespace.
fn changes(policies: &PolicySet, Namespace { name, labels }: Namespace<'_>) -> bool {
    policies.security_for(name, Some(labels)).any(|policy| policy.repairs)
        || policies.identity_for(name, Some(labels)).next().is_some()
}
