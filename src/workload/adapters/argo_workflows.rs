//! Argo Workflows: where a workflow has templates, beside each other and in each other's steps, and what else it holds that
//! makes pods.

use std::borrow::Cow;

use crate::path::Path;
use crate::workload::adapters::argo_patch::patch_of;
use crate::workload::adapters::argo_pod::Level;
use crate::workload::adapters::argo_references::template_elsewhere;
use crate::workload::adapters::argo_template::{each, own};
use crate::workload::find::fault_of;
use crate::workload::kind::{Adapter, Object};
use crate::workload::merge::merge_typed;
use crate::workload::pattern::{Match, matches};
use crate::workload::template::{Part, Shape, Template};
use crate::workload::unresolved::UnresolvedReason;
use crate::yaml::{self, Node, Value};

/// A workflow at `spec`.
pub(in crate::workload) const WORKFLOW: Adapter = Adapter {
    find: |object| at(object, "spec"),
    places: &[
        ("spec.templates[]", Shape::PartialPodSpec),
        ("spec.templates[].steps[][].inline", Shape::PartialPodSpec),
        ("spec.templates[].steps[][].templateRef", Shape::Reference),
        ("spec.templates[].dag.tasks[].inline", Shape::PartialPodSpec),
        ("spec.templates[].dag.tasks[].templateRef", Shape::Reference),
        ("spec.templates[].resource.manifest", Shape::Object),
        ("spec.executorPlugins[].spec.sidecar.container", Shape::Container),
        ("spec.artifactGC.podSpecPatch", Shape::Patch),
        ("spec.workflowTemplateRef", Shape::Reference),
    ],
};

/// A workflow at `spec.workflowSpec`.
pub(in crate::workload) const CRON_WORKFLOW: Adapter = Adapter {
    find: |object| at(object, "spec.workflowSpec"),
    places: &[
        ("spec.workflowSpec.templates[]", Shape::PartialPodSpec),
        ("spec.workflowSpec.templates[].steps[][].inline", Shape::PartialPodSpec),
        ("spec.workflowSpec.templates[].steps[][].templateRef", Shape::Reference),
        ("spec.workflowSpec.templates[].dag.tasks[].inline", Shape::PartialPodSpec),
        ("spec.workflowSpec.templates[].dag.tasks[].templateRef", Shape::Reference),
        ("spec.workflowSpec.templates[].resource.manifest", Shape::Object),
        ("spec.workflowSpec.executorPlugins[].spec.sidecar.container", Shape::Container),
        ("spec.workflowSpec.artifactGC.podSpecPatch", Shape::Patch),
        ("spec.workflowSpec.workflowTemplateRef", Shape::Reference),
    ],
};

/// Templates that a controller hands to Argo's agent.
pub(in crate::workload) const WORKFLOW_TASK_SET: Adapter =
    Adapter { find: task_set, places: &[("spec.tasks.*", Shape::PartialPodSpec)] };

/// A workflow at `spec.workflow.spec`, perhaps as a text: of Kubeflow Pipelines.
pub(in crate::workload) const SCHEDULED_WORKFLOW: Adapter =
    Adapter { find: scheduled, places: &[("spec.workflow.spec.templates[]", Shape::PartialPodSpec)] };

fn at<'d>(object: &Object<'d>, path: &'static str) -> Vec<Template<'d>> {
    let of_match = |found| match found {
        Match::Value(path, spec) => workflow(object, &path, spec),
        Match::Unreadable(path, node) => {
            vec![object.unreadable(path, node, Shape::PartialPodSpec, "an object")]
        }
    };
    matches(object.node, path).into_iter().flat_map(of_match).collect()
}

fn task_set<'d>(object: &Object<'d>) -> Vec<Template<'d>> {
    let level = Level::none(object);
    each(&level, (&Path::root(), object.node), "spec.tasks.*", &mut template)
}

fn scheduled<'d>(object: &Object<'d>) -> Vec<Template<'d>> {
    let path = Path::from_dotted("spec.workflow.spec");
    let Some(Value::String(text)) = object.get("spec.workflow.spec").map(|spec| &spec.value) else {
        return at(object, "spec.workflow.spec");
    };
    let located = object.node.locate(&path).node;
    if let Some(unresolved) = object.unread_text(&path, text) {
        return vec![Template::unjudged(path, Shape::PartialPodSpec, unresolved)];
    }
    let mut documents = yaml::read(text);
    match documents.pop().filter(|_| documents.is_empty()) {
        Some(Ok(document)) => {
            let node = document.root.moved_to(located.span);
            let inner = Object { node: &node, ..*object };
            let found = workflow(&inner, &Path::root(), &node);
            found
                .into_iter()
                .map(|template| template.into_owned().knowing(object.references).within(&path))
                .collect()
        }
        Some(Err(error)) => {
            let text = format!("{path} cannot be read as a workflow: {}", fault_of(&error));
            let unresolved = object.unresolved(&path, UnresolvedReason::Unparsable, text);
            vec![Template::unjudged(path, Shape::PartialPodSpec, unresolved)]
        }
        None => vec![object.unreadable(path, located, Shape::PartialPodSpec, "a workflow")],
    }
}

