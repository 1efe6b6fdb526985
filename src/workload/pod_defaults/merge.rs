//! PodDefaults merged into a pod, one after another: what is not there is added, what is there has to be equal.

use crate::path::Path;
use crate::text::Printable;
use crate::workload::found_in::FoundIn;
use crate::workload::placeholder::has_placeholder;
use crate::workload::references::Referent;
use crate::workload::unresolved::{Unresolved, UnresolvedReason};
use crate::yaml::{Node, Value};

/// Most conflicts that are told of a pod.
const MOST_CONFLICTS: usize = 4;
/// Most names that are compared for a pod: hardly any has a thousand.
const MOST_COMPARED: usize = 1 << 22;

/// A list of a PodDefault: its key there, and the list of the pod, or of each of its containers, that it is added to.
struct List {
    key: &'static str,
    target: &'static str,
    /// What tells its items apart; nothing where all are added.
    names: &'static [&'static str],
}

/// What is added to each container, but for those that PodDefaults add.
const OF_CONTAINERS: [List; 3] = [
    List { key: "env", target: "env", names: &["name"] },
    List { key: "volumeMounts", target: "volumeMounts", names: &["name", "mountPath"] },
    List { key: "envFrom", target: "envFrom", names: &[] },
];
/// What is added to the spec of the pod.
const OF_SPEC: [List; 5] = [
    List { key: "volumes", target: "volumes", names: &["name"] },
    List { key: "tolerations", target: "tolerations", names: &["key"] },
    List { key: "imagePullSecrets", target: "imagePullSecrets", names: &["name"] },
    List { key: "initContainers", target: "initContainers", names: &["name"] },
    List { key: "sidecars", target: "containers", names: &["name"] },
];
/// What is added to the metadata of the pod.
const OF_METADATA: [&str; 2] = ["annotations", "labels"];
/// What is set whatever was there.
const REPLACED: [&str; 2] = ["automountServiceAccountToken", "serviceAccountName"];

/// A pod with PodDefaults merged into it.
#[derive(Debug)]
pub(super) struct Merge<'d> {
    pub(super) pod: Node,
    /// What the webhook refuses the pod for.
    pub(super) conflicts: Vec<Conflict<'d>>,
    /// What of the PodDefaults cannot be read.
    pub(super) unreadable: Vec<Unresolved>,
    /// How many names have been compared.
    compared: usize,
}

/// Why a PodDefault is not merged.
#[derive(Debug)]
pub(super) struct Conflict<'d> {
    pub(super) of: &'d Referent,
    /// In words, without the values: some are secret.
    pub(super) text: String,
}

