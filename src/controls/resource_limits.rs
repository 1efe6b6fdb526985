//! `resourceLimits` (extended): no container, and no pod, takes more than the policy grants.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::controls::quantity::{Bound, Quantity};
use crate::controls::required_resources::unreadable;
use crate::controls::resources::{Amount, Amounts, fault_of_name, is_of_pod, is_taken_without_limit};
use crate::controls::{
    Cel, Check, CheckedPod, Control, Doc, FoundValue, Origin, ParameterError, Parameters, Violation, text,
};
use crate::finding::{FieldPath, Finding, Fix, Found, Sink, Subject, Value};
use crate::pod::{Changes, Container, ContainerKind, ContainerRef, Pod};

pub(super) static CONTROL: Control = Control {
    id: "resourceLimits",
    number: 50,
    values: &[FoundValue::Text],
    origin: Origin::Extended {
        parameters: Parameters::of::<ResourceLimits>(),
        depends_on: Changes::RESOURCES,
    },
    violation,
    doc: Doc {
        title: "Bounds of requests and limits",
        rule: "No container or init container may request or be limited to more of a resource than `max` says, and each \
               must have a limit of the `cpu`, `memory` and `ephemeral-storage` that it bounds: without one a container takes \
               what the node has. `min` is the least that each must request; its limit counts where there is no request. \
               `perPod` bounds what a pod takes in all: its containers and sidecars together, or an init container \
               with the sidecars before it, whichever is more; or the `resources` of the pod as a whole, where they have a \
               limit. Ephemeral containers cannot have resources, and are not looked at.",
        history: "Enabled where a policy sets `controls.resourceLimits`.",
        fields: &["spec.{containers,initContainers}[*].resources", "spec.resources"],
        fix: "Set limits within the bounds that the message names; ask whoever wrote the policy for more.",
        example: "containers:\n- name: trainer\n  resources:\n    limits:\n      cpu: 8\n      memory: 64Gi\n      \
                  nvidia.com/gpu: 4\n",
        cel: Cel::Partly("`perPod`, since sidecars and init containers are not added up alike"),
    },
};

/// The parameters of `controls.resourceLimits`.
#[derive(Debug, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ResourceLimits {
    /// The most of each resource for one container: `{memory: 64Gi, nvidia.com/gpu: 4}`.
    #[serde(default)]
    max: BTreeMap<String, Bound>,
    /// The least that each container must request.
    #[serde(default)]
    min: BTreeMap<String, Bound>,
    /// The most for all containers of a pod together.
    #[serde(default)]
    per_pod: BTreeMap<String, Bound>,
}

impl Check for ResourceLimits {
    fn check<'p>(&'p self, CheckedPod { pod, .. }: CheckedPod<'p>, sink: &mut Sink<'_, 'p>) {
        if Amounts::read(pod.spec.resources, "").is_err() {
            sink(unreadable(Subject::Pod));
            return;
        }
        for (at, container) in with_resources(pod) {
            if Amounts::read(container.resources, "").is_err() {
                sink(unreadable(Subject::Container(at)));
                continue;
            }
            for (name, most) in &self.max {
                check_most((at, container), pod, (name, most), sink);
            }
            for (name, least) in &self.min {
                check_least((at, container), (name, least), sink);
            }
        }
        for (name, most) in &self.per_pod {
            match limit_of_pod(pod, name) {
                Some(limit) if is_over(limit, most) => sink(over(Subject::Pod, LIMITS, name, limit, most)),
                Some(_) => {}
                None => self.check_sum(pod, (name, most), sink),
            }
        }
    }

    fn faults(&self) -> Vec<ParameterError> {
        let mut faults = Vec::new();
        let mut add =
            |list: &'static str, fault| faults.push(ParameterError::at(FieldPath::from(list), fault));
        for (list, bounds) in [("max", &self.max), ("min", &self.min), ("perPod", &self.per_pod)] {
            for (name, bound) in bounds {
                if let Some(fault) = fault_of_name(name) {
                    add(list, fault);
                } else if let Some(fault) = bound.fault() {
                    add(list, format!("{name}: {fault}"));
                } else if list != "min" && is_taken_without_limit(name) && bound.quantity() == Quantity::ZERO
                {
                    add(list, format!("{name}: no container runs without any: write more than 0"));
                }
            }
        }
        let pairs = [
            ("min", &self.min, "max", &self.max),
            ("min", &self.min, "perPod", &self.per_pod),
            ("max", &self.max, "perPod", &self.per_pod),
        ];
        for (list, lower, other, upper) in pairs {
            for (name, bound) in lower {
                let limit = upper.get(name).filter(|limit| limit.quantity() < bound.quantity());
                if let Some(limit) = limit.filter(|limit| limit.fault().is_none() && bound.fault().is_none())
                {
                    let (text, limit) = (bound.text(), limit.text());
                    add(
                        list,
                        format!("{name}: {text} is more than the {limit} of {other}: write {limit} or less"),
                    );
                }
            }
        }
        if self.max.is_empty() && self.min.is_empty() && self.per_pod.is_empty() {
            let fault = "bounds nothing: write max, min or perPod, as max: {memory: 64Gi}";
            faults.push(ParameterError::at(FieldPath::default(), fault));
        }
        faults
    }
}

const LIMITS: &str = "resources.limits";
const REQUESTS: &str = "resources.requests";

