//! OME: an engine, a decoder and a router, each a pod of the fields of a PodSpec and of the container `runner`; or, on several
//! nodes, a leader and workers. The pods of an InferenceService are merged into those of its runtime.

use crate::path::Path;
use crate::text::printable;
use crate::workload::assembly::Assembly;
use crate::workload::kind::{Adapter, Object};
use crate::workload::merge::merge_typed;
use crate::workload::pattern::{Match, matches};
use crate::workload::template::{Part, Shape, Template};
use crate::workload::unresolved::{Unresolved, UnresolvedReason};
use crate::yaml::Node;

/// Fields of a component of which each is a further container.
const CONTAINERS: [&str; 2] = ["runner", "model"];
/// Fields of a component of which each is a pod of its own.
const NODES: [&str; 3] = ["leader", "worker", "workerSpec"];
/// Fields that make something a pod.
const OF_POD: [&str; 9] = [
    "containers",
    "initContainers",
    "runner",
    "model",
    "volumes",
    "securityContext",
    "hostNetwork",
    "hostPID",
    "hostIPC",
];
/// The kind of a runtime where none is named.
const DEFAULT_RUNTIME: &str = "ClusterServingRuntime";
/// Longest name in a sentence, in characters.
const LONGEST_NAME: usize = 63;

/// Merged into the pods of a runtime.
pub(in crate::workload) const OME_INFERENCE_SERVICE: Adapter = Adapter {
    find: service,
    places: &[
        ("spec.engine", Shape::ExtendedPodSpec),
        ("spec.engine.leader", Shape::ExtendedPodSpec),
        ("spec.engine.worker", Shape::ExtendedPodSpec),
        ("spec.decoder", Shape::ExtendedPodSpec),
        ("spec.decoder.leader", Shape::ExtendedPodSpec),
        ("spec.decoder.worker", Shape::ExtendedPodSpec),
        ("spec.router", Shape::ExtendedPodSpec),
        ("spec.predictor", Shape::ExtendedPodSpec),
        ("spec.predictor.workerSpec", Shape::ExtendedPodSpec),
        ("spec.runtime", Shape::Reference),
    ],
};

/// A runtime, judged as if the services that use it added nothing.
pub(in crate::workload) const OME_SERVING_RUNTIME: Adapter = Adapter {
    find: runtime,
    places: &[
        ("spec", Shape::ExtendedPodSpec),
        ("spec.engineConfig", Shape::ExtendedPodSpec),
        ("spec.engineConfig.leader", Shape::ExtendedPodSpec),
        ("spec.engineConfig.worker", Shape::ExtendedPodSpec),
        ("spec.decoderConfig", Shape::ExtendedPodSpec),
        ("spec.decoderConfig.leader", Shape::ExtendedPodSpec),
        ("spec.decoderConfig.worker", Shape::ExtendedPodSpec),
        ("spec.routerConfig", Shape::ExtendedPodSpec),
        ("spec.workers", Shape::ExtendedPodSpec),
    ],
};

/// The components of a service, and those of a runtime into which they are merged.
const COMPONENTS: [(&str, &[&str]); 4] = [
    ("spec.engine", &["spec", "engineConfig"]),
    ("spec.decoder", &["spec", "decoderConfig"]),
    ("spec.router", &["spec", "routerConfig"]),
    ("spec.predictor", &["spec"]),
];

fn service<'d>(object: &Object<'d>) -> Vec<Template<'d>> {
    let needed = needed(object);
    let (kind, name) = (needed.kind.as_deref().unwrap_or_default(), needed.name.as_deref());
    let runtime = name.and_then(|name| object.referent(object.group(), kind, name));
    let mut found = Vec::new();
    for (pattern, of_runtime) in COMPONENTS {
        let (path, node) = match object_at(object, pattern) {
            Some(Ok(component)) => component,
            Some(Err(unreadable)) => {
                found.push(unreadable);
                continue;
            }
            None => continue,
        };
        match runtime.and_then(|runtime| runtime.node.get_in(of_runtime)) {
            Some(base) => {
                let mut merged = base.clone();
                merge_typed(&mut merged, node);
                found.extend(pods(object, &path, &merged));
            }
            None => found.extend(pods(object, &path, node).into_iter().map(|pod| match pod.pod {
                Some(_) => pod.lacking(needed.clone()),
                None => pod,
            })),
        }
    }
    let refers = |key: &&str| object.get("spec").is_some_and(|spec| spec.get(key).is_some());
    match ["runtime", "model"].into_iter().find(refers) {
        Some(key) if found.is_empty() => {
            vec![Template::unjudged(Path::from_keys(["spec", key]), Shape::Reference, needed)]
        }
        _ => found,
    }
}

fn runtime<'d>(object: &Object<'d>) -> Vec<Template<'d>> {
    let mut found = match object_at(object, "spec") {
        Some(Ok((path, node))) if has_any(node, &OF_POD) => vec![pod(object, path, node)],
        Some(Err(unreadable)) => return vec![unreadable],
        _ => Vec::new(),
    };
    for pattern in ["spec.engineConfig", "spec.decoderConfig", "spec.routerConfig", "spec.workers"] {
        match object_at(object, pattern) {
            Some(Ok((path, node))) => found.extend(pods(object, &path, node)),
            Some(Err(unreadable)) => found.push(unreadable),
            None => {}
        }
    }
    found
}

