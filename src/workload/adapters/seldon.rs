//! Seldon: a SeldonDeployment (version 1) has pods in its predictors, and servers whose container its operator brings. A Server
//! (version 2) changes the pod of a ServerConfig.

use crate::path::Path;
use crate::text::printable;
use crate::workload::kind::{Adapter, Object};
use crate::workload::merge::merge_typed;
use crate::workload::pattern::{Match, matches};
use crate::workload::template::{Part, Shape, Template};
use crate::workload::unresolved::{Unresolved, UnresolvedReason};
use crate::yaml::Node;

/// What the operator's own container does: no further one is made for it.
const BUILT_IN: [&str; 5] =
    ["SIMPLE_MODEL", "SIMPLE_ROUTER", "RANDOM_ABTEST", "AVERAGE_COMBINER", "UNKNOWN_IMPLEMENTATION"];
/// The containers of a server that can be changed by name.
const OVERRIDDEN: [&str; 2] = ["agent", "rclone"];
/// Longest name in a sentence, in characters.
const LONGEST_NAME: usize = 63;

/// Version 1.
pub(in crate::workload) const SELDON_DEPLOYMENT: Adapter = Adapter {
    find: deployment,
    places: &[
        ("spec.predictors[].componentSpecs[]", Shape::PodTemplate),
        ("spec.predictors[].graph", Shape::Reference),
        ("spec.predictors[].explainer.containerSpec", Shape::Container),
    ],
};

/// Version 2.
pub(in crate::workload) const SELDON_SERVER: Adapter = Adapter {
    find: server,
    places: &[
        ("spec.podSpec", Shape::Patch),
        ("spec.imageOverrides.agent", Shape::Container),
        ("spec.imageOverrides.rclone", Shape::Container),
        ("spec.serverConfig", Shape::Reference),
    ],
};

fn deployment<'d>(object: &Object<'d>) -> Vec<Template<'d>> {
    let of_match = |found| match found {
        Match::Value(path, node) if node.is_object() => predictor(object, &path, node),
        Match::Value(path, node) | Match::Unreadable(path, node) => {
            vec![object.unreadable(path, node, Shape::PodTemplate, "an object")]
        }
    };
    matches(object.node, "spec.predictors[]").into_iter().flat_map(of_match).collect()
}

fn predictor<'d>(object: &Object<'d>, path: &Path<'d>, node: &'d Node) -> Vec<Template<'d>> {
    let of_match = |found| match found {
        Match::Value(at, node) => object.template_at(path.join(&at), node),
        Match::Unreadable(at, node) => object.unreadable(path.join(&at), node, Shape::PodTemplate, "a list"),
    };
    let mut found: Vec<Template<'d>> = matches(node, "componentSpecs[]").into_iter().map(of_match).collect();
    if let Some(graph) = node.get("graph") {
        found.extend(server_of_graph(object, path.clone().key("graph"), node, graph));
    }
    if let Some(explainer) = node.get("explainer") {
        found.push(of_explainer(object, path.clone().key("explainer"), explainer));
    }
    found
}

/// The server that the operator brings for a unit of the graph without a container.
fn server_of_graph<'d>(
    object: &Object<'d>,
    path: Path<'d>,
    predictor: &'d Node,
    graph: &'d Node,
) -> Option<Template<'d>> {
    if !graph.is_object() {
        return Some(object.unreadable(path, graph, Shape::Reference, "an object"));
    }
    let containers: Vec<&str> = predictor
        .items_at("componentSpecs")
        .iter()
        .filter_map(|component| component.get("spec"))
        .flat_map(|spec| spec.items_at("containers"))
        .map(|container| container.text_of("name"))
        .collect();
    let implementation = unit_without_container(graph, &containers)?;
    let text = format!("its container comes from the server {}", printable(implementation, LONGEST_NAME));
    let unresolved = object
        .unresolved(&path, UnresolvedReason::Reference, text)
        .about("prepackaged server", implementation);
    Some(Template::unjudged(path, Shape::Reference, unresolved))
}

/// What the first unit of a graph is implemented by that needs a container, and has none. The depth is bounded by that of
/// YAML which is read.
fn unit_without_container<'d>(unit: &'d Node, containers: &[&str]) -> Option<&'d str> {
    let implementation = unit.text_of("implementation");
    let needs_server = !implementation.is_empty() && !BUILT_IN.contains(&implementation);
    if needs_server && !containers.contains(&unit.text_of("name")) {
        return Some(implementation);
    }
    unit.items_at("children").iter().find_map(|child| unit_without_container(child, containers))
}

fn of_explainer<'d>(object: &Object<'d>, path: Path<'d>, explainer: &'d Node) -> Template<'d> {
    if !explainer.is_object() {
        return object.unreadable(path, explainer, Shape::Container, "an object");
    }
    match explainer.get("containerSpec") {
        Some(container) => object.container(path.key("containerSpec"), container, Part::WithoutPodLevel),
        None => {
            let text = "the operator brings the container of the explainer";
            let unresolved = object.unresolved(&path, UnresolvedReason::Fragment, text);
            Template::unjudged(path, Shape::Container, unresolved)
        }
    }
}

