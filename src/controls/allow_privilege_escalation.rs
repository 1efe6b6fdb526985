//! `allowPrivilegeEscalation` (restricted, from v1.8): no process gains more privileges than its parent.

use crate::controls::windows::{NEWER_STANDARD, NOT_ON_WINDOWS};
use crate::controls::{Cel, Control, Doc, FoundValue, Level, Origin, Revision, Violation, text};
use crate::finding::{Finding, Fix, Found, Obstacles, Sink, Subject, Value, is_sys_admin};
use crate::pod::{Container, ContainerKind, ContainerRef, Pod};

pub(super) static CONTROL: Control = Control {
    id: "allowPrivilegeEscalation",
    number: 14,
    values: &[FoundValue::Bool(true)],
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
               it in where it is absent; sudo then stops working in the container. The API server does not take it beside \
               `privileged: true` or the capability CAP_SYS_ADMIN in this spelling: these have to go first. Nor does it on a pod with \
               `os.name: windows`, which only v1.25 or later of the standard admits.",
        example: "containers:\n- name: trainer\n  securityContext:\n    allowPrivilegeEscalation: false\n",
        cel: Cel::Whole,
    },
};

fn check<'p>(pod: &'p Pod<'_>, sink: &mut Sink<'_, 'p>) {
    find(pod, sink, true, &NEWER_STANDARD);
}

/// Finds the containers that do not disallow it. `fills_in` tells whether podgate may do so by itself.
pub(super) fn find<'p>(pod: &'p Pod<'_>, sink: &mut Sink<'_, 'p>, fills_in: bool, on_windows: &Fix<'static>) {
    for (at, container) in pod.containers() {
        let allows = container.security.as_ref().and_then(|security| security.allow_privilege_escalation);
        if allows == Some(false) {
            continue;
        }
        let (fix, help) = if pod.is_windows() {
            (on_windows.clone(), NOT_ON_WINDOWS)
        } else {
            fix(at, container, fills_in)
        };
        let found = allows.map_or(Found::Absent, Found::Bool);
        sink(
            Finding::new(Subject::Container(at), "securityContext.allowPrivilegeEscalation", found, fix)
                .help(help),
        );
    }
}

fn check_from_1_25<'p>(pod: &'p Pod<'_>, sink: &mut Sink<'_, 'p>) {
    if !pod.is_windows() {
        check(pod, sink);
    }
}

/// The fix, and what to know about it: the API server does not take `false` beside `privileged` or CAP_SYS_ADMIN, and an
/// ephemeral container cannot be patched.
fn fix(at: ContainerRef<'_>, container: &Container<'_>, fills_in: bool) -> (Fix<'static>, &'static str) {
    let obstacles = obstacles(container);
    let help = if obstacles.contain(Obstacles::PRIVILEGED) {
        "the API server takes no false beside privileged: true"
    } else if obstacles.contain(Obstacles::SYS_ADMIN) {
        "the API server takes no false beside the capability CAP_SYS_ADMIN"
    } else {
        ""
    };
    let is_set = container.security.as_ref().is_some_and(|own| own.allow_privilege_escalation.is_some());
    let fix = match (fills_in && !is_set && at.kind != ContainerKind::Ephemeral, obstacles) {
        (false, _) => Fix::set(Value::Bool(false)),
        (true, Obstacles::NONE) => Fix::fill_in(Value::Bool(false), true),
        (true, obstacles) => Fix::fill_in_without(Value::Bool(false), obstacles),
    };
    (fix, help)
}

fn obstacles(container: &Container<'_>) -> Obstacles {
    let Some(security) = &container.security else { return Obstacles::NONE };
    let mut added = security.capabilities.iter().flat_map(|capabilities| capabilities.add.iter());
    let if_so = |is_so, obstacle| if is_so { obstacle } else { Obstacles::NONE };
    if_so(security.privileged == Some(true), Obstacles::PRIVILEGED)
        | if_so(added.any(|capability| is_sys_admin(capability)), Obstacles::SYS_ADMIN)
}

pub(super) fn violation(findings: &[Finding<'_>]) -> Violation {
    Violation {
        reason: "allowPrivilegeEscalation != false",
        detail: format!(
            "{} must set securityContext.allowPrivilegeEscalation=false",
            text::containers(&text::container_names(findings))
        ),
    }
}
