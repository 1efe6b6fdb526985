//! Argo Events: the pod of a sensor or an event source, whose image the operator brings, and the objects that a sensor's
//! triggers make.

use crate::path::Path;
use crate::workload::kind::{Adapter, Object};
use crate::workload::object::give_image;
use crate::workload::pattern::{Match, matches};
use crate::workload::template::{Part, Shape, Template};
use crate::workload::unresolved::UnresolvedReason;
use crate::yaml::{Node, Value};

/// A pod, and objects of any kind.
pub(in crate::workload) const SENSOR: Adapter = Adapter {
    find: sensor,
    places: &[
        ("spec.template", Shape::PartialPodSpec),
        ("spec.triggers[].template.k8s.source.resource", Shape::Object),
        ("spec.triggers[].template.argoWorkflow.source.resource", Shape::Object),
    ],
};

/// A pod.
pub(in crate::workload) const EVENT_SOURCE: Adapter =
    Adapter { find: |object| vec![pod(object)], places: &[("spec.template", Shape::PartialPodSpec)] };

/// The fields of a pod that a template has under their own names.
const OF_POD: [&str; 8] = [
    "volumes",
    "securityContext",
    "serviceAccountName",
    "nodeSelector",
    "tolerations",
    "imagePullSecrets",
    "priorityClassName",
    "affinity",
];

fn sensor<'d>(object: &Object<'d>) -> Vec<Template<'d>> {
    let mut found = vec![pod(object)];
    for matched in matches(object.node, "spec.triggers[]") {
        let (Match::Value(path, trigger) | Match::Unreadable(path, trigger)) = matched;
        if !matches!(trigger.value, Value::Mapping(_)) {
            found.push(object.unreadable(path, trigger, Shape::Object, "an object or a list"));
            continue;
        }
        for pattern in ["template.k8s.source.resource", "template.argoWorkflow.source.resource"] {
            for matched in matches(trigger, pattern) {
                let (Match::Value(at, node) | Match::Unreadable(at, node)) = matched;
                found.extend(object.embedded(&path.join(&at), node));
            }
        }
    }
    found
}

/// The pod of the sensor or the event source itself. There is one, whatever is written.
fn pod<'d>(object: &Object<'d>) -> Template<'d> {
    let path = Path::from_dotted("spec.template");
    let located = object.node.locate(&path);
    let template = located.node;
    match &template.value {
        Value::Mapping(_) if located.exact => of_template(object, path, template),
        // The template, or the spec above it.
        value if !matches!(value, Value::Null | Value::Mapping(_)) => {
            object.unreadable(path, template, Shape::PartialPodSpec, "an object")
        }
        _ => {
            let text = format!("no {path}: the operator makes the whole pod");
            let unresolved = object.unresolved(&path, UnresolvedReason::NoContainers, text);
            Template::unjudged(path, Shape::PartialPodSpec, unresolved)
        }
    }
}

fn of_template<'d>(object: &Object<'d>, path: Path<'d>, template: &'d Node) -> Template<'d> {
    let fields = OF_POD.iter().filter_map(|key| Some((*key, template.get(key)?.clone())));
    let mut spec = Node::object(template.span, fields);
    let container = template.get("container");
    if let Some(container) = container {
        let mut container = container.clone();
        if matches!(container.value, Value::Mapping(_)) {
            container.set("name", Node::text(container.span, "main"));
            give_image(&mut container);
        }
        spec.set("containers", Node::list(container.span, vec![container]));
    }
    let mut pod = Node::object(template.span, [("spec", spec)]);
    if let Some(metadata) = template.get("metadata") {
        pod.set("metadata", metadata.clone());
    }
    let part = if container.is_some() { Part::Whole } else { Part::Overlay };
    let made = object.merged_pod(path.clone(), Shape::PartialPodSpec, part, pod);
    if container.is_some() {
        return made;
    }
    let text = format!("no {path}.container: the operator makes it");
    made.lacking(object.unresolved(&path.key("container"), UnresolvedReason::NoContainers, text))
}
