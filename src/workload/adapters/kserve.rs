//! KServe's InferenceService: for each component one pod, of the fields of a PodSpec, its own containers, and one container under
//! the name of a framework. With a framework the rest comes from a ServingRuntime.

use crate::path::Path;
use crate::text::printable;
use crate::workload::adapters::kserve_runtime;
use crate::workload::kind::{Adapter, Object};
use crate::workload::merge::merge;
use crate::workload::object::give_image;
use crate::workload::pattern::{Match, matches};
use crate::workload::template::{Part, Shape, Template};
use crate::workload::unresolved::{Unresolved, UnresolvedReason};
use crate::yaml::{Node, Value};

/// The components, of which each is a pod.
const COMPONENTS: [&str; 7] = [
    "spec.predictor",
    "spec.transformer",
    "spec.explainer",
    "spec.canary[].predictor",
    "spec.canary[].transformer",
    "spec.canary[].explainer",
    "spec.canaries[].predictor",
];
/// Those of v1alpha2.
const OLD_COMPONENTS: [&str; 6] = [
    "spec.default.predictor",
    "spec.default.transformer",
    "spec.default.explainer",
    "spec.canary.predictor",
    "spec.canary.transformer",
    "spec.canary.explainer",
];
/// The keys of a component that are a container of a framework.
const FRAMEWORKS: [&str; 14] = [
    "model",
    "sklearn",
    "xgboost",
    "tensorflow",
    "pytorch",
    "triton",
    "onnx",
    "huggingface",
    "pmml",
    "lightgbm",
    "paddle",
    "art",
    "alibi",
    "aix",
];
/// The name of the container that serves, unless it has another.
const MAIN: &str = "kserve-container";
/// Longest name in a sentence, in characters.
const LONGEST_NAME: usize = 63;

/// v1beta1.
pub(in crate::workload) const INFERENCE_SERVICE: Adapter = Adapter {
    find: |object| COMPONENTS.iter().flat_map(|pattern| components(object, pattern)).collect(),
    places: &[
        ("spec.predictor", Shape::ExtendedPodSpec),
        ("spec.predictor.workerSpec", Shape::PodSpec),
        ("spec.transformer", Shape::ExtendedPodSpec),
        ("spec.explainer", Shape::ExtendedPodSpec),
        ("spec.canary[].predictor", Shape::ExtendedPodSpec),
    ],
};

/// v1alpha2.
pub(in crate::workload) const OLD_INFERENCE_SERVICE: Adapter = Adapter {
    find: |object| OLD_COMPONENTS.iter().flat_map(|pattern| components(object, pattern)).collect(),
    places: &[
        ("spec.default.predictor", Shape::ExtendedPodSpec),
        ("spec.default.transformer", Shape::ExtendedPodSpec),
        ("spec.default.explainer", Shape::ExtendedPodSpec),
        ("spec.canary.predictor", Shape::ExtendedPodSpec),
        ("spec.canary.transformer", Shape::ExtendedPodSpec),
        ("spec.canary.explainer", Shape::ExtendedPodSpec),
    ],
};

fn components<'d>(object: &Object<'d>, pattern: &str) -> Vec<Template<'d>> {
    let of_match = |found| match found {
        Match::Value(path, node) if node.is_object() => component(object, path, node),
        Match::Value(path, node) | Match::Unreadable(path, node) => {
            vec![object.unreadable(path, node, Shape::ExtendedPodSpec, "an object")]
        }
    };
    matches(object.node, pattern).into_iter().flat_map(of_match).collect()
}

/// The pods of a component: its own and, of a predictor on several nodes, that of its workers.
fn component<'d>(object: &Object<'d>, path: Path<'d>, node: &'d Node) -> Vec<Template<'d>> {
    let mut missing = Vec::new();
    let mut containers: Vec<Node> = node.get_in(&["custom", "container"]).cloned().into_iter().collect();
    let mut runtime = None;
    for framework in FRAMEWORKS {
        let Some(container) = node.get(framework) else { continue };
        let at = path.clone().key(framework);
        if !container.is_object() {
            missing.push(object.unreadable_value(&at, container, "an object"));
            missing.push(object.unresolved(&at, UnresolvedReason::Fragment, "its container is not known"));
            continue;
        }
        runtime = kserve_runtime::find(object, node, (framework, container));
        if runtime.is_none() {
            missing.push(missing_runtime(object, &at, container));
        }
        containers.push(framework_container(container, runtime.is_none()));
    }
    let part = if missing.is_empty() { Part::Whole } else { Part::Overlay };
    let own = with_containers(node, containers);
    let spec = merged(runtime.and_then(|runtime| runtime.node.get("spec")), &own);
    let mut pod = object.merged(path.clone(), Shape::ExtendedPodSpec, part, spec);
    pod.unresolved = missing;
    let workers = node.get("workerSpec").map(|workers| {
        let path = path.key("workerSpec");
        let base = runtime.and_then(|runtime| runtime.node.get_in(&["spec", "workerSpec"]));
        if workers.is_object() {
            object.merged(path, Shape::PodSpec, part, merged(base, workers))
        } else {
            object.unreadable(path, workers, Shape::PodSpec, "an object")
        }
    });
    std::iter::once(pod).chain(workers).collect()
}

