//! The entries of both webhook configurations, each by itself: where they lead, what they match, and what happens
//! when nobody answers.

use serde_json::json;

use crate::doctor::diagnosis::Diagnosis;
use crate::doctor::health_check::HealthCheck;
use crate::doctor::installation::{Installation, REINSTALL};
use crate::doctor::policies::PolicyDemands;
use crate::doctor::webhook_entry::{WebhookEntry, entries, kind};
use crate::workload::{Kinds, Workload};

/// The longest that creating a pod should take while podgate is down.
const LONGEST_TIMEOUT: i32 = 10;

/// What must be judged: a resource of the core group, and an operation on it.
const JUDGED: [(&str, &str); 3] =
    [("pods", "CREATE"), ("pods", "UPDATE"), ("pods/ephemeralcontainers", "UPDATE")];

/// The same where pods are judged by Kubernetes' own labels: then these are judged, too.
const JUDGED_BY_LABELS: [(&str, &str); 5] = [
    ("pods", "CREATE"),
    ("pods", "UPDATE"),
    ("pods/ephemeralcontainers", "UPDATE"),
    ("namespaces", "CREATE"),
    ("namespaces", "UPDATE"),
];

/// What is repaired. Most fields of a pod are immutable.
const CHANGED: [(&str, &str); 1] = [("pods", "CREATE")];

/// The webhook for objects that make pods.
const OF_TEMPLATES: &str = "templates.podgate.dev";

/// Resources of the core group that podgate allows, if rules name them.
const LET_PASS: [&str; 2] = ["namespaces", "serviceaccounts"];

/// The condition that leaves out updates of metadata, as shipped.
const CHANGES_SPEC: &str = r#"request.operation != "UPDATE" || object.spec != oldObject.spec"#;

/// The condition of the component that asks about updates of labels and annotations too.
const CHANGES_SPEC_OR_METADATA: &str = r#"request.operation != "UPDATE" || object.spec != oldObject.spec || object.metadata.?labels.orValue({}) != oldObject.metadata.?labels.orValue({}) || object.metadata.?annotations.orValue({}) != oldObject.metadata.?annotations.orValue({})"#;

/// The conditions that podgate is shipped with, besides that of the webhook for templates, which follows from the kinds.
const SHIPPED_CONDITIONS: [&str; 4] = [
    CHANGES_SPEC,
    CHANGES_SPEC_OR_METADATA,
    r#"request.operation != "UPDATE" || object.metadata.?labels.orValue({}) != oldObject.metadata.?labels.orValue({})"#,
    r#"!("kubernetes.io/config.mirror" in object.metadata.?annotations.orValue({}))"#,
];

/// Mutating configurations that look at what podgate sets: service account, labels, containers. Revisions of some
/// have something after the name.
const LATER: [&str; 6] = [
    "admission-webhook-mutating-webhook-configuration",
    "azure-wi-webhook-mutating-webhook-configuration",
    "inferenceservice.serving.kserve.io",
    "istio-sidecar-injector",
    "linkerd-proxy-injector-webhook-config",
    "pod-identity-webhook",
];

pub(super) fn check(installation: &Installation, demands: &PolicyDemands, findings: &mut Vec<Diagnosis>) {
    let names = &installation.names;
    let validating = matches!(installation.validating, Ok(None));
    let mutating = demands.changes && matches!(installation.mutating, Ok(None));
    missing(validating, false, &names.validating, "no pod is judged", findings);
    missing(mutating, true, &names.mutating, "no pod is repaired or given an identity", findings);
    let entries = entries(installation);
    for (is_mutating, name, is_there) in [
        (false, &names.validating, matches!(installation.validating, Ok(Some(_)))),
        (true, &names.mutating, matches!(installation.mutating, Ok(Some(_)))),
    ] {
        let of_kind: Vec<&WebhookEntry<'_>> = entries
            .iter()
            .filter(|entry| entry.is_mutating == is_mutating && !entry.is_for_labelled_pods())
            .collect();
        if is_there {
            let object = format!("{} {name}", kind(is_mutating));
            incomplete(&object, wanted(is_mutating, demands), &of_kind, findings);
            if let Some(are_judged) = demands.metadata_updates.filter(|_| !is_mutating) {
                metadata_updates(are_judged, &of_kind, findings);
            }
        }
    }
    let kinds = Kinds::default();
    for entry in &entries {
        target(entry, installation, findings);
        refused(entry, &kinds, findings);
        unanswered(entry, demands, findings);
        settings(entry, findings);
        left_out(entry, &kinds, findings);
    }
    order(installation, findings);
}

fn missing(is_missing: bool, is_mutating: bool, name: &str, so: &str, findings: &mut Vec<Diagnosis>) {
    if is_missing {
        let missing =
            Diagnosis::error(HealthCheck::ConfigurationMissing, format!("{} {name}", kind(is_mutating)));
        findings.push(missing.because(format!("not there: {so}")).fix(REINSTALL));
    }
}

