//! What our model keeps as text, for the few rules that look into it, against `k8s_openapi`'s reading of the same fields.

use k8s_openapi::api::core::v1 as k8s;
use podgate::finding::{FieldPath, Subject};
use podgate::pod::{Pod, Spec, VolumeSource};
use serde::Serialize;
use serde_json::Value as Json;

use super::Facts;

/// The sources of volumes that some rule looks into, with the members that it reads.
const SOURCES: [(VolumeSource, &[&str]); 5] = [
    (VolumeSource::CSI, &["driver"]),
    (VolumeSource::EMPTY_DIR, &["medium", "sizeLimit"]),
    (VolumeSource::FLEX_VOLUME, &["driver"]),
    (VolumeSource::IMAGE, &["reference"]),
    (VolumeSource::PROJECTED, &["sources"]),
];

/// The members of `resources` that are read.
const RESOURCES: &[&str] = &["limits", "requests"];

pub(super) fn of_ours(pod: &Pod<'_>, facts: &mut Facts) {
    our_placement(&pod.spec, facts);
    add(facts, "spec.resources", &parsed(pod.spec.resources), RESOURCES);
    for (index, volume) in pod.spec.volumes.iter().enumerate() {
        for (source, members) in SOURCES {
            let at = format!("spec.volumes[{index}].{}", source.name());
            add(facts, &at, &parsed(volume.source(source).unwrap()), members);
        }
    }
    for (container_at, container) in pod.containers() {
        let at = Subject::Container(container_at).join(&FieldPath::default()).to_string();
        add(facts, &format!("{at}.resources"), &parsed(container.resources), RESOURCES);
        add_value(facts, &format!("{at}.envFrom"), parsed(container.env_from()));
        let read = container.for_each_variable(|index, variable| {
            facts.add(format!("{at}.env[{index}].name"), variable.name);
            facts.add_text(format!("{at}.env[{index}].value"), Some(&variable.value));
            facts.add_true(format!("{at}.env[{index}].valueFrom"), variable.is_from_elsewhere);
        });
        read.unwrap();
        let read = container.volume_mounts.for_each(|index, mount| {
            let at = format!("{at}.volumeMounts[{index}].recursiveReadOnly");
            facts.add_text(at, Some(&mount.recursive_read_only));
        });
        read.unwrap();
    }
}

fn our_placement(spec: &Spec<'_>, facts: &mut Facts) {
    for (name, text) in [
        ("nodeName", &spec.node_name),
        ("priorityClassName", &spec.priority_class_name),
        ("runtimeClassName", &spec.runtime_class_name),
        ("schedulerName", &spec.scheduler_name),
    ] {
        facts.add_text(format!("spec.{name}"), Some(text));
    }
    let read = spec.for_each_node_label(|key, value| facts.add(format!("spec.nodeSelector[{key}]"), value));
    read.unwrap();
    let read = spec.for_each_toleration(|toleration| {
        let at = format!("spec.tolerations[{}]", toleration.index);
        facts.add(at, [toleration.key, toleration.operator, toleration.value, toleration.effect].join("|"));
    });
    read.unwrap();
    let read = spec.for_each_node_term(|term| {
        let how = if term.is_required { "required" } else { "preferred" };
        let at = format!("spec.affinity.nodeAffinity.{how}[{}].{}[{}]", term.place, term.list, term.index);
        facts.add(at, term.key);
    });
    read.unwrap();
}

