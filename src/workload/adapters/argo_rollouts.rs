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

#[cfg(test)]
mod tests {
    use crate::workload::object::tests::found;

    #[test]
    fn a_rollout_has_a_template_or_names_a_workload() {
        for (kind, spec, expected) in [
            ("Rollout", "{template: {spec: {}}}", "spec.template podTemplate"),
            ("Rollout", "{workloadRef: {kind: Deployment, name: a}}", "spec.workloadRef reference reference"),
            ("Experiment", "{templates: [{template: {spec: {}}}]}", "spec.templates[0].template podTemplate"),
            (
                "AnalysisRun",
                "{metrics: [{provider: {web: {}}}, {provider: {job: {spec: {template: {spec: {}}}}}}]}",
                "spec.metrics[1].provider.job.spec.template podTemplate",
            ),
        ] {
            let text = format!("{{apiVersion: argoproj.io/v1alpha1, kind: {kind}, spec: {spec}}}");
            assert_eq!(found(&text), [expected], "{spec}");
        }
    }
}
