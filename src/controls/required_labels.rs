//! `requiredLabels` (extended): every pod has the labels that the policy lists, with values that it allows.

use serde::{Deserialize, Serialize};

use crate::controls::{
    Cel, Check, CheckedPod, Control, Doc, FoundValue, Origin, ParameterError, Parameters, Violation, names,
    pattern, text,
};
use crate::finding::{FieldPath, Finding, Fix, Found, Sink, Subject};
use crate::pod::{Changes, can_match_label_value, is_label_key};

pub(super) static CONTROL: Control = Control {
    id: "requiredLabels",
    number: 46,
    values: &[FoundValue::Text],
    origin: Origin::Extended {
        parameters: Parameters::of::<RequiredLabels>(),
        // An update can take a label away.
        depends_on: Changes::METADATA,
    },
    violation,
    doc: Doc {
        title: "Required labels",
        rule: "A pod must have every label that the policy lists, with one of its `values` if there are any; `*` stands for any \
               text. What is counted by such a label, as the cost of a team, is not counted without. Pods of a Deployment \
               or Job have the labels of its template.",
        history: "Enabled where a policy sets `controls.requiredLabels`.",
        fields: &["metadata.labels"],
        fix: "Set the label, in the metadata of the template where a controller makes the pods.",
        example: "metadata:\n  labels:\n    cost-center: research\n",
        cel: Cel::Whole,
    },
};

/// The parameters of `controls.requiredLabels`.
#[derive(Debug, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct RequiredLabels {
    /// The labels.
    #[schemars(length(min = 1))]
    labels: Vec<RequiredLabel>,
}

/// A label that pods must have.
#[derive(Debug, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct RequiredLabel {
    /// Its key: `cost-center`.
    key: String,
    /// Patterns of the values that it may have: `team-*`; without them any value, and the empty one, too.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(min = 1))]
    values: Vec<String>,
}

impl Check for RequiredLabels {
    fn check<'p>(&'p self, CheckedPod { pod, .. }: CheckedPod<'p>, sink: &mut Sink<'_, 'p>) {
        for RequiredLabel { key, values } in &self.labels {
            let value = pod.metadata.label(key);
            let is_allowed =
                |value| values.is_empty() || values.iter().any(|own| pattern::matches(own, value));
            if value.is_some_and(is_allowed) {
                continue;
            }
            let fix = if values.is_empty() {
                Fix::one_of(&["a value of your own"])
            } else {
                names::use_one_of(values)
            };
            let path = FieldPath::from("labels").key(key);
            sink(Finding::new(Subject::Metadata, path, value.map_or(Found::Absent, Found::Text), fix));
        }
    }

    fn faults(&self) -> Vec<ParameterError> {
        let mut faults = Vec::new();
        for (index, RequiredLabel { key, values }) in self.labels.iter().enumerate() {
            let at = FieldPath::from("labels").index(index);
            if !is_label_key(key) {
                let fault = "is no key of a label: a name of at most 63 letters, digits, `-`, `_` and `.`, after a domain and \
                             `/` if there is one";
                faults.push(ParameterError::at(at.clone().fields("key"), fault));
            } else if self.labels.iter().take(index).any(|other| other.key == *key) {
                let fault = "is listed twice: put all `values` in one item";
                faults.push(ParameterError::at(at.clone().fields("key"), fault));
            }
            for (place, value) in values.iter().enumerate() {
                if !can_match_label_value(value) {
                    let fault = "no label has such a value: at most 63 letters, digits, `-`, `_` and `.`, beginning and ending with a \
                         letter or digit";
                    faults.push(ParameterError::at(at.clone().fields("values").index(place), fault));
                }
            }
        }
        faults
    }
}

fn violation(findings: &[Finding<'_>]) -> Violation {
    let keys = |is_meant: fn(Found<'_>) -> bool| {
        let meant = findings.iter().filter(move |finding| is_meant(finding.found));
        text::quoted(meant.filter_map(|finding| finding.path.last_key()))
    };
    let missing = keys(|found| found == Found::Absent);
    let others = keys(|found| found != Found::Absent);
    let mut parts = Vec::new();
    if !missing.is_empty() {
        parts.push(format!("pod must have labels {missing}"));
    }
    if !others.is_empty() {
        parts.push(format!("pod must have other values of labels {others}"));
    }
    Violation { reason: "required labels", detail: parts.join("; ") }
}
