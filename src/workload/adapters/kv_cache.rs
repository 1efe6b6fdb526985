//! KVCache of aibrix: each of its parts is a pod template or, as most are written, an image with resources, of which the operator
//! makes the pod.

use crate::path::Path;
use crate::workload::kind::{Adapter, Object};
use crate::workload::pattern::{Match, matches};
use crate::workload::template::{Shape, Template};
use crate::workload::unresolved::UnresolvedReason;
use crate::yaml::{Node, Value};

/// The parts, each with an optional template.
const PARTS: [&str; 4] =
    ["spec.cache", "spec.watcher", "spec.metadata.redis.runtime", "spec.metadata.etcd.runtime"];

/// The templates of its parts.
pub(in crate::workload) const KV_CACHE: Adapter = Adapter {
    find: |object| PARTS.into_iter().filter_map(|pattern| part(object, pattern)).collect(),
    places: &[
        ("spec.cache.template", Shape::PodTemplate),
        ("spec.watcher.template", Shape::PodTemplate),
        ("spec.metadata.redis.runtime.template", Shape::PodTemplate),
        ("spec.metadata.etcd.runtime.template", Shape::PodTemplate),
    ],
};

fn part<'d>(object: &Object<'d>, pattern: &str) -> Option<Template<'d>> {
    Some(match matches(object.node, pattern).pop()? {
        Match::Value(path, node) if matches!(node.value, Value::Mapping(_)) => template(object, path, node),
        Match::Value(path, node) | Match::Unreadable(path, node) => {
            object.unreadable(path, node, Shape::PodTemplate, "an object")
        }
    })
}

fn template<'d>(object: &Object<'d>, path: Path<'d>, part: &'d Node) -> Template<'d> {
    match part.get("template") {
        Some(template) => object.template_at(path.key("template"), template),
        None => {
            let text = "the operator makes the pod of what is written here, and no template is";
            let unresolved = object.unresolved(&path, UnresolvedReason::Fragment, text);
            Template::unjudged(path, Shape::Container, unresolved)
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::workload::object::tests::found;

    #[test]
    fn each_part_is_a_template_or_open() {
        for (spec, expected) in [
            (
                "{cache: {template: {}}, watcher: {image: a}}",
                &["spec.cache.template podTemplate", "spec.watcher container fragment"][..],
            ),
            (
                "{metadata: {redis: {runtime: {template: '${X}'}}, etcd: {}}}",
                &["spec.metadata.redis.runtime.template podTemplate placeholder"],
            ),
            ("{cache: '${X}'}", &["spec.cache podTemplate placeholder"]),
            ("{mode: a}", &["spec opaque noContainers"]),
        ] {
            let text =
                format!("{{apiVersion: orchestration.aibrix.ai/v1alpha1, kind: KVCache, spec: {spec}}}");
            assert_eq!(found(&text), expected, "{spec}");
        }
    }
}
