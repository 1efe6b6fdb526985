//! `requiredResources` (extended): every container says what it needs, and what it may take at most.

use serde::{Deserialize, Serialize};

use crate::controls::resources::{Amounts, NO_QUANTITY, fault_of_name, is_of_pod};
use crate::controls::{
    Cel, Check, CheckedPod, Control, Doc, FoundValue, Origin, ParameterError, Parameters, Violation, text,
};
use crate::finding::{FieldPath, Finding, Fix, Found, Sink, Subject};
use crate::pod::{Changes, ContainerKind};

pub(super) static CONTROL: Control = Control {
    id: "requiredResources",
    number: 47,
    values: &[FoundValue::Text],
    origin: Origin::Extended {
        parameters: Parameters::of::<RequiredResources>(),
        depends_on: Changes::RESOURCES,
    },
    violation,
    doc: Doc {
        title: "Required requests and limits",
        rule: "Every container and init container must request, and limit, the resources that the policy lists: else it \
               takes what other pods of its node need. A limit counts as a request of the same amount where there is \
               none, as for the API server. `resources` of the pod as a whole count for `cpu`, `memory` and huge \
               pages. An amount of 0 is none. Ephemeral containers cannot have resources, and are not looked at.",
        history: "Enabled where a policy sets `controls.requiredResources`.",
        fields: &["spec.{containers,initContainers}[*].resources", "spec.resources"],
        fix: "Set what the container needs as its request, and the most that it may take as its limit.",
        example: "containers:\n- name: trainer\n  resources:\n    requests:\n      cpu: 4\n      memory: 32Gi\n    \
                  limits:\n      memory: 32Gi\n",
        cel: Cel::Whole,
    },
};

/// The parameters of `controls.requiredResources`.
#[derive(Debug, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct RequiredResources {
    /// The resources that must be requested: `cpu`, `memory`.
    #[serde(default)]
    requests: Vec<String>,
    /// The resources that must have a limit: `memory`.
    #[serde(default)]
    limits: Vec<String>,
}

impl Check for RequiredResources {
    fn check<'p>(&'p self, CheckedPod { pod, .. }: CheckedPod<'p>, sink: &mut Sink<'_, 'p>) {
        let of_pod = |name: &str| if is_of_pod(name) { pod.spec.resources } else { "" };
        if Amounts::read(pod.spec.resources, "").is_err() {
            sink(unreadable(Subject::Pod));
            return;
        }
        for (at, container) in pod.containers().filter(|(at, _)| at.kind != ContainerKind::Ephemeral) {
            let subject = Subject::Container(at);
            if Amounts::read(container.resources, "").is_err() {
                sink(unreadable(subject));
                continue;
            }
            for (is_limit, names) in [(false, &self.requests), (true, &self.limits)] {
                for name in names {
                    let amount = |text: &'p str| {
                        let amounts = Amounts::read(text, name).unwrap_or_default();
                        if is_limit { amounts.limit } else { amounts.requested() }
                    };
                    let own = amount(container.resources);
                    let is_set = own.or_else(|| amount(of_pod(name))).is_some_and(|amount| amount.is_some());
                    if !is_set {
                        let found = own.map_or(Found::Absent, |amount| Found::Text(amount.text));
                        let is_quantity = own.is_none_or(|amount| amount.quantity.is_some());
                        let help = if is_quantity { "" } else { NO_QUANTITY };
                        sink(missing(subject, is_limit, name, found).help(help));
                    }
                }
            }
        }
    }

    fn faults(&self) -> Vec<ParameterError> {
        let mut faults = Vec::new();
        for (list, names) in [("requests", &self.requests), ("limits", &self.limits)] {
            for (index, name) in names.iter().enumerate() {
                let is_twice = names.iter().take(index).any(|other| other == name);
                let twice = is_twice.then(|| "is listed twice: keep one of the two".to_owned());
                let fault = fault_of_name(name).or(twice);
                faults
                    .extend(fault.map(|fault| ParameterError::at(FieldPath::from(list).index(index), fault)));
            }
        }
        if self.requests.is_empty() && self.limits.is_empty() {
            let fault = "requires nothing: list names of resources in requests or limits, as memory";
            faults.push(ParameterError::at(FieldPath::default(), fault));
        }
        faults
    }
}

fn missing<'p>(subject: Subject<'p>, is_limit: bool, name: &'p str, found: Found<'p>) -> Finding<'p> {
    let list = if is_limit { "resources.limits" } else { "resources.requests" };
    let fix = Fix::one_of(&["what the container needs, such as 1 or 512Mi"]);
    Finding::new(subject, FieldPath::from(list).key(name), found, fix)
}

/// A finding about resources that cannot be read.
pub(super) fn unreadable(subject: Subject<'_>) -> Finding<'_> {
    let fix = Fix::one_of(&["requests and limits as Kubernetes reads them"]);
    Finding::new(subject, "resources", Found::UNREADABLE, fix)
}

fn violation(findings: &[Finding<'_>]) -> Violation {
    let fields: Vec<String> = findings.iter().map(|finding| finding.path.to_string()).collect();
    let fields = text::sorted_set(fields.iter().map(String::as_str)).join(", ");
    let setters = text::setters(findings).join(" and ");
    Violation { reason: "missing resources", detail: format!("{setters} must set {fields}") }
}
