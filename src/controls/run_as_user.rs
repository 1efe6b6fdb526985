//! `runAsUser` (restricted, from v1.23): nobody asks for user 0.

use crate::controls::security_contexts::in_security_contexts;
use crate::controls::{Control, Doc, Level, Origin, Revision, Violation, text};
use crate::finding::{Finding, Fix, Found, Sink};
use crate::pod::Pod;

pub(super) static CONTROL: Control = Control {
    id: "runAsUser",
    number: 17,
    origin: Origin::Standard {
        level: Level::Restricted,
        revisions: &[Revision { since: 23, check }, Revision { since: 35, check: check_from_1_35 }],
        overrides: None,
    },
    violation,
    doc: Doc {
        title: "Running as user 0",
        rule: "Neither the pod nor a container may set `runAsUser` to 0. The pod must not do so even if every \
               container sets another user.",
        history: "Since v1.23; from v1.35 not for pods in a user namespace (`hostUsers: false`).",
        fields: &[
            "spec.securityContext.runAsUser",
            "spec.{containers,initContainers,ephemeralContainers}[*].securityContext.runAsUser",
            "spec.hostUsers",
        ],
        fix: "Set `runAsUser` to a number above 0, or remove it if the image has a user of its own.",
        example: "securityContext:\n  runAsNonRoot: true\n  runAsUser: 1000\n",
    },
};

fn check<'p>(pod: &'p Pod<'_>, sink: &mut Sink<'_, 'p>) {
    let root = |user: Option<i64>| user.filter(|user| *user == 0);
    let subjects = in_security_contexts(pod, |of_pod| root(of_pod.run_as_user), |own| root(own.run_as_user));
    for (subject, user) in subjects {
        let found = Found::Integer(user);
        sink(
            Finding::new(subject, "securityContext.runAsUser", found, Fix::remove())
                .help("or use a number above 0, as 1000"),
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
