//! `privileged` (baseline): no container is privileged.
//!
//! A privileged container has every capability, sees the node's devices and escapes AppArmor,
//! SELinux and seccomp: in effect it is root on the node.

use crate::controls::{Cel, Control, Doc, FoundValue, Level, Origin, Revision, Violation, text};
use crate::finding::{Finding, Fix, Found, Sink, Subject};
use crate::pod::Pod;

pub(super) static CONTROL: Control = Control {
    id: "privileged",
    number: 0,
    values: &[FoundValue::Bool(true)],
    origin: Origin::Standard {
        level: Level::Baseline,
        revisions: &[Revision { since: 0, check }],
        overrides: None,
    },
    violation,
    doc: Doc {
        title: "Privileged containers",
        rule: "A privileged container has every capability and every device of the node, and most \
               security mechanisms are off for it. Containers must not be privileged.",
        history: "",
        fields: &["spec.{containers,initContainers,ephemeralContainers}[*].securityContext.privileged"],
        fix: "Remove `privileged`, or set it to false. A GPU does not need it: request it through its resource, \
              for example `nvidia.com/gpu: 1`.",
        example: "containers:\n- name: trainer\n  securityContext:\n    privileged: false\n",
        cel: Cel::Whole,
    },
};

/// Finds the containers that are privileged.
pub(super) fn check<'p>(pod: &'p Pod<'_>, sink: &mut Sink<'_, 'p>) {
    for (at, container) in pod.containers() {
        let Some(security) = &container.security else {
            continue;
        };
        if security.privileged == Some(true) {
            sink(
                Finding::new(
                    Subject::Container(at),
                    "securityContext.privileged",
                    Found::Bool(true),
                    Fix::remove(),
                )
                .help("a GPU is requested as a resource, not by privilege"),
            );
        }
    }
}

pub(super) fn violation(findings: &[Finding<'_>]) -> Violation {
    Violation {
        reason: "privileged",
        detail: format!(
            "{} must not set securityContext.privileged=true",
            text::containers(&text::container_names(findings))
        ),
    }
}
