//! `capabilities_baseline` (baseline): no capability beyond what runtimes give anyway. At restricted, from
//! v1.22, `capabilities_restricted` takes its place.

use crate::controls::{Cel, Control, Doc, FoundValue, Level, Origin, Revision, Violation, text};
use crate::finding::{FieldPath, Finding, Fix, Found, Sink, Subject, Value};
use crate::pod::Pod;

pub(super) static CONTROL: Control = Control {
    id: "capabilities_baseline",
    number: 7,
    values: &[FoundValue::Capability],
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
    find_added(pod, sink, |added| fix_of(&ALLOWED, added));
}

/// What to do about an added capability of which only these are allowed; nothing if it is one of them.
pub(super) fn fix_of(allowed: &[&'static str], added: &str) -> Option<Fix<'static>> {
    (!allowed.contains(&added)).then(|| respelt(allowed.iter().copied(), added))
}

/// Finds the capabilities that containers add for which there is a fix, as none is needed for those that are allowed.
pub(super) fn find_added<'p>(
    pod: &'p Pod<'_>,
    sink: &mut Sink<'_, 'p>,
    fix: impl Fn(&'p str) -> Option<Fix<'p>>,
) {
    for (at, container) in pod.containers() {
        let capabilities = container.security.as_ref().and_then(|security| security.capabilities.as_ref());
        let Some(capabilities) = capabilities else {
            continue;
        };
        for (index, capability) in capabilities.add.iter().enumerate() {
            let Some(fix) = fix(capability) else { continue };
            let hint = if ["IPC_LOCK", "CAP_IPC_LOCK"].contains(&capability.as_ref()) {
                "no effect for a non-root process; ask for node memlock instead"
            } else {
                ""
            };
            let path = FieldPath::from(ADD).index(index);
            sink(Finding::new(Subject::Container(at), path, Found::Text(capability), fix).help(hint));
        }
    }
}

/// Write the allowed capability that is meant, or remove it: names are exact, upper case and without `CAP_`.
pub(super) fn respelt<'p>(mut allowed: impl Iterator<Item = &'p str>, written: &str) -> Fix<'p> {
    let meant = unprefixed(written);
    let known = allowed.find(|known| known.eq_ignore_ascii_case(meant));
    known.map_or(Fix::remove(), |name| Fix::set(Value::Text(name)))
}

/// The name of a capability without the `CAP_` that Linux puts before it.
pub(super) fn unprefixed(written: &str) -> &str {
    let prefixed = written.get(..4).is_some_and(|prefix| prefix.eq_ignore_ascii_case("CAP_"));
    if prefixed { written.get(4..).unwrap_or_default() } else { written }
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
