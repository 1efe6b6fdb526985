//! `runtimeClasses` (extended): only the runtime classes that the policy lists; one of them may be required, and filled in.

use serde::{Deserialize, Serialize};

use crate::controls::{
    Cel, Check, CheckedPod, Control, Doc, FoundValue, Origin, ParameterError, Parameters, Violation, names,
    text,
};
use crate::finding::{FieldPath, Finding, Fix, Found, Sink, Subject, Value};
use crate::pod::Changes;

pub(super) static CONTROL: Control = Control {
    id: "runtimeClasses",
    number: 53,
    values: &[FoundValue::Text],
    origin: Origin::Extended {
        parameters: Parameters::of::<RuntimeClasses>(),
        // The runtime class of a pod cannot be changed.
        depends_on: Changes::NONE,
    },
    violation,
    doc: Doc {
        title: "Runtime classes",
        rule: "A pod may name only a runtime class that the policy lists. With `required: true`, or a `default`, it must name \
               one: without, it runs in the node's usual runtime, and shares the node's kernel with all others. `allowed: []` \
               allows pods that name none, and `[\"*\"]` any class. A `default` is filled in where the pod names none, but not in pods for Windows.",
        history: "Enabled where a policy sets `controls.runtimeClasses`.",
        fields: &["spec.runtimeClassName"],
        fix: "Set `runtimeClassName` to a class that the policy lists, or remove it where none is required.",
        example: "runtimeClassName: gvisor\n",
        cel: Cel::Whole,
    },
};

const ANY_CLASS: &str = "the name of a runtime class of the cluster";

/// In `allowed`: any.
const ANY: &str = "*";

/// The parameters of `controls.runtimeClasses`.
#[derive(Debug, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct RuntimeClasses {
    /// The names of the allowed classes; empty for none, `*` alone for any.
    allowed: Vec<String>,
    /// Whether a pod must name one.
    #[serde(default)]
    required: bool,
    /// The one that is filled in where a pod names none, which is a violation then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1))]
    default: Option<String>,
}

impl Check for RuntimeClasses {
    fn check<'p>(&'p self, CheckedPod { pod, .. }: CheckedPod<'p>, sink: &mut Sink<'_, 'p>) {
        let name = pod.spec.runtime_class_name.as_ref();
        let (found, fix) = match &self.default {
            _ if self.allows(name) => return,
            Some(default) if name.is_empty() => {
                (Found::Absent, Fix::fill_in(Value::Text(default), !pod.is_for_windows()))
            }
            None if name.is_empty() && !self.required => return,
            None if name.is_empty() && self.allows_any() => (Found::Absent, Fix::one_of(&[ANY_CLASS])),
            None if name.is_empty() => (Found::Absent, names::use_one_of(&self.allowed)),
            Some(_) | None => (Found::Text(name), names::use_one_of(&self.allowed)),
        };
        sink(Finding::new(Subject::Pod, "runtimeClassName", found, fix));
    }

    fn faults(&self) -> Vec<ParameterError> {
        let mut faults =
            if self.allows_any() { Vec::new() } else { names::object_faults("allowed", &self.allowed) };
        if self.allows_any() && !self.required && self.default.is_none() {
            let fault = "* allows any class, and none is required: leave the control out";
            faults.push(ParameterError::at(FieldPath::from("allowed"), fault));
        }
        if let Some(default) = self.default.as_ref().filter(|default| !self.allows(default)) {
            let fault = format!("must be one of `allowed`: add {default} there");
            faults.push(ParameterError::at(FieldPath::from("default"), fault));
        } else if self.required && self.allowed.is_empty() {
            let fault = "no pod can satisfy it while `allowed` is empty: list a class there";
            faults.push(ParameterError::at(FieldPath::from("required"), fault));
        }
        faults
    }
}

impl RuntimeClasses {
    fn allows_any(&self) -> bool {
        matches!(self.allowed.as_slice(), [only] if only == ANY)
    }

    /// Whether a pod may name this class.
    fn allows(&self, name: &str) -> bool {
        self.allowed.iter().any(|allowed| allowed == name) || !name.is_empty() && self.allows_any()
    }
}

fn violation(findings: &[Finding<'_>]) -> Violation {
    let found = text::quoted(text::found_texts(findings));
    let detail = if found.is_empty() {
        "pod must set spec.runtimeClassName".to_owned()
    } else {
        format!("pod must not use runtime class {found}")
    };
    Violation { reason: "runtime class", detail }
}
