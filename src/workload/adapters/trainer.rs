//! Kubeflow Trainer's TrainJob: the pods are those of the runtime that it names, changed in part by what is written here.
//!
//! The kind changed its shape three times within v1alpha1, so all of them are read: `podSpecOverrides` of 2.0,
//! `podTemplateOverrides` of 2.1, `runtimePatches` since 2.2.

use crate::path::Path;
use crate::workload::kind::{Adapter, Object};
use crate::workload::template::{Part, Shape, Template};

/// What a TrainJob changes in the pods of its runtime.
const PATCHES: [&str; 3] = [
    "podSpecOverrides[]",
    "podTemplateOverrides[].spec",
    "runtimePatches[].trainingRuntimeSpec.template.spec.replicatedJobs[].template.spec.template.spec",
];
/// The kind of the runtime where none is named.
const DEFAULT_RUNTIME: &str = "ClusterTrainingRuntime";

/// A job at `spec`.
pub(in crate::workload) const TRAIN_JOB: Adapter = Adapter {
    find: |object| job(object, "spec"),
    places: &[
        ("spec.runtimeRef", Shape::Reference),
        ("spec.podSpecOverrides[]", Shape::Patch),
        ("spec.podTemplateOverrides[].spec", Shape::Patch),
        (
            "spec.runtimePatches[].trainingRuntimeSpec.template.spec.replicatedJobs[].template.spec.template.spec",
            Shape::Patch,
        ),
    ],
};

/// A job at `spec.trainJobTemplate.spec`.
pub(in crate::workload) const OPTIMIZATION_JOB: Adapter = Adapter {
    find: |object| job(object, "spec.trainJobTemplate.spec"),
    places: &[
        ("spec.trainJobTemplate.spec.runtimeRef", Shape::Reference),
        ("spec.trainJobTemplate.spec.podSpecOverrides[]", Shape::Patch),
        ("spec.trainJobTemplate.spec.podTemplateOverrides[].spec", Shape::Patch),
        (
            "spec.trainJobTemplate.spec.runtimePatches[].trainingRuntimeSpec.template.spec.replicatedJobs[].template.spec.template.spec",
            Shape::Patch,
        ),
    ],
};

fn job<'d>(object: &Object<'d>, base: &'static str) -> Vec<Template<'d>> {
    let mut found = Vec::new();
    if let Some(runtime) = object.get(base).and_then(|job| job.get("runtimeRef")) {
        let kind = Some(runtime.text_of("kind")).filter(|kind| !kind.is_empty()).unwrap_or(DEFAULT_RUNTIME);
        let path = Path::from_dotted(base).key("runtimeRef");
        found.push(Template::reference(object.node, path, kind, runtime.text_of("name")));
    }
    let of_pattern = |pattern| object.find(&format!("{base}.{pattern}"), Shape::Patch, Part::Overlay);
    found.extend(PATCHES.into_iter().flat_map(of_pattern));
    found
}

#[cfg(test)]
mod tests {
    use crate::workload::object::tests::found;

    #[test]
    fn a_train_job_is_a_reference_and_patches() {
        for (spec, expected) in [
            ("{runtimeRef: {name: torch}}", &["spec.runtimeRef reference reference"][..]),
            (
                "{runtimeRef: {name: torch, kind: TrainingRuntime}, podSpecOverrides: [{targetJobs: [], hostPID: true}]}",
                &["spec.runtimeRef reference reference", "spec.podSpecOverrides[0] patch"],
            ),
            ("{podTemplateOverrides: '${X}'}", &["spec.podTemplateOverrides patch placeholder"]),
            ("{trainer: {image: a}}", &["spec opaque noContainers"]),
        ] {
            let text = format!("{{apiVersion: trainer.kubeflow.org/v1alpha1, kind: TrainJob, spec: {spec}}}");
            assert_eq!(found(&text), expected, "{spec}");
        }
    }
}
