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
        match matched {
            Match::Value(path, trigger) => found.extend(resources(object, &path, trigger)),
            Match::Unreadable(path, node) => {
                found.push(object.unreadable(path, node, Shape::Object, "an object or a list"));
            }
        }
    }
    found
}

/// The objects that a trigger makes.
fn resources<'d>(object: &Object<'d>, path: &Path<'d>, trigger: &'d Node) -> Vec<Template<'d>> {
    let patterns = ["template.k8s.source.resource", "template.argoWorkflow.source.resource"].into_iter();
    let of_match = |matched| match matched {
        Match::Value(at, node) => object.embedded(&path.join(&at), node),
        Match::Unreadable(at, node) => {
            vec![object.unreadable(path.join(&at), node, Shape::Object, "an object")]
        }
    };
    let mut found: Vec<Template<'d>> = Vec::new();
    for matched in patterns.flat_map(|pattern| matches(trigger, pattern)) {
        let templates = of_match(matched);
        // Both patterns meet what is no object on their common way.
        let is_known = |template: &Template<'d>| found.iter().any(|known| known.path == template.path);
        if !templates.iter().any(is_known) {
            found.extend(templates);
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
