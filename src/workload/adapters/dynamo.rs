//! NVIDIA Dynamo: a pod for each service of a graph. The operator brings the main container; what is written of it stands in
//! `extraPodSpec.mainContainer` (v1alpha1), or is the container `main` of `podTemplate` (v1beta1).

use crate::path::Path;
use crate::workload::assembly::Assembly;
use crate::workload::kind::{Adapter, Object};
use crate::workload::pattern::{Match, matches};
use crate::workload::template::{Part, Shape, Template};
use crate::workload::unresolved::{Unresolved, UnresolvedReason};
use crate::yaml::{Node, Value};

/// The main container in a pod template of v1beta1.
const MAIN: &str = "main";

/// Services by name (v1alpha1), components in a list (v1beta1).
pub(in crate::workload) const DYNAMO_GRAPH: Adapter = Adapter {
    find: |object| {
        let services = each(object, "spec.services.*", service);
        services.into_iter().chain(each(object, "spec.components[]", component)).collect()
    },
    places: &[
        ("spec.services.*.extraPodSpec", Shape::ExtendedPodSpec),
        ("spec.components[].podTemplate", Shape::PodTemplate),
    ],
};

/// One service of a graph, as an object of its own.
pub(in crate::workload) const DYNAMO_COMPONENT: Adapter = Adapter {
    find: |object| {
        let is_new = object.get("spec").is_some_and(|spec| spec.get("podTemplate").is_some());
        each(object, "spec", if is_new { component } else { service })
    },
    places: &[("spec.extraPodSpec", Shape::ExtendedPodSpec), ("spec.podTemplate", Shape::PodTemplate)],
};

/// Makes a pod of an object at a path.
type ToPod = for<'o, 'd> fn(&'o Object<'d>, Path<'d>, &'d Node) -> Template<'d>;

fn each<'d>(object: &Object<'d>, pattern: &str, to_pod: ToPod) -> Vec<Template<'d>> {
    let of_match = |found| match found {
        Match::Value(path, node) if matches!(node.value, Value::Mapping(_)) => to_pod(object, path, node),
        Match::Value(path, node) | Match::Unreadable(path, node) => {
            object.unreadable(path, node, Shape::PodTemplate, "an object")
        }
    };
    matches(object.node, pattern).into_iter().map(of_match).collect()
}

fn service<'d>(object: &Object<'d>, path: Path<'d>, node: &'d Node) -> Template<'d> {
    let Some(extra) = node.get("extraPodSpec") else {
        let lacks_main = lacks_main(object, &path);
        return Template::unjudged(path, Shape::PodTemplate, lacks_main);
    };
    let path = path.key("extraPodSpec");
    if !matches!(extra.value, Value::Mapping(_)) {
        return object.unreadable(path, extra, Shape::ExtendedPodSpec, "an object");
    }
    let mut pod = Assembly::new(object, path.clone(), extra);
    pod.spec.remove("mainContainer");
    match extra.get("mainContainer") {
        Some(main) if matches!(main.value, Value::Mapping(_)) => {
            let mut main = main.clone();
            main.set("name", Node::text(main.span, MAIN));
            pod.push("containers", main);
        }
        Some(other) => pod.note_unknown_part(&path.clone().key("mainContainer"), other),
        None => pod.note(lacks_main(object, &path)),
    }
    let metadata = node.get("extraPodMetadata").cloned();
    pod.template(path, Shape::ExtendedPodSpec, Part::Whole, metadata)
}

fn component<'d>(object: &Object<'d>, path: Path<'d>, node: &'d Node) -> Template<'d> {
    let Some(written) = node.get("podTemplate") else {
        let lacks_main = lacks_main(object, &path);
        return Template::unjudged(path, Shape::PodTemplate, lacks_main);
    };
    let path = path.key("podTemplate");
    let template = object.template_at(path.clone(), written);
    let mut containers =
        written.get("spec").map(|spec| spec.items_at("containers")).unwrap_or_default().iter();
    if template.pod.is_none() || containers.any(|container| container.text_of("name") == MAIN) {
        return template;
    }
    template.lacking(lacks_main(object, &path))
}

fn lacks_main(object: &Object<'_>, path: &Path<'_>) -> Unresolved {
    let text = "the operator adds its main container, which is not written";
    object.unresolved(path, UnresolvedReason::Fragment, text)
}

#[cfg(test)]
mod tests {
    use crate::workload::object::tests::{found, pods};

    fn graph(spec: &str) -> String {
        format!("{{apiVersion: nvidia.com/v1alpha1, kind: DynamoGraphDeployment, spec: {spec}}}")
    }

    #[test]
    fn each_service_is_a_pod() {
        for (spec, expected) in [
            (
                "{services: {a: {extraPodSpec: {mainContainer: {image: i}}}, b: {extraPodSpec: {}}, c: {}}}",
                &[
                    "spec.services.a.extraPodSpec extendedPodSpec",
                    "spec.services.b.extraPodSpec extendedPodSpec fragment",
                    "spec.services.c podTemplate fragment",
                ][..],
            ),
            ("{services: {a: '${X}'}}", &["spec.services.a podTemplate placeholder"]),
            (
                "{services: {a: {extraPodSpec: {mainContainer: '${X}'}}}}",
                &["spec.services.a.extraPodSpec extendedPodSpec placeholder,fragment"],
            ),
            (
                "{components: [{podTemplate: {spec: {containers: [{name: main}]}}}, {podTemplate: {}}, {}]}",
                &[
                    "spec.components[0].podTemplate podTemplate",
                    "spec.components[1].podTemplate podTemplate fragment",
                    "spec.components[2] podTemplate fragment",
                ],
            ),
            ("{}", &["spec opaque noContainers"]),
        ] {
            assert_eq!(found(&graph(spec)), expected, "{spec}");
        }
        for (spec, expected) in [
            ("{extraPodSpec: {mainContainer: {}}}", "spec.extraPodSpec extendedPodSpec"),
            ("{podTemplate: {spec: {containers: [{name: main}]}}}", "spec.podTemplate podTemplate"),
            ("{}", "spec podTemplate fragment"),
        ] {
            let text =
                format!("{{apiVersion: nvidia.com/v1beta1, kind: DynamoComponentDeployment, spec: {spec}}}");
            assert_eq!(found(&text), [expected], "{spec}");
        }
    }

    #[test]
    fn the_main_container_is_one_more() {
        let text = graph(
            "{services: {a: {extraPodMetadata: {b: c}, extraPodSpec: {containers: '${X}', mainContainer: {d: e}}}}}",
        );
        let pod = r#"{"metadata":{"b":"c"},"spec":{"containers":[{"d":"e","name":"main"}]}}"#;
        assert_eq!(
            (pods(&text), found(&text).concat().ends_with(" placeholder")),
            (vec![pod.to_owned()], true)
        );
    }
}
