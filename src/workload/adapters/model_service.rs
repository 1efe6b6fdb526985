//! ModelService of llm-d: lists of containers for each of its roles, which may be merged into those of a ConfigMap.

use crate::path::Path;
use crate::text::printable;
use crate::workload::kind::{Adapter, Object};
use crate::workload::template::{Part, Shape, Template};
use crate::workload::unresolved::UnresolvedReason;

/// The roles.
const ROLES: [&str; 3] = ["spec.prefill", "spec.decode", "spec.endpointPicker"];
/// Longest name in a sentence, in characters.
const LONGEST_NAME: usize = 63;

/// Containers by role.
pub(in crate::workload) const MODEL_SERVICE: Adapter = Adapter {
    find,
    places: &[
        ("spec.prefill", Shape::PartialPodSpec),
        ("spec.decode", Shape::PartialPodSpec),
        ("spec.endpointPicker", Shape::PartialPodSpec),
    ],
};

fn find<'d>(object: &Object<'d>) -> Vec<Template<'d>> {
    let of_role = |role| object.find(role, Shape::PartialPodSpec, Part::WithoutPodLevel);
    let found = ROLES.into_iter().flat_map(of_role);
    let Some(base) = object.get("spec").and_then(|spec| spec.get("baseConfigMapRef")) else {
        return found.collect();
    };
    let name = base.text_of("name");
    let path = Path::from_keys(["spec", "baseConfigMapRef"]);
    let text = format!("it is merged into the pod in ConfigMap {}", printable(name, LONGEST_NAME));
    let needed = object.unresolved(&path, UnresolvedReason::Reference, text).about("ConfigMap", name);
    found
        .map(|template| if template.pod.is_some() { template.lacking(needed.clone()) } else { template })
        .collect()
}

#[cfg(test)]
mod tests {
    use crate::workload::object::tests::found;

    #[test]
    fn roles_have_lists_of_containers() {
        for (spec, expected) in [
            ("{decode: {containers: []}}", &["spec.decode partialPodSpec"][..]),
            (
                "{baseConfigMapRef: {name: a}, prefill: {}, decode: '${X}'}",
                &["spec.prefill partialPodSpec reference", "spec.decode partialPodSpec placeholder"],
            ),
        ] {
            let text = format!("{{apiVersion: llm-d.ai/v1alpha1, kind: ModelService, spec: {spec}}}");
            assert_eq!(found(&text), expected, "{spec}");
        }
    }
}
