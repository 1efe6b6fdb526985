//! KServe's LLMInferenceService: pod specs that are merged over those of the configurations that it names. KServe's own
//! configurations are under them, and which of them is for it to choose: so what is absent may be there.

use crate::path::Path;
use crate::text::Printable;
use crate::workload::kind::{Adapter, Object};
use crate::workload::merge::merge;
use crate::workload::references::Referent;
use crate::workload::template::{Part, Shape, Template};
use crate::workload::unresolved::{Unresolved, UnresolvedReason};

/// Where pod specs are, from `spec` on.
const PLACES: [&[&str]; 6] = [
    &["template"],
    &["worker"],
    &["prefill", "template"],
    &["prefill", "worker"],
    &["router", "scheduler", "template"],
    &["router", "scheduler", "tokenizer", "template"],
];
/// The group and kind of configurations.
const CONFIG: (&str, &str) = ("serving.kserve.io", "LLMInferenceServiceConfig");

/// The six pod specs, and the configurations.
pub(in crate::workload) const LLM_INFERENCE_SERVICE: Adapter = Adapter {
    find,
    places: &[
        ("spec.template", Shape::PodSpec),
        ("spec.worker", Shape::PodSpec),
        ("spec.prefill.template", Shape::PodSpec),
        ("spec.prefill.worker", Shape::PodSpec),
        ("spec.router.scheduler.template", Shape::PodSpec),
        ("spec.router.scheduler.tokenizer.template", Shape::PodSpec),
        ("spec.baseRefs[]", Shape::Reference),
    ],
};

fn find<'d>(object: &Object<'d>) -> Vec<Template<'d>> {
    let (configs, missing) = configurations(object);
    let mut found: Vec<Template<'d>> =
        PLACES.iter().flat_map(|place| at_place(object, place, &configs, &missing)).collect();
    if found.is_empty()
        && let Some(unresolved) = missing.first()
    {
        let path = Path::from_dotted("spec.baseRefs");
        found.push(Template::unjudged(path, Shape::Reference, unresolved.clone()));
    }
    found
}

/// The configurations that it names, in the order in which they are merged; and what is not known of them.
fn configurations<'d>(object: &Object<'d>) -> (Vec<&'d Referent>, Vec<Unresolved>) {
    let (mut known, mut missing) = (Vec::new(), Vec::new());
    let Some(references) = object.get("spec.baseRefs") else { return (known, missing) };
    let path = Path::from_dotted("spec.baseRefs");
    if !references.is_list() {
        missing.push(object.unreadable_value(&path, references, "a list"));
    }
    for (index, reference) in references.items().iter().enumerate() {
        let ((group, kind), name) = (CONFIG, reference.text_of("name"));
        match object.referent(group, kind, name) {
            Some(config) => known.push(config),
            None => {
                let text = format!("its pods come from {kind} {}", Printable(name));
                let path = path.clone().index(index);
                let missed = object.unresolved(&path, UnresolvedReason::Reference, text).about(kind, name);
                missing.push(object.elsewhere(missed, None));
            }
        }
    }
    (known, missing)
}

/// The pod spec at a place, merged over those of the configurations.
fn at_place<'d>(
    object: &Object<'d>,
    place: &[&'static str],
    configs: &[&'d Referent],
    missing: &[Unresolved],
) -> Vec<Template<'d>> {
    let pattern = format!("spec.{}", place.join("."));
    let own = object.find(&pattern, Shape::PodSpec, Part::Overlay);
    let of_config = |config: &&'d Referent| config.node.get("spec")?.get_in(place);
    let mut specs = configs.iter().filter_map(of_config);
    let with_missing = |mut template: Template<'d>| {
        template.unresolved.extend(missing.iter().cloned());
        template
    };
    let Some(mut merged) = specs.next().cloned() else {
        return own.into_iter().map(with_missing).collect();
    };
    specs.for_each(|spec| merge(&mut merged, spec));
    if let Some(node) = object.get(&pattern).filter(|node| node.is_object()) {
        merge(&mut merged, node);
    }
    let unreadable = own.into_iter().filter(|template| template.pod.is_none());
    let path = Path::from_keys(std::iter::once("spec").chain(place.iter().copied()));
    let template = with_missing(object.merged(path, Shape::PodSpec, Part::Overlay, merged));
    std::iter::once(template).chain(unreadable).collect()
}

#[cfg(test)]
mod tests {
    use crate::workload::object::tests::found;

    #[test]
    fn each_pod_spec_is_an_overlay() {
        for (spec, expected) in [
            ("{template: {containers: [{name: main}]}}", &["spec.template podSpec"][..]),
            ("{baseRefs: [{name: a}], prefill: {worker: {}}}", &["spec.prefill.worker podSpec reference"]),
            ("{baseRefs: [{name: a}]}", &["spec.baseRefs reference reference"]),
            ("{worker: '${X}'}", &["spec.worker podSpec placeholder"]),
            ("{model: {name: a}}", &["spec opaque noContainers"]),
        ] {
            let text = format!(
                "{{apiVersion: serving.kserve.io/v1alpha2, kind: LLMInferenceService, spec: {spec}}}"
            );
            assert_eq!(found(&text), expected, "{spec}");
        }
    }
}
