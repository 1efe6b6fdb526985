//! `runAsUser` (restricted, from v1.23): nobody asks for user 0.

use crate::controls::{Control, Doc, Finding, Found, Kind, Level, Remedy, Revision, Sink, Violation, text};
use crate::pod::{Field, Place, Pod};

pub(super) static CONTROL: Control = Control {
    id: "runAsUser",
    number: 17,
    kind: Kind::Standard {
        level: Level::Restricted,
        revisions: &[Revision { since: 23, check }, Revision { since: 35, check: check_from_1_35 }],
        overrides: None,
    },
    violation,
    doc: Doc {
        title: "Running as user 0",
        rule: "Neither the pod nor a container may set `runAsUser` to 0. The pod must not even if every container sets \
               another.",
        history: "Since v1.23; from v1.35 not for pods in a user namespace (`hostUsers: false`).",
        fields: &[
            "spec.securityContext.runAsUser",
            "spec.{containers,initContainers,ephemeralContainers}[*].securityContext.runAsUser",
            "spec.hostUsers",
        ],
        mend: "Set `runAsUser` to a number above 0, or remove it if the image has a user of its own.",
        example: "securityContext:\n  runAsNonRoot: true\n  runAsUser: 1000\n",
    },
};

fn check<'p>(pod: &'p Pod<'_>, sink: &mut Sink<'_, 'p>) {
    let of_pod = (pod.spec.security.run_as_user == Some(0)).then_some(Place::Pod);
    let of_containers = pod
        .containers()
        .filter(|(_, container)| {
            container.security.as_ref().is_some_and(|security| security.run_as_user == Some(0))
        })
        .map(|(at, _)| Place::Container(at));
    for place in of_pod.into_iter().chain(of_containers) {
        sink(
            Finding::new(
                &CONTROL,
                place,
                Field::named("securityContext.runAsUser"),
                Found::Integer(0),
                Remedy::Remove,
            )
            .hint("or use a number above 0, as 1000"),
        );
    }
}

fn check_from_1_35<'p>(pod: &'p Pod<'_>, sink: &mut Sink<'_, 'p>) {
    if !pod.has_user_namespace() {
        check(pod, sink);
    }
}

/// The standard's text leaves `securityContext.` out here.
fn violation(findings: &[Finding<'_>]) -> Violation {
    Violation {
        reason: "runAsUser=0",
        detail: format!("{} must not set runAsUser=0", text::setters(findings).join(" and ")),
    }
}
