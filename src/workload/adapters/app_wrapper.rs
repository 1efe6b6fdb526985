//! AppWrapper (CodeFlare): objects of any kind. Of a kind that is not known, `podSets` says where its pods are.

use crate::path::Path;
use crate::workload::kind::{Adapter, Object};
use crate::workload::pattern::{Match, matches};
use crate::workload::template::{Shape, Template};
use crate::yaml::{Node, Value};

/// `spec.components[].template`, and where `podSets` says.
pub(in crate::workload) const APP_WRAPPER: Adapter =
    Adapter { find, places: &[("spec.components[].template", Shape::Object)] };

fn find<'d>(object: &Object<'d>) -> Vec<Template<'d>> {
    let of_component = |found| match found {
        Match::Value(path, component) => of_component(object, &path, component),
        Match::Unreadable(path, node) => vec![object.unreadable(path, node, Shape::Object, "a list")],
    };
    matches(object.node, "spec.components[]").into_iter().flat_map(of_component).collect()
}

fn of_component<'d>(object: &Object<'d>, path: &Path<'d>, component: &'d Node) -> Vec<Template<'d>> {
    if !matches!(component.value, Value::Mapping(_)) {
        return vec![object.unreadable(path.clone(), component, Shape::Object, "an object")];
    }
    let Some(template) = component.get("template") else { return Vec::new() };
    let pod_sets = component.items_at("podSets");
    if pod_sets.is_empty() || object.knows(template) {
        return object.embedded(&path.clone().key("template"), template);
    }
    let paths = pod_sets.iter().filter_map(|pod_set| pod_set.get("path")?.as_text());
    let found = paths.flat_map(|pattern| matches(component, pattern));
    let pods: Vec<Template<'d>> = found
        .map(|found| match found {
            Match::Value(at, node) => object.template_at(path.join(&at), node),
            Match::Unreadable(at, node) => {
                object.unreadable(path.join(&at), node, Shape::PodTemplate, "an object")
            }
        })
        .collect();
    if pods.is_empty() { object.embedded(&path.clone().key("template"), template) } else { pods }
}