impl<'d> Merge<'d> {
    pub(super) fn of(pod: &Node, pod_defaults: &[&'d Referent]) -> Self {
        let mut merge = Self { pod: pod.clone(), conflicts: Vec::new(), unreadable: Vec::new(), compared: 0 };
        let count = pod.get_in(&["spec", "containers"]).map_or(0, |containers| containers.items().len());
        for of in pod_defaults {
            let Some(spec) = of.node.get("spec").filter(|spec| spec.is_object()) else { continue };
            for container in 0..count {
                let path = Path::from_dotted("spec.containers").index(container);
                OF_CONTAINERS.iter().for_each(|list| merge.list(of, spec, list, &path, container == 0));
            }
            OF_SPEC.iter().for_each(|list| merge.list(of, spec, list, &Path::from_dotted("spec"), true));
            OF_METADATA.iter().for_each(|key| merge.map(of, spec, key));
            merge.replace(spec);
        }
        merge
    }

    /// Sets what a PodDefault sets whatever was there; no service account is not one.
    fn replace(&mut self, spec: &Node) {
        let Some(target) = self.object_at(&Path::from_dotted("spec")) else { return };
        for key in REPLACED {
            if let Some(value) = spec.get(key).filter(|value| value.value != Value::String(String::new())) {
                target.set(key, value.clone());
            }
        }
    }

    /// Adds a list of a PodDefault to one of what stands at a path of the pod.
    fn list(&mut self, of: &'d Referent, spec: &Node, list: &List, path: &Path<'_>, is_first: bool) {
        let Some(added) = spec.get(list.key) else { return };
        if !added.is_list() {
            // Each container would say the same.
            if is_first {
                self.note(of, list.key, added, "a list");
            }
            return;
        }
        let mut conflicts = Vec::new();
        let Some(owner) = self.object_at(path).filter(|owner| can_have(owner, list.target)) else { return };
        let place = owner.get(list.target).map(|known| known.span);
        let mut items = owner.items_at(list.target).to_vec();
        if !self.may_compare(of, added.items().len(), items.len()) {
            return;
        }
        for item in added.items() {
            let known = |name: &&&str| {
                let id = item.get(name).map(|id| &id.value);
                items.iter().rev().find(|item| item.get(name).map(|id| &id.value) == id)
            };
            let same_name: Vec<(&str, bool)> = list
                .names
                .iter()
                .filter_map(|name| known(&name).map(|known| (*name, is_same(known, item))))
                .collect();
            let other = same_name.iter().find(|(_, is_same)| !is_same);
            let is_there = same_name.iter().any(|(name, _)| list.names.first() == Some(name));
            match other {
                Some((name, _)) => conflicts.push(format!("{} {}", list.key, item.text_of(name))),
                None if is_there => {}
                None => items.push(item.clone()),
            }
        }
        if let Some(owner) = self.object_at(path).filter(|_| !items.is_empty()) {
            owner.set(list.target, Node::list(place.unwrap_or(added.span), items));
        }
        self.conflict(of, conflicts);
    }

    /// Adds the labels or annotations of a PodDefault to those of the pod.
    fn map(&mut self, of: &'d Referent, spec: &Node, key: &'static str) {
        let Some(added) = spec.get(key) else { return };
        if !added.is_object() {
            return self.note(of, key, added, "an object");
        }
        let mut conflicts = Vec::new();
        let metadata = self.pod.get("metadata").cloned();
        let mut metadata = metadata.unwrap_or_else(|| Node::object(added.span, []));
        let known = metadata.get(key).cloned().unwrap_or_else(|| Node::object(added.span, []));
        if !metadata.is_object() || !known.is_object() {
            return;
        }
        let mut values = known;
        if !self.may_compare(of, added.entries().len(), values.entries().len()) {
            return;
        }
        for entry in added.entries().iter().filter(|entry| is_set(&entry.value)) {
            match values.get(&entry.key) {
                Some(known) if is_same(known, &entry.value) => {}
                Some(_) => conflicts.push(format!("{key} {}", entry.key)),
                None => values.set(&entry.key, entry.value.clone()),
            }
        }
        metadata.set(key, values);
        self.pod.set("metadata", metadata);
        self.conflict(of, conflicts);
    }

    /// What stands at a path of the pod, if it is an object.
    fn object_at(&mut self, path: &Path<'_>) -> Option<&mut Node> {
        self.pod.locate_mut(path).filter(|node| node.is_object())
    }

    /// Notes what is there already, and is another.
    fn conflict(&mut self, of: &'d Referent, found: Vec<String>) {
        let room = MOST_CONFLICTS.saturating_sub(self.conflicts.len());
        let in_words = |what: String| {
            let (name, what) = (Printable(&of.name), Printable(&what));
            let text = format!(
                "Kubeflow's webhook refuses the pod: PodDefault {name} has other {what} than the pod or another PodDefault"
            );
            Conflict { of, text }
        };
        self.conflicts.extend(found.into_iter().take(room).map(in_words));
    }

    /// Whether as many can be added to as many others.
    fn may_compare(&mut self, of: &'d Referent, added: usize, known: usize) -> bool {
        if self.compared > MOST_COMPARED {
            return false;
        }
        self.compared = self.compared.saturating_add(added.saturating_mul(added.saturating_add(known)));
        let may = self.compared <= MOST_COMPARED;
        if !may {
            let text = format!("PodDefault {} has too much to be merged into the pod", Printable(&of.name));
            self.conflicts.push(Conflict { of, text });
        }
        may
    }

    /// Notes a part of a PodDefault that is a placeholder or of the wrong type.
    fn note(&mut self, of: &'d Referent, key: &'static str, found: &Node, wanted: &str) {
        let path = Path::from_dotted("spec").key(key);
        let (reason, text) = if found.as_text().is_some_and(has_placeholder) {
            (UnresolvedReason::Placeholder, format!("{path} is a placeholder"))
        } else {
            let text = format!("{path}: expected {wanted}, found {}", found.value.name());
            (UnresolvedReason::WrongType, text)
        };
        let entry = Unresolved::new(&of.node, &path, reason, text);
        self.unreadable.push(entry.in_other(Some(FoundIn::new(of))));
    }
}

/// Whether a list can be added to at a key: it is one, or nothing is there.
fn can_have(owner: &Node, key: &str) -> bool {
    owner.get(key).is_none_or(Node::is_list)
}

/// Whether two values are equal once they are read into types: the order of keys, and what is null, make no difference.
fn is_same(one: &Node, other: &Node) -> bool {
    match (&one.value, &other.value) {
        (Value::Mapping(_), Value::Mapping(_)) => {
            let set = |node: &Node| node.entries().iter().filter(|entry| is_set(&entry.value)).count();
            let is_equal = |entry: &crate::yaml::Entry| {
                !is_set(&entry.value)
                    || other.get(&entry.key).is_some_and(|value| is_same(&entry.value, value))
            };
            set(one) == set(other) && one.entries().iter().all(is_equal)
        }
        (Value::Sequence(ones), Value::Sequence(others)) => {
            ones.len() == others.len() && ones.iter().zip(others).all(|(one, other)| is_same(one, other))
        }
        (one, other) => one == other,
    }
}

/// Whether a value is there, and not null.
fn is_set(value: &Node) -> bool {
    value.value != Value::Null
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::yaml;

    /// The pod that comes of one and a PodDefault, as JSON, and why it is not merged.
    fn merged(pod: &str, spec: &str) -> (String, usize) {
        let [pod, node] =
            [pod, &format!("{{spec: {spec}}}")].map(|text| yaml::read(text).remove(0).expect(text).root);
        let of = Referent {
            file: "a.yaml".to_owned(),
            api_version: "kubeflow.org/v1alpha1".to_owned(),
            kind: "PodDefault".to_owned(),
            namespace: String::new(),
            name: "d".to_owned(),
            node,
        };
        let merge = Merge::of(&pod, &[&of]);
        (String::from_utf8(merge.pod.to_json()).expect("UTF-8"), merge.conflicts.len())
    }

    #[test]
    fn what_is_not_there_is_added() {
        for (pod, spec, expected, conflicts) in [
            (
                "{spec: {containers: [{name: c}]}}",
                "{env: [{name: A}], sidecars: [{name: s}], serviceAccountName: a}",
                r#"{"spec":{"containers":[{"name":"c","env":[{"name":"A"}]},{"name":"s"}],"serviceAccountName":"a"}}"#,
                0,
            ),
            (
                "{spec: {serviceAccountName: b, automountServiceAccountToken: true}}",
                "{serviceAccountName: '', automountServiceAccountToken: false}",
                r#"{"spec":{"serviceAccountName":"b","automountServiceAccountToken":false}}"#,
                0,
            ),
            (
                "{metadata: {labels: {a: b}}, spec: {}}",
                "{labels: {c: d, a: b}, annotations: {e: f}}",
                r#"{"metadata":{"labels":{"a":"b","c":"d"},"annotations":{"e":"f"}},"spec":{}}"#,
                0,
            ),
            // Each mount of a volume has to be the same, whatever its path.
            (
                "{spec: {containers: [{name: c, volumeMounts: [{name: v, mountPath: /a}]}]}}",
                "{volumeMounts: [{name: v, mountPath: /b}, {name: w, mountPath: /a}, {name: x, mountPath: /c}]}",
                r#"{"spec":{"containers":[{"name":"c","volumeMounts":[{"name":"v","mountPath":"/a"},{"name":"x","mountPath":"/c"}]}]}}"#,
                2,
            ),
            ("{spec: {volumes: '${X}'}}", "{volumes: [{name: v}]}", r#"{"spec":{"volumes":"${X}"}}"#, 0),
            ("{spec: '${X}'}", "{volumes: [{name: v}], serviceAccountName: a}", r#"{"spec":"${X}"}"#, 0),
        ] {
            assert_eq!(merged(pod, spec), (expected.to_owned(), conflicts), "{pod} {spec}");
        }
    }
}
