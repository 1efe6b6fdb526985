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
    patterns.flat_map(|pattern| matches(trigger, pattern)).flat_map(of_match).collect()
}

/// The pod of the sensor or the event source itself. There is one, whatever is written.
fn pod<'d>(object: &Object<'d>) -> Template<'d> {
    let path = Path::from_dotted("spec.template");
    let located = object.node.locate(&path);
    let template = located.node;
    let is_object = matches!(template.value, Value::Mapping(_));
    if is_object && located.exact {
        return of_template(object, path, template);
    }
    if !is_object && template.value != Value::Null {
        // The template, or the spec above it.
        return object.unreadable(path, template, Shape::PartialPodSpec, "an object");
    }
    let text = format!("no {path}: the operator makes the whole pod");
    let unresolved = object.unresolved(&path, UnresolvedReason::NoContainers, text);
    Template::unjudged(path, Shape::PartialPodSpec, unresolved)
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

#[cfg(test)]
mod tests {
    use crate::workload::object::tests::{found, pods};

    #[test]
    fn a_sensor_is_a_pod_and_what_its_triggers_make() {
        for (kind, spec, expected) in [
            ("EventSource", "{template: {container: {}}}", &["spec.template partialPodSpec"][..]),
            (
                "EventSource",
                "{template: {serviceAccountName: a}}",
                &["spec.template partialPodSpec noContainers"],
            ),
            ("EventSource", "{}", &["spec.template partialPodSpec noContainers"]),
            ("EventSource", "{template: '${X}'}", &["spec.template partialPodSpec placeholder"]),
            (
                "Sensor",
                "{template: {container: {}}, triggers: [{template: {k8s: {source: {resource: {apiVersion: batch/v1, kind: Job, spec: {template: {spec: {}}}}}}}}, {template: '${X}'}]}",
                &[
                    "spec.template partialPodSpec",
                    "spec.triggers[0].template.k8s.source.resource.spec.template podTemplate",
                    "spec.triggers[1].template object placeholder",
                ],
            ),
        ] {
            let text = format!("{{apiVersion: argoproj.io/v1alpha1, kind: {kind}, spec: {spec}}}");
            assert_eq!(found(&text), expected, "{spec}");
        }
    }

    #[test]
    fn the_operator_brings_the_image() {
        let spec = "{template: {container: {tty: true}, securityContext: {runAsUser: 1}}}";
        let text = format!("{{apiVersion: argoproj.io/v1alpha1, kind: EventSource, spec: {spec}}}");
        assert_eq!(
            pods(&text),
            [
                r#"{"spec":{"securityContext":{"runAsUser":1},"containers":[{"tty":true,"name":"main","image":"${image}"}]}}"#
            ]
        );
    }
}
