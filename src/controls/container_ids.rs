//! Ids that a container has by itself or through the pod, and the words for ids of either.

use crate::controls::allowed_ids::{AllowedIds, NOT_KNOWN};
use crate::controls::id_ranges::IdRules;
use crate::controls::security_contexts::POD_NOT_ALLOWED;
use crate::controls::{CheckedPod, Violation, text};
use crate::finding::{Finding, Fix, Found, Sink, Subject, Value};
use crate::pod::{Container, ContainerKind, PodSecurityContext, SecurityContext};

/// A field of ids that a container has by itself or through the pod.
pub(super) struct ContainerId {
    /// Its path in either.
    pub(super) path: &'static str,
    /// What the pod says.
    pub(super) of_pod: fn(&PodSecurityContext<'_>) -> Option<i64>,
    /// What a container says.
    pub(super) of_container: fn(&SecurityContext<'_>) -> Option<i64>,
}

impl ContainerId {
    /// Finds each container that has no id that is allowed. What the pod says is found once, if any container goes by it.
    pub(super) fn check<'p>(&self, rules: IdRules<'p>, checked: CheckedPod<'p>, sink: &mut Sink<'_, 'p>) {
        let pod = checked.pod;
        let Some(allowed) = AllowedIds::of(rules, checked, sink) else {
            return self.find_unjudged(checked, sink);
        };
        let of_pod = (self.of_pod)(&pod.spec.security);
        let of_pod_outside = of_pod.filter(|id| !allowed.have(*id));
        let inherits = |container: &Container<'_>| self.of(container).is_none();
        let mut lasting = pod.containers().filter(|(at, _)| at.kind != ContainerKind::Ephemeral);
        if let Some(id) = of_pod_outside.filter(|_| lasting.any(|(_, container)| inherits(container))) {
            sink(allowed.with_advice(Subject::Pod, self.path, Found::Integer(id)));
        }
        for (at, container) in pod.containers() {
            let subject = Subject::Container(at);
            match self.of(container) {
                Some(id) if allowed.have(id) => {}
                Some(id) => sink(allowed.with_advice(subject, self.path, Found::Integer(id))),
                // What an existing pod says cannot be changed for a new container, which has to say something else.
                None if of_pod_outside.is_some() && at.kind == ContainerKind::Ephemeral => {
                    let finding = allowed.with_advice(subject, self.path, Found::Absent);
                    sink(finding.help(POD_NOT_ALLOWED));
                }
                None if of_pod.is_some() => {}
                None if allowed.are_required() => {
                    sink(allowed.absent(subject, self.path, Value::Integer));
                }
                None => {}
            }
        }
    }

    /// Where the ids of the namespace cannot be told: a container that comes later must not pass because the rest of the
    /// pod was not judged before, either.
    fn find_unjudged<'p>(&self, CheckedPod { pod, .. }: CheckedPod<'p>, sink: &mut Sink<'_, 'p>) {
        for (at, container) in pod.containers().filter(|(at, _)| at.kind == ContainerKind::Ephemeral) {
            let found = self.of(container).map_or(Found::Absent, Found::Integer);
            let fix = Fix::one_of(&["an id of its namespace, once that says which"]);
            sink(Finding::new(Subject::Container(at), self.path, found, fix));
        }
    }

    fn of(&self, container: &Container<'_>) -> Option<i64> {
        container.security.as_ref().and_then(self.of_container)
    }
}

/// Findings of a field of ids in words.
pub(super) fn violation(reason: &'static str, path: &str, findings: &[Finding<'_>]) -> Violation {
    let (of_namespace, of_pod): (Vec<Finding<'_>>, Vec<Finding<'_>>) =
        findings.iter().cloned().partition(|finding| matches!(finding.subject, Subject::Namespace(_)));
    let mut parts: Vec<String> = of_namespace.iter().filter_map(fault_of_namespace).collect();
    let (set, unset): (Vec<Finding<'_>>, Vec<Finding<'_>>) =
        of_pod.into_iter().partition(|finding| finding.found != Found::Absent);
    if !unset.is_empty() {
        parts.push(format!("{} must set {path}", text::setters(&unset).join(" and ")));
    }
    if !set.is_empty() {
        let mut values: Vec<String> = set.iter().map(|finding| finding.found.to_string()).collect();
        values.sort_unstable();
        values.dedup();
        let setters = text::setters(&set).join(" and ");
        parts.push(format!("{setters} must not set {path}={}", values.join(", ")));
    }
    Violation { reason, detail: parts.join("; ") }
}

/// What is wrong with the annotation of a namespace that has the ids.
fn fault_of_namespace(finding: &Finding<'_>) -> Option<String> {
    let Subject::Namespace(name) = finding.subject else { return None };
    let name = text::quoted([name]);
    Some(match (finding.path.last_key(), finding.found) {
        (_, Found::Text(NOT_KNOWN)) | (None, _) => {
            format!("the ids of namespace {name} are not known")
        }
        (Some(key), Found::Absent) => format!("namespace {name} must have the annotation {key}"),
        (Some(key), found) => format!("namespace {name} must not have the annotation {key}={found}"),
    })
}
