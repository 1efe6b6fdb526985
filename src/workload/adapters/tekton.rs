//! Tekton: tasks, alone, in pipelines, and in the runs of either.

use crate::path::Path;
use crate::workload::adapters::tekton_pod::{Run, is_fetched, name_of, referent};
use crate::workload::kind::{Adapter, Object};
use crate::workload::pattern::{Match, matches};
use crate::workload::placeholder::has_placeholder;
use crate::workload::template::{Part, Shape, Template};
use crate::yaml::{Node, Value};

/// A task at `spec`.
pub(in crate::workload) const TASK: Adapter =
    Adapter { find: task, places: &[("spec", Shape::PartialPodSpec)] };

/// A task at `spec.taskSpec`, or elsewhere.
pub(in crate::workload) const TASK_RUN: Adapter = Adapter {
    find: task_run,
    places: &[("spec.taskSpec", Shape::PartialPodSpec), ("spec.taskRef", Shape::Reference)],
};

/// Tasks in a pipeline at `spec`.
pub(in crate::workload) const PIPELINE: Adapter = Adapter {
    find: pipeline,
    places: &[
        ("spec.tasks[].taskSpec", Shape::PartialPodSpec),
        ("spec.tasks[].taskRef", Shape::Reference),
        ("spec.tasks[].pipelineSpec.tasks[].taskSpec", Shape::PartialPodSpec),
        ("spec.tasks[].pipelineRef", Shape::Reference),
        ("spec.finally[].taskSpec", Shape::PartialPodSpec),
        ("spec.finally[].taskRef", Shape::Reference),
    ],
};

/// Tasks in a pipeline at `spec.pipelineSpec`, or one that is elsewhere.
pub(in crate::workload) const PIPELINE_RUN: Adapter = Adapter {
    find: pipeline_run,
    places: &[
        ("spec.pipelineSpec.tasks[].taskSpec", Shape::PartialPodSpec),
        ("spec.pipelineSpec.tasks[].taskRef", Shape::Reference),
        ("spec.pipelineSpec.tasks[].pipelineSpec.tasks[].taskSpec", Shape::PartialPodSpec),
        ("spec.pipelineSpec.tasks[].pipelineRef", Shape::Reference),
        ("spec.pipelineSpec.finally[].taskSpec", Shape::PartialPodSpec),
        ("spec.pipelineSpec.finally[].taskRef", Shape::Reference),
        ("spec.pipelineRef", Shape::Reference),
    ],
};

const GROUP: &str = "tekton.dev";
/// Most templates of one pipeline that are found before references to others are left alone.
const MOST_FOLLOWED: usize = 100;

fn task<'d>(object: &Object<'d>) -> Vec<Template<'d>> {
    let path = Path::from_dotted("spec");
    let of_spec = |spec| Run::default().pod(object, (path, spec), Part::WithoutPodLevel);
    object.get("spec").map(of_spec).into_iter().collect()
}

fn task_run<'d>(object: &Object<'d>) -> Vec<Template<'d>> {
    let Some(spec) = object.get("spec") else { return Vec::new() };
    let run = Run::of(object, "spec.podTemplate");
    let path = Path::from_dotted("spec");
    if !spec.is_object() {
        return vec![object.unreadable(path, spec, Shape::PartialPodSpec, "an object")];
    }
    of_task(object, (&path, spec), &run, Part::Whole)
}

fn pipeline<'d>(object: &Object<'d>) -> Vec<Template<'d>> {
    let spec = object.get("spec");
    let path = Path::from_dotted("spec");
    spec.map(|spec| tasks(object, (&path, spec), &Run::default(), Part::WithoutPodLevel)).unwrap_or_default()
}

fn pipeline_run<'d>(object: &Object<'d>) -> Vec<Template<'d>> {
    let Some(spec) = object.get("spec") else { return Vec::new() };
    let version = object.api_version.rsplit('/').next().unwrap_or_default();
    // What v1 has under `taskRunTemplate`, the versions before had beside it.
    let is_before_v1 = version.starts_with("v1alpha") || version.starts_with("v1beta");
    let (template, of_tasks) = match is_before_v1 {
        true => ("spec.podTemplate", "taskPodTemplate"),
        false => ("spec.taskRunTemplate.podTemplate", "podTemplate"),
    };
    let run = Run::of(object, template).with_tasks(object, of_tasks);
    let path = Path::from_dotted("spec");
    if !spec.is_object() {
        return vec![object.unreadable(path, spec, Shape::PartialPodSpec, "an object")];
    }
    of_pipeline(object, (&path, spec), &run, Part::Whole)
}

