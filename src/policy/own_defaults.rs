//! Whether a policy refuses what it fills in itself: found by trying it, so that no pair of controls has to be thought of.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::controls::{CheckedPod, Control};
use crate::finding::{Edit, EditOp, Finding};
use crate::json::Reader;
use crate::pod::Pod;
use crate::policy::SecurityPolicy;
use crate::policy::rule::ActiveControl;

/// The volume of the API server's own token.
const TOKEN: &str = "kube-api-access-00000";

/// Something that a policy fills in, and refuses.
pub(super) struct OwnRefusal {
    /// The control that fills it in.
    pub(super) by: &'static Control,
    /// What is wrong, and what to do.
    pub(super) text: String,
}

/// What a policy fills in that it refuses: in a pod that says nothing, as an API server hands it to webhooks, on Linux and on
/// Windows. Each pair of controls once.
pub(super) fn refused_defaults(policy: &SecurityPolicy) -> Vec<OwnRefusal> {
    let enforced = || policy.controls().filter(|active| active.enforced.deny);
    let fillers = || enforced().filter(|active| active.fills_in);
    let mut refusals: Vec<OwnRefusal> = Vec::new();
    if fillers().next().is_none() {
        return refusals;
    }
    for silent in ["linux", "windows"].map(silent_pod) {
        let before = found(&silent, enforced());
        for filler in fillers() {
            let Some(filled) = filled(&silent, filler) else { continue };
            let mut refusers = BTreeSet::new();
            for Refused { by, field, .. } in found(&filled, enforced()) {
                if before.iter().any(|known| (known.by, &known.field) == (by, &field)) {
                    continue;
                }
                if refusers.insert(by.number) {
                    let text = format!(
                        "fills in what {} of this policy refuses ({field}, in a pod that says nothing): allow it there, or fill \
                         in nothing here",
                        by.id
                    );
                    let is_known = |known: &OwnRefusal| {
                        (known.by, known.text.as_str()) == (filler.control, text.as_str())
                    };
                    if !refusals.iter().any(is_known) {
                        refusals.push(OwnRefusal { by: filler.control, text });
                    }
                }
            }
        }
    }
    refusals
}

/// What a control finds in a pod.
struct Refused {
    by: &'static Control,
    /// The field with what it holds: a field that is filled in is found again only if it is refused for its value.
    field: String,
}

/// A pod of an init container and another, of this operating system, with nothing but what the API server has added.
pub(super) fn silent_pod(os: &str) -> Value {
    let containers = |name: &str| {
        json!([{
            "name": name,
            "image": "registry.example/image",
            "volumeMounts": [{ "name": TOKEN, "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount" }],
        }])
    };
    let token = json!({ "name": TOKEN, "projected": { "sources": [
        { "serviceAccountToken": { "path": "token" } },
        { "configMap": { "name": "kube-root-ca.crt" } },
        { "downwardAPI": { "items": [{ "path": "namespace", "fieldRef": { "fieldPath": "metadata.namespace" } }] } },
    ] } });
    json!({
        "metadata": { "name": "pod" },
        "spec": {
            "os": { "name": os },
            "initContainers": containers("init"),
            "containers": containers("main"),
            "volumes": [token],
        },
    })
}

/// What these controls find in a pod.
fn found<'s>(pod: &Value, controls: impl Iterator<Item = &'s ActiveControl>) -> Vec<Refused> {
    let text = pod.to_string();
    let mut refused = Vec::new();
    // The pod is ours, and filled in as Kubernetes has it.
    let Ok(pod) = Pod::read(&mut Reader::over(&text)) else { return refused };
    for active in controls {
        active.check(CheckedPod::new(&pod), &mut |finding| {
            let field = format!("{} is {}", finding.whole_path(), finding.found);
            refused.push(Refused { by: active.control, field });
        });
    }
    refused
}

/// A pod with what a control fills in; `None` if that is nothing.
fn filled(pod: &Value, filler: &ActiveControl) -> Option<Value> {
    let mut filled = pod.clone();
    let text = pod.to_string();
    let pod = Pod::read(&mut Reader::over(&text)).ok()?;
    let mut edits: Vec<Edit<'_>> = Vec::new();
    let mut parts = Vec::new();
    filler.check(CheckedPod::new(&pod), &mut |finding: Finding<'_>| {
        if finding.is_auto_fixable() {
            edits.extend(finding.edits());
            parts.push(finding.subject);
        }
    });
    filler.besides(&pod, &mut parts.into_iter(), &mut |edit| edits.push(edit));
    // What is taken out of a list comes last, from its end on.
    edits.sort_by_key(|edit| edit.op == EditOp::Remove);
    let first_removed = edits.iter().position(|edit| edit.op == EditOp::Remove).unwrap_or(edits.len());
    if let Some(removals) = edits.get_mut(first_removed..) {
        removals.reverse();
    }
    edits.iter().for_each(|edit| edit.make_in(&mut filled));
    (!edits.is_empty()).then_some(filled)
}
