//! `priorityClasses` (extended): only priority classes that the policy allows.

use serde::{Deserialize, Serialize};

use crate::controls::pattern::{Pattern, any_matches};
use crate::controls::{
    Cel, Check, CheckedPod, Control, Doc, FoundValue, Origin, ParameterError, Parameters, Violation, names,
    text,
};
use crate::finding::{FieldPath, Finding, Fix, Found, Sink, Subject};
use crate::pod::Changes;

pub(super) static CONTROL: Control = Control {
    id: "priorityClasses",
    number: 41,
    values: &[FoundValue::Text],
    origin: Origin::Extended {
        parameters: Parameters::of::<PriorityClasses>(),
        // The priority of a pod cannot be changed.
        depends_on: Changes::NONE,
    },
    violation,
    doc: Doc {
        title: "Priority classes",
        rule: "A pod may name only a priority class that `allowed` lists, if there is such a list, and none that `forbidden` \
               lists. A pod with a higher priority is scheduled before those of others, and evicts them. `*` stands for any \
               text. A pod that names no class passes, but where the cluster has a class with `globalDefault: true`, the API \
               server fills in its name before podgate sees the pod: then list that one, too. `podgate lint` sees the pod \
               without it.",
        history: "Enabled where a policy sets `controls.priorityClasses`.",
        fields: &["spec.priorityClassName"],
        fix: "Remove `priorityClassName`, so that the cluster's default holds, or use a class that the policy allows.",
        example: "priorityClassName: research-low\n",
        cel: Cel::Whole,
    },
};

/// The parameters of `controls.priorityClasses`: at least one of the lists.
#[derive(Debug, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct PriorityClasses {
    /// Patterns of the classes that a pod may name: `research-*`; empty for none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    allowed: Option<Vec<Pattern>>,
    /// Patterns of the classes that it may not name: `system-*`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(min = 1))]
    forbidden: Vec<Pattern>,
}

impl Check for PriorityClasses {
    fn check<'p>(&'p self, CheckedPod { pod, .. }: CheckedPod<'p>, sink: &mut Sink<'_, 'p>) {
        let name = pod.spec.priority_class_name.as_ref();
        let is_listed = self.allowed.as_ref().is_none_or(|allowed| any_matches(allowed, name));
        if name.is_empty() || (is_listed && !any_matches(&self.forbidden, name)) {
            return;
        }
        let help = "the cluster's default class then holds";
        sink(Finding::new(Subject::Pod, "priorityClassName", Found::Text(name), Fix::remove()).help(help));
    }

    fn faults(&self) -> Vec<ParameterError> {
        let allowed = self.allowed.as_deref().unwrap_or_default();
        let mut faults = names::object_pattern_faults("allowed", allowed.iter().map(Pattern::as_str));
        faults.extend(names::object_pattern_faults("forbidden", self.forbidden.iter().map(Pattern::as_str)));
        if self.allowed.is_none() && self.forbidden.is_empty() {
            let fault = "must have `allowed` or `forbidden`: `allowed: []` lets no pod name a class";
            faults.push(ParameterError::at(FieldPath::default(), fault));
        }
        for (index, pattern) in allowed.iter().enumerate() {
            if any_matches(&self.forbidden, pattern.as_str()) {
                let fault = "allows nothing that is not forbidden: take it out of one of the two lists";
                faults.push(ParameterError::at(FieldPath::from("allowed").index(index), fault));
            }
        }
        faults
    }
}

fn violation(findings: &[Finding<'_>]) -> Violation {
    let found = text::quoted(text::found_texts(findings));
    Violation { reason: "priority class", detail: format!("pod must not use priority class {found}") }
}
