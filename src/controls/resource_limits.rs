//! `resourceLimits` (extended): no container, and no pod, takes more than the policy grants.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::controls::quantity::{Bound, Quantity};
use crate::controls::required_resources::unreadable;
use crate::controls::resources::{
    Amount, Amounts, NO_QUANTITY, fault_of_name, is_of_pod, is_taken_without_limit,
};
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
               limit. What the pod as a whole requests is bounded as well. Ephemeral containers cannot have resources, and are not looked at.",
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
    fn check<'p>(&'p self, checked: CheckedPod<'p>, sink: &mut Sink<'_, 'p>) {
        let pod = checked.pod;
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
            self.check_pod(checked, (name, most), sink);
        }
    }

    fn faults(&self) -> Vec<ParameterError> {
        let mut faults = Vec::new();
        for (list, bounds) in [("max", &self.max), ("min", &self.min), ("perPod", &self.per_pod)] {
            let wrong =
                bounds.iter().filter_map(|(name, bound)| Some((name, fault_of_bound(list, name, bound)?)));
            faults.extend(wrong.map(|(name, fault)| ParameterError::at_key(list, name, fault)));
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
                    let fault = format!("{text} is more than the {limit} of {other}: write {limit} or less");
                    faults.push(ParameterError::at_key(list, name, fault));
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

/// What is wrong with the bound of a resource by itself.
fn fault_of_bound(list: &str, name: &str, bound: &Bound) -> Option<String> {
    let allows_none = list != "min" && is_taken_without_limit(name) && bound.quantity() == Quantity::ZERO;
    let nothing = || allows_none.then(|| "no container runs without any: write more than 0".to_owned());
    fault_of_name(name).or_else(|| bound.fault()).or_else(nothing)
}

const LIMITS: &str = "resources.limits";
const REQUESTS: &str = "resources.requests";

impl ResourceLimits {
    /// Checks what a pod may have in all of one resource: what it says as a whole, or the sum of its containers.
    fn check_pod<'p>(
        &'p self,
        checked: CheckedPod<'p>,
        (name, most): (&'p str, &'p Bound),
        sink: &mut Sink<'_, 'p>,
    ) {
        let of_pod = if is_of_pod(name) { checked.pod.spec.resources } else { "" };
        let Amounts { request, limit } = Amounts::read(of_pod, name).unwrap_or_default();
        // What it requests is its own, whether or not it is limited to it.
        if let Some(request) = request.filter(|request| is_over(*request, most)) {
            sink(over(Subject::Pod, REQUESTS, name, request, most));
        }
        match limit {
            Some(limit) if is_over(limit, most) => sink(over(Subject::Pod, LIMITS, name, limit, most)),
            Some(limit) if limit.is_some() => {}
            Some(_) | None => self.check_sum(checked, (name, most), sink),
        }
    }

    /// Adds up as the scheduler does, and reports the container with which the sum is more than the pod may have; of an update
    /// that adds to it, the first container that takes more.
    fn check_sum<'p>(
        &'p self,
        CheckedPod { pod, origin }: CheckedPod<'p>,
        (name, most): (&'p str, &'p Bound),
        sink: &mut Sink<'_, 'p>,
    ) {
        let (mut sum, mut is_told) = (Sum::default(), false);
        for (at, container) in with_resources(pod) {
            let amounts = Amounts::read(container.resources, name).unwrap_or_default();
            match taken(amounts, name) {
                Some(Amount { quantity: Some(quantity), .. }) => {
                    let together = sum.add(at.kind, container, quantity);
                    if together > most.quantity() && !is_told {
                        is_told = true;
                        let raised = origin.old.and_then(|old| first_raised(old, pod, name));
                        sink(too_much_together(raised.unwrap_or((at, amounts)), (name, most)));
                    }
                }
                Some(amount @ Amount { quantity: None, .. }) => {
                    sink(over(Subject::Container(at), list_of(amounts), name, amount, most));
                }
                // `max` finds the same.
                None if is_taken_without_limit(name) && !self.max.contains_key(name) => {
                    sink(without_limit(at, name, amounts.limit, most));
                }
                None => {}
            }
        }
    }
}

