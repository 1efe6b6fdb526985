//! A container that somebody else adds → what the policies say of it.

use crate::controls::PodOrigin;
use crate::evaluate::{Context, evaluate};
use crate::finding::Subject;
use crate::json::Reader;
use crate::pod::Pod;
use crate::policy::SecurityPolicy;
use crate::workload::InjectedContainer;

/// What becomes of a pod with a container that somebody else adds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InjectedOutcome {
    /// The container is in order.
    Allowed,
    /// What it leaves out, podgate fills in.
    FilledIn,
    /// The pod is refused for it.
    Refused,
}

/// Judges a container that somebody else adds to pods from here.
#[must_use]
pub fn assess_injected(
    container: &InjectedContainer,
    (policies, origin): (&[&SecurityPolicy], PodOrigin<'_>),
) -> InjectedOutcome {
    let InjectedContainer { name, security, .. } = container;
    let text = format!(
        r#"{{"spec":{{"containers":[{{"name":"{name}","image":"i","securityContext":{security}}}]}}}}"#
    );
    let Ok(pod) = Pod::read(&mut Reader::over(&text)) else { return InjectedOutcome::Refused };
    let verdict = evaluate(policies.iter().copied(), &pod, Context { origin, ..Context::CREATE });
    // What is wrong with the namespace is no fault of the container.
    let verdict = verdict.without(|_, finding, _| matches!(finding.subject, Subject::Namespace(_)));
    match (verdict.is_denied(), verdict.is_denied_with_defaults()) {
        (false, _) => InjectedOutcome::Allowed,
        (true, false) => InjectedOutcome::FilledIn,
        (true, true) => InjectedOutcome::Refused,
    }
}
