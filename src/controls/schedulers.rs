//! `schedulers` (extended): only the schedulers that the policy lists.

use serde::{Deserialize, Serialize};

use crate::controls::{
    Cel, Check, CheckedPod, Control, Doc, FoundValue, Origin, ParameterError, Parameters, Violation, names,
    text,
};
use crate::finding::{Finding, Found, Sink, Subject};
use crate::pod::Changes;

pub(super) static CONTROL: Control = Control {
    id: "schedulers",
    number: 54,
    values: &[FoundValue::Text],
    origin: Origin::Extended {
        parameters: Parameters::of::<Schedulers>(),
        // The scheduler of a pod cannot be changed.
        depends_on: Changes::NONE,
    },
    violation,
    doc: Doc {
        title: "Schedulers",
        rule: "A pod must be scheduled by a scheduler that the policy lists. A pod that names none is scheduled by \
               `default-scheduler`, so list that too where such pods are meant to pass. With another scheduler a pod gets \
               past the one that shares out the GPUs; if there is no such scheduler it waits forever.",
        history: "Enabled where a policy sets `controls.schedulers`.",
        fields: &["spec.schedulerName"],
        fix: "Set `schedulerName` to one that the policy lists.",
        example: "schedulerName: kai-scheduler\n",
        cel: Cel::Whole,
    },
};

/// The scheduler of a pod that names none.
const DEFAULT: &str = "default-scheduler";

/// The parameters of `controls.schedulers`.
#[derive(Debug, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Schedulers {
    /// The names of the allowed schedulers; `default-scheduler` is that of pods that name none.
    #[schemars(length(min = 1))]
    allowed: Vec<String>,
}

impl Check for Schedulers {
    fn check<'p>(&'p self, CheckedPod { pod, .. }: CheckedPod<'p>, sink: &mut Sink<'_, 'p>) {
        let name = pod.spec.scheduler_name.as_ref();
        let (effective, found) =
            if name.is_empty() { (DEFAULT, Found::Absent) } else { (name, Found::Text(name)) };
        if !self.allowed.iter().any(|allowed| allowed == effective) {
            sink(Finding::new(Subject::Pod, "schedulerName", found, names::use_one_of(&self.allowed)));
        }
    }

    fn faults(&self) -> Vec<ParameterError> {
        names::faults("allowed", &self.allowed)
    }
}

fn violation(findings: &[Finding<'_>]) -> Violation {
    let found = text::quoted(text::found_texts(findings));
    let found = if found.is_empty() { format!("\"{DEFAULT}\", as it names none") } else { found };
    Violation { reason: "scheduler not allowed", detail: format!("pod must not be scheduled by {found}") }
}
