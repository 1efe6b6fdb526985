//! Kubeflow Trainer's TrainJob: the pods are those of the runtime that it names, changed in part by what is written here.
//!
//! The kind changed its shape three times within v1alpha1, so all of them are read: `podSpecOverrides` of 2.0,
//! `podTemplateOverrides` of 2.1, `runtimePatches` since 2.2.

use crate::path::Path;
use crate::workload::kind::{Adapter, Object};
use crate::workload::merge::merge;
use crate::workload::template::{Part, Shape, Template};
use crate::yaml::Node;

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
    let Some(job) = object.get(base) else { return Vec::new() };
    let of_pattern = |pattern| object.find(&format!("{base}.{pattern}"), Shape::Patch, Part::Overlay);
    let mut patches: Vec<Template<'d>> = PATCHES.into_iter().flat_map(of_pattern).collect();
    let Some(reference) = job.get("runtimeRef") else { return patches };
    let kind = Some(reference.text_of("kind")).filter(|kind| !kind.is_empty()).unwrap_or(DEFAULT_RUNTIME);
    let name = reference.text_of("name");
    let path = Path::from_dotted(base).key("runtimeRef");
    let runtime = object.referent(object.group(), kind, name);
    let mut found = runtime.map(|runtime| merged(object, job, &path, &runtime.node)).unwrap_or_default();
    if found.is_empty() {
        found.push(object.reference(path, (kind, name), Some("template of a pod")));
    } else {
        // Of the others, the merge has all.
        patches.retain(|patch| patch.pod.is_none());
    }
    found.extend(patches);
    found
}

/// The pods of a runtime, with what the job changes in them.
fn merged<'d>(object: &Object<'d>, job: &Node, path: &Path<'d>, runtime: &Node) -> Vec<Template<'d>> {
    let jobs =
        runtime.get_in(&["spec", "template", "spec", "replicatedJobs"]).map(Node::items).unwrap_or_default();
    let pod_of = |replicated: &Node| {
        let mut pod = replicated.get_in(&["template", "spec", "template"])?.clone();
        for patch in patches_for(job, replicated.text_of("name")) {
            match pod.locate_mut(&["spec".into()]) {
                Some(spec) => merge(spec, patch),
                None => pod.set("spec", patch.clone()),
            }
        }
        Some(object.merged_pod(path.clone(), Shape::PodTemplate, Part::Whole, pod))
    };
    jobs.iter().filter_map(pod_of).collect()
}

/// The pod specs that a job merges into the pods of a replicated job.
fn patches_for<'d>(job: &'d Node, name: &str) -> Vec<&'d Node> {
    let is_meant = |patch: &&Node| {
        let targets = patch.items_at("targetJobs");
        targets.is_empty() || targets.iter().any(|target| target.text_of("name") == name)
    };
    let specs = job.items_at("podSpecOverrides").iter().filter(is_meant);
    let templates = job.items_at("podTemplateOverrides").iter().filter(is_meant);
    let of_runtime = job.items_at("runtimePatches").iter().flat_map(|patch| {
        let jobs = patch.get_in(&["trainingRuntimeSpec", "template", "spec", "replicatedJobs"]);
        let jobs = jobs.map(Node::items).unwrap_or_default().iter();
        jobs.filter(|replicated| replicated.text_of("name") == name)
            .filter_map(|replicated| replicated.get_in(&["template", "spec", "template", "spec"]))
    });
    specs.chain(templates.filter_map(|patch| patch.get("spec"))).chain(of_runtime).collect()
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
