//! OpenKruise's UnitedDeployment: one template of a workload of some kind, and subsets that patch its pods.

use crate::workload::kind::{Adapter, Object};
use crate::workload::template::{Part, Shape, Template};

/// The template, and the patches.
pub(in crate::workload) const UNITED_DEPLOYMENT: Adapter = Adapter {
    find,
    places: &[
        ("spec.template.*.spec.template", Shape::PodTemplate),
        ("spec.topology.subsets[].patch", Shape::PodTemplate),
    ],
};

fn find<'d>(object: &Object<'d>) -> Vec<Template<'d>> {
    let mut found = object.pod_templates("spec.template.*.spec.template");
    let patches = object.find("spec.topology.subsets[].patch", Shape::PodTemplate, Part::Overlay);
    found.extend(patches.into_iter().map(|template| Template { shape: Shape::Patch, ..template }));
    found
}

#[cfg(test)]
mod tests {
    use crate::workload::object::tests::found;

    #[test]
    fn subsets_patch_the_template() {
        let text = "{apiVersion: apps.kruise.io/v1alpha1, kind: UnitedDeployment, spec: {template: {cloneSetTemplate: {spec: \
                    {template: {}}}}, topology: {subsets: [{name: a}, {patch: {spec: {}}}]}}}";
        let expected = [
            "spec.template.cloneSetTemplate.spec.template podTemplate",
            "spec.topology.subsets[1].patch patch",
        ];
        assert_eq!(found(text), expected);
    }
}
