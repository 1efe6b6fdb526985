//! `allowPrivilegeEscalation` (restricted, from v1.8): no process gains more privileges than its parent.

use crate::controls::{Control, Doc, Level, Origin, Revision, Violation, text};
use crate::finding::{Finding, Fix, Found, Sink, Subject, Value};
use crate::pod::{Container, ContainerKind, ContainerRef, Pod};

pub(super) static CONTROL: Control = Control {
    id: "allowPrivilegeEscalation",
    number: 14,
    origin: Origin::Standard {
        level: Level::Restricted,
        revisions: &[Revision { since: 8, check }, Revision { since: 25, check: check_from_1_25 }],
        overrides: None,
    },
    violation,
    doc: Doc {
        title: "Privilege escalation",
        rule: "With privilege escalation a process gains privileges that its parent does not have, through \
               set-user-id files such as sudo. Every container must explicitly disallow it.",
        history: "Since v1.8; from v1.25 not for pods with `os.name: windows`.",
        fields: &[
            "spec.{containers,initContainers,ephemeralContainers}[*].securityContext.allowPrivilegeEscalation",
            "spec.os.name",
        ],
        fix: "Set `securityContext.allowPrivilegeEscalation: false` on every container. A policy with defaults fills \
               it in where it is absent; sudo then stops working in the container.",
        example: "containers:\n- name: trainer\n  securityContext:\n    allowPrivilegeEscalation: false\n",
    },
};

fn check<'p>(pod: &'p Pod<'_>, sink: &mut Sink<'_, 'p>) {
    for (at, container) in pod.containers() {
        let allows = container.security.as_ref().and_then(|security| security.allow_privilege_escalation);
        if allows == Some(false) {
            continue;
        }
        let is_safe = allows.is_none() && takes_false(pod, at, container);
        sink(Finding::new(
            Subject::Container(at),
            "securityContext.allowPrivilegeEscalation",
            allows.map_or(Found::Absent, Found::Bool),
            Fix::fill_in(Value::Bool(false), is_safe),
        ));
    }
}

fn check_from_1_25<'p>(pod: &'p Pod<'_>, sink: &mut Sink<'_, 'p>) {
    if !pod.is_windows() {
        check(pod, sink);
    }
}

/// Whether the API server takes `false` here: not on Windows, nor beside `privileged` or CAP_SYS_ADMIN,
/// and an ephemeral container cannot be patched.
fn takes_false(pod: &Pod<'_>, at: ContainerRef<'_>, container: &Container<'_>) -> bool {
    let contradicts = container.security.as_ref().is_some_and(|security| {
        let mut added = security.capabilities.iter().flat_map(|capabilities| &capabilities.add);
        security.privileged == Some(true)
            || added.any(|capability| ["SYS_ADMIN", "CAP_SYS_ADMIN"].contains(&capability.as_ref()))
    });
    at.kind != ContainerKind::Ephemeral && !pod.is_windows() && !contradicts
}

fn violation(findings: &[Finding<'_>]) -> Violation {
    Violation {
        reason: "allowPrivilegeEscalation != false",
        detail: format!(
            "{} must set securityContext.allowPrivilegeEscalation=false",
            text::containers(&text::container_names(findings))
        ),
    }
}
