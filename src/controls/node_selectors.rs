//! `nodeSelectors` (extended): no node selector and no node affinity by keys that are reserved.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::controls::pattern::{Pattern, any_matches};
use crate::controls::{
    Cel, Check, CheckedPod, Control, Doc, FoundValue, Origin, ParameterError, Parameters, Violation, names,
    text,
};
use crate::finding::{FieldPath, Finding, Fix, Found, Sink, Subject};
use crate::pod::{Changes, NodeTerm};

pub(super) static CONTROL: Control = Control {
    id: "nodeSelectors",
    number: 39,
    values: &[FoundValue::Text],
    origin: Origin::Extended {
        parameters: Parameters::of::<NodeSelectors>(),
        // While a pod is held back by a scheduling gate, both can be narrowed.
        depends_on: Changes::NODE_SELECTION,
    },
    violation,
    doc: Doc {
        title: "Node selectors",
        rule: "A pod must not choose its nodes by labels whose keys the policy reserves, neither in `nodeSelector` nor in its \
               node affinity, required or preferred, whatever the operator. `*` stands for any text. `metadata.name` is the \
               name of a node in `matchFields`: to reserve it refuses the pods of every DaemonSet too, since they are bound \
               to their nodes in this way.",
        history: "Enabled where a policy sets `controls.nodeSelectors`.",
        fields: &["spec.nodeSelector", "spec.affinity.nodeAffinity"],
        fix: "Remove the term, and choose nodes by labels that are not reserved, or by what the pod requests.",
        example: "nodeSelector:\n  node.kubernetes.io/instance-type: Standard_NC24ads_A100_v4\n",
        cel: Cel::Whole,
    },
};

/// The parameters of `controls.nodeSelectors`.
#[derive(Debug, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct NodeSelectors {
    /// Patterns of the keys that a pod may not choose its nodes by: `node-role.kubernetes.io/*`.
    #[schemars(length(min = 1))]
    reserved: Vec<Pattern>,
}

/// What is found of a field that cannot be read, or of a key that is written with escapes, as no API server writes it.
const UNREADABLE: Found<'_> = Found::UNREADABLE;

impl Check for NodeSelectors {
    fn check<'p>(&'p self, CheckedPod { pod, .. }: CheckedPod<'p>, sink: &mut Sink<'_, 'p>) {
        let spec = &pod.spec;
        let is_reserved = |key: &str| any_matches(&self.reserved, key);
        let read = spec.for_each_node_label(|key, value| {
            if !is_reserved(&key) {
                return;
            }
            let (path, found) = match key {
                Cow::Borrowed(key) => {
                    (FieldPath::from("nodeSelector").key(key), Found::Text(unquoted(value)))
                }
                Cow::Owned(_) => (FieldPath::from("nodeSelector"), UNREADABLE),
            };
            sink(Finding::new(Subject::Pod, path, found, Fix::remove()));
        });
        if read.is_err() {
            sink(Finding::new(Subject::Pod, "nodeSelector", UNREADABLE, Fix::remove()));
        }
        let read = spec.for_each_node_term(|term| {
            if is_reserved(&term.key) {
                sink(Finding::new(Subject::Pod, path_of(&term), Found::Text(term.text), Fix::remove()));
            }
        });
        if read.is_err() {
            let fix = Fix::one_of(&["a node affinity as Kubernetes reads it"]);
            sink(Finding::new(Subject::Pod, "affinity.nodeAffinity", UNREADABLE, fix));
        }
    }

    fn faults(&self) -> Vec<ParameterError> {
        names::key_pattern_faults("reserved", self.reserved.iter().map(Pattern::as_str))
    }
}

/// A string as JSON has it, without its quotes.
fn unquoted(text: &str) -> &str {
    text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or(text)
}

fn path_of<'p>(term: &NodeTerm<'p>) -> FieldPath<'p> {
    let (of_list, terms) = if term.is_required {
        ("affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms", "")
    } else {
        ("affinity.nodeAffinity.preferredDuringSchedulingIgnoredDuringExecution", "preference")
    };
    FieldPath::from(of_list).index(term.place).fields(terms).fields(term.list).index(term.index)
}

fn violation(findings: &[Finding<'_>]) -> Violation {
    let fields: Vec<String> = findings.iter().map(|finding| finding.whole_path().to_string()).collect();
    let fields = text::sorted_set(fields.iter().map(String::as_str)).join(", ");
    Violation { reason: "node selector", detail: format!("pod must not set {fields}") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::Reader;
    use crate::pod::Pod;

    #[test]
    fn an_affinity_that_cannot_be_read_is_not_passed_over() {
        let control = NodeSelectors { reserved: vec!["pool".into()] };
        for (affinity, expected) in [
            (r#"{"podAffinity":[]}"#, &[][..]),
            (r#"{"nodeAffinity":null}"#, &[]),
            (r#"{"nodeAffinity":[]}"#, &["spec.affinity.nodeAffinity"]),
            (r#"{"nodeAffinity":{},"nodeAffinity":{}}"#, &["spec.affinity.nodeAffinity"]),
            (r#"{"nodeaffinity":{}}"#, &["spec.affinity.nodeAffinity"]),
            ("7", &["spec.affinity.nodeAffinity"]),
        ] {
            let text = format!(r#"{{"spec":{{"affinity":{affinity}}}}}"#);
            let pod = Pod::read(&mut Reader::over(&text)).expect("a pod");
            let mut found = Vec::new();
            control.check(CheckedPod::new(&pod), &mut |finding| found.push(finding.whole_path().to_string()));
            assert_eq!(found, expected, "{affinity}");
        }
    }
}
