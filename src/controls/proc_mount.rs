//! `procMount` (baseline): `/proc` stays masked. From v1.35 a user namespace makes it harmless.

use crate::controls::{Cel, Control, Doc, FoundValue, Level, Origin, Revision, Violation, text};
use crate::finding::{Finding, Fix, Found, Sink, Subject};
use crate::pod::Pod;

pub(super) static CONTROL: Control = Control {
    id: "procMount",
    number: 5,
    values: &[FoundValue::Text],
    origin: Origin::Standard {
        level: Level::Baseline,
        revisions: &[Revision { since: 0, check }, Revision { since: 35, check: check_from_1_35 }],
        overrides: None,
    },
    violation,
    doc: Doc {
        title: "/proc mount type",
        rule: "Runtimes mask the parts of `/proc` that reveal information about the node or allow changes to it. \
               The mount type must be absent or `Default`.",
        history: "From v1.35 pods in a user namespace (`hostUsers: false`) may set it. At restricted, where they \
                  may not, `procMount_restricted` takes its place from v1.35.",
        fields: &[
            "spec.{containers,initContainers,ephemeralContainers}[*].securityContext.procMount",
            "spec.hostUsers",
        ],
        fix: "Remove `procMount`.",
        example: "containers:\n- name: trainer\n  securityContext:\n    procMount: Default\n",
        cel: Cel::Whole,
    },
};

fn check<'p>(pod: &'p Pod<'_>, sink: &mut Sink<'_, 'p>) {
    find_unmasked(pod, sink);
}

fn check_from_1_35<'p>(pod: &'p Pod<'_>, sink: &mut Sink<'_, 'p>) {
    if !pod.has_user_namespace() {
        check(pod, sink);
    }
}

pub(super) fn find_unmasked<'p>(pod: &'p Pod<'_>, sink: &mut Sink<'_, 'p>) {
    find_set(|kind| kind == "Default", pod, sink);
}

/// Finds the mount types that are set and not allowed.
pub(super) fn find_set<'p>(is_allowed: impl Fn(&str) -> bool, pod: &'p Pod<'_>, sink: &mut Sink<'_, 'p>) {
    for (at, container) in pod.containers() {
        let proc_mount = container
            .security
            .as_ref()
            .and_then(|security| security.proc_mount.as_deref())
            .map(AsRef::as_ref);
        if let Some(proc_mount) = proc_mount.filter(|kind| !is_allowed(kind)) {
            sink(Finding::new(
                Subject::Container(at),
                "securityContext.procMount",
                Found::Text(proc_mount),
                Fix::remove(),
            ));
        }
    }
}

pub(super) fn violation(findings: &[Finding<'_>]) -> Violation {
    Violation {
        reason: "procMount",
        detail: format!(
            "{} must not set securityContext.procMount to {}",
            text::containers(&text::container_names(findings)),
            text::quoted(text::sorted_set(text::found_texts(findings)))
        ),
    }
}
