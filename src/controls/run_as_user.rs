//! `runAsUser` (restricted, from v1.23): nobody asks for user 0.

use crate::controls::security_contexts::in_security_contexts;
use crate::controls::{Cel, Control, Doc, FoundValue, Level, Origin, Revision, Violation, text};
use crate::finding::{Finding, Fix, Found, Sink, Subject};
use crate::pod::Pod;

pub(super) static CONTROL: Control = Control {
    id: "runAsUser",
    number: 17,
    values: &[FoundValue::Integer],
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
        fix: "Set `runAsUser` to a number above 0, such as 1000. Removing it is enough only if the image's user is a number \
              above 0: an image that runs as root, or as a user with a name, does not start with `runAsNonRoot: true`. \
              Windows has no user ids: remove the field there, and name a user in `windowsOptions.runAsUserName`, such as \
              ContainerUser.",
        example: "securityContext:\n  runAsNonRoot: true\n  runAsUser: 1000\n",
        cel: Cel::Whole,
    },
};

fn check<'p>(pod: &'p Pod<'_>, sink: &mut Sink<'_, 'p>) {
    let root = |user: Option<i64>| user.filter(|user| *user == 0);
    let subjects = in_security_contexts(pod, |of_pod| root(of_pod.run_as_user), |own| root(own.run_as_user));
    for (subject, user) in subjects {
        sink(asks_for_root(pod, subject, user));
    }
}

/// The field of the pod and of its containers.
pub(super) const USER: &str = "securityContext.runAsUser";

/// It asks for this user, which is root or none at all.
pub(super) fn asks_for_root<'p>(pod: &Pod<'_>, subject: Subject<'p>, user: i64) -> Finding<'p> {
    let (fix, help) = if pod.is_for_windows() {
        (Fix::remove(), "Windows has no user ids: name one in windowsOptions.runAsUserName, as ContainerUser")
    } else {
        (Fix::above_zero(), "removing it is enough only if the image's user is a number above 0")
    };
    Finding::new(subject, USER, Found::Integer(user), fix).help(help)
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