/// All that a workflow holds.
fn workflow<'d>(object: &Object<'d>, path: &Path<'d>, spec: &'d Node) -> Vec<Template<'d>> {
    let level = Level::of(object, path.clone(), spec);
    let mut found = each(&level, (path, spec), "templates[]", &mut template);
    found.extend(each(&level, (path, spec), "hooks.*", &mut reference));
    found.extend(each(
        &level,
        (path, spec),
        "executorPlugins[].spec.sidecar.container",
        &mut |_, at, node| vec![object.container(at, node, Part::WithoutPodLevel)],
    ));
    found.extend(each(&level, (path, spec), "artifactGC", &mut artifact_removal));
    if let Some(reference) = spec.get("workflowTemplateRef") {
        found.extend(of_other_workflow(&level, path.clone().key("workflowTemplateRef"), (spec, reference)));
    }
    found
}

/// A template: its own pod, the object that it makes, and the templates in its steps.
fn template<'d>(level: &Level<'_, 'd>, path: Path<'d>, node: &'d Node) -> Vec<Template<'d>> {
    let mut found = own(level, &path, node);
    for pattern in ["steps[][]", "dag.tasks[]"] {
        found.extend(each(level, (&path, node), pattern, &mut step));
    }
    found.extend(reference(level, path, node));
    found
}

fn step<'d>(level: &Level<'_, 'd>, path: Path<'d>, node: &'d Node) -> Vec<Template<'d>> {
    let mut found = each(level, (&path, node), "inline", &mut template);
    found.extend(each(level, (&path, node), "hooks.*", &mut reference));
    found.extend(reference(level, path, node));
    found
}

/// The template of another workflow that a step, a hook or a template names.
fn reference<'d>(level: &Level<'_, 'd>, path: Path<'d>, node: &'d Node) -> Vec<Template<'d>> {
    let Some(reference) = node.get("templateRef") else { return Vec::new() };
    template_elsewhere(level, &path.key("templateRef"), reference)
}

/// All templates of the workflow that this one is made of, with what is written here over what is written there.
fn of_other_workflow<'d>(
    level: &Level<'_, 'd>,
    path: Path<'d>,
    (spec, reference): (&Node, &Node),
) -> Vec<Template<'d>> {
    let Some(known) = level.referent(reference) else { return vec![level.reference(path, reference)] };
    let mut own = spec.clone();
    own.remove("templates");
    own.remove("workflowTemplateRef");
    let mut whole = known.clone();
    merge_typed(&mut whole, &own);
    let object: Object<'_> = *level.object;
    let made = of_templates(&object, &level.path, &whole);
    let made: Vec<Template<'d>> = made.into_iter().map(|made| adopted(level.object, &path, made)).collect();
    if made.is_empty() { vec![level.reference(path, reference)] } else { made }
}

fn of_templates<'n>(object: &Object<'n>, path: &Path<'n>, spec: &'n Node) -> Vec<Template<'n>> {
    let level = Level::of(object, path.clone(), spec);
    each(&level, (path, spec), "templates[]", &mut template)
}

/// A template that was made of a copy, as one of the object itself: its values know where they come from.
fn adopted<'d>(object: &Object<'d>, path: &Path<'d>, made: Template<'_>) -> Template<'d> {
    let Template { shape, part, pod, unresolved, .. } = made;
    let is_known = pod.is_some();
    let pod = pod.map_or_else(|| Node::object(object.node.span, []), Cow::into_owned);
    let adopted = object.merged_pod(path.clone(), shape, part, pod);
    let pod = adopted.pod.filter(|_| is_known);
    Template { pod, unresolved, ..adopted }
}

