//! Which ServingRuntime an InferenceService runs on, of those that are known: the one that it names, or else the one that KServe
//! picks for its model. What KServe asks of it was read in the source of `GetSupportingRuntimes`.

use std::cmp::Reverse;

use crate::workload::kind::Object;
use crate::workload::references::Referent;
use crate::yaml::{Node, Value};

/// The group of the runtimes.
const GROUP: &str = "serving.kserve.io";
/// Their kinds: those of the namespace go first.
const KINDS: [&str; 2] = ["ServingRuntime", "ClusterServingRuntime"];
/// The key of a component that does not name its own format.
const MODEL: &str = "model";
/// Keys whose protocol is the second where none is said.
const OF_SECOND_PROTOCOL: [&str; 3] = ["triton", "onnx", "huggingface"];
/// The same of the formats of models.
const FORMATS_OF_SECOND_PROTOCOL: [&str; 2] = ["triton", "vllm"];

/// What a runtime is picked for.
struct Model<'n> {
    format: &'n str,
    /// Empty if any will do.
    version: &'n str,
    protocol: &'n str,
    has_workers: bool,
}

/// The runtime of the container under a key of a component, if it is known and there is no doubt which it is.
pub(super) fn find<'d>(
    object: &Object<'d>,
    component: &Node,
    (key, container): (&str, &Node),
) -> Option<&'d Referent> {
    if is_of_model_mesh(object.node) {
        return None;
    }
    let name = container.text_of("runtime");
    let model = Model::of(component, (key, container));
    KINDS.iter().find_map(|kind| {
        let known = object.references.all(GROUP, kind, object.namespace);
        let picked: Vec<&'d Referent> = known
            .filter(
                |runtime| if name.is_empty() { model.runs_on(&runtime.node) } else { runtime.name == name },
            )
            .collect();
        // Any of the namespace goes before all of the cluster, even where nobody can tell which of them it is.
        (!picked.is_empty()).then(|| {
            let best = best(picked, model.format)?;
            object.referent(GROUP, kind, &best.name)
        })
    })?
}

/// The one with the highest priority for a format; none if there are two.
fn best<'d>(mut runtimes: Vec<&'d Referent>, format: &str) -> Option<&'d Referent> {
    runtimes.sort_by_key(|runtime| Reverse(priority(&runtime.node, format)));
    match runtimes.as_slice() {
        [runtime] => Some(runtime),
        [runtime, next, ..] if priority(&runtime.node, format) > priority(&next.node, format) => {
            Some(runtime)
        }
        _ => None,
    }
}

/// The priority of a runtime for a format: one that says none goes last.
fn priority(runtime: &Node, format: &str) -> Option<i128> {
    let formats = runtime.get("spec")?.items_at("supportedModelFormats");
    let first = formats.iter().find(|known| known.text_of("name") == format)?;
    let Value::Int(priority) = first.get("priority")?.value else { return None };
    Some(priority)
}

impl<'n> Model<'n> {
    fn of(component: &Node, (key, container): (&'n str, &'n Node)) -> Self {
        let of_format =
            |key| container.get("modelFormat").map(|format| format.text_of(key)).unwrap_or_default();
        let (format, version) =
            if key == MODEL { (of_format("name"), of_format("version")) } else { (key, "") };
        let is_second = OF_SECOND_PROTOCOL.contains(&key) || FORMATS_OF_SECOND_PROTOCOL.contains(&format);
        let protocol = match container.text_of("protocolVersion") {
            "" if is_second => "v2",
            "" => "v1",
            protocol => protocol,
        };
        Self { format, version, protocol, has_workers: component.get("workerSpec").is_some() }
    }

    /// Whether KServe would pick a runtime for it, if there were no other.
    fn runs_on(&self, runtime: &Node) -> bool {
        let Some(spec) = runtime.get("spec") else { return false };
        let protocols = spec.items_at("protocolVersions");
        let has_protocol =
            protocols.is_empty() || protocols.iter().any(|known| known.as_text() == Some(self.protocol));
        let mut formats = spec.items_at("supportedModelFormats").iter();
        let has_format = formats.any(|known| {
            let has_version = self.version.is_empty() || known.text_of("version") == self.version;
            known.text_of("name") == self.format && has_version && is_true(known, "autoSelect")
        });
        let is_for_one = !is_true(spec, "disabled") && !is_true(spec, "multiModel");
        is_for_one && has_protocol && has_format && spec.get("workerSpec").is_some() == self.has_workers
    }
}

/// Whether its models are loaded by pods that run already, and it has none of its own.
fn is_of_model_mesh(object: &Node) -> bool {
    object
        .get_in(&["metadata", "annotations"])
        .is_some_and(|annotations| annotations.text_of("serving.kserve.io/deploymentMode") == "ModelMesh")
}

