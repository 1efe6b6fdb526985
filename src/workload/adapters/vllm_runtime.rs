//! VLLMRuntime of vLLM's production stack: its operator makes the pod. Only a sidecar is written as a container.

use crate::path::Path;
use crate::workload::kind::{Adapter, Object};
use crate::workload::object::give_image;
use crate::workload::template::{Part, Shape, Template};
use crate::workload::unresolved::UnresolvedReason;
use crate::yaml::{Node, Value};

/// The sidecar. The schema has no `podTemplate`, but it is written.
pub(in crate::workload) const VLLM_RUNTIME: Adapter = Adapter {
    find,
    places: &[
        ("spec.deploymentConfig", Shape::Opaque),
        ("spec.deploymentConfig.sidecarConfig", Shape::Container),
        ("spec.podTemplate", Shape::PodTemplate),
    ],
};

fn find<'d>(object: &Object<'d>) -> Vec<Template<'d>> {
    let mut found = Vec::new();
    if let Some(configuration) = object.get("spec").and_then(|spec| spec.get("deploymentConfig")) {
        let path = Path::from_keys(["spec", "deploymentConfig"]);
        let text = "the operator makes the container of the model server";
        let unresolved = object.unresolved(&path, UnresolvedReason::Fragment, text);
        found.push(Template::unjudged(path.clone(), Shape::Opaque, unresolved));
        found.extend(sidecar(object, path.key("sidecarConfig"), configuration));
    }
    found.extend(object.find("spec.podTemplate", Shape::PodTemplate, Part::Overlay));
    found
}

fn sidecar<'d>(object: &Object<'d>, path: Path<'d>, configuration: &'d Node) -> Option<Template<'d>> {
    let sidecar = configuration.get("sidecarConfig")?;
    if !matches!(sidecar.value, Value::Mapping(_)) {
        return Some(object.unreadable(path, sidecar, Shape::Container, "an object"));
    }
    if sidecar.get("enabled").is_some_and(|enabled| enabled.value == Value::Bool(false)) {
        return None;
    }
    let mut container = sidecar.clone();
    if container.get("image").is_none_or(|image| image.as_text().is_none()) {
        container.remove("image");
    }
    give_image(&mut container);
    let spec = Node::object(sidecar.span, [("containers", Node::list(sidecar.span, vec![container]))]);
    Some(object.merged(path, Shape::Container, Part::WithoutPodLevel, spec))
}

#[cfg(test)]
mod tests {
    use crate::workload::object::tests::found;

    #[test]
    fn the_pod_is_its_operators_but_for_a_sidecar() {
        let opaque = "spec.deploymentConfig opaque fragment";
        let sidecar = "spec.deploymentConfig.sidecarConfig container";
        for (spec, expected) in [
            ("{deploymentConfig: {}}", &[opaque][..]),
            ("{deploymentConfig: {sidecarConfig: {name: a, image: {name: b}}}}", &[opaque, sidecar]),
            ("{deploymentConfig: {sidecarConfig: {enabled: false}}}", &[opaque]),
            ("{deploymentConfig: '${X}', podTemplate: {}}", &[opaque, "spec.podTemplate podTemplate"]),
        ] {
            let text =
                format!("{{apiVersion: production-stack.vllm.ai/v1alpha1, kind: VLLMRuntime, spec: {spec}}}");
            assert_eq!(found(&text), expected, "{spec}");
        }
    }
}