/// The pods that remove artifacts, of which a patch may be written.
fn artifact_removal<'d>(level: &Level<'_, 'd>, path: Path<'d>, node: &'d Node) -> Vec<Template<'d>> {
    let object = level.object;
    let patch = patch_of(object, &path, node);
    let path = path.key("podSpecPatch");
    let made = patch.map(|patch| match patch {
        Ok(spec) => object.merged(path, Shape::Patch, Part::Overlay, spec),
        Err(unresolved) => Template::unjudged(path, Shape::Patch, unresolved),
    });
    made.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use crate::workload::object::tests::found;

    #[test]
    fn all_that_makes_pods_is_found() {
        for (kind, spec, expected) in [
            (
                "Workflow",
                "{templates: [{container: {image: a}}, {steps: [[{template: a}, {inline: {script: {image: a}}}]]}, {suspend: {}}]}",
                &["spec.templates[0] partialPodSpec", "spec.templates[1].steps[0][1].inline partialPodSpec"]
                    [..],
            ),
            (
                "ClusterWorkflowTemplate",
                "{templates: [{dag: {tasks: [{templateRef: {name: a}}, '${X}', {inline: '${X}'}]}}, '${X}']}",
                &[
                    "spec.templates[0].dag.tasks[0].templateRef reference reference",
                    "spec.templates[0].dag.tasks[1] partialPodSpec placeholder",
                    "spec.templates[0].dag.tasks[2].inline partialPodSpec placeholder",
                    "spec.templates[1] partialPodSpec placeholder",
                ],
            ),
            (
                "WorkflowTemplate",
                "{templates: [{http: {}}, {data: {}}, {containerSet: {containers: [{image: a}]}}]}",
                &[
                    "spec.templates[0] partialPodSpec noContainers",
                    "spec.templates[1] partialPodSpec noContainers",
                    "spec.templates[2] partialPodSpec",
                ],
            ),
            (
                "CronWorkflow",
                "{workflowSpec: {workflowTemplateRef: {name: a}, hooks: {exit: {templateRef: {name: b}}}}}",
                &[
                    "spec.workflowSpec.hooks.exit.templateRef reference reference",
                    "spec.workflowSpec.workflowTemplateRef reference reference",
                ],
            ),
            (
                "Workflow",
                "{executorPlugins: [{spec: {sidecar: {container: {image: a}}}}], artifactGC: {podSpecPatch: 'a: 1'}}",
                &[
                    "spec.executorPlugins[0].spec.sidecar.container container",
                    "spec.artifactGC.podSpecPatch patch",
                ],
            ),
            ("WorkflowTaskSet", "{tasks: {a: {plugin: {}}}}", &["spec.tasks.a partialPodSpec noContainers"]),
            ("Workflow", "{entrypoint: a, templates: [{suspend: {}}]}", &["spec opaque noContainers"]),
            ("Workflow", "'${X}'", &["spec partialPodSpec placeholder"]),
        ] {
            let text = format!("{{apiVersion: argoproj.io/v1alpha1, kind: {kind}, spec: {spec}}}");
            assert_eq!(found(&text), expected, "{spec}");
        }
    }

    #[test]
    fn an_object_in_a_text_is_what_it_would_be_alone() {
        for (resource, expected) in [
            (
                "{action: create, manifest: '{apiVersion: batch/v1, kind: Job, spec: {template: {spec: {}}}}'}",
                "spec.templates[0].resource.manifest.spec.template podTemplate",
            ),
            ("{action: create, manifest: '{{x}}'}", "spec.templates[0].resource.manifest object unparsable"),
            ("{action: create, manifest: '${X}'}", "spec.templates[0].resource.manifest object placeholder"),
            ("{action: create, manifest: 5}", "spec.templates[0].resource.manifest object wrongType"),
            ("{manifestFrom: {}}", "spec.templates[0].resource.manifestFrom reference reference"),
            ("'${X}'", "spec.templates[0].resource partialPodSpec placeholder"),
        ] {
            let spec = format!("{{templates: [{{resource: {resource}}}]}}");
            let text = format!("{{apiVersion: argoproj.io/v1alpha1, kind: Workflow, spec: {spec}}}");
            assert_eq!(found(&text), [expected], "{resource}");
        }
    }

    #[test]
    fn a_scheduled_workflow_may_be_a_text() {
        for (spec, expected) in [
            ("{templates: [{container: {image: a}}]}", "spec.workflow.spec.templates[0] partialPodSpec"),
            (
                r#"'{"templates": [{"container": {"image": "a"}}]}'"#,
                "spec.workflow.spec.templates[0] partialPodSpec",
            ),
            ("'{\"templates\": ['", "spec.workflow.spec partialPodSpec unparsable"),
            ("'${X}'", "spec.workflow.spec partialPodSpec placeholder"),
            ("''", "spec.workflow.spec partialPodSpec wrongType"),
        ] {
            let text = format!(
                "{{apiVersion: kubeflow.org/v1beta1, kind: ScheduledWorkflow, spec: {{workflow: {{spec: {spec}}}}}}}"
            );
            assert_eq!(found(&text), [expected], "{spec}");
        }
    }
}
