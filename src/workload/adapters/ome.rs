//! OME: an engine, a decoder and a router, each a pod of the fields of a PodSpec and of the container `runner`; or, on several
//! nodes, a leader and workers. The pods of an InferenceService are merged into those of its runtime.

use crate::path::Path;
use crate::text::printable;
use crate::workload::assembly::Assembly;
use crate::workload::kind::{Adapter, Object};
use crate::workload::pattern::{Match, matches};
use crate::workload::template::{Part, Shape, Template};
use crate::workload::unresolved::{Unresolved, UnresolvedReason};
use crate::yaml::{Node, Value};

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

fn service<'d>(object: &Object<'d>) -> Vec<Template<'d>> {
    let components = ["spec.engine", "spec.decoder", "spec.router", "spec.predictor"];
    let found: Vec<Template<'d>> = components
        .into_iter()
        .flat_map(|pattern| component(object, pattern))
        .map(|template| if template.pod.is_some() { template.lacking(needed(object)) } else { template })
        .collect();
    let referred = ["runtime", "model"]
        .into_iter()
        .find(|key| object.get("spec").is_some_and(|spec| spec.get(key).is_some()));
    match referred {
        Some(key) if found.is_empty() => {
            let path = Path::from_keys(["spec", key]);
            vec![Template::unjudged(path, Shape::Reference, needed(object))]
        }
        _ => found,
    }
}

fn runtime<'d>(object: &Object<'d>) -> Vec<Template<'d>> {
    let whole = matches(object.node, "spec").pop();
    let mut found = match whole {
        Some(Match::Value(path, node)) if has_any(node, &OF_POD) => vec![pod(object, path, node)],
        _ => Vec::new(),
    };
    for pattern in ["spec.engineConfig", "spec.decoderConfig", "spec.routerConfig", "spec.workers"] {
        found.extend(component(object, pattern));
    }
    found
}

/// The pods of a component: its own, unless all of it is said of its nodes, and theirs.
fn component<'d>(object: &Object<'d>, pattern: &str) -> Vec<Template<'d>> {
    let (path, node) = match matches(object.node, pattern).pop() {
        Some(Match::Value(path, node)) if matches!(node.value, Value::Mapping(_)) => (path, node),
        Some(Match::Value(path, node) | Match::Unreadable(path, node)) => {
            return vec![object.unreadable(path, node, Shape::ExtendedPodSpec, "an object")];
        }
        None => return Vec::new(),
    };
    let own = (has_any(node, &OF_POD) || !has_any(node, &NODES)).then(|| pod(object, path.clone(), node));
    let of_nodes = NODES.into_iter().filter_map(|key| {
        let path = path.clone().key(key);
        node.get(key).map(|node| match node.value {
            Value::Mapping(_) => pod(object, path, node),
            _ => object.unreadable(path, node, Shape::ExtendedPodSpec, "an object"),
        })
    });
    own.into_iter().chain(of_nodes).collect()
}

fn has_any(node: &Node, keys: &[&str]) -> bool {
    keys.iter().any(|key| node.get(key).is_some())
}

fn pod<'d>(object: &Object<'d>, path: Path<'d>, node: &'d Node) -> Template<'d> {
    let mut pod = Assembly::new(object, path.clone(), node);
    for key in CONTAINERS {
        pod.spec.remove(key);
        match node.get(key) {
            Some(container) if matches!(container.value, Value::Mapping(_)) => {
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
    object.unresolved(&path, UnresolvedReason::Reference, text).about(kind, name)
}