fn their_placement(spec: &Json, facts: &mut Facts) {
    for name in ["nodeName", "priorityClassName", "runtimeClassName", "schedulerName"] {
        facts.add_text(format!("spec.{name}"), spec[name].as_str());
    }
    for (key, value) in spec["nodeSelector"].as_object().into_iter().flatten() {
        facts.add(format!("spec.nodeSelector[{key}]"), value.to_string());
    }
    for (index, toleration) in spec["tolerations"].as_array().into_iter().flatten().enumerate() {
        let fields =
            ["key", "operator", "value", "effect"].map(|field| toleration[field].as_str().unwrap_or(""));
        facts.add(format!("spec.tolerations[{index}]"), fields.join("|"));
    }
    let affinity = &spec["affinity"]["nodeAffinity"];
    let required = &affinity["requiredDuringSchedulingIgnoredDuringExecution"]["nodeSelectorTerms"];
    let preferred = affinity["preferredDuringSchedulingIgnoredDuringExecution"].as_array();
    let preferred: Json = preferred.into_iter().flatten().map(|term| term["preference"].clone()).collect();
    for (how, terms) in [("required", required), ("preferred", &preferred)] {
        for (place, term) in terms.as_array().into_iter().flatten().enumerate() {
            for list in ["matchExpressions", "matchFields"] {
                for (index, requirement) in term[list].as_array().into_iter().flatten().enumerate() {
                    let at = format!("spec.affinity.nodeAffinity.{how}[{place}].{list}[{index}]");
                    facts.add(at, requirement["key"].as_str().unwrap());
                }
            }
        }
    }
}

pub(super) fn of_theirs(pod: &k8s::PodSpec, facts: &mut Facts) {
    their_placement(&json(pod), facts);
    add(facts, "spec.resources", &json(&pod.resources), RESOURCES);
    for (index, volume) in pod.volumes.iter().flatten().enumerate() {
        let volume = json(volume);
        for (source, members) in SOURCES {
            let at = format!("spec.volumes[{index}].{}", source.name());
            add(facts, &at, &volume[source.name()], members);
        }
    }
    let containers = json(pod);
    for list in ["initContainers", "containers", "ephemeralContainers"] {
        for (index, container) in containers[list].as_array().into_iter().flatten().enumerate() {
            of_their_container(&format!("spec.{list}[{index}]"), container, facts);
        }
    }
}

fn of_their_container(at: &str, container: &Json, facts: &mut Facts) {
    add(facts, &format!("{at}.resources"), &container["resources"], RESOURCES);
    add_value(facts, &format!("{at}.envFrom"), container["envFrom"].clone());
    for (index, variable) in container["env"].as_array().into_iter().flatten().enumerate() {
        facts.add(format!("{at}.env[{index}].name"), variable["name"].as_str().unwrap());
        facts.add_text(format!("{at}.env[{index}].value"), variable["value"].as_str());
        facts.add_true(format!("{at}.env[{index}].valueFrom"), variable["valueFrom"].is_object());
    }
    for (index, mount) in container["volumeMounts"].as_array().into_iter().flatten().enumerate() {
        let at = format!("{at}.volumeMounts[{index}].recursiveReadOnly");
        facts.add_text(at, mount["recursiveReadOnly"].as_str());
    }
}

fn json(value: &impl Serialize) -> Json {
    serde_json::to_value(value).unwrap()
}

fn parsed(text: &str) -> Json {
    if text.is_empty() { Json::Null } else { serde_json::from_str(text).unwrap() }
}

/// Adds the members of an object that are set.
fn add(facts: &mut Facts, at: &str, object: &Json, members: &[&str]) {
    for member in members {
        add_value(facts, &format!("{at}.{member}"), object[member].clone());
    }
}

fn add_value(facts: &mut Facts, at: &str, value: Json) {
    let value = pruned(value);
    facts.add_if(at, (!is_nothing(&value)).then(|| value.to_string()));
}

/// Without members that are absent for every rule: `null`, or empty. What is missing and must not be, `k8s_openapi` reads as
/// empty.
fn pruned(value: Json) -> Json {
    match value {
        Json::Object(members) => members
            .into_iter()
            .map(|(key, value)| (key, pruned(value)))
            .filter(|(_, value)| !is_nothing(value))
            .collect(),
        Json::Array(items) => items.into_iter().map(pruned).collect(),
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) => value,
    }
}

fn is_nothing(value: &Json) -> bool {
    match value {
        Json::Null => true,
        Json::String(text) => text.is_empty(),
        Json::Array(items) => items.is_empty(),
        Json::Object(members) => members.is_empty(),
        Json::Bool(_) | Json::Number(_) => false,
    }
}
