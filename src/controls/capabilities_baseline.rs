//! `capabilities_baseline` (baseline): no capability beyond what runtimes give anyway. At restricted, from
//! v1.22, `capabilities_restricted` takes its place.

use crate::controls::{Control, Doc, Level, Origin, Revision, Violation, text};
use crate::finding::{FieldPath, Finding, Fix, Found, Sink, Subject};
use crate::pod::Pod;

pub(super) static CONTROL: Control = Control {
    id: "capabilities_baseline",
    number: 7,
    origin: Origin::Standard {
        level: Level::Baseline,
        revisions: &[Revision { since: 0, check }],
        overrides: None,
    },
    violation,
    doc: Doc {
        title: "Capabilities",
        rule: "Capabilities divide the power of root into parts. Containers may add only those that runtimes give \
               by default: AUDIT_WRITE, CHOWN, DAC_OVERRIDE, FOWNER, FSETID, KILL, MKNOD, NET_BIND_SERVICE, \
               SETFCAP, SETGID, SETPCAP, SETUID, SYS_CHROOT. Names are exact: upper case, without `CAP_`.",
        history: "At the restricted level, from v1.22, `capabilities_restricted` takes its place.",
        fields: &["spec.{containers,initContainers,ephemeralContainers}[*].securityContext.capabilities.add"],
        fix: "Remove the capability from `add`. IPC_LOCK has no effect for a process that is not root.",
        example: "containers:\n- name: trainer\n  securityContext:\n    capabilities:\n      drop: [ALL]\n",
    },
};

const ALLOWED: [&str; 13] = [
    "AUDIT_WRITE",
    "CHOWN",
    "DAC_OVERRIDE",
    "FOWNER",
    "FSETID",
    "KILL",
    "MKNOD",
    "NET_BIND_SERVICE",
    "SETFCAP",
    "SETGID",
    "SETPCAP",
    "SETUID",
    "SYS_CHROOT",
];

fn check<'p>(pod: &'p Pod<'_>, sink: &mut Sink<'_, 'p>) {
    find_added(&ALLOWED, pod, sink);
}

/// Finds the capabilities that containers add and that are not `allowed`.
pub(super) fn find_added<'p>(allowed: &[&str], pod: &'p Pod<'_>, sink: &mut Sink<'_, 'p>) {
    for (at, container) in pod.containers() {
        let capabilities = container.security.as_ref().and_then(|security| security.capabilities.as_ref());
        let Some(capabilities) = capabilities else {
            continue;
        };
        for (index, capability) in capabilities.add.iter().enumerate() {
            if allowed.contains(&capability.as_ref()) {
                continue;
            }
            let hint = if capability == "IPC_LOCK" {
                "no effect for a non-root process; ask for node memlock instead"
            } else {
                ""
            };
            sink(
                Finding::new(
                    Subject::Container(at),
                    FieldPath::from(ADD).index(index),
                    Found::Text(capability),
                    Fix::remove(),
                )
                .help(hint),
            );
        }
    }
}

/// The field of the capabilities that are added.
pub(super) const ADD: &str = "securityContext.capabilities.add";

fn violation(findings: &[Finding<'_>]) -> Violation {
    Violation { reason: "non-default capabilities", detail: added(findings) }
}

/// `container "c" must not include "NET_RAW" in securityContext.capabilities.add`
pub(super) fn added(findings: &[Finding<'_>]) -> String {
    format!(
        "{} must not include {} in securityContext.capabilities.add",
        text::containers(&text::container_names(findings)),
        text::quoted(text::sorted_set(text::found_texts(findings)))
    )
}
