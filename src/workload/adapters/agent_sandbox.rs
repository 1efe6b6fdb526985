//! Agent Sandbox: a SandboxClaim has the pod of a SandboxTemplate, which it names itself or, since v1beta1, by the
//! SandboxWarmPool that it takes one from.

use crate::path::Path;
use crate::workload::kind::{Adapter, Object};
use crate::workload::template::{Part, Shape, Template};
use crate::yaml::Node;

/// The name of a template, or that of a pool.
pub(in crate::workload) const SANDBOX_CLAIM: Adapter = Adapter {
    find: claim,
    places: &[("spec.sandboxTemplateRef", Shape::Reference), ("spec.warmPoolRef", Shape::Reference)],
};

/// The name of a template.
pub(in crate::workload) const SANDBOX_WARM_POOL: Adapter =
    Adapter { find: template_of, places: &[("spec.sandboxTemplateRef", Shape::Reference)] };

const GROUP: &str = "extensions.agents.x-k8s.io";
const TEMPLATE: &str = "SandboxTemplate";
const POOL: &str = "SandboxWarmPool";
/// Where claims and pools name a template.
const TEMPLATE_FIELD: &str = "sandboxTemplateRef";

fn claim<'d>(object: &Object<'d>) -> Vec<Template<'d>> {
    let Some(pool) = object.get("spec.warmPoolRef") else { return template_of(object) };
    let (path, name) = (Path::from_dotted("spec.warmPoolRef"), pool.text_of("name"));
    let known = object.referent(GROUP, POOL, name);
    match known.and_then(|known| known.node.get_in(&["spec", TEMPLATE_FIELD])) {
        Some(template) => made_of(object, path, template.text_of("name")),
        None => vec![Template::reference(object.node, path, POOL, name)],
    }
}

fn template_of<'d>(object: &Object<'d>) -> Vec<Template<'d>> {
    let Some(template) = object.get("spec.sandboxTemplateRef") else { return Vec::new() };
    made_of(object, Path::from_dotted("spec.sandboxTemplateRef"), template.text_of("name"))
}

/// The pod of a template, with the metadata that a claim adds.
fn made_of<'d>(object: &Object<'d>, path: Path<'d>, name: &str) -> Vec<Template<'d>> {
    let known = object.referent(GROUP, TEMPLATE, name);
    let template = known.and_then(|known| known.node.get_in(&["spec", "podTemplate"]));
    let (Some(added), Some(template)) =
        (object.get("spec.additionalPodMetadata"), template.filter(|template| template.is_object()))
    else {
        return object.pods_of(&path, (GROUP, TEMPLATE), name);
    };
    let mut pod = template.clone();
    let metadata = template.get("metadata").filter(|metadata| metadata.is_object());
    let mut metadata = metadata.cloned().unwrap_or_else(|| Node::object(added.span, []));
    for key in ["labels", "annotations"] {
        let Some(added) = added.get(key) else { continue };
        let mut values = metadata.get(key).cloned().unwrap_or_else(|| Node::object(added.span, []));
        added.entries().iter().for_each(|entry| values.set(&entry.key, entry.value.clone()));
        metadata.set(key, values);
    }
    pod.set("metadata", metadata);
    vec![object.merged_pod(path, Shape::PodTemplate, Part::Whole, pod)]
}

#[cfg(test)]
mod tests {
    use crate::workload::object::tests::found;

    #[test]
    fn a_claim_names_a_template_or_a_pool() {
        for (kind, spec, expected) in [
            (
                "SandboxClaim",
                "{sandboxTemplateRef: {name: a}}",
                "spec.sandboxTemplateRef reference reference",
            ),
            ("SandboxClaim", "{warmPoolRef: {name: a}}", "spec.warmPoolRef reference reference"),
            (
                "SandboxWarmPool",
                "{sandboxTemplateRef: '${X}'}",
                "spec.sandboxTemplateRef reference reference",
            ),
            ("SandboxClaim", "{}", "spec opaque noContainers"),
        ] {
            let text =
                format!("{{apiVersion: extensions.agents.x-k8s.io/v1alpha1, kind: {kind}, spec: {spec}}}");
            assert_eq!(found(&text), [expected], "{spec}");
        }
    }
}