/// A pod spec merged into that of a runtime, if there is one.
fn merged(runtime: Option<&Node>, own: &Node) -> Node {
    let Some(runtime) = runtime else { return own.clone() };
    let mut spec = runtime.clone();
    merge(&mut spec, own);
    spec
}

/// A pod spec with further containers.
fn with_containers(node: &Node, containers: Vec<Node>) -> Node {
    let mut spec = node.clone();
    if containers.is_empty() {
        return spec;
    }
    match spec.locate_mut(&["containers".into()]) {
        Some(Node { value: Value::Sequence(own), .. }) => own.extend(containers),
        // A placeholder stays one.
        Some(other) if other.value != Value::Null => {}
        _ => spec.set("containers", Node::list(node.span, containers)),
    }
    spec
}

fn framework_container(container: &Node, has_image: bool) -> Node {
    let mut container = container.clone();
    if container.text_of("name").is_empty() {
        container.set("name", Node::text(container.span, MAIN));
    }
    if has_image {
        give_image(&mut container);
    }
    container
}

/// What the containers of a framework come from.
fn missing_runtime(object: &Object<'_>, at: &Path<'_>, container: &Node) -> Unresolved {
    let name = container.text_of("runtime");
    let format = container.get("modelFormat").map(|format| format.text_of("name")).unwrap_or_default();
    let text = match (name, format) {
        ("", "") => "its containers come from a ServingRuntime".to_owned(),
        ("", format) => {
            format!("its containers come from a ServingRuntime for {}", printable(format, LONGEST_NAME))
        }
        (name, _) => format!("its containers come from ServingRuntime {}", printable(name, LONGEST_NAME)),
    };
    let of_kind = |kind| object.unresolved(at, UnresolvedReason::Reference, text.clone()).about(kind, name);
    let of_cluster = object.elsewhere(of_kind("ClusterServingRuntime"), None);
    let missing = object.elsewhere(of_kind("ServingRuntime"), None);
    if missing.is_known { missing } else { Unresolved { kind: missing.kind, ..of_cluster } }
}

#[cfg(test)]
mod tests {
    use crate::workload::object::tests::{found, pods};

    fn service(spec: &str) -> String {
        format!("{{apiVersion: serving.kserve.io/v1beta1, kind: InferenceService, spec: {spec}}}")
    }

    #[test]
    fn each_component_is_a_pod() {
        for (spec, expected) in [
            ("{predictor: {containers: [{image: a}]}}", &["spec.predictor extendedPodSpec"][..]),
            (
                "{predictor: {sklearn: {}}, transformer: {containers: [{image: a}]}}",
                &["spec.predictor extendedPodSpec reference", "spec.transformer extendedPodSpec"],
            ),
            (
                "{predictor: {model: {runtime: r}, workerSpec: {}}}",
                &["spec.predictor extendedPodSpec reference", "spec.predictor.workerSpec podSpec"],
            ),
            ("{predictor: {model: '${X}'}}", &["spec.predictor extendedPodSpec placeholder,fragment"]),
            ("{predictor: '${X}'}", &["spec.predictor extendedPodSpec placeholder"]),
            ("{canary: [{predictor: {onnx: {}}}]}", &["spec.canary[0].predictor extendedPodSpec reference"]),
            ("{}", &["spec opaque noContainers"]),
        ] {
            assert_eq!(found(&service(spec)), expected, "{spec}");
        }
        let old = "{apiVersion: serving.kubeflow.org/v1alpha2, kind: InferenceService, spec: {default: {predictor: {custom: \
                   {container: {image: a}}}}}}";
        assert_eq!(found(old), ["spec.default.predictor extendedPodSpec"]);
    }

    #[test]
    fn the_container_of_a_framework_is_one_more() {
        let text =
            service("{predictor: {hostIPC: true, containers: [{name: a, image: b}], onnx: {storageUri: c}}}");
        assert_eq!(
            pods(&text),
            [concat!(
                r#"{"spec":{"hostIPC":true,"containers":[{"name":"a","image":"b"},"#,
                r#"{"storageUri":"c","name":"kserve-container","image":"${image}"}],"onnx":{"storageUri":"c"}}}"#
            )]
        );
    }
}