fn server<'d>(object: &Object<'d>) -> Vec<Template<'d>> {
    let needed = configuration(object);
    let name = needed.name.as_deref().unwrap_or_default();
    if let Some(base) = object.referent(object.group(), "ServerConfig", name).map(|found| &found.node)
        && let Some(base) = base.get_in(&["spec", "podSpec"])
    {
        return vec![merged(object, base)];
    }
    let mut found = object.find("spec.podSpec", Shape::Patch, Part::Overlay);
    for image in OVERRIDDEN {
        found.extend(object.find(&format!("spec.imageOverrides.{image}"), Shape::Container, Part::Overlay));
    }
    if found.is_empty() && object.get("spec").is_some() {
        let path = Path::from_keys(["spec", "serverConfig"]);
        return vec![Template::unjudged(path, Shape::Reference, needed)];
    }
    let of_configuration = |template: Template<'d>| match template.pod {
        Some(_) => template.lacking(needed.clone()),
        None => template,
    };
    found.into_iter().map(of_configuration).collect()
}

/// The pod of a configuration, with what the server changes in it.
fn merged<'d>(object: &Object<'d>, base: &Node) -> Template<'d> {
    let mut spec = base.clone();
    let overrides = object.get("spec.imageOverrides");
    for image in OVERRIDDEN {
        let Some(container) = overrides.and_then(|overrides| overrides.get(image)) else { continue };
        let mut container = container.clone();
        // What is not an object stays what it is, so that it is told.
        if container.is_object() {
            container.set("name", Node::text(container.span, image));
        }
        let containers = Node::list(container.span, vec![container]);
        merge_typed(&mut spec, &Node::object(containers.span, [("containers", containers)]));
    }
    let own = object.get("spec.podSpec");
    if let Some(own) = own {
        merge_typed(&mut spec, own);
    }
    let (key, shape) =
        if own.is_some() { ("podSpec", Shape::PodSpec) } else { ("serverConfig", Shape::Reference) };
    let mut template = object.merged(Path::from_keys(["spec", key]), shape, Part::Whole, spec);
    if let Some(other) = overrides.filter(|overrides| !overrides.is_object()) {
        let path = Path::from_keys(["spec", "imageOverrides"]);
        template.unresolved.push(object.unreadable_value(&path, other, "an object"));
    }
    template
}

fn configuration(object: &Object<'_>) -> Unresolved {
    let name = object.get("spec.serverConfig").and_then(Node::as_text).unwrap_or_default();
    let text = format!("its pod comes from ServerConfig {}", printable(name, LONGEST_NAME));
    let path = Path::from_keys(["spec", "serverConfig"]);
    let missing = object.unresolved(&path, UnresolvedReason::Reference, text).about("ServerConfig", name);
    object.elsewhere(missing, Some("spec.podSpec"))
}

#[cfg(test)]
mod tests {
    use crate::workload::object::tests::found;

    #[test]
    fn a_predictor_has_pods_and_servers_and_an_explainer() {
        for (predictor, expected) in [
            (
                "{graph: {name: a, implementation: X_SERVER}, componentSpecs: [{spec: {containers: [{name: a}]}}]}",
                &["spec.predictors[0].componentSpecs[0] podTemplate"][..],
            ),
            (
                "{graph: {name: a, implementation: RANDOM_ABTEST, children: [{name: b, implementation: X_SERVER}]}}",
                &["spec.predictors[0].graph reference reference"],
            ),
            (
                "{graph: '${X}', componentSpecs: '${X}'}",
                &[
                    "spec.predictors[0].componentSpecs podTemplate placeholder",
                    "spec.predictors[0].graph reference placeholder",
                ],
            ),
            (
                "{explainer: {containerSpec: {name: a}}}",
                &["spec.predictors[0].explainer.containerSpec container"],
            ),
            ("{explainer: {type: a}}", &["spec.predictors[0].explainer container fragment"]),
            ("'${X}'", &["spec.predictors[0] podTemplate placeholder"]),
            ("{name: a}", &["spec opaque noContainers"]),
        ] {
            let text = format!(
                "{{apiVersion: machinelearning.seldon.io/v1, kind: SeldonDeployment, spec: {{predictors: [{predictor}]}}}}"
            );
            assert_eq!(found(&text), expected, "{predictor}");
        }
    }

    #[test]
    fn a_server_changes_a_configuration() {
        for (spec, expected) in [
            ("{serverConfig: a}", &["spec.serverConfig reference reference"][..]),
            ("{podSpec: {hostPID: true}}", &["spec.podSpec patch reference"]),
            (
                "{imageOverrides: {agent: {image: a}, rclone: 5}}",
                &[
                    "spec.imageOverrides.agent container reference",
                    "spec.imageOverrides.rclone container wrongType",
                ],
            ),
        ] {
            let text = format!("{{apiVersion: mlops.seldon.io/v1alpha1, kind: Server, spec: {spec}}}");
            assert_eq!(found(&text), expected, "{spec}");
        }
    }
}