/// The pipeline that a run, or a task of another pipeline, has or names.
fn of_pipeline<'d>(
    object: &Object<'d>,
    (path, owner): (&Path<'d>, &'d Node),
    run: &Run,
    part: Part,
) -> Vec<Template<'d>> {
    let mut found = Vec::new();
    if let Some(pipeline) = owner.get("pipelineSpec") {
        found.extend(tasks(object, (&path.clone().key("pipelineSpec"), pipeline), run, part));
    }
    if let Some(reference) = owner.get("pipelineRef") {
        let path = path.clone().key("pipelineRef");
        let known = referent(object, "Pipeline", reference).filter(|_| run.follows());
        if let Some(pipeline) = known {
            let run = run.deeper();
            let of_pipeline = tasks(object, (&path, pipeline), &run, part);
            found.extend(of_pipeline.into_iter().map(|template| Template { path: path.clone(), ..template }));
            return found;
        }
        let lacks = Some("spec").filter(|_| run.follows());
        found.push(missing(object, path, ("Pipeline", reference, lacks), run.spec(reference)));
    }
    found
}

/// The tasks of a pipeline, and those that run at its end.
fn tasks<'d>(
    object: &Object<'d>,
    (path, pipeline): (&Path<'d>, &'d Node),
    run: &Run,
    part: Part,
) -> Vec<Template<'d>> {
    let mut found = Vec::new();
    let lists = ["tasks[]", "finally[]"].into_iter().flat_map(|pattern| matches(pipeline, pattern));
    for matched in lists {
        let is_task = matches!(&matched, Match::Value(_, Node { value: Value::Mapping(_), .. }));
        let (Match::Value(at, task) | Match::Unreadable(at, task)) = matched;
        let path = path.join(&at);
        if !is_task {
            found.push(object.unreadable(path, task, Shape::PartialPodSpec, "an object or a list"));
            continue;
        }
        let mut run = run.of_task(object, &path, task);
        if found.len() >= MOST_FOLLOWED {
            run = run.deeper();
        }
        found.extend(of_task(object, (&path, task), &run, part));
        found.extend(of_pipeline(object, (&path, task), &run, part));
    }
    found
}

/// The task that a run, or an entry of a pipeline, has or names. A custom task makes no pod of its own.
fn of_task<'d>(
    object: &Object<'d>,
    (path, owner): (&Path<'d>, &'d Node),
    run: &Run,
    part: Part,
) -> Vec<Template<'d>> {
    let mut found = Vec::new();
    if let Some(task) = owner.get("taskSpec").filter(|task| !is_custom(task) || task.get("steps").is_some()) {
        found.push(run.pod(object, (path.clone().key("taskSpec"), task), part));
    }
    if let Some(reference) = owner.get("taskRef").filter(|reference| !is_custom(reference)) {
        let kind = match reference.text_of("kind") {
            // Tekton takes the name of a kind in any case.
            kind if kind.is_empty() || kind.eq_ignore_ascii_case("task") => "Task",
            kind if kind.eq_ignore_ascii_case("clustertask") => "ClusterTask",
            kind => kind,
        };
        let path = path.clone().key("taskRef");
        if let Some(task) = referent(object, kind, reference) {
            found.push(run.pod(object, (path, task), part));
            return found;
        }
        found.push(missing(object, path, (kind, reference, Some("spec")), run.spec(reference)));
    }
    found
}

/// A reference to something of which nothing could be taken. What a resolver fetches may be elsewhere whatever is known of that name.
fn missing<'d>(
    object: &Object<'d>,
    path: Path<'d>,
    (kind, reference, lacks): (&str, &Node, Option<&str>),
    spec: Node,
) -> Template<'d> {
    let name = name_of(reference);
    let missing = match is_fetched(reference) {
        true => Template::reference(object.node, path, kind, name),
        false => object.reference(path, (kind, name), lacks),
    };
    object.with_written(missing, spec)
}

/// Whether a task is of a kind that is not Tekton's own.
fn is_custom(task: &Node) -> bool {
    let api_version = task.text_of("apiVersion");
    api_version.split_once('/').is_some_and(|(group, _)| group != GROUP && !has_placeholder(group))
}

#[cfg(test)]
mod tests {
    use crate::workload::object::tests::{found, pods};

