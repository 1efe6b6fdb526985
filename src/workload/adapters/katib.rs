//! Katib: an Experiment makes trials of an object of any kind, or of a text in a ConfigMap, and may bring a container that
//! collects their metrics.

use crate::path::Path;
use crate::workload::kind::{Adapter, Object};
use crate::workload::template::{Part, Shape, Template};

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
        let path = Path::from_dotted("spec.trialTemplate.configMap");
        let name = reference.text_of("configMapName");
        found.push(Template::reference(object.node, path, "ConfigMap", name));
    }
    let collector = "spec.metricsCollectorSpec.collector.customCollector";
    found.extend(object.find(collector, Shape::Container, Part::WithoutPodLevel));
    found
}
