//! Argo Rollouts: a Rollout has its template, or names a workload that does.

use crate::path::Path;
use crate::workload::kind::{Adapter, Object};
use crate::workload::template::{Shape, Template};

/// `spec.template`, or `spec.workloadRef`.
pub(in crate::workload) const ROLLOUT: Adapter = Adapter {
    find,
    places: &[("spec.template", Shape::PodTemplate), ("spec.workloadRef", Shape::Reference)],
};

fn find<'d>(object: &Object<'d>) -> Vec<Template<'d>> {
    let mut found = object.pod_templates("spec.template");
    if let Some(reference) = object.get("spec.workloadRef") {
        let kind = Some(reference.text_of("kind")).filter(|kind| !kind.is_empty()).unwrap_or("workload");
        let path = Path::from_dotted("spec.workloadRef");
        found.push(Template::reference(object.node, path, kind, reference.text_of("name")));
    }
    found
}
