//! `windowsHostProcess` (baseline): no process of the Windows node.

use crate::controls::security_contexts::in_security_contexts;
use crate::controls::{Cel, Control, Doc, FoundValue, Level, Origin, Revision, Violation, text};
use crate::finding::{Finding, Fix, Found, Sink};
use crate::pod::Pod;

pub(super) static CONTROL: Control = Control {
    id: "windowsHostProcess",
    number: 13,
    values: &[FoundValue::Bool(true)],
    origin: Origin::Standard {
        level: Level::Baseline,
        revisions: &[Revision { since: 0, check }],
        overrides: None,
    },
    violation,
    doc: Doc {
        title: "Windows HostProcess",
        rule: "A HostProcess container runs as a process of the Windows node, with its privileges. Pods must not \
               use them.",
        history: "",
        fields: &[
            "spec.securityContext.windowsOptions.hostProcess",
            "spec.{containers,initContainers,ephemeralContainers}[*].securityContext.windowsOptions.hostProcess",
        ],
        fix: "Remove `hostProcess`, or set it to false.",
        example: "securityContext:\n  windowsOptions:\n    hostProcess: false\n",
        cel: Cel::Whole,
    },
};

fn check<'p>(pod: &'p Pod<'_>, sink: &mut Sink<'_, 'p>) {
    let set = |host_process: Option<bool>| host_process.filter(|is_set| *is_set);
    let subjects = in_security_contexts(pod, |of_pod| set(of_pod.host_process), |own| set(own.host_process));
    for (subject, is_set) in subjects {
        let path = "securityContext.windowsOptions.hostProcess";
        sink(
            Finding::new(subject, path, Found::Bool(is_set), Fix::remove())
                .help("and a runAsUserName that only the node has"),
        );
    }
}

fn violation(findings: &[Finding<'_>]) -> Violation {
    Violation {
        reason: "hostProcess",
        detail: format!(
            "{} must not set securityContext.windowsOptions.hostProcess=true",
            text::setters(findings).join(" and ")
        ),
    }
}
