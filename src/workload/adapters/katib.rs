//! Katib: an Experiment makes trials of an object of any kind, or of a text in a ConfigMap, and may bring a container that
//! collects their metrics.

use crate::path::Path;
use crate::text::Printable;
use crate::workload::kind::{Adapter, Object};
use crate::workload::template::{Part, Shape, Template};
use crate::workload::unresolved::UnresolvedReason;
use crate::yaml::Node;

/// `spec.trialTemplate`, and a collector of metrics, which goes into the pods of its trials.
pub(in crate::workload) const EXPERIMENT: Adapter = Adapter {
    find,
    places: &[
        ("spec.trialTemplate.trialSpec", Shape::Object),
        ("spec.trialTemplate.configMap", Shape::Reference),
        ("spec.metricsCollectorSpec.collector.customCollector", Shape::Container),
    ],
};

fn find<'d>(object: &Object<'d>) -> Vec<Template<'d>> {
    let mut found = object.find("spec.trialTemplate.trialSpec", Shape::Object, Part::Whole);
    if let Some(reference) = object.get("spec.trialTemplate.configMap") {
        found.extend(trials_of_text(object, reference));
    }
    let collector = "spec.metricsCollectorSpec.collector.customCollector";
    found.extend(object.find(collector, Shape::Container, Part::WithoutPodLevel));
    found
}

/// The pods of the trial that stands as a text in a ConfigMap, of any namespace.
fn trials_of_text<'d>(object: &Object<'d>, reference: &'d Node) -> Vec<Template<'d>> {
    const KIND: &str = "ConfigMap";
    let [name, namespace, key] =
        ["configMapName", "configMapNamespace", "templatePath"].map(|field| reference.text_of(field));
    let path = Path::from_dotted("spec.trialTemplate.configMap");
    let Some(known) = object.references.find("", KIND, namespace, name) else {
        return vec![Template::reference(object.node, path, KIND, name)];
    };
    let at = Path::from_dotted("data").key(key);
    match known.node.get_in(&["data", key]).filter(|text| text.as_text().is_some()) {
        Some(text) => object.pods_in_text(&path, (known, &at, text)),
        None => {
            let text = format!("{KIND} {} has no text at {}", Printable(name), Printable(&at.to_string()));
            let unresolved = object.unresolved(&path, UnresolvedReason::Unparsable, text).about(KIND, name);
            vec![Template::unjudged(path, Shape::Reference, unresolved)]
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::workload::object::tests::found;

    #[test]
    fn an_experiment_holds_an_object_or_names_a_text() {
        for (spec, expected) in [
            (
                "{trialTemplate: {trialSpec: {apiVersion: kubeflow.org/v1, kind: TFJob, spec: {tfReplicaSpecs: {Worker: {template: {}}}}}}}",
                &["spec.trialTemplate.trialSpec.spec.tfReplicaSpecs.Worker.template podTemplate"][..],
            ),
            (
                "{trialTemplate: {trialSpec: {apiVersion: '${X}', kind: TFJob}}}",
                &["spec.trialTemplate.trialSpec object placeholder"],
            ),
            (
                "{trialTemplate: {configMap: {configMapName: a}}, metricsCollectorSpec: {collector: {customCollector: {image: a}}}}",
                &[
                    "spec.trialTemplate.configMap reference reference",
                    "spec.metricsCollectorSpec.collector.customCollector container",
                ],
            ),
        ] {
            let text = format!("{{apiVersion: kubeflow.org/v1beta1, kind: Experiment, spec: {spec}}}");
            assert_eq!(found(&text), expected, "{spec}");
        }
        let text = "{apiVersion: config.kubeflow.org/v1beta1, kind: KatibConfig, runtime: {suggestions: [{image: a}]}}";
        assert_eq!(found(text), ["runtime.suggestions[0] container"]);
    }
}
