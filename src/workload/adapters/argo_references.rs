//! Argo's references: the templates of another workflow, which run as if they were this one's.

use std::borrow::Cow;

use crate::path::Path;
use crate::workload::adapters::argo_pod::Level;
use crate::workload::adapters::argo_workflows::{each, template};
use crate::workload::kind::Object;
use crate::workload::merge::merge_typed;
use crate::workload::pattern::{Match, matches};
use crate::workload::template::Template;
use crate::yaml::{Node, Value};

/// All templates of the workflow that this one is made of, with what is written here over what is written there.
pub(super) fn of_other_workflow<'d>(
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
    let level = Level::of(object, path.clone(), spec).elsewhere();
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

/// The template of another workflow that a step names, and those that its own steps name there.
pub(super) fn template_elsewhere<'d>(
    level: &Level<'_, 'd>,
    path: Path<'d>,
    reference: &'d Node,
) -> Vec<Template<'d>> {
    let spec = level.referent(reference).filter(|_| !level.is_elsewhere);
    let known = spec.map(|spec| reachable(spec, reference.text_of("template"))).unwrap_or_default();
    if known.is_empty() {
        return vec![level.reference(path, reference)];
    }
    let level = level.elsewhere();
    let found = known.into_iter().flat_map(|known| template(&level, path.clone(), known));
    found.map(|found| Template { path: path.clone(), ..found }).collect()
}

/// The template of a name and all that it leads to, each once.
fn reachable<'d>(spec: &'d Node, name: &'d str) -> Vec<&'d Node> {
    let (mut names, mut found) = (vec![name], Vec::new());
    let mut at = 0;
    while let Some(name) = names.get(at).copied() {
        at += 1;
        let named = spec.items_at("templates").iter().find(|template| template.text_of("name") == name);
        let Some(template) = named.filter(|template| matches!(template.value, Value::Mapping(_))) else {
            continue;
        };
        found.push(template);
        for step in ["steps[][]", "dag.tasks[]"].into_iter().flat_map(|pattern| matches(template, pattern)) {
            let (Match::Value(_, step) | Match::Unreadable(_, step)) = step;
            let next = step.text_of("template");
            if !next.is_empty() && !names.contains(&next) {
                names.push(next);
            }
        }
    }
    found
}