fn is_true(node: &Node, key: &str) -> bool {
    node.get(key).is_some_and(|node| node.value == Value::Bool(true))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workload::copy_budget::CopyBudget;
    use crate::workload::kind::Kinds;
    use crate::workload::references::References;
    use crate::yaml;

    /// Runtimes: their kind, name and spec.
    const RUNTIMES: [(&str, &str, &str); 11] = [
        (
            "ClusterServingRuntime",
            "low",
            "{supportedModelFormats: [{name: a, autoSelect: true, priority: 1}]}",
        ),
        (
            "ClusterServingRuntime",
            "high",
            "{protocolVersions: [v1, v2], supportedModelFormats: [{name: a, version: '2', autoSelect: true, priority: 2}]}",
        ),
        (
            "ClusterServingRuntime",
            "second",
            "{protocolVersions: [v2], supportedModelFormats: [{name: a, autoSelect: true, priority: 3}, {name: onnx, autoSelect: \
             true, priority: 1}]}",
        ),
        ("ClusterServingRuntime", "silent", "{supportedModelFormats: [{name: onnx, autoSelect: true}]}"),
        (
            "ClusterServingRuntime",
            "workers",
            "{workerSpec: {}, supportedModelFormats: [{name: a, autoSelect: true, priority: 1}]}",
        ),
        (
            "ClusterServingRuntime",
            "many",
            "{multiModel: true, supportedModelFormats: [{name: b, autoSelect: true}]}",
        ),
        (
            "ClusterServingRuntime",
            "off",
            "{disabled: true, supportedModelFormats: [{name: b, autoSelect: true}]}",
        ),
        ("ClusterServingRuntime", "named", "{supportedModelFormats: [{name: b}]}"),
        ("ServingRuntime", "one", "{supportedModelFormats: [{name: c, autoSelect: true}]}"),
        ("ServingRuntime", "other", "{supportedModelFormats: [{name: c, autoSelect: true}]}"),
        ("ClusterServingRuntime", "cluster", "{supportedModelFormats: [{name: c, autoSelect: true}]}"),
    ];

    fn picked(service: &str) -> String {
        let mut references = References::default();
        let twice =
            [("x", "{disabled: true}"), ("x", "{supportedModelFormats: [{name: d, autoSelect: true}]}")];
        let twice = twice.map(|(name, spec)| ("ClusterServingRuntime", name, spec));
        for (kind, name, spec) in RUNTIMES.into_iter().chain(twice) {
            let node = yaml::read(&format!("spec: {spec}")).remove(0).expect(spec).root;
            let (api_version, kind) = ("serving.kserve.io/v1alpha1".to_owned(), kind.to_owned());
            let (file, namespace) = ("a.yaml".to_owned(), "ml".to_owned());
            references.add(Referent { file, api_version, kind, namespace, name: name.to_owned(), node });
        }
        let node = yaml::read(service).remove(0).expect(service).root;
        let (api_version, kind, kinds) = ("serving.kserve.io/v1beta1", "InferenceService", Kinds::default());
        let object = Object {
            node: &node,
            api_version,
            kind,
            kinds: &kinds,
            namespace: "ml",
            references: &references,
            budget: &CopyBudget::of(usize::MAX),
        };
        let component = node.get("spec").expect("a component");
        let key =
            ["model", "onnx"].into_iter().find(|key| component.get(key).is_some()).expect("a container");
        let container = component.get(key).expect("a container");
        find(&object, component, (key, container)).map(|runtime| runtime.name.clone()).unwrap_or_default()
    }

    #[test]
    fn the_runtime_is_the_one_that_kserve_picks() {
        for (spec, expected) in [
            ("{model: {modelFormat: {name: a}}}", "high"),
            ("{model: {modelFormat: {name: a, version: '2'}}}", "high"),
            ("{model: {modelFormat: {name: a, version: '3'}}}", ""),
            ("{model: {modelFormat: {name: a}, protocolVersion: v2}}", "second"),
            ("{model: {modelFormat: {name: a}, protocolVersion: v3}}", "low"),
            ("{workerSpec: {}, model: {modelFormat: {name: a}}}", "workers"),
            // Its protocol is the second; a runtime without a priority goes last.
            ("{onnx: {}}", "second"),
            ("{onnx: {protocolVersion: v1}}", "silent"),
            ("{model: {modelFormat: {name: onnx}}}", "silent"),
            ("{model: {modelFormat: {name: b}}}", ""),
            ("{model: {modelFormat: {name: b}, runtime: named}}", "named"),
            ("{model: {modelFormat: {name: b}, runtime: none}}", ""),
            // Two of the namespace, which goes first; and one of which nobody knows what it is.
            ("{model: {modelFormat: {name: c}}}", ""),
            ("{model: {modelFormat: {name: c}, runtime: cluster}}", "cluster"),
            ("{model: {modelFormat: {name: d}}}", ""),
            ("{model: {modelFormat: {name: d}, runtime: x}}", ""),
            ("{model: {modelFormat: {name: '{{a}}'}}}", ""),
        ] {
            assert_eq!(picked(&format!("spec: {spec}")), expected, "{spec}");
        }
        let mesh = "{metadata: {annotations: {serving.kserve.io/deploymentMode: ModelMesh}}, spec: {model: {runtime: low}}}";
        assert_eq!(picked(mesh), "");
    }
}
