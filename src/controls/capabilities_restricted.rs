//! `capabilities_restricted` (restricted, from v1.22): drop all capabilities, add at most NET_BIND_SERVICE.

use crate::controls::windows::{NEWER_STANDARD, NOT_ON_WINDOWS};
use crate::controls::{
    Cel, Control, Doc, FoundValue, Level, Origin, Revision, Violation, capabilities_baseline, text,
};
use crate::finding::{Finding, Fix, Found, Sink, Subject, Value};
use crate::pod::{Container, ContainerKind, ContainerRef, Pod};

pub(super) static CONTROL: Control = Control {
    id: "capabilities_restricted",
    number: 8,
    values: &[FoundValue::Capability],
    origin: Origin::Standard {
        level: Level::Restricted,
        revisions: &[Revision { since: 22, check }, Revision { since: 25, check: check_from_1_25 }],
        overrides: Some(&capabilities_baseline::CONTROL),
    },
    violation,
    doc: Doc {
        title: "Capabilities (restricted)",
        rule: "Containers must drop ALL capabilities, by that exact word, and may add back only NET_BIND_SERVICE.",
        history: "Since v1.22; from v1.25 not for pods with `os.name: windows`.",
        fields: &[
            "spec.{containers,initContainers,ephemeralContainers}[*].securityContext.capabilities.drop",
            "spec.{containers,initContainers,ephemeralContainers}[*].securityContext.capabilities.add",
            "spec.os.name",
        ],
        fix: "Set `capabilities.drop` to `[ALL]` and remove `capabilities.add`, or keep NET_BIND_SERVICE alone in \
               it. A policy with defaults fills `drop` in where it is absent.",
        example: "containers:\n- name: trainer\n  securityContext:\n    capabilities:\n      drop: [ALL]\n",
        cel: Cel::Whole,
    },
};

/// The field of the capabilities that are dropped.
pub(super) const DROP: &str = "securityContext.capabilities.drop";
const ALLOWED: [&str; 1] = ["NET_BIND_SERVICE"];

fn check<'p>(pod: &'p Pod<'_>, sink: &mut Sink<'_, 'p>) {
    for (at, container) in pod.containers() {
        if let Some(finding) = check_drop(pod, at, container) {
            sink(finding);
        }
    }
    capabilities_baseline::find_added(pod, sink, |added| capabilities_baseline::fix_of(&ALLOWED, added));
}

fn check_from_1_25<'p>(pod: &'p Pod<'_>, sink: &mut Sink<'_, 'p>) {
    if !pod.is_windows() {
        check(pod, sink);
    }
}

fn check_drop<'p>(pod: &Pod<'_>, at: ContainerRef<'p>, container: &'p Container<'_>) -> Option<Finding<'p>> {
    let capabilities = container.security.as_ref().and_then(|security| security.capabilities.as_ref());
    let dropped = capabilities.and_then(|capabilities| capabilities.drop.as_deref());
    if dropped.is_some_and(|dropped| dropped.iter().any(|capability| capability == "ALL")) {
        return None;
    }
    let is_safe = dropped.is_none() && at.kind != ContainerKind::Ephemeral;
    let found = dropped.map_or(Found::Absent, Found::List);
    let (fix, help) = if pod.is_windows() {
        (NEWER_STANDARD, NOT_ON_WINDOWS)
    } else {
        (Fix::fill_in(Value::ListOf("ALL"), is_safe), "")
    };
    Some(Finding::new(Subject::Container(at), DROP, found, fix).help(help))
}

fn violation(findings: &[Finding<'_>]) -> Violation {
    let split = findings.iter().position(|finding| !finding.path.is(DROP)).unwrap_or(findings.len());
    let (missing, adding) = findings.split_at(split);
    let mut parts = Vec::new();
    if !missing.is_empty() {
        let names = text::container_names(missing);
        parts.push(format!(
            "{} must set securityContext.capabilities.drop=[\"ALL\"]",
            text::containers(&names)
        ));
    }
    if !adding.is_empty() {
        parts.push(capabilities_baseline::added(adding));
    }
    Violation { reason: "unrestricted capabilities", detail: parts.join("; ") }
}
