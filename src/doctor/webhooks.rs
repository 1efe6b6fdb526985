//! The entries of both webhook configurations, each by itself: where they lead, what they match, and what happens
//! when nobody answers.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;

use super::entry::{Entry, entries, kind};
use super::installation::REINSTALL;
use super::policies::Asked;
use super::{Check, Finding, Installation, Severity};
use crate::workload::Workload;

/// The longest that whoever creates a pod should wait for a podgate that is down.
const LONGEST_TIMEOUT: i32 = 10;

/// What must be judged: a resource of the core group, and an operation on it.
const JUDGED: [(&str, &str); 3] =
    [("pods", "CREATE"), ("pods", "UPDATE"), ("pods/ephemeralcontainers", "UPDATE")];

/// The same where Kubernetes' own labels are judged by, which are then judged themselves.
const JUDGED_BY_LABELS: [(&str, &str); 5] = [
    ("pods", "CREATE"),
    ("pods", "UPDATE"),
    ("pods/ephemeralcontainers", "UPDATE"),
    ("namespaces", "CREATE"),
    ("namespaces", "UPDATE"),
];

/// What is repaired. Most of a pod cannot be changed later.
const CHANGED: [(&str, &str); 1] = [("pods", "CREATE")];

/// Resources of the core group that podgate lets pass, if rules name them.
const LET_PASS: [&str; 2] = ["namespaces", "serviceaccounts"];

/// The conditions that podgate is shipped with.
const SHIPPED_CONDITIONS: [&str; 3] = [
    r#"request.operation != "UPDATE" || object.spec != oldObject.spec"#,
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

pub(super) fn check(installation: &Installation, asked: &Asked, findings: &mut Vec<Finding>) {
    let names = &installation.names;
    let validating = matches!(installation.validating, Ok(None));
    let mutating = asked.changes && matches!(installation.mutating, Ok(None));
    missing(validating, false, &names.validating, "no pod is judged", findings);
    missing(mutating, true, &names.mutating, "no pod is repaired or given an identity", findings);
    let entries = entries(installation);
    for (is_mutating, name, is_there) in [
        (false, &names.validating, matches!(installation.validating, Ok(Some(_)))),
        (true, &names.mutating, matches!(installation.mutating, Ok(Some(_)))),
    ] {
        let of_kind: Vec<&Entry<'_>> =
            entries.iter().filter(|entry| entry.is_mutating == is_mutating).collect();
        if is_there {
            incomplete(
                &format!("{} {name}", kind(is_mutating)),
                wanted(is_mutating, asked),
                &of_kind,
                findings,
            );
        }
    }
    for entry in &entries {
        target(entry, installation, findings);
        refused(entry, findings);
        unanswered(entry, asked, findings);
        settings(entry, findings);
        left_out(entry, findings);
    }
    order(installation, findings);
}

fn missing(is_missing: bool, is_mutating: bool, name: &str, so: &str, findings: &mut Vec<Finding>) {
    if is_missing {
        findings.push(Finding {
            check: Check::ConfigurationMissing,
            severity: Severity::Error,
            object: format!("{} {name}", kind(is_mutating)),
            field: String::new(),
            found: format!("not there: {so}"),
            mend: REINSTALL.to_owned(),
        });
    }
}

/// What some entry of a configuration must be called for.
fn wanted(is_mutating: bool, asked: &Asked) -> &'static [(&'static str, &'static str)] {
    match (is_mutating, asked) {
        (true, Asked { changes: true, .. }) => &CHANGED,
        (true, Asked { changes: false, .. }) => &[],
        (false, Asked { pod_security: false, .. }) => &JUDGED,
        (false, Asked { pod_security: true, .. }) => &JUDGED_BY_LABELS,
    }
}

