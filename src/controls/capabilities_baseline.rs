//! `capabilities_baseline` (baseline): no capability beyond what runtimes give anyway. At restricted, from
//! v1.22, `capabilities_restricted` takes its place.

use crate::controls::{Cel, Control, Doc, Level, Origin, Revision, Violation, text};
use crate::finding::{FieldPath, Finding, Fix, Found, Sink, Subject, Value};
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
        cel: Cel::Whole,
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
pub(super) fn find_added<'p>(allowed: &[&'static str], pod: &'p Pod<'_>, sink: &mut Sink<'_, 'p>) {
    for (at, container) in pod.containers() {
        let capabilities = container.security.as_ref().and_then(|security| security.capabilities.as_ref());
        let Some(capabilities) = capabilities else {
            continue;
        };
        for (index, capability) in capabilities.add.iter().enumerate() {
            if allowed.contains(&capability.as_ref()) {
                continue;
            }
            let hint = if ["IPC_LOCK", "CAP_IPC_LOCK"].contains(&capability.as_ref()) {
                "no effect for a non-root process; ask for node memlock instead"
            } else {
                ""
            };
            let path = FieldPath::from(ADD).index(index);
            let fix = spelt(allowed, capability).map_or(Fix::remove(), |name| Fix::set(Value::Text(name)));
            sink(Finding::new(Subject::Container(at), path, Found::Text(capability), fix).help(hint));
        }
    }
}

/// The allowed capability that is meant, in the standard's spelling: names are exact there, upper case and without `CAP_`.
fn spelt(allowed: &[&'static str], written: &str) -> Option<&'static str> {
    let is_prefixed = written.get(..4).is_some_and(|prefix| prefix.eq_ignore_ascii_case("CAP_"));
    let name = if is_prefixed { written.get(4..)? } else { written };
    allowed.iter().find(|known| known.eq_ignore_ascii_case(name)).copied()
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
