//! How Tekton makes the pod of a task: its step template under the steps, and the pod template of the run around them, which
//! the run may replace for single tasks.

use crate::path::Path;
use crate::workload::kind::Object;
use crate::workload::merge::merge_typed;
use crate::workload::object::give_image;
use crate::workload::placeholder::has_placeholder;
use crate::workload::template::{Part, Shape, Template};
use crate::workload::unresolved::{Unresolved, UnresolvedReason};
use crate::yaml::{Node, Value};

/// What the run of a task brings to its pod.
#[derive(Debug, Clone, Default)]
pub(super) struct Run {
    /// The pod template, if there is one.
    pub(super) template: Option<Node>,
    /// What of it is not known.
    unresolved: Vec<Unresolved>,
    /// The pod templates of single tasks: name, and what is written.
    of_tasks: Vec<(Option<String>, Node)>,
    /// Whether it is about a pipeline that is elsewhere: what that refers to is not followed, and may be in a circle.
    is_elsewhere: bool,
}

impl Run {
    /// That of a TaskRun or a PipelineRun whose pod template stands at a path.
    pub(super) fn of(object: &Object<'_>, dotted: &'static str) -> Self {
        let mut run = Self::default();
        if let Some(template) = object.get(dotted) {
            run.take(object, &Path::from_dotted(dotted), template);
        }
        // What stands above it may not be known either.
        let above = dotted.rsplit_once('.').map_or("", |(above, _)| above);
        if let Some(node) = object.get(above).filter(|node| !node.is_object()) {
            run.unresolved.push(object.unreadable_value(&Path::from_dotted(above), node, "an object"));
        }
        run
    }

    /// Also what is written for single tasks, each with its pod template at a key.
    #[must_use]
    pub(super) fn with_tasks(mut self, object: &Object<'_>, key: &str) -> Self {
        let path = Path::from_dotted("spec");
        let Some(spec) = object.get("spec") else { return self };
        let items = object.list((&path, spec), "taskRunSpecs", &mut self.unresolved);
        let path = path.key("taskRunSpecs");
        for (index, item) in items.iter().enumerate() {
            let path = path.clone().index(index);
            match (&item.value, item.get(key)) {
                (Value::Null, _) => {}
                (Value::Mapping(_), Some(template)) if template.is_object() => {
                    self.of_tasks.push((known_text(item.get("pipelineTaskName")), template.clone()));
                }
                (Value::Mapping(_), None) => {}
                (Value::Mapping(_), Some(template)) => {
                    let path = path.key(key.to_owned());
                    self.unresolved.push(object.unreadable_value(&path, template, "an object"));
                }
                _ => self.unresolved.push(object.unreadable_value(&path, item, "an object")),
            }
        }
        self
    }

    /// The same for a pipeline that is elsewhere.
    pub(super) fn deeper(&self) -> Self {
        Self { is_elsewhere: true, ..self.clone() }
    }

    /// Whether pipelines that are elsewhere are looked for.
    pub(super) fn follows(&self) -> bool {
        !self.is_elsewhere
    }

    fn take(&mut self, object: &Object<'_>, path: &Path<'_>, template: &Node) {
        if template.is_object() {
            self.template = Some(template.clone());
        } else {
            self.unresolved.push(object.unreadable_value(path, template, "an object"));
        }
    }

    /// What it brings to one task of its pipeline.
    pub(super) fn of_task(&self, object: &Object<'_>, path: &Path<'_>, task: &Node) -> Self {
        let name = known_text(task.get("name"));
        let mut run = Self { of_tasks: Vec::new(), ..self.clone() };
        let own = self.of_tasks.iter().find(|(of, _)| of.is_some() && *of == name);
        if let Some((_, own)) = own {
            run.template = Some(match &self.template {
                Some(template) => replaced(template, own),
                None => own.clone(),
            });
        } else if name.is_none() && !self.of_tasks.is_empty()
            || self.of_tasks.iter().any(|(of, _)| of.is_none())
        {
            let text = format!("it is not known which of spec.taskRunSpecs is meant for {path}");
            let unknown = object.unresolved(&path.clone().key("name"), UnresolvedReason::Placeholder, text);
            run.unresolved.push(unknown);
        }
        run
    }

    /// The fields of the pod that it brings.
    pub(super) fn spec(&self, task: &Node) -> Node {
        let fields = self.template.iter().flat_map(Node::entries);
        let fields = fields.filter(|field| field.key != "env" && field.value.value != Value::Null);
        Node::object(task.span, fields.map(|field| (field.key.as_str(), field.value.clone())))
    }