impl ResourceLimits {
    /// Adds up as the scheduler does, and reports the container with which the sum is more than the pod may have.
    fn check_sum<'p>(
        &'p self,
        pod: &'p Pod<'p>,
        (name, most): (&'p str, &'p Bound),
        sink: &mut Sink<'_, 'p>,
    ) {
        let (mut sidecars, mut sum, mut is_told) = (Quantity::ZERO, Quantity::ZERO, false);
        for (at, container) in with_resources(pod) {
            let amounts = Amounts::read(container.resources, name).unwrap_or_default();
            let taken = amounts.limit.filter(|limit| limit.is_some());
            let taken = if is_taken_without_limit(name) { taken } else { amounts.limit.or(amounts.request) };
            let quantity = match taken {
                Some(Amount { quantity: Some(quantity), .. }) => quantity,
                Some(amount @ Amount { quantity: None, .. }) => {
                    sink(over(Subject::Container(at), LIMITS, name, amount, most));
                    continue;
                }
                None if is_taken_without_limit(name) => {
                    // `max` finds the same.
                    if !self.max.contains_key(name) {
                        sink(without_limit(at, name, amounts.limit, most));
                    }
                    continue;
                }
                None => continue,
            };
            let together = match (at.kind, container.is_sidecar) {
                (ContainerKind::Init, false) => sidecars.plus(quantity),
                (ContainerKind::Init, true) => {
                    sidecars = sidecars.plus(quantity);
                    sidecars
                }
                (ContainerKind::Regular | ContainerKind::Ephemeral, _) => {
                    sum = sum.plus(quantity);
                    sidecars.plus(sum)
                }
            };
            if together > most.quantity() && !is_told {
                is_told = true;
                let list = if amounts.limit.is_some() { LIMITS } else { REQUESTS };
                let found = taken.map_or(Found::Absent, |taken| Found::Text(taken.text));
                let fix = Fix::one_of(&["less: the pod's containers together have a bound"]);
                let path = FieldPath::from(list).key(name);
                sink(Finding::new(Subject::Container(at), path, found, fix).help(most.text()));
            }
        }
    }
}

/// The containers that can have resources.
fn with_resources<'p>(pod: &'p Pod<'p>) -> impl Iterator<Item = (ContainerRef<'p>, &'p Container<'p>)> {
    pod.containers().filter(|(at, _)| at.kind != ContainerKind::Ephemeral)
}

/// The limit of the pod as a whole.
fn limit_of_pod<'p>(pod: &'p Pod<'p>, name: &str) -> Option<Amount<'p>> {
    let amounts = Amounts::read(pod.spec.resources, name).unwrap_or_default();
    amounts.limit.filter(|limit| is_of_pod(name) && limit.is_some())
}

fn check_most<'p>(
    (at, container): (ContainerRef<'p>, &'p Container<'p>),
    pod: &'p Pod<'p>,
    (name, most): (&'p str, &'p Bound),
    sink: &mut Sink<'_, 'p>,
) {
    let amounts = Amounts::read(container.resources, name).unwrap_or_default();
    let limit = amounts.limit.filter(|limit| limit.is_some() || !is_taken_without_limit(name));
    match limit {
        Some(limit) if is_over(limit, most) => sink(over(Subject::Container(at), LIMITS, name, limit, most)),
        Some(_) => {}
        // Of the others a container gets what it requests.
        None if !is_taken_without_limit(name) => {}
        None if limit_of_pod(pod, name).is_some_and(|limit| !is_over(limit, most)) => {}
        None => sink(without_limit(at, name, amounts.limit, most)),
    }
    if let Some(request) = amounts.request.filter(|request| is_over(*request, most)) {
        sink(over(Subject::Container(at), REQUESTS, name, request, most));
    }
}

fn check_least<'p>(
    (at, container): (ContainerRef<'p>, &'p Container<'p>),
    (name, least): (&'p str, &'p Bound),
    sink: &mut Sink<'_, 'p>,
) {
    let requested = Amounts::read(container.resources, name).unwrap_or_default().requested();
    let is_enough = |amount: Amount<'_>| amount.quantity.is_some_and(|quantity| quantity >= least.quantity());
    if !requested.is_some_and(is_enough) {
        let found = requested.map_or(Found::Absent, |amount| Found::Text(amount.text));
        let path = FieldPath::from(REQUESTS).key(name);
        let fix = Fix::set(Value::Text(least.text()));
        sink(Finding::new(Subject::Container(at), path, found, fix).help("or more"));
    }
}

/// Whether it is more than the bound, or no quantity at all.
fn is_over(amount: Amount<'_>, most: &Bound) -> bool {
    amount.quantity.is_none_or(|quantity| quantity > most.quantity())
}

fn over<'p>(
    subject: Subject<'p>,
    list: &'static str,
    name: &'p str,
    found: Amount<'p>,
    most: &'p Bound,
) -> Finding<'p> {
    let path = FieldPath::from(list).key(name);
    let fix = Fix::set(Value::Text(most.text()));
    Finding::new(subject, path, Found::Text(found.text), fix).help("or less")
}

fn without_limit<'p>(
    at: ContainerRef<'p>,
    name: &'p str,
    found: Option<Amount<'p>>,
    most: &'p Bound,
) -> Finding<'p> {
    let path = FieldPath::from(LIMITS).key(name);
    let found = found.map_or(Found::Absent, |amount| Found::Text(amount.text));
    Finding::new(Subject::Container(at), path, found, Fix::set(Value::Text(most.text()))).help("or less")
}

fn violation(findings: &[Finding<'_>]) -> Violation {
    let fields: Vec<String> = findings.iter().map(|finding| finding.path.to_string()).collect();
    let fields = text::sorted_set(fields.iter().map(String::as_str)).join(", ");
    // The bounds of pods are looked at last.
    let mut by_container = findings.to_vec();
    by_container.sort_by_key(|finding| finding.subject.container().map(|at| (at.kind, at.index)));
    let setters = text::setters(&by_container).join(" and ");
    Violation {
        reason: "resources out of bounds",
        detail: format!("{setters} must keep to the policy's bounds of {fields}"),
    }
}
