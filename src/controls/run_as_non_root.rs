//! `runAsNonRoot` (restricted): every container says that it does not run as root.

use crate::controls::{
    Control, Doc, Finding, Found, Kind, Level, Remedy, Revision, Sink, Value, Violation, text,
};
use crate::pod::{Container, ContainerKind, ContainerRef, Field, Place, Pod};

pub(super) static CONTROL: Control = Control {
    id: "runAsNonRoot",
    number: 16,
    kind: Kind::Standard {
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
        rule: "Containers must run as users other than root, and say so with `runAsNonRoot: true`, each by itself or \
               through the pod. A `runAsUser` does not say it. The pod must not say `false` even if every container says `true`.",
        history: "From v1.23 `runAsUser` refuses user 0 by itself. From v1.35 not for pods in a user namespace (`hostUsers: false`).",
        fields: &[
            "spec.securityContext.runAsNonRoot",
            "spec.{containers,initContainers,ephemeralContainers}[*].securityContext.runAsNonRoot",
            "spec.hostUsers",
        ],
        mend: "Set `securityContext.runAsNonRoot: true` for the pod, and a `runAsUser` above 0 unless the image has a \
               numeric user of its own. A policy with defaults fills `runAsNonRoot` in where it is absent; an image that \
               runs as root then does not start, and the kubelet's event says so.",
        example: "securityContext:\n  runAsNonRoot: true\n  runAsUser: 1000\n",
    },
};

const FIELD: Field = Field::named("securityContext.runAsNonRoot");

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

/// A container that says nothing leans on the pod. If the pod says `false`, that alone is the breach:
/// mending it mends the container. `takes_true` tells whether filling `true` in is safe beside a user.
fn find<'p>(pod: &'p Pod<'_>, sink: &mut Sink<'_, 'p>, takes_true: fn(Option<i64>) -> bool) {
    let of_pod = pod.spec.security.run_as_non_root;
    if of_pod == Some(false) {
        sink(says_false(Place::Pod));
    }
    for (at, container) in pod.containers() {
        match container.security.as_ref().and_then(|security| security.run_as_non_root) {
            Some(true) => {}
            Some(false) => sink(says_false(Place::Container(at))),
            None if of_pod.is_some() => {}
            None => {
                let user = user_of(pod, container);
                sink(says_nothing(at).safe_if(at.kind != ContainerKind::Ephemeral && takes_true(user)));
            }
        }
    }
}

fn user_of(pod: &Pod<'_>, container: &Container<'_>) -> Option<i64> {
    let own = container.security.as_ref().and_then(|security| security.run_as_user);
    own.or(pod.spec.security.run_as_user)
}

fn says_false(place: Place<'_>) -> Finding<'_> {
    Finding::new(&CONTROL, place, FIELD, Found::Bool(false), Remedy::Set(Value::Bool(true)))
        .hint("with a runAsUser above 0 if the image's user is root")
}

fn says_nothing(at: ContainerRef<'_>) -> Finding<'_> {
    Finding::new(&CONTROL, Place::Container(at), FIELD, Found::Absent, Remedy::Set(Value::Bool(true)))
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
