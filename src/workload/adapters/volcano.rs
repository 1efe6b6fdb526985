//! Volcano's JobFlow: jobs that are made of JobTemplates, each of which a flow names. What a flow patches in them, the
//! controller does not look at yet.

use std::collections::HashSet;

use crate::path::Path;
use crate::workload::kind::{Adapter, Object};
use crate::workload::template::{Part, Shape, Template};

/// The patches of flows, and the names of templates.
pub(in crate::workload) const JOB_FLOW: Adapter = Adapter {
    find,
    places: &[
        ("spec.flows[].patch.jobSpec.tasks[].template", Shape::PodTemplate),
        ("spec.flows[].name", Shape::Reference),
    ],
};

/// The kind of templates.
const TEMPLATE: (&str, &str) = ("flow.volcano.sh", "JobTemplate");

fn find<'d>(object: &Object<'d>) -> Vec<Template<'d>> {
    let pattern = "spec.flows[].patch.jobSpec.tasks[].template";
    let mut found = object.find(pattern, Shape::PodTemplate, Part::Overlay);
    let flows = object.get("spec.flows").map(|flows| flows.items()).unwrap_or_default();
    let (mut named, mut seen, mut is_any_known) = (Vec::new(), HashSet::new(), false);
    for (index, flow) in flows.iter().enumerate() {
        let name = flow.text_of("name");
        if seen.insert(name) {
            let path = Path::from_dotted("spec.flows").index(index).key("name");
            is_any_known |= object.referent(TEMPLATE.0, TEMPLATE.1, name).is_some();
            named.extend(object.pods_of(&path, TEMPLATE, name));
        }
    }
    // Where no template is known, that of a patch is unresolved, which says as much.
    if is_any_known || found.is_empty() {
        found.extend(named);
    }
    found
}

#[cfg(test)]
mod tests {
    use crate::workload::object::tests::found;

    #[test]
    fn a_flow_names_a_template_and_may_patch_it() {
        for (spec, expected) in [
            (
                "{flows: [{name: a}, {name: a}, {name: b}]}",
                &["spec.flows[0].name reference reference", "spec.flows[2].name reference reference"][..],
            ),
            (
                "{flows: [{name: a, patch: {jobSpec: {tasks: [{template: {}}]}}}]}",
                &["spec.flows[0].patch.jobSpec.tasks[0].template podTemplate"],
            ),
            ("{flows: '${X}'}", &["spec.flows podTemplate placeholder"]),
            ("{flows: []}", &["spec opaque noContainers"]),
        ] {
            let text = format!("{{apiVersion: flow.volcano.sh/v1alpha1, kind: JobFlow, spec: {spec}}}");
            assert_eq!(found(&text), expected, "{spec}");
        }
    }
}