/// The object at a path, where there is one; or the template that says that it cannot be read.
fn object_at<'d>(object: &Object<'d>, pattern: &str) -> Option<Result<(Path<'d>, &'d Node), Template<'d>>> {
    Some(match matches(object.node, pattern).pop()? {
        Match::Value(path, node) if node.is_object() => Ok((path, node)),
        Match::Value(path, node) | Match::Unreadable(path, node) => {
            Err(object.unreadable(path, node, Shape::ExtendedPodSpec, "an object"))
        }
    })
}

/// The pods of a component: its own, unless all of it is said of its nodes, and theirs.
fn pods<'d>(object: &Object<'d>, path: &Path<'d>, component: &Node) -> Vec<Template<'d>> {
    let is_pod = has_any(component, &OF_POD) || !has_any(component, &NODES);
    let own = is_pod.then(|| pod(object, path.clone(), component));
    let of_nodes = NODES.into_iter().filter_map(|key| {
        let (path, node) = (path.clone().key(key), component.get(key)?);
        Some(if node.is_object() {
            pod(object, path, node)
        } else {
            object.unreadable(path, node, Shape::ExtendedPodSpec, "an object")
        })
    });
    own.into_iter().chain(of_nodes).collect()
}

fn has_any(node: &Node, keys: &[&str]) -> bool {
    keys.iter().any(|key| node.get(key).is_some())
}

fn pod<'d>(object: &Object<'d>, path: Path<'d>, node: &Node) -> Template<'d> {
    let mut pod = Assembly::new(object, path.clone(), node);
    for key in CONTAINERS {
        pod.spec.remove(key);
        match node.get(key) {
            Some(container) if container.is_object() => {
                pod.push("containers", container.clone());
            }
            Some(other) => pod.note_unknown_part(&path.clone().key(key), other),
            None => {}
        }
    }
    pod.template(path, Shape::ExtendedPodSpec, Part::Whole, None)
}

/// The runtime that the pods of a service come from. Where none is named, the operator chooses one for the model.
fn needed(object: &Object<'_>) -> Unresolved {
    let path = Path::from_keys(["spec", "runtime"]);
    let runtime = object.get("spec.runtime");
    let of_runtime = |key| runtime.map(|runtime| runtime.text_of(key)).unwrap_or_default();
    let of_model = object.get("spec.predictor.model.runtime").and_then(Node::as_text).unwrap_or_default();
    let name = [of_runtime("name"), of_model].into_iter().find(|name| !name.is_empty()).unwrap_or_default();
    let kind = Some(of_runtime("kind")).filter(|kind| !kind.is_empty()).unwrap_or(DEFAULT_RUNTIME);
    let text = match name {
        "" => "it is merged into the pod of the runtime that the operator chooses for its model".to_owned(),
        name => format!(
            "it is merged into the pod of {} {}",
            printable(kind, LONGEST_NAME),
            printable(name, LONGEST_NAME)
        ),
    };
    let missing = object.unresolved(&path, UnresolvedReason::Reference, text).about(kind, name);
    object.elsewhere(missing, Some("component that is written here"))
}

#[cfg(test)]
mod tests {
    use crate::workload::object::tests::{found, pods};

    #[test]
    fn each_component_and_each_of_its_nodes_is_a_pod() {
        for (kind, spec, expected) in [
            (
                "InferenceService",
                "{engine: {runner: {image: a}}, router: {}}",
                &["spec.engine extendedPodSpec reference", "spec.router extendedPodSpec reference"][..],
            ),
            (
                "InferenceService",
                "{decoder: {minReplicas: 1, leader: {}, worker: '${X}'}}",
                &[
                    "spec.decoder.leader extendedPodSpec reference",
                    "spec.decoder.worker extendedPodSpec placeholder",
                ],
            ),
            (
                "InferenceService",
                "{predictor: {model: 5, workerSpec: {runner: {}}}}",
                &[
                    "spec.predictor extendedPodSpec wrongType,fragment,reference",
                    "spec.predictor.workerSpec extendedPodSpec reference",
                ],
            ),
            ("InferenceService", "{model: {name: a}}", &["spec.model reference reference"]),
            (
                "InferenceService",
                "{model: {name: a}, runtime: '${X}'}",
                &["spec.runtime reference reference"],
            ),
            (
                "ServingRuntime",
                "{engineConfig: {leader: {}, worker: {}}, routerConfig: {runner: {}}}",
                &[
                    "spec.engineConfig.leader extendedPodSpec",
                    "spec.engineConfig.worker extendedPodSpec",
                    "spec.routerConfig extendedPodSpec",
                ],
            ),
            (
                "ClusterServingRuntime",
                "{containers: [{name: a}], workers: {size: 1}}",
                &["spec extendedPodSpec", "spec.workers extendedPodSpec"],
            ),
            ("ClusterServingRuntime", "'${X}'", &["spec extendedPodSpec placeholder"]),
            ("ClusterServingRuntime", "{}", &["spec opaque noContainers"]),
        ] {
            let text = format!("{{apiVersion: ome.io/v1beta1, kind: {kind}, spec: {spec}}}");
            assert_eq!(found(&text), expected, "{spec}");
        }
    }

    #[test]
    fn the_runner_is_one_more_container() {
        let text = "{apiVersion: ome.io/v1beta1, kind: ServingRuntime, spec: {engineConfig: {hostIPC: true, containers: \
                    [{name: a}], runner: {name: b}}}}";
        assert_eq!(pods(text), [r#"{"spec":{"hostIPC":true,"containers":[{"name":"a"},{"name":"b"}]}}"#]);
    }
}
