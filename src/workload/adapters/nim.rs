//! NVIDIA NIM and NeMo microservices: their operator makes the pods. What is written of them is little, but enough to forbid: the
//! user, a directory of the node, and further containers.

use crate::path::Path;
use crate::workload::assembly::Assembly;
use crate::workload::kind::{Adapter, Object};
use crate::workload::object::give_image;
use crate::workload::pattern::{Match, matches};
use crate::workload::template::{Part, Shape, Template};
use crate::workload::unresolved::UnresolvedReason;
use crate::yaml::{Node, Value};

/// A service, a cache, or a microservice at `spec`.
pub(in crate::workload) const NIM: Adapter = Adapter {
    find: |object| services(object, "spec"),
    places: &[
        ("spec", Shape::Container),
        ("spec.expose.router.eppConfig.containerSpec", Shape::Container),
        ("spec.modelDownloadJobs", Shape::PartialPodSpec),
    ],
};

/// Services in a list.
pub(in crate::workload) const NIM_PIPELINE: Adapter = Adapter {
    find: |object| services(object, "spec.services[].spec"),
    places: &[
        ("spec.services[].spec", Shape::Container),
        ("spec.services[].spec.expose.router.eppConfig.containerSpec", Shape::Container),
    ],
};

fn services<'d>(object: &Object<'d>, pattern: &str) -> Vec<Template<'d>> {
    let of_match = |found| match found {
        Match::Value(path, node) if matches!(node.value, Value::Mapping(_)) => service(object, path, node),
        Match::Value(path, node) | Match::Unreadable(path, node) => {
            vec![object.unreadable(path, node, Shape::Container, "an object")]
        }
    };
    matches(object.node, pattern).into_iter().flat_map(of_match).collect()
}

fn service<'d>(object: &Object<'d>, path: Path<'d>, node: &'d Node) -> Vec<Template<'d>> {
    let mut found = vec![pod(object, path.clone(), node)];
    let picker = ["expose", "router", "eppConfig", "containerSpec"];
    if let Some(container) = node.get_in(&picker) {
        let path = path.join(&Path::from_keys(picker));
        found.push(match container.value {
            Value::Mapping(_) => object.container(path, container, Part::WithoutPodLevel),
            _ => object.unreadable(path, container, Shape::Container, "an object"),
        });
    }
    if let Some(jobs) = node.get("modelDownloadJobs") {
        let path = path.key("modelDownloadJobs");
        found.push(match jobs.value {
            Value::Mapping(_) => Template::of_spec(path, Shape::PartialPodSpec, Part::Overlay, jobs),
            _ => object.unreadable(path, jobs, Shape::PartialPodSpec, "an object"),
        });
    }
    found
}

/// The pod of a service, without the container that the operator makes of it.
fn pod<'d>(object: &Object<'d>, path: Path<'d>, node: &'d Node) -> Template<'d> {
    let mut pod = Assembly::new(object, path.clone(), &Node::object(node.span, []));
    // The schema has no place for it; where it is written all the same, it is as good as written in a container.
    if let Some(context) = node.get("securityContext") {
        let mut container = Node::object(node.span, [("securityContext", context.clone())]);
        give_image(&mut container);
        pod.push("containers", container);
    }
    pod.push_all("containers", &path, node, "sidecarContainers");
    pod.push_all("initContainers", &path, node, "initContainers");
    if let Some(user) = node.get("userID") {
        let context = Node::object(node.span, [("runAsUser", user.clone())]);
        pod.spec.set("securityContext", context);
    }
    match node.get("storage") {
        Some(storage) if !matches!(storage.value, Value::Mapping(_)) => {
            pod.note_unreadable(&path.clone().key("storage"), storage, "an object");
        }
        storage => {
            if let Some(directory) = storage.and_then(|storage| storage.get("hostPath")) {
                let source = Node::object(directory.span, [("path", directory.clone())]);
                let name = Node::text(node.span, "storage");
                pod.push("volumes", Node::object(node.span, [("name", name), ("hostPath", source)]));
            }
        }
    }
    let text = "the operator makes the container of the service";
    pod.note(object.unresolved(&path, UnresolvedReason::Fragment, text));
    let metadata = node.get("annotations").map(|all| Node::object(node.span, [("annotations", all.clone())]));
    pod.template(path, Shape::Container, Part::Overlay, metadata)
}

#[cfg(test)]
mod tests {
    use crate::workload::object::tests::{found, pods};

    #[test]
    fn what_is_written_of_a_service_is_a_part_of_its_pod() {
        for (kind, spec, expected) in [
            ("NIMService", "{}", &["spec container fragment"][..]),
            ("NIMCache", "{storage: '${X}'}", &["spec container placeholder,fragment"]),
            (
                "NIMService",
                "{expose: {router: {eppConfig: {containerSpec: {}}}}}",
                &["spec container fragment", "spec.expose.router.eppConfig.containerSpec container"],
            ),
            (
                "NemoCustomizer",
                "{modelDownloadJobs: {securityContext: {}}}",
                &["spec container fragment", "spec.modelDownloadJobs partialPodSpec"],
            ),
            ("NIMPipeline", "{services: [{spec: {}}]}", &["spec.services[0].spec container fragment"]),
            ("NIMPipeline", "{services: '${X}'}", &["spec.services container placeholder"]),
        ] {
            let text = format!("{{apiVersion: apps.nvidia.com/v1alpha1, kind: {kind}, spec: {spec}}}");
            assert_eq!(found(&text), expected, "{spec}");
        }
        let text = "{apiVersion: apps.nvidia.com/v1alpha1, kind: NIMService, spec: {userID: 0, storage: {hostPath: /a}, \
                    sidecarContainers: [{name: b}]}}";
        assert_eq!(
            pods(text),
            [concat!(
                r#"{"spec":{"containers":[{"name":"b"}],"securityContext":{"runAsUser":0},"#,
                r#""volumes":[{"name":"storage","hostPath":{"path":"/a"}}]}}"#
            )]
        );
    }
}
