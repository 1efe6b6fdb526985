//! Kubeflow Notebooks 2.0, whose workspaces name a kind that has their pod, and PodDefaults, which are merged into the pods
//! that they select.

use crate::path::Path;
use crate::workload::kind::{Adapter, Object};
use crate::workload::object::give_image;
use crate::workload::template::{Part, Shape, Template};
use crate::yaml::{Node, Value};

/// The pod of a workspace, but for its image, which is one of several.
pub(in crate::workload) const WORKSPACE_KIND: Adapter =
    Adapter { find: workspace_kind, places: &[("spec.podTemplate", Shape::PartialPodSpec)] };

/// The name of a WorkspaceKind.
pub(in crate::workload) const WORKSPACE: Adapter =
    Adapter { find: workspace, places: &[("spec.kind", Shape::Reference)] };

/// Containers and volumes for pods of others.
pub(in crate::workload) const POD_DEFAULT: Adapter =
    Adapter { find: pod_default, places: &[("spec", Shape::Patch)] };

fn workspace<'d>(object: &Object<'d>) -> Vec<Template<'d>> {
    let Some(kind) = object.get("spec.kind") else { return Vec::new() };
    let (path, name) = (Path::from_dotted("spec.kind"), kind.as_text().unwrap_or_default());
    let known = object.referent(object.group(), "WorkspaceKind", name);
    let template = known.and_then(|known| known.node.get_in(&["spec", "podTemplate"]));
    vec![match template.filter(|template| template.is_object()) {
        Some(template) => pod_of_kind(object, path, template),
        None => object.reference(path, ("WorkspaceKind", name), Some("spec.podTemplate")),
    }]
}

/// What stands at a path, if it is an object; else what is to be said of it.
fn object_at<'d>(
    object: &Object<'d>,
    path: &'static str,
    shape: Shape,
    take: impl FnOnce(&'d Node) -> Template<'d>,
) -> Vec<Template<'d>> {
    let path = Path::from_dotted(path);
    let located = object.node.locate(&path);
    let is_object = located.node.is_object();
    match is_object || located.node.value == Value::Null {
        true if is_object && located.exact => vec![take(located.node)],
        true => Vec::new(),
        false => vec![object.unreadable(path, located.node, shape, "an object")],
    }
}

fn workspace_kind<'d>(object: &Object<'d>) -> Vec<Template<'d>> {
    const PATH: &str = "spec.podTemplate";
    object_at(object, PATH, Shape::PartialPodSpec, |template| {
        pod_of_kind(object, Path::from_dotted(PATH), template)
    })
}

/// The pod of a workspace, from what its kind says of it.
fn pod_of_kind<'d>(object: &Object<'d>, path: Path<'d>, template: &'d Node) -> Template<'d> {
    let mut container = Node::object(template.span, [("name", Node::text(template.span, "main"))]);
    give_image(&mut container);
    if let Some(security) = template.get("containerSecurityContext") {
        container.set("securityContext", security.clone());
    }
    for (written, field) in [("extraEnv", "env"), ("extraVolumeMounts", "volumeMounts")] {
        if let Some(value) = template.get(written) {
            container.set(field, value.clone());
        }
    }
    let containers = Node::list(template.span, vec![container]);
    let mut spec = Node::object(template.span, [("containers", containers)]);
    for (written, field) in [("securityContext", "securityContext"), ("extraVolumes", "volumes")] {
        if let Some(value) = template.get(written) {
            spec.set(field, value.clone());
        }
    }
    let mut pod = Node::object(template.span, [("spec", spec)]);
    if let Some(metadata) = template.get("podMetadata") {
        pod.set("metadata", metadata.clone());
    }
    let mut made = object.merged_pod(path.clone(), Shape::PartialPodSpec, Part::Whole, pod);
    let security = Path::from_dotted("spec.containers").index(0).key("securityContext");
    made.places.would_be(security, path.key("containerSecurityContext"));
    made
}

fn pod_default<'d>(object: &Object<'d>) -> Vec<Template<'d>> {
    object_at(object, "spec", Shape::Patch, |written| {
        let mut spec = Node::object(written.span, []);
        for (key, field) in [
            ("sidecars", "containers"),
            ("initContainers", "initContainers"),
            ("volumes", "volumes"),
            ("imagePullSecrets", "imagePullSecrets"),
            ("serviceAccountName", "serviceAccountName"),
            ("automountServiceAccountToken", "automountServiceAccountToken"),
        ] {
            if let Some(value) = written.get(key) {
                spec.set(field, value.clone());
            }
        }
        let mut pod = Node::object(written.span, [("spec", spec)]);
        let metadata = ["annotations", "labels"].into_iter();
        let metadata = metadata.filter_map(|key| Some((key, written.get(key)?.clone())));
        pod.set("metadata", Node::object(written.span, metadata));
        let path = Path::from_dotted("spec");
        let mut made = object.merged_pod(path.clone(), Shape::Patch, Part::WithoutPodLevel, pod);
        made.places.would_be(Path::from_dotted("spec.containers"), path.key("sidecars"));
        made
    })
}

#[cfg(test)]
mod tests {
    use crate::workload::object::tests::{found, pods};

    #[test]
    fn a_workspace_names_its_kind() {
        let text = "{apiVersion: kubeflow.org/v1beta1, kind: Workspace, spec: {kind: a, podTemplate: {}}}";
        assert_eq!(found(text), ["spec.kind reference reference"]);
    }

    #[test]
    fn what_is_written_of_a_pod_goes_where_a_pod_has_it() {
        for (version, kind, spec, expected) in [
            (
                "v1beta1",
                "WorkspaceKind",
                "{podTemplate: {securityContext: {runAsUser: 1}, containerSecurityContext: {privileged: true}, extraVolumes: [{name: a}]}}",
                r#"{"spec":{"containers":[{"name":"main","image":"${image}","securityContext":{"privileged":true}}],"securityContext":{"runAsUser":1},"volumes":[{"name":"a"}]}}"#,
            ),
            (
                "v1alpha1",
                "PodDefault",
                "{selector: {}, annotations: {a: b}, sidecars: [{name: a}], volumes: [{name: b}]}",
                r#"{"spec":{"containers":[{"name":"a"}],"volumes":[{"name":"b"}]},"metadata":{"annotations":{"a":"b"}}}"#,
            ),
        ] {
            let text = format!("{{apiVersion: kubeflow.org/{version}, kind: {kind}, spec: {spec}}}");
            assert_eq!(pods(&text), [expected], "{spec}");
        }
    }
}