/// What none of the entries of a configuration is called for.
fn incomplete(object: &str, wanted: &[(&str, &str)], entries: &[&Entry<'_>], findings: &mut Vec<Finding>) {
    for (resource, operation) in wanted {
        if entries.iter().any(|entry| entry.is_called_for(resource, operation)) {
            continue;
        }
        let rule = format!(
            r#"{{"apiGroups": [""], "apiVersions": ["v1"], "operations": ["{operation}"], "resources": ["{resource}"]}}"#
        );
        findings.push(Finding {
            check: Check::RulesIncomplete,
            severity: Severity::Error,
            object: object.to_owned(),
            field: "webhooks[*].rules".to_owned(),
            found: format!("no rule for {operation} of {resource}: podgate is not asked about it"),
            mend: entries.first().map_or(REINSTALL.to_owned(), |first| first.patch("rules/-", &rule)),
        });
    }
}

fn target(entry: &Entry<'_>, installation: &Installation, findings: &mut Vec<Finding>) {
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
    findings.push(Finding {
        severity: Severity::Error,
        ..finding(
            entry,
            Check::WebhookTarget,
            "clientConfig",
            fault,
            entry.patch("clientConfig", &format!(r#"{{"service": {service}}}"#)),
        )
    });
}

/// Resources that podgate does not know: it refuses every request for them.
fn refused(entry: &Entry<'_>, findings: &mut Vec<Finding>) {
    for (index, rule) in entry.rules.iter().enumerate() {
        for group in rule.api_groups.iter().flatten() {
            for resource in rule.resources.iter().flatten() {
                let whole = resource.split_once('/').map_or(resource.as_str(), |(whole, _)| whole);
                let is_let_pass = group.is_empty() && LET_PASS.contains(&whole);
                if is_let_pass || Workload::of_resource(group, whole).is_some() {
                    continue;
                }
                let group = if group.is_empty() { "the core group" } else { group };
                findings.push(Finding {
                    severity: Severity::Error,
                    ..finding(
                    entry,
                        Check::RulesRefused,
                        &format!("rules[{index}].resources"),
                        format!(
                            "{resource} of {group}: podgate does not know whether these carry pods, and refuses every \
                             request for them"
                        ),
                        REINSTALL.to_owned(),
                    )
                });
            }
        }
    }
}

/// What happens while podgate does not answer.
fn unanswered(entry: &Entry<'_>, asked: &Asked, findings: &mut Vec<Finding>) {
    if !entry.is_called_for("pods", "CREATE") || entry.failure_policy != Some("Ignore") {
        return;
    }
    let (severity, so) = match (entry.is_mutating, asked.identity) {
        (false, _) => (
            Severity::Warning,
            "every pod is admitted unjudged, and nobody is told: watch apiserver_admission_webhook_fail_open_count",
        ),
        (true, true) => (Severity::Warning, "pods start without the identity that a policy gives them"),
        (true, false) => {
            (Severity::Info, "nothing is repaired; what then breaks a policy, the validating webhook refuses")
        }
    };
    findings.push(Finding {
        severity,
        ..finding(
            entry,
            Check::FailurePolicy,
            "failurePolicy",
            format!("Ignore: while podgate does not answer, {so}"),
            entry.patch("failurePolicy", "\"Fail\""),
        )
    });
}

fn settings(entry: &Entry<'_>, findings: &mut Vec<Finding>) {
    if let Some(found) = entry.match_policy.filter(|policy| *policy != "Equivalent") {
        let found = format!("{found}: requests by another version of the same resource are not judged");
        findings.push(finding(
            entry,
            Check::MatchPolicy,
            "matchPolicy",
            found,
            entry.patch("matchPolicy", "\"Equivalent\""),
        ));
    }
    if entry.side_effects != "None" {
        let found = format!(
            "{}: podgate has no side effects, and unless that is said requests with --dry-run=server may be refused",
            entry.side_effects
        );
        findings.push(finding(
            entry,
            Check::SideEffects,
            "sideEffects",
            found,
            entry.patch("sideEffects", "\"None\""),
        ));
    }
    // What the API server makes of an absent one is the longest that is well.
    if let Some(found) = entry.timeout.filter(|timeout| *timeout > LONGEST_TIMEOUT) {
        let found = format!("{found}: whoever creates a pod waits that long while podgate is down");
        findings.push(finding(
            entry,
            Check::Timeout,
            "timeoutSeconds",
            found,
            entry.patch("timeoutSeconds", "5"),
        ));
    }
    if let Some(found) = entry.reinvocation.filter(|policy| *policy != "IfNeeded") {
        let found = format!("{found}: containers that later webhooks add (sidecars) are not repaired");
        findings.push(finding(
            entry,
            Check::ReinvocationPolicy,
            "reinvocationPolicy",
            found,
            entry.patch("reinvocationPolicy", "\"IfNeeded\""),
        ));
    }
}

/// What leaves out requests that the rules and the namespaces would not.
fn left_out(entry: &Entry<'_>, findings: &mut Vec<Finding>) {
    let is_selective = entry.objects.is_some_and(|selector| *selector != LabelSelector::default());
    if is_selective && !entry.is_mutating {
        findings.push(Finding {
            severity: Severity::Error,
            ..finding(
                entry,
                Check::ObjectSelector,
                "objectSelector",
                "not empty: whoever creates a pod sets its labels, and so decides whether it is judged"
                    .to_owned(),
                entry.patch("objectSelector", "{}"),
            )
        });
    }
    for condition in entry.conditions {
        let expression = condition.expression.trim();
        if !SHIPPED_CONDITIONS.contains(&expression) {
            findings.push(Finding {
                severity: Severity::Info,
                ..finding(
                    entry,
                    Check::MatchCondition,
                    &format!("matchConditions[{}]", condition.name),
                    format!("not one of podgate's own, and what it leaves out is not judged: {expression}"),
                    String::new(),
                )
            });
        }
    }
}

fn order(installation: &Installation, findings: &mut Vec<Finding>) {
    let (Ok(Some(_)), Ok(names)) = (&installation.mutating, &installation.mutating_names) else { return };
    let ours = &installation.names.mutating;
    for name in names {
        let is_later = LATER.iter().any(|later| name.starts_with(later));
        // By bytes, as the API server sorts them.
        if !is_later || ours.as_bytes() < name.as_bytes() {
            continue;
        }
        findings.push(Finding {
            check: Check::MutatingOrder,
            severity: Severity::Error,
            object: format!("MutatingWebhookConfiguration {ours}"),
            field: "metadata.name".to_owned(),
            found: format!(
                "comes after {name} by name, which is called first and does not see the service account and labels \
                 that podgate sets"
            ),
            mend: format!(
                "kubectl delete mutatingwebhookconfiguration {ours} && {REINSTALL}, where it is called 00-podgate"
            ),
        });
    }
}

fn finding(entry: &Entry<'_>, check: Check, field: &str, found: String, mend: String) -> Finding {
    Finding {
        check,
        severity: Severity::Warning,
        object: entry.object(),
        field: entry.field(field),
        found,
        mend,
    }
}
