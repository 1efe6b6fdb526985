//! `seccompProfile_restricted` (restricted, from v1.19): a seccomp profile for every container.

use crate::controls::windows::{NEWER_STANDARD, NOT_ON_WINDOWS};
use crate::controls::{
    Cel, Control, Doc, FoundValue, Level, Origin, Revision, Violation, seccomp_profile_baseline, text,
};
use crate::finding::{Finding, Fix, Found, Sink, Subject, Value};
use crate::pod::{ContainerKind, Pod};

pub(super) static CONTROL: Control = Control {
    id: "seccompProfile_restricted",
    number: 11,
    values: &[FoundValue::Text],
    origin: Origin::Standard {
        level: Level::Restricted,
        revisions: &[Revision { since: 19, check }, Revision { since: 25, check: check_from_1_25 }],
        overrides: Some(&seccomp_profile_baseline::CONTROL),
    },
    violation,
    doc: Doc {
        title: "Seccomp (restricted)",
        rule: "Every container must have a seccomp profile, its own or the pod's: `RuntimeDefault` or `Localhost`.",
        history: "Since v1.19; from v1.25 not for pods with `os.name: windows`.",
        fields: &[
            "spec.securityContext.seccompProfile.type",
            "spec.{containers,initContainers,ephemeralContainers}[*].securityContext.seccompProfile.type",
            "spec.os.name",
        ],
        fix: "Set `securityContext.seccompProfile.type: RuntimeDefault` for the pod. A policy with defaults fills it \
               in where it is absent.",
        example: "securityContext:\n  seccompProfile:\n    type: RuntimeDefault\n",
        cel: Cel::Whole,
    },
};

/// A container without a profile inherits the pod's. If the pod's is not allowed, that alone is the
/// violation: fixing it fixes the container.
fn check<'p>(pod: &'p Pod<'_>, sink: &mut Sink<'_, 'p>) {
    seccomp_profile_baseline::find_set(pod, sink);
    if pod.spec.security.seccomp_profile.is_some() {
        return;
    }
    for (at, container) in pod.containers() {
        if container.security.as_ref().is_some_and(|security| security.seccomp_profile.is_some()) {
            continue;
        }
        let (fix, help) = if pod.is_windows() {
            (NEWER_STANDARD, NOT_ON_WINDOWS)
        } else {
            (Fix::fill_in(Value::Text("RuntimeDefault"), at.kind != ContainerKind::Ephemeral), "")
        };
        let subject = Subject::Container(at);
        sink(Finding::new(subject, seccomp_profile_baseline::FIELD, Found::Absent, fix).help(help));
    }
}

fn check_from_1_25<'p>(pod: &'p Pod<'_>, sink: &mut Sink<'_, 'p>) {
    if !pod.is_windows() {
        check(pod, sink);
    }
}

/// The standard's text names the containers without a profile only if none has a bad one.
fn violation(findings: &[Finding<'_>]) -> Violation {
    let set = text::of_values(findings);
    let detail = if set.is_empty() {
        format!(
            "pod or {} must set securityContext.seccompProfile.type to \"RuntimeDefault\" or \"Localhost\"",
            text::containers(&text::container_names(findings))
        )
    } else {
        seccomp_profile_baseline::set(&set)
    };
    Violation { reason: "seccompProfile", detail }
}
