//! `nonRootUsers` (extended): no container runs as root, as far as the pod can say, by its own fields or the pod's.

use serde::{Deserialize, Serialize};

use crate::controls::run_as_non_root::{FIELD, of_any_user, of_user, says_false};
use crate::controls::run_as_user::{USER, asks_for_root};
use crate::controls::security_contexts::{POD_NOT_ALLOWED, newcomers};
use crate::controls::windows::OTHER_POLICY;
use crate::controls::{
    Cel, Check, CheckedPod, Control, Doc, FoundValue, Origin, Parameters, Violation, text,
};
use crate::finding::{Finding, Fix, Found, Sink, Subject, Value};
use crate::pod::{Changes, Container, ContainerKind, Pod};

pub(super) static CONTROL: Control = Control {
    id: "nonRootUsers",
    number: 40,
    values: &[FoundValue::Bool(false), FoundValue::Integer],
    origin: Origin::Extended {
        parameters: Parameters::of::<NonRootUsers>(),
        depends_on: Changes::EPHEMERAL_CONTAINERS,
    },
    violation,
    doc: Doc {
        title: "Users other than root",
        rule: "Of each container what it says itself counts, or else what the pod says: it must set `runAsNonRoot: \
               true` or a `runAsUser` above 0, and neither `runAsNonRoot: false` nor user 0. It is laxer than the \
               restricted level, which also wants `runAsNonRoot: true` beside a user, and judges the pod's fields \
               even if every container sets its own; it is stricter in that a user namespace (`hostUsers: false`) \
               changes nothing. Windows has no user ids, so `runAsNonRoot: true` is needed there.",
        history: "Enabled where a policy sets `controls.nonRootUsers`.",
        fields: &[
            "spec.securityContext.{runAsNonRoot,runAsUser}",
            "spec.{containers,initContainers,ephemeralContainers}[*].securityContext.{runAsNonRoot,runAsUser}",
        ],
        fix: "Set `securityContext.runAsNonRoot: true` for the pod, and a `runAsUser` above 0 unless the image's \
              user is a number above 0. `fillIn: true` sets `runAsNonRoot` where a container has neither; an image \
              that runs as root, or as a user with a name, then does not start, and the kubelet's event says so.",
        example: "securityContext:\n  runAsNonRoot: true\n  runAsUser: 1000\n",
        cel: Cel::Whole,
    },
};

/// The parameters of `controls.nonRootUsers`.
#[derive(Debug, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct NonRootUsers {
    /// Whether `runAsNonRoot: true` is filled in where a container has neither that nor a user.
    #[serde(default)]
    fill_in: bool,
}

impl Check for NonRootUsers {
    fn check<'p>(&'p self, CheckedPod { pod, .. }: CheckedPod<'p>, sink: &mut Sink<'_, 'p>) {
        find_inherited(pod, sink);
        find_newly_inherited(pod, sink);
        for (at, container) in pod.containers() {
            let subject = Subject::Container(at);
            let own = container.security.as_ref();
            let non_root = own.and_then(|own| own.run_as_non_root);
            if non_root == Some(false) {
                sink(says_false(subject).help(of_user(pod, container)));
            }
            if let Some(user) = own.and_then(|own| own.run_as_user).filter(|user| is_root(*user)) {
                sink(asks_for_root(pod, subject, user));
            }
            let says_so = non_root.or(pod.spec.security.run_as_non_root).is_some();
            // Windows has no user ids: the one that it must not set says nothing there.
            if !says_so && (pod.user_of(container).is_none() || pod.is_for_windows()) {
                let is_safe = self.fill_in && at.kind != ContainerKind::Ephemeral;
                let fix = Fix::fill_in(Value::Bool(true), is_safe);
                sink(Finding::new(subject, FIELD, Found::Absent, fix).help(of_user(pod, container)));
            }
        }
    }
}

/// Finds what the pod says that any container takes over, those apart that come later.
fn find_inherited<'p>(pod: &'p Pod<'_>, sink: &mut Sink<'_, 'p>) {
    let is_inherited = |is_silent: fn(&Container<'_>) -> bool| {
        let mut lasting = pod.containers().filter(|(at, _)| at.kind != ContainerKind::Ephemeral);
        lasting.any(|(_, container)| is_silent(container))
    };
    let of_pod = &pod.spec.security;
    if of_pod.run_as_non_root == Some(false) && is_inherited(has_no_word) {
        sink(says_false(Subject::Pod).help(of_any_user(pod)));
    }
    if let Some(user) = of_pod.run_as_user.filter(|user| is_root(*user))
        && is_inherited(has_no_user)
    {
        sink(asks_for_root(pod, Subject::Pod, user));
    }
}

/// Finds the containers that come later and take over what the pod must not say.
fn find_newly_inherited<'p>(pod: &'p Pod<'_>, sink: &mut Sink<'_, 'p>) {
    let of_pod = &pod.spec.security;
    for (at, container) in newcomers(pod) {
        let mut find = |path: &'static str, fix| {
            sink(Finding::new(Subject::Container(at), path, Found::Absent, fix).help(POD_NOT_ALLOWED));
        };
        if of_pod.run_as_non_root == Some(false) && has_no_word(container) {
            find(FIELD, Fix::set(Value::Bool(true)));
        }
        if of_pod.run_as_user.is_some_and(is_root) && has_no_user(container) {
            find(USER, if pod.is_for_windows() { OTHER_POLICY } else { Fix::above_zero() });
        }
    }
}

fn has_no_word(container: &Container<'_>) -> bool {
    container.security.as_ref().is_none_or(|own| own.run_as_non_root.is_none())
}

fn has_no_user(container: &Container<'_>) -> bool {
    container.security.as_ref().is_none_or(|own| own.run_as_user.is_none())
}

/// Whether it is root's id or none that a user can have.
fn is_root(user: i64) -> bool {
    user < 1
}

fn violation(findings: &[Finding<'_>]) -> Violation {
    let of = |found: fn(Found<'_>) -> bool| -> Vec<Finding<'_>> {
        findings.iter().filter(|finding| found(finding.found)).cloned().collect()
    };
    let setters = |findings: &[Finding<'_>]| text::setters(findings).join(" and ");
    let mut parts = Vec::new();
    let says_false = of(|found| found == Found::Bool(false));
    if !says_false.is_empty() {
        parts.push(format!("{} must not set securityContext.runAsNonRoot=false", setters(&says_false)));
    }
    let asks = of(|found| matches!(found, Found::Integer(_)));
    if !asks.is_empty() {
        parts.push(format!("{} must set securityContext.runAsUser above 0", setters(&asks)));
    }
    let is_silent = of(|found| found == Found::Absent);
    if !is_silent.is_empty() {
        let containers = text::containers(&text::container_names(&is_silent));
        parts.push(format!(
            "pod or {containers} must set securityContext.runAsNonRoot=true or runAsUser above 0"
        ));
    }
    Violation { reason: "may run as root", detail: parts.join("; ") }
}