/// What the containers of a pod take together of a resource.
#[derive(Default)]
struct Sum {
    sidecars: Quantity,
    regular: Quantity,
    /// The most that it has been: init containers run before the others.
    most: Quantity,
}

impl Sum {
    /// Adds a container, and returns what it takes together with those that run beside it.
    fn add(&mut self, kind: ContainerKind, container: &Container<'_>, quantity: Quantity) -> Quantity {
        let together = match (kind, container.is_sidecar) {
            (ContainerKind::Init, false) => self.sidecars.plus(quantity),
            (ContainerKind::Init, true) => {
                self.sidecars = self.sidecars.plus(quantity);
                self.sidecars
            }
            (ContainerKind::Regular | ContainerKind::Ephemeral, _) => {
                self.regular = self.regular.plus(quantity);
                self.sidecars.plus(self.regular)
            }
        };
        self.most = self.most.max(together);
        together
    }
}

/// The most that a pod takes of a resource, as far as its containers say.
fn total(pod: &Pod<'_>, name: &str) -> Quantity {
    let mut sum = Sum::default();
    for (at, container) in with_resources(pod) {
        sum.add(at.kind, container, quantity_of(container, name));
    }
    sum.most
}

/// The first container that takes more than it did before an update with which the pod takes more in all. An update can
/// neither add any nor change their order.
fn first_raised<'p>(old: &Pod<'_>, pod: &'p Pod<'p>, name: &str) -> Option<(ContainerRef<'p>, Amounts<'p>)> {
    if total(pod, name) <= total(old, name) {
        return None;
    }
    let before = |at| old.container(at).map_or(Quantity::ZERO, |old| quantity_of(old, name));
    let (at, container) =
        with_resources(pod).find(|(at, container)| quantity_of(container, name) > before(*at))?;
    Some((at, Amounts::read(container.resources, name).unwrap_or_default()))
}

fn quantity_of(container: &Container<'_>, name: &str) -> Quantity {
    let amounts = Amounts::read(container.resources, name).unwrap_or_default();
    taken(amounts, name).and_then(|amount| amount.quantity).unwrap_or(Quantity::ZERO)
}

/// What a container takes of a resource, if it says any: of most it gets what it asks for.
fn taken<'p>(amounts: Amounts<'p>, name: &str) -> Option<Amount<'p>> {
    if is_taken_without_limit(name) {
        amounts.limit.filter(|limit| limit.is_some())
    } else {
        amounts.limit.or(amounts.request)
    }
}

fn too_much_together<'p>(
    (at, amounts): (ContainerRef<'p>, Amounts<'p>),
    (name, most): (&'p str, &'p Bound),
) -> Finding<'p> {
    let found = taken(amounts, name).map_or(Found::Absent, |taken| Found::Text(taken.text));
    let fix = Fix::one_of(&["less: the pod's containers together have a bound"]);
    Finding::new(Subject::Container(at), FieldPath::from(list_of(amounts)).key(name), found, fix)
        .help(most.text())
}

/// Where a container says what it takes.
fn list_of(amounts: Amounts<'_>) -> &'static str {
    if amounts.limit.is_some() { LIMITS } else { REQUESTS }
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
        let is_quantity = requested.is_none_or(|amount| amount.quantity.is_some());
        let help = if is_quantity { "or more" } else { NO_QUANTITY };
        sink(Finding::new(Subject::Container(at), path, found, fix).help(help));
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
    let help = if found.quantity.is_some() { "or less" } else { NO_QUANTITY };
    Finding::new(subject, path, Found::Text(found.text), fix).help(help)
}

fn without_limit<'p>(
    at: ContainerRef<'p>,
    name: &'p str,
    found: Option<Amount<'p>>,
    most: &'p Bound,
) -> Finding<'p> {
    let path = FieldPath::from(LIMITS).key(name);
    let is_quantity = found.is_none_or(|amount| amount.quantity.is_some());
    let help = if is_quantity { "or less" } else { NO_QUANTITY };
    let found = found.map_or(Found::Absent, |amount| Found::Text(amount.text));
    Finding::new(Subject::Container(at), path, found, Fix::set(Value::Text(most.text()))).help(help)
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
