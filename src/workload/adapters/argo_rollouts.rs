//! Argo Rollouts: a Rollout has its template, or names a workload that does.

use crate::path::Path;
use crate::workload::kind::{Adapter, Object};
use crate::workload::template::{Shape, Template};

/// `spec.template`, or `spec.workloadRef`.
pub(in crate::workload) const ROLLOUT: Adapter = Adapter {
    find,
    places: &[("spec.template", Shape::PodTemplate), ("spec.workloadRef", Shape::Reference)],
};

/// The groups and kinds of workloads that a Rollout may name.
const WORKLOADS: [(&str, &str); 3] = [("apps", "Deployment"), ("apps", "ReplicaSet"), ("", "PodTemplate")];

fn find<'d>(object: &Object<'d>) -> Vec<Template<'d>> {
    let mut found = object.pod_templates("spec.template");
    let Some(reference) = object.get("spec.workloadRef") else { return found };
    let (kind, name) = (reference.text_of("kind"), reference.text_of("name"));
    let group = reference.text_of("apiVersion").split_once('/').map_or("", |(group, _)| group);
    let path = Path::from_dotted("spec.workloadRef");
    if WORKLOADS.contains(&(group, kind)) {
        found.extend(object.pods_of(&path, (group, kind), name));
    } else {
        let kind = if kind.is_empty() { "workload" } else { kind };
        found.push(Template::reference(object.node, path, kind, name));
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
