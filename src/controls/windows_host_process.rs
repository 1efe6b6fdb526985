//! `windowsHostProcess` (baseline): no process of the Windows node.

use crate::controls::{Control, Doc, Finding, Found, Kind, Level, Remedy, Revision, Sink, Violation, text};
use crate::pod::{Field, Place, Pod};

pub(super) static CONTROL: Control = Control {
    id: "windowsHostProcess",
    number: 13,
    kind: Kind::Standard {
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
        mend: "Remove `hostProcess`, or set it to false.",
        example: "securityContext:\n  windowsOptions:\n    hostProcess: false\n",
    },
};

fn check<'p>(pod: &'p Pod<'_>, sink: &mut Sink<'_, 'p>) {
    let of_pod = (pod.spec.security.host_process == Some(true)).then_some(Place::Pod);
    let of_containers = pod
        .containers()
        .filter(|(_, container)| {
            container.security.as_ref().is_some_and(|security| security.host_process == Some(true))
        })
        .map(|(at, _)| Place::Container(at));
    for place in of_pod.into_iter().chain(of_containers) {
        sink(Finding::new(
            &CONTROL,
            place,
            Field::named("securityContext.windowsOptions.hostProcess"),
            Found::Bool(true),
            Remedy::Remove,
        ));
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
