//! A template that was judged → its report, with the place of each finding.

use crate::assess::Assessed;
use crate::evaluate::Severity;
use crate::lint::diagnostic::{place_excepted, place_findings};
use crate::lint::pod_summary::PodSummary;
use crate::lint::report::{FindingReport, ObjectVerdict, PodReport};
use crate::lint::standard_text::standard_text;
use crate::workload::Template;
use crate::yaml::Node;

/// The report of a template that was judged.
pub(super) fn describe(template: &Template<'_>, written: &Node, assessed: Assessed<'_, '_>) -> PodReport {
    let openness = assessed.openness();
    let Assessed { pod, ref verdict, .. } = assessed;
    let diagnostics = place_findings(verdict, &template.places, written, openness);
    let excepted = place_excepted(verdict, &template.places, written);
    let to_do = diagnostics.iter().filter(|diagnostic| diagnostic.is_to_do());
    let strictest = to_do.map(|diagnostic| diagnostic.severity).max();
    let text = standard_text(verdict, openness);
    let ending = verdict.ending_warnings();
    let verdict_of_pod = match strictest {
        Some(Severity::Deny) => ObjectVerdict::Deny,
        _ if !assessed.unresolved.is_empty() => ObjectVerdict::Unresolved,
        Some(Severity::Warn) => ObjectVerdict::Warn,
        // The webhook warns of them.
        _ if !ending.is_empty() => ObjectVerdict::Warn,
        Some(Severity::Audit) | None => ObjectVerdict::Allow,
    };
    let failed = match verdict_of_pod {
        ObjectVerdict::Deny => verdict.failed_exceptions(),
        ObjectVerdict::Allow | ObjectVerdict::Warn | ObjectVerdict::Unresolved => Vec::new(),
    };
    let summary = strictest.map(|severity| PodSummary::new(pod, verdict, &diagnostics, severity, openness));
    PodReport {
        path: template.path.to_string(),
        shape: template.shape,
        allowed: verdict_of_pod.is_allowed(),
        verdict: verdict_of_pod,
        reason: text.reason,
        detail: text.detail,
        findings: diagnostics.iter().chain(&excepted).map(|found| FindingReport::new(pod, found)).collect(),
        unresolved: assessed.unresolved,
        identity: Vec::new(),
        accounts: Vec::new(),
        exceptions: verdict.exceptions_in_play(),
        exception_notes: ending.into_iter().map(of_linter).chain(failed).collect(),
        summary,
    }
}

/// A warning of the webhook, without the name that it begins with among those of others.
fn of_linter(warning: String) -> String {
    warning.strip_prefix("podgate: ").map(|text| format!("warning: {text}")).unwrap_or(warning)
}
