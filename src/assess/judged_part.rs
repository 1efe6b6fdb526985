//! What policies look at of a pod: whether a template is new to them.

use crate::assess::field_pattern::{Relation, relation};
use crate::assess::fields_of;
use crate::path::Path;
use crate::policy::SecurityPolicy;
use crate::yaml::Node;

/// What says whether controls hold at all, and what is filled in.
const OF_ALL: [&str; 2] = ["spec.nodeSelector", "spec.os.name"];
/// What the exceptions of a policy look at beside the fields of its controls.
const OF_EXCEPTIONS: [&str; 3] = ["metadata.labels", "spec.serviceAccount", "spec.serviceAccountName"];

/// What these policies look at of a pod, as JSON: each field of its `spec` whole, and single labels and annotations. Some kinds
/// have fields of their own beside a pod's, as how many replicas there are.
#[must_use]
pub fn judged_part(pod: &Node, policies: &[&SecurityPolicy]) -> Vec<u8> {
    let mut fields = fields_of(policies);
    fields.extend(OF_ALL);
    if policies.iter().any(|policy| !policy.exceptions.is_empty()) {
        fields.extend(OF_EXCEPTIONS);
    }
    let judged = |base: &[&'static str]| {
        let entries = pod.get_in(base).map(Node::entries).unwrap_or_default().iter();
        let is_judged = |key: &str| {
            let path = Path::from_keys(base.iter().copied()).key(key);
            fields.iter().any(|field| relation(field, path.steps()) != Relation::Apart)
        };
        let judged = entries.filter(|entry| is_judged(&entry.key));
        Node::object(pod.span, judged.map(|entry| (entry.key.as_str(), entry.value.clone())))
    };
    let parts = [
        ("annotations", judged(&["metadata", "annotations"])),
        ("labels", judged(&["metadata", "labels"])),
        ("spec", judged(&["spec"])),
    ];
    Node::object(pod.span, parts).to_json()
}
