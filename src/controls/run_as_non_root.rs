//! `runAsNonRoot` (restricted): every container says that it does not run as root.

use crate::controls::{Control, Doc, Level, Origin, Revision, Violation, text};
use crate::finding::{Finding, Fix, Found, Sink, Subject, Value};
use crate::pod::{ContainerKind, ContainerRef, Pod};

pub(super) static CONTROL: Control = Control {
    id: "runAsNonRoot",
    number: 16,
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
        fix: "Set `securityContext.runAsNonRoot: true` for the pod, and a `runAsUser` above 0 unless the image has a \
               numeric user of its own. A policy with defaults fills `runAsNonRoot` in where it is absent; an image that \
               runs as root then does not start, and the kubelet's event says so.",
        example: "securityContext:\n  runAsNonRoot: true\n  runAsUser: 1000\n",
    },
};

const FIELD: &str = "securityContext.runAsNonRoot";

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
        sink(says_false(Subject::Pod));
    }
    for (at, container) in pod.containers() {
        match container.security.as_ref().and_then(|security| security.run_as_non_root) {
            Some(true) => {}
            Some(false) => sink(says_false(Subject::Container(at))),
            None if of_pod.is_some() => {}
            None => {
                let is_safe = at.kind != ContainerKind::Ephemeral && takes_true(pod.user_of(container));
                sink(says_nothing(at, is_safe));
            }
        }
    }
}

fn says_false(subject: Subject<'_>) -> Finding<'_> {
    Finding::new(subject, FIELD, Found::Bool(false), Fix::set(Value::Bool(true)))
        .help("with a runAsUser above 0 if the image's user is root")
}

fn says_nothing(at: ContainerRef<'_>, is_safe: bool) -> Finding<'_> {
    Finding::new(Subject::Container(at), FIELD, Found::Absent, Fix::fill_in(Value::Bool(true), is_safe))
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