    #[test]
    fn tasks_are_found_wherever_they_stand() {
        for (version, kind, spec, expected) in [
            ("v1", "Task", "{steps: [{image: a}]}", &["spec partialPodSpec"][..]),
            ("v1", "Task", "{steps: [{ref: {name: a}}]}", &["spec partialPodSpec reference"]),
            ("v1beta1", "ClusterTask", "{steps: '${X}'}", &["spec partialPodSpec placeholder"]),
            ("v1", "TaskRun", "{taskRef: {name: a}}", &["spec.taskRef reference reference"]),
            (
                "v1",
                "Pipeline",
                "{tasks: [{taskSpec: {steps: []}}, {taskRef: {apiVersion: a.dev/v1, kind: A}}, {taskSpec: {apiVersion: a.dev/v1, kind: A}}, {pipelineRef: {resolver: hub}}, {pipelineSpec: {tasks: [{taskSpec: {steps: []}}]}}], finally: [{taskRef: {name: a}}, '${X}']}",
                &[
                    "spec.tasks[0].taskSpec partialPodSpec",
                    "spec.tasks[3].pipelineRef reference reference",
                    "spec.tasks[4].pipelineSpec.tasks[0].taskSpec partialPodSpec",
                    "spec.finally[0].taskRef reference reference",
                    "spec.finally[1] partialPodSpec placeholder",
                ],
            ),
            (
                "v1",
                "PipelineRun",
                "{taskRunTemplate: '${X}', taskRunSpecs: '${X}', pipelineSpec: {tasks: [{name: a, taskSpec: {steps: []}}]}}",
                &["spec.pipelineSpec.tasks[0].taskSpec partialPodSpec placeholder,placeholder"],
            ),
            (
                "v1",
                "PipelineRun",
                "{taskRunSpecs: [{pipelineTaskName: '${X}', podTemplate: {}}], pipelineSpec: {tasks: [{name: a, taskSpec: {steps: []}}]}}",
                &["spec.pipelineSpec.tasks[0].taskSpec partialPodSpec placeholder"],
            ),
            ("v1", "StepAction", "{image: a}", &["spec container"]),
        ] {
            let text = format!("{{apiVersion: tekton.dev/{version}, kind: {kind}, spec: {spec}}}");
            assert_eq!(found(&text), expected, "{spec}");
        }
    }

    #[test]
    fn a_pod_is_put_together_as_tekton_does() {
        let run = "podTemplate: {hostNetwork: true, securityContext: {runAsUser: 1}, volumes: [{name: a}, {name: b}]}";
        let own = "odTemplate: {hostNetwork: false, securityContext: {fsGroup: 2}, volumes: [{name: b, emptyDir: {}}]}";
        let pipeline = "pipelineSpec: {tasks: [{name: t, taskSpec: {steps: [{image: a}]}}]}";
        let replaced = r#"{"spec":{"hostNetwork":true,"securityContext":{"fsGroup":2},"volumes":[{"name":"b","emptyDir":{}},{"name":"a"}],"containers":[{"image":"a"}]}}"#;
        for (version, kind, spec, expected) in [
            (
                "v1",
                "Task",
                "{stepTemplate: {image: a, securityContext: {runAsUser: 1}}, steps: [{securityContext: {privileged: true}, computeResources: {}}], sidecars: [{image: b}]}".to_owned(),
                r#"{"spec":{"containers":[{"image":"a","securityContext":{"runAsUser":1,"privileged":true},"resources":{}},{"image":"b"}]}}"#,
            ),
            (
                "v1",
                "PipelineRun",
                format!("{{taskRunTemplate: {{{run}}}, taskRunSpecs: [{{pipelineTaskName: t, p{own}}}], {pipeline}}}"),
                replaced,
            ),
            (
                "v1beta1",
                "PipelineRun",
                format!("{{{run}, taskRunSpecs: [{{pipelineTaskName: t, taskP{own}}}], {pipeline}}}"),
                replaced,
            ),
            // Of another version than this.
            ("v1", "PipelineRun", format!("{{{run}, {pipeline}}}"), r#"{"spec":{"containers":[{"image":"a"}]}}"#),
            (
                "v1",
                "TaskRun",
                format!("{{{run}, taskRef: {{name: a}}}}"),
                r#"{"spec":{"hostNetwork":true,"securityContext":{"runAsUser":1},"volumes":[{"name":"a"},{"name":"b"}]}}"#,
            ),
        ] {
            let text = format!("{{apiVersion: tekton.dev/{version}, kind: {kind}, spec: {spec}}}");
            assert_eq!(pods(&text), [expected], "{spec}");
        }
    }
}
