//! Which ServingRuntime an InferenceService runs on, of those that are known: the one that it names, or else the one that KServe
//! picks for its model format.

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

/// The runtime of a framework's container, if it is known and there is no doubt which it is.
pub(super) fn find<'d>(object: &Object<'d>, framework: &str, container: &Node) -> Option<&'d Referent> {
    let name = container.text_of("runtime");
    if !name.is_empty() {
        return KINDS.iter().find_map(|kind| object.referent(GROUP, kind, name));
    }
    let format = match framework {
        MODEL => container.get("modelFormat")?.text_of("name"),
        framework => framework,
    };
    KINDS.iter().find_map(|kind| best(object, kind, format))
}

/// The runtime of a kind with the highest priority for a format; none if there are two.
fn best<'d>(object: &Object<'d>, kind: &'static str, format: &str) -> Option<&'d Referent> {
    let mut found: Vec<(i128, &'d Referent)> = object
        .references
        .all(GROUP, kind, object.namespace)
        .filter_map(|runtime| Some((priority(&runtime.node, format)?, runtime)))
        .collect();
    found.sort_by_key(|(priority, _)| Reverse(*priority));
    match found.as_slice() {
        [(_, runtime)] => Some(runtime),
        [(first, runtime), (second, _), ..] if first > second => Some(runtime),
        _ => None,
    }
}

/// The priority of a runtime for a format; `None` if it is not picked for it.
fn priority(runtime: &Node, format: &str) -> Option<i128> {
    let spec = runtime.get("spec")?;
    if is_true(spec, "disabled") {
        return None;
    }
    let mut formats = spec.items_at("supportedModelFormats").iter();
    let supported = formats.find(|known| known.text_of("name") == format && is_true(known, "autoSelect"))?;
    match supported.get("priority").map(|priority| &priority.value) {
        Some(Value::Int(priority)) => Some(*priority),
        _ => Some(0),
    }
}

fn is_true(node: &Node, key: &str) -> bool {
    node.get(key).is_some_and(|node| node.value == Value::Bool(true))
}
