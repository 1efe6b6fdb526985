//! `runAsNonRoot` (restricted): every container says that it does not run as root.

use crate::controls::{Cel, Control, Doc, FoundValue, Level, Origin, Revision, Violation, text};
use crate::finding::{Finding, Fix, Found, Obstacles, Sink, Subject, Value};
use crate::pod::{Container, ContainerKind, ContainerRef, Pod};

pub(super) static CONTROL: Control = Control {
    id: "runAsNonRoot",
    number: 16,
    values: &[FoundValue::Bool(false)],
    origin: Origin::Standard {
        level: Level::Restricted,
        revisions: &[
            Revision { since: 0, check },
            Revision { since: 23, check: check_from_1_23 },
            Revision { since: 35, check: check_from_1_35 },
        ],
        overrides: None,
    },
    violation,
    doc: Doc {
        title: "Running as non-root",
        rule: "Containers must run as users other than root, and declare it with `runAsNonRoot: true`, on each \
               container or on the pod. A `runAsUser` is not enough. The pod must not set `false` even if every \
               container sets `true`.",
        history: "From v1.23 `runAsUser` refuses user 0 as well. From v1.35 not for pods in a user namespace \
                  (`hostUsers: false`).",
        fields: &[
            "spec.securityContext.runAsNonRoot",
            "spec.{containers,initContainers,ephemeralContainers}[*].securityContext.runAsNonRoot",
            "spec.hostUsers",
        ],
        fix: "Set `securityContext.runAsNonRoot: true` for the pod, and a `runAsUser` above 0 unless the image's user is \
               a number above 0. A policy with defaults fills `runAsNonRoot` in where it is absent; an image that runs as \
               root, or as a user with a name, then does not start without a `runAsUser`, and the kubelet's event says so. \
               Windows has no user ids: name a user in `windowsOptions.runAsUserName` there, such as ContainerUser, but \
               not ContainerAdministrator.",
        example: "securityContext:\n  runAsNonRoot: true\n  runAsUser: 1000\n",
        cel: Cel::Whole,
    },
};

/// The field that says it.
pub(super) const FIELD: &str = "securityContext.runAsNonRoot";

/// Before `runAsUser` refuses user 0: a pod with that user must not be made to look non-root.
fn check<'p>(pod: &'p Pod<'_>, sink: &mut Sink<'_, 'p>) {
    find(pod, sink, |user| user != Some(0));
}

fn check_from_1_23<'p>(pod: &'p Pod<'_>, sink: &mut Sink<'_, 'p>) {
    find(pod, sink, |_| true);
}

fn check_from_1_35<'p>(pod: &'p Pod<'_>, sink: &mut Sink<'_, 'p>) {
    if !pod.has_user_namespace() {
        check_from_1_23(pod, sink);
    }
}

/// A container that says nothing inherits what the pod says. If that is `false`, it alone is the violation:
/// fixing it fixes the container. `takes_true` tells whether filling `true` in is safe beside a user.
fn find<'p>(pod: &'p Pod<'_>, sink: &mut Sink<'_, 'p>, takes_true: fn(Option<i64>) -> bool) {
    let of_pod = pod.spec.security.run_as_non_root;
    if of_pod == Some(false) {
        sink(says_false(Subject::Pod).help(of_any_user(pod)));
    }
    for (at, container) in pod.containers() {
        let help = || of_user(pod, container);
        match container.security.as_ref().and_then(|security| security.run_as_non_root) {
            Some(true) => {}
            Some(false) => sink(says_false(Subject::Container(at)).help(help())),
            None if of_pod.is_some() => {}
            None => sink(says_nothing(at, takes_true(pod.user_of(container))).help(help())),
        }
    }
}

/// It says that it may run as root.
pub(super) fn says_false(subject: Subject<'_>) -> Finding<'_> {
    Finding::new(subject, FIELD, Found::Bool(false), Fix::set(Value::Bool(true)))
}

fn says_nothing(at: ContainerRef<'_>, takes_true: bool) -> Finding<'_> {
    let fix = Fix::fill_in(Value::Bool(true), at.kind != ContainerKind::Ephemeral);
    let finding = Finding::new(Subject::Container(at), FIELD, Found::Absent, fix);
    if takes_true { finding } else { finding.filled_in_without(Obstacles::ROOT_USER) }
}

/// What the container needs beside `true` to start: the kubelet starts no image there whose user is root, or has a name,
/// since only a number shows that it is not root's.
pub(super) fn of_user(pod: &Pod<'_>, container: &Container<'_>) -> &'static str {
    if pod.is_for_windows() {
        return match pod.windows_user_of(container) {
            "" => {
                "with a windowsOptions.runAsUserName, as ContainerUser, if the image's is ContainerAdministrator"
            }
            user if user.eq_ignore_ascii_case("ContainerAdministrator") => {
                "with another windowsOptions.runAsUserName, as ContainerUser"
            }
            _ => "",
        };
    }
    match pod.user_of(container) {
        None => "with a runAsUser above 0, unless the image's user is a number above 0",
        Some(0) => "with a runAsUser above 0",
        Some(_) => "",
    }
}

/// The same for the whole pod: for the first container that needs anything.
pub(super) fn of_any_user(pod: &Pod<'_>) -> &'static str {
    let helps = pod.containers().map(|(_, container)| of_user(pod, container));
    helps.into_iter().find(|help| !help.is_empty()).unwrap_or_default()
}

/// The standard's text names the containers that say nothing only if nobody says `false`.
fn violation(findings: &[Finding<'_>]) -> Violation {
    let says_false = text::of_values(findings);
    let detail = if says_false.is_empty() {
        format!(
            "pod or {} must set securityContext.runAsNonRoot=true",
            text::containers(&text::container_names(findings))
        )
    } else {
        format!(
            "{} must not set securityContext.runAsNonRoot=false",
            text::setters(&says_false).join(" and ")
        )
    };
    Violation { reason: "runAsNonRoot != true", detail }
}
