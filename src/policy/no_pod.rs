//! Whether two controls of a policy leave no pod that satisfies both: found by trying what each asks for, so that no pair of
//! controls has to be thought of.

use serde_json::Value as Json;

use crate::controls::{CheckedPod, Control};
use crate::finding::{Edit, EditOp, Finding, Fix, Value};
use crate::json::Reader;
use crate::pod::Pod;
use crate::policy::SecurityPolicy;
use crate::policy::own_defaults::silent_pod;
use crate::policy::rule::ActiveControl;

/// Most values of a list that are tried: one that has more is hardly refused as a whole.
const MOST_TRIED: usize = 64;

/// Two controls that no pod can satisfy.
pub(super) struct Contradiction {
    /// The one of the two that the policy has by itself, and not by its standard.
    pub(super) at: &'static Control,
    /// What is wrong, and what to do.
    pub(super) text: String,
}

/// A fault of a pod, by what does not depend on the pod's life.
#[derive(PartialEq)]
struct Fault {
    control: &'static Control,
    field: String,
    found: String,
}

/// The pairs of controls of a policy that refuse every pod together: what the first asks for in a pod that says nothing, the
/// second refuses, and all that the second would have in its place, the first refuses.
pub(super) fn contradictions(policy: &SecurityPolicy) -> Vec<Contradiction> {
    // What an exception may let be is no contradiction.
    let enforced: Vec<&ActiveControl> =
        policy.controls().filter(|active| active.enforced.deny && !active.has_exceptions()).collect();
    let silent = silent_pod("linux");
    let before = faults(&silent, &enforced);
    let mut contradictions: Vec<Contradiction> = Vec::new();
    for asking in &enforced {
        for (field, changed) in changes(&silent, asking) {
            let Some(refusing) = refused_by(&changed, (asking, &field), &enforced, &before) else { continue };
            // The standard is as it is.
            let (at, text) = match asking.control.level() {
                None => (
                    asking.control,
                    format!(
                        "asks for what {} of this policy refuses ({field}), so that no pod satisfies both: change one of them",
                        refusing.id
                    ),
                ),
                Some(_) => (
                    refusing,
                    format!(
                        "refuses all that {} of this policy's standard asks for ({field}), so that no pod satisfies both: allow \
                         some of it, or relax {} in spec.standard.except",
                        asking.control.id, asking.control.id
                    ),
                ),
            };
            if !contradictions.iter().any(|known| known.at == at) {
                contradictions.push(Contradiction { at, text });
            }
        }
    }
    contradictions
}

/// The control that refuses every one of these pods, in which this control is satisfied at this field, and cannot be
/// satisfied itself without the first one refusing; `None` where there is a way.
fn refused_by(
    changed: &[Json],
    (asking, field): (&ActiveControl, &str),
    enforced: &[&ActiveControl],
    before: &[Fault],
) -> Option<&'static Control> {
    let mut refusing = None;
    for pod in changed {
        let new: Vec<Fault> =
            faults(pod, enforced).into_iter().filter(|fault| !before.contains(fault)).collect();
        let is_blocking = |other: &&&ActiveControl| {
            // Who is a writer may set what is reserved from others.
            other.control != asking.control
                && !is_meant(asking, other)
                && new.iter().any(|fault| fault.control == other.control)
                && !other.has_writers()
                && is_without_way_out(pod, (asking, field), other, before)
        };
        refusing = Some(enforced.iter().find(is_blocking)?.control);
    }
    refusing
}

/// Whether nobody is to pass: whoever is refused is told so, by both in the same words.
fn is_meant(one: &ActiveControl, other: &ActiveControl) -> bool {
    one.message.is_some() && one.message == other.message
}

/// Whether nothing that this control would have in place of what it refuses is accepted by the other one.
fn is_without_way_out(
    pod: &Json,
    (asking, field): (&ActiveControl, &str),
    refusing: &ActiveControl,
    before: &[Fault],
) -> bool {
    let known = |fault: &Fault| before.contains(fault);
    let is_asked_for = |pod: &Json| faults(pod, &[asking]).iter().any(|fault| fault.field == field);
    let wanted = changes(pod, refusing).into_iter().filter(|(field, _)| {
        // Only what was not refused before the first control had its way.
        faults(pod, &[refusing]).iter().any(|fault| fault.field == *field && !known(fault))
    });
    let mut is_any = false;
    for (_, pods) in wanted {
        is_any = true;
        if pods.is_empty() || pods.iter().any(|pod| !is_asked_for(pod)) {
            return false;
        }
    }
    is_any
}

/// For each field at which a control refuses a pod, the pods with each thing in its place that satisfies the control there. Fields
/// of which nobody knows all that would do are left out.
fn changes(pod: &Json, active: &ActiveControl) -> Vec<(String, Vec<Json>)> {
    let text = pod.to_string();
    let Ok(read) = Pod::read(&mut Reader::over(&text)) else { return Vec::new() };
    let mut tried: Vec<(String, Vec<Json>)> = Vec::new();
    active.check(CheckedPod::new(&read), &mut |finding| {
        let field = finding.whole_path().to_string();
        if let Some(edits) = alternatives(&finding) {
            let pods = edits.into_iter().map(|edits| changed(pod, &edits));
            let satisfying: Vec<Json> =
                pods.filter(|pod| !faults(pod, &[active]).iter().any(|fault| fault.field == field)).collect();
            // What only a person can say is no way out that could be tried, but it is one.
            if !satisfying.is_empty() || finding.edits().next().is_some_and(|edit| edit.op == EditOp::Remove)
            {
                tried.push((field, satisfying));
            }
        }
    });
    tried
}

/// The changes of which each fixes a finding; `None` where these are not all that would.
fn alternatives<'p>(finding: &Finding<'p>) -> Option<Vec<Vec<Edit<'p>>>> {
    let set = |value: Value<'p>| vec![Edit::new(finding.subject, finding.path.clone(), EditOp::Set(value))];
    match &finding.fix {
        // Help names what else would do.
        Fix::Range { .. } if finding.help.starts_with("or ") => None,
        Fix::Range { least, most } => Some(vec![set(Value::Integer(*least)), set(Value::Integer(*most))]),
        Fix::OneOf(choices) if choices.iter().count() > MOST_TRIED => None,
        Fix::OneOf(choices) => Some(choices.iter().map(|value| set(Value::Text(value))).collect()),
        Fix::Edit { .. } | Fix::Edits { .. } => Some(vec![finding.edits().collect()]),
    }
}

fn changed(pod: &Json, edits: &[Edit<'_>]) -> Json {
    let mut pod = pod.clone();
    edits.iter().for_each(|edit| edit.make_in(&mut pod));
    pod
}

fn faults(pod: &Json, controls: &[&ActiveControl]) -> Vec<Fault> {
    let text = pod.to_string();
    let mut faults = Vec::new();
    let Ok(pod) = Pod::read(&mut Reader::over(&text)) else { return faults };
    for active in controls {
        active.check(CheckedPod::new(&pod), &mut |finding| {
            let (field, found) = (finding.whole_path().to_string(), finding.found.to_string());
            faults.push(Fault { control: active.control, field, found });
        });
    }
    faults
}