    /// The pod of a task. What stands around it in a run is judged with it; a task alone has no place for that.
    pub(super) fn pod<'d>(
        &self,
        object: &Object<'d>,
        (path, task): (Path<'d>, &'d Node),
        part: Part,
    ) -> Template<'d> {
        if !task.is_object() {
            return object.unreadable(path, task, Shape::PartialPodSpec, "an object");
        }
        if let Some(none) = object.without_room(&path, Shape::PartialPodSpec) {
            return none;
        }
        let mut unresolved = self.unresolved.clone();
        // What the run brings is not known: that is all that can be at the level of the pod.
        let mut part = if unresolved.is_empty() { part } else { Part::WithoutPodLevel };
        let mut spec = self.spec(task);
        if let Some(volumes) = task.get("volumes") {
            merge_typed(&mut spec, &Node::object(task.span, [("volumes", volumes.clone())]));
        }
        let step_template = task.get("stepTemplate");
        let known = step_template.filter(|template| template.is_object());
        if let (Some(template), None) = (step_template, known) {
            let path = path.clone().key("stepTemplate");
            unresolved.push(object.unreadable_value(&path, template, "an object"));
            part = Part::Overlay;
        }
        let mut containers = Vec::new();
        for (index, step) in object.list((&path, task), "steps", &mut unresolved).iter().enumerate() {
            let at = path.clone().key("steps").index(index);
            let elsewhere = step.get("ref");
            let action = elsewhere.and_then(|reference| referent(object, "StepAction", reference));
            if let (Some(reference), None) = (elsewhere, action) {
                part = Part::Overlay;
                unresolved.push(step_action(object, &at.key("ref"), reference));
            }
            if known.is_some_and(|template| !object.budget.take_for(template)) {
                // The steps before had too much in common.
                return object.too_large(path.clone(), Shape::PartialPodSpec);
            }
            let container = of_step(known, step);
            containers.push(match action {
                Some(action) => of_step(Some(&container), action),
                None => container,
            });
        }
        let sidecars = object.list((&path, task), "sidecars", &mut unresolved);
        containers.extend(sidecars.iter().map(|sidecar| of_step(None, sidecar)));
        if !containers.is_empty() {
            spec.set("containers", Node::list(task.span, containers));
        }
        let steps = path.clone().key("steps");
        let mut made = object.merged(path, Shape::PartialPodSpec, part, spec);
        made.places.would_be(Path::from_dotted("spec.containers"), steps);
        Template { unresolved, ..made }
    }
}

/// A text that is there and has no placeholder.
fn known_text(node: Option<&Node>) -> Option<String> {
    node?.as_text().filter(|text| !has_placeholder(text)).map(str::to_owned)
}

/// The pod template of a run with that of one of its tasks: each field replaced, but volumes are added by name, and the
/// network of the host stays.
fn replaced(template: &Node, own: &Node) -> Node {
    let mut all = template.clone();
    for entry in own.entries().iter().filter(|entry| entry.value.value != Value::Null) {
        match (entry.key.as_str(), template.get(&entry.key).map(|known| &known.value), &entry.value.value) {
            ("volumes", Some(Value::Sequence(known)), Value::Sequence(volumes)) => {
                let is_replaced =
                    |known: &&Node| volumes.iter().any(|own| own.text_of("name") == known.text_of("name"));
                let kept = known.iter().filter(|known| !is_replaced(known));
                let items = volumes.iter().chain(kept).cloned().collect();
                all.set("volumes", Node::list(entry.value.span, items));
            }
            // What is no list stays, to be told: whatever it stands for is added.
            ("volumes", Some(_), _) => {}
            ("hostNetwork", Some(_), Value::Bool(false)) => {}
            (key, _, _) => all.set(key, entry.value.clone()),
        }
    }
    all
}

/// A step or a sidecar as a container.
fn of_step(template: Option<&Node>, step: &Node) -> Node {
    let mut container = match (template, &step.value) {
        (Some(template), Value::Mapping(_)) => {
            let mut container = template.clone();
            merge_typed(&mut container, step);
            Node { span: step.span, alias: step.alias, ..container }
        }
        _ => step.clone(),
    };
    // As v1 calls it.
    if let Some(resources) = container.remove("computeResources") {
        container.set("resources", resources);
    }
    if step.get("ref").is_some() {
        give_image(&mut container);
    }
    container
}

fn step_action(object: &Object<'_>, path: &Path<'_>, reference: &Node) -> Unresolved {
    let name = name_of(reference);
    let text = match name {
        "" => "a step comes from a StepAction".to_owned(),
        name => format!("a step comes from StepAction {name}"),
    };
    let missing = object.unresolved(path, UnresolvedReason::Reference, text).about("StepAction", name);
    if is_fetched(reference) { missing } else { object.elsewhere(missing, Some("spec")) }
}

/// Whether a resolver fetches what a reference means.
pub(super) fn is_fetched(reference: &Node) -> bool {
    ["resolver", "bundle"].iter().any(|key| reference.get(key).is_some())
}

/// The spec of what a reference means, if that is known. What a resolver fetches is not.
pub(super) fn referent<'d>(object: &Object<'d>, kind: &str, reference: &Node) -> Option<&'d Node> {
    if is_fetched(reference) {
        return None;
    }
    let spec = object.referent("tekton.dev", kind, reference.text_of("name"))?.node.get("spec")?;
    Some(spec).filter(|spec| spec.is_object())
}

/// The name of what a reference means: its own or, of one that a resolver finds, the parameter of that name.
pub(super) fn name_of(reference: &Node) -> &str {
    let own = reference.text_of("name");
    if !own.is_empty() {
        return own;
    }
    let named = reference.items_at("params").iter().find(|parameter| parameter.text_of("name") == "name");
    named.map(|parameter| parameter.text_of("value")).unwrap_or_default()
}