/// What some entry of a configuration must be called for.
fn wanted(is_mutating: bool, demands: &PolicyDemands) -> &'static [(&'static str, &'static str)] {
    match (is_mutating, demands) {
        (true, PolicyDemands { changes: true, .. }) => &CHANGED,
        (true, PolicyDemands { changes: false, .. }) => &[],
        (false, PolicyDemands { pod_security: false, .. }) => &JUDGED,
        (false, PolicyDemands { pod_security: true, .. }) => &JUDGED_BY_LABELS,
    }
}

/// What none of the entries of a configuration is called for.
fn incomplete(
    object: &str,
    wanted: &[(&str, &str)],
    entries: &[&WebhookEntry<'_>],
    findings: &mut Vec<Diagnosis>,
) {
    for (resource, operation) in wanted {
        if entries.iter().any(|entry| entry.is_called_for(resource, operation)) {
            continue;
        }
        let rule = format!(
            r#"{{"apiGroups": [""], "apiVersions": ["v1"], "operations": ["{operation}"], "resources": ["{resource}"]}}"#
        );
        findings.push(
            Diagnosis::error(HealthCheck::RulesIncomplete, object)
                .field("webhooks[*].rules")
                .because(format!("no rule for {operation} of {resource}: podgate is not asked about it"))
                .fix(entries.first().map_or(REINSTALL.to_owned(), |first| first.patch("rules/-", &rule))),
        );
    }
}

/// Compares whether updates of labels and annotations are judged with whether they are asked about.
fn metadata_updates(are_judged: bool, entries: &[&WebhookEntry<'_>], findings: &mut Vec<Diagnosis>) {
    let has = |entry: &WebhookEntry<'_>, expression: &str| {
        entry.conditions.iter().position(|condition| condition.expression.trim() == expression)
    };
    let asked: Vec<_> = entries.iter().filter(|entry| entry.is_called_for("pods", "UPDATE")).collect();
    if are_judged {
        let left_out = || asked.iter().map(|entry| Some((entry, has(entry, CHANGES_SPEC)?)));
        if let Some(Some((entry, place))) = left_out().next().filter(|_| left_out().all(|of| of.is_some())) {
            let found =
                "leaves out updates of labels and annotations, which a policy judges: they are not refused";
            let condition = json!({ "name": "creates-or-changes-spec-or-metadata", "expression": CHANGES_SPEC_OR_METADATA });
            let fix = entry.patch(&format!("matchConditions/{place}"), &condition.to_string());
            let error = entry.error(HealthCheck::MetadataUpdates, "matchConditions");
            findings.push(error.because(found).fix(fix.replacen("\"add\"", "\"replace\"", 1)));
        }
        return;
    }
    for entry in asked.iter().filter(|entry| has(entry, CHANGES_SPEC_OR_METADATA).is_some()) {
        let found = "asks about updates of labels and annotations, which no policy judges: while podgate is down, they cannot \
                     be changed for nothing";
        findings.push(entry.info(HealthCheck::MetadataUpdates, "matchConditions").because(found));
    }
}

fn target(entry: &WebhookEntry<'_>, installation: &Installation, findings: &mut Vec<Diagnosis>) {
    let names = &installation.names;
    let path = if entry.is_mutating { "/mutate" } else { "/validate" };
    let fault = match (&entry.client.service, &entry.client.url) {
        (Some(service), _) if (&service.namespace, &service.name) != (&names.namespace, &names.service) => {
            format!("leads to the Service {}/{}, and not to podgate's", service.namespace, service.name)
        }
        (Some(service), _) if service.path.as_deref() != Some(path) => {
            let found = service.path.as_deref().unwrap_or("/");
            format!("has the path {found}, and podgate answers at {path}")
        }
        (Some(_), _) => return,
        (None, url) => {
            let url = url.as_deref().unwrap_or_default();
            format!("leads to the URL {url}, and not to podgate's Service")
        }
    };
    let service =
        format!(r#"{{"namespace": "{}", "name": "{}", "path": "{path}"}}"#, names.namespace, names.service);
    let fix = entry.patch("clientConfig", &format!(r#"{{"service": {service}}}"#));
    findings.push(entry.error(HealthCheck::WebhookTarget, "clientConfig").because(fault).fix(fix));
}

/// Resources that podgate does not know: it refuses every request for them.
fn refused(entry: &WebhookEntry<'_>, kinds: &Kinds, findings: &mut Vec<Diagnosis>) {
    let is_kind = |group: &str, resource: &str| {
        kinds.iter().any(|kind| kind.group == group && kind.resource() == resource)
    };
    for (index, rule) in entry.rules.iter().enumerate() {
        for group in rule.api_groups.iter().flatten() {
            for resource in rule.resources.iter().flatten() {
                let whole = resource.split_once('/').map_or(resource.as_str(), |(whole, _)| whole);
                let is_let_pass = group.is_empty() && LET_PASS.contains(&whole);
                if is_let_pass || Workload::of_resource(group, whole).is_some() || is_kind(group, whole) {
                    continue;
                }
                let group = if group.is_empty() { "the core group" } else { group };
                let found = format!(
                    "{resource} of {group}: podgate does not know whether these carry pods, and refuses every request \
                     for them"
                );
                let field = format!("rules[{index}].resources");
                findings.push(entry.error(HealthCheck::RulesRefused, &field).because(found).fix(REINSTALL));
            }
        }
    }
}

/// What happens while podgate does not answer.
fn unanswered(entry: &WebhookEntry<'_>, demands: &PolicyDemands, findings: &mut Vec<Diagnosis>) {
    const FIELD: &str = "failurePolicy";
    let check = HealthCheck::FailurePolicy;
    if entry.failure_policy != Some("Ignore") {
        return;
    }
    if demands.templates && !entry.is_mutating && entry.name == OF_TEMPLATES {
        let found = "Ignore: while podgate does not answer, objects are applied that a policy refuses (templates: Enforce); \
                     their pods are refused when they are made";
        findings.push(entry.info(check, FIELD).because(found).fix(entry.patch(FIELD, "\"Fail\"")));
    }
    if !entry.is_called_for("pods", "CREATE") {
        return;
    }
    let (finding, so) = match (entry.is_mutating, demands.identity) {
        (false, _) => (
            entry.warning(check, FIELD),
            "every pod is admitted unjudged, and nobody is told: watch apiserver_admission_webhook_fail_open_count",
        ),
        (true, true) => {
            (entry.warning(check, FIELD), "pods start without the identity that a policy gives them")
        }
        (true, false) => (
            entry.info(check, FIELD),
            "nothing is repaired; what then breaks a policy, the validating webhook refuses",
        ),
    };
    let found = format!("Ignore: while podgate does not answer, {so}");
    findings.push(finding.because(found).fix(entry.patch(FIELD, "\"Fail\"")));
}

fn settings(entry: &WebhookEntry<'_>, findings: &mut Vec<Diagnosis>) {
    let mut warn = |check, field: &str, found: String, value: &str| {
        findings.push(entry.warning(check, field).because(found).fix(entry.patch(field, value)));
    };
    if let Some(found) = entry.match_policy.filter(|policy| *policy != "Equivalent") {
        let found = format!("{found}: requests by another version of the same resource are not judged");
        warn(HealthCheck::MatchPolicy, "matchPolicy", found, "\"Equivalent\"");
    }
    if entry.side_effects != "None" {
        let found = format!(
            "{}: podgate has no side effects, and unless that is said requests with --dry-run=server may be refused",
            entry.side_effects
        );
        warn(HealthCheck::SideEffects, "sideEffects", found, "\"None\"");
    }
    // The API server's default is the longest that is fine.
    if let Some(found) = entry.timeout.filter(|timeout| *timeout > LONGEST_TIMEOUT) {
        let found = format!("{found}: whoever creates a pod waits that long while podgate is down");
        warn(HealthCheck::Timeout, "timeoutSeconds", found, "5");
    }
    if let Some(found) = entry.reinvocation.filter(|policy| *policy != "IfNeeded") {
        let found = format!("{found}: containers that later webhooks add (sidecars) are not repaired");
        warn(HealthCheck::ReinvocationPolicy, "reinvocationPolicy", found, "\"IfNeeded\"");
    }
}

/// What leaves out requests that the rules and the namespaces would not.
fn left_out(entry: &WebhookEntry<'_>, kinds: &Kinds, findings: &mut Vec<Diagnosis>) {
    if entry.is_selective() && !entry.is_mutating {
        let found = "not empty: whoever creates a pod sets its labels, and so decides whether it is judged";
        let error = entry.error(HealthCheck::ObjectSelector, "objectSelector");
        findings.push(error.because(found).fix(entry.patch("objectSelector", "{}")));
    }
    for condition in entry.conditions {
        let expression = condition.expression.trim();
        if !SHIPPED_CONDITIONS.contains(&expression) && expression != kinds.condition() {
            let field = format!("matchConditions[{}]", condition.name);
            let found =
                format!("not one of podgate's own, and what it leaves out is not judged: {expression}");
            findings.push(entry.info(HealthCheck::MatchCondition, &field).because(found));
        }
    }
}

fn order(installation: &Installation, findings: &mut Vec<Diagnosis>) {
    let (Ok(Some(_)), Ok(names)) = (&installation.mutating, &installation.mutating_names) else { return };
    let ours = &installation.names.mutating;
    for name in names {
        let is_later = LATER.iter().any(|later| name.starts_with(later));
        // By bytes, as the API server sorts them.
        if !is_later || ours.as_bytes() < name.as_bytes() {
            continue;
        }
        findings.push(
            Diagnosis::error(HealthCheck::MutatingOrder, format!("MutatingWebhookConfiguration {ours}"))
                .field("metadata.name")
                .because(format!(
                    "comes after {name} by name, which is called first and does not see the service account and labels \
                     that podgate sets"
                ))
                .fix(format!(
                    "kubectl delete mutatingwebhookconfiguration {ours} && {REINSTALL}, where it is called 00-podgate"
                )),
        );
    }
}
