//! The cases of `tests/fixtures/psp`: a policy, and the pods that it lets pass, refuses and changes.

use std::collections::{BTreeMap, BTreeSet};

use podgate::admission::{Reviewer, Webhook};
use podgate::policy::{NamespaceMetadata, Snapshot};
use serde::Deserialize;
use serde_json::{Value as Json, json};

use crate::control_modes::{create, update};
use crate::pods::{Alone as _, json_of, of_repository};
use crate::policies::{policies, read};
use crate::reviews::{apply, well_formed};

/// A policy that says what a field of another one said, and pods.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct Group {
    /// The field of the other policy, or what of it is meant.
    pub(super) field: String,
    /// What it said there, or how we differ: for people.
    #[serde(rename = "says")]
    _says: String,
    /// `spec.controls` of our policy.
    #[serde(default)]
    controls: Json,
    /// `spec.standard` of it.
    #[serde(default)]
    standard: Json,
    /// `spec.defaults` of it.
    #[serde(default)]
    defaults: Json,
    /// What is wrong with such a policy; then it has no pods.
    #[serde(default)]
    pub(super) faults: Vec<String>,
    /// The annotations of the namespace.
    #[serde(default)]
    namespace: BTreeMap<String, String>,
    #[serde(default)]
    pub(super) allowed: Vec<Case>,
    #[serde(default)]
    pub(super) refused: Vec<Case>,
    #[serde(default)]
    pub(super) filled_in: Vec<FilledIn>,
}

/// A pod, by what is special about it.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Case {
    /// Members of a container of each kind.
    container: Option<Json>,
    /// Members of the pod's `spec`; without `container` its own containers are judged as they are.
    #[serde(default)]
    spec: Json,
    /// Members of `metadata`.
    #[serde(default)]
    metadata: Json,
    /// The pod before an update; without it the pod is new.
    old: Option<Box<Self>>,
    /// The kinds of containers that are meant; all of them without it.
    places: Option<Vec<Place>>,
    /// The controls that refuse it; without it those of the group.
    by: Option<Vec<String>>,
    /// A part of the refusal.
    #[serde(default)]
    pub(super) text: String,
}

/// A pod as it is sent, and what of it is in place after `/mutate`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FilledIn {
    given: Case,
    /// By JSON Pointer.
    made: BTreeMap<String, Json>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum Place {
    Ordinary,
    Init,
    Sidecar,
    Ephemeral,
}

/// What is sent: the pod, and the one that it replaces.
pub(super) struct Sent {
    pod: Json,
    old: Option<Json>,
}

/// The groups of a file.
pub(super) fn groups(file: &str) -> Vec<Group> {
    let path = of_repository("tests/fixtures/psp").join(file);
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_slice(&json_of(file, &text)).unwrap_or_else(|error| panic!("{file}: {error}"))
}

impl Group {
    /// Our policy, as text.
    fn policy(&self) -> String {
        let mut spec = json!({"match": {"namespaces": ["team"]}});
        for (key, value) in
            [("controls", &self.controls), ("standard", &self.standard), ("defaults", &self.defaults)]
        {
            if !value.is_null() {
                spec[key] = value.clone();
            }
        }
        let policy = json!({"apiVersion": "podgate.dev/v1alpha1", "kind": "SecurityPolicy",
            "metadata": {"name": "as-before"}, "spec": spec});
        policy.to_string()
    }

    /// What is wrong with the policy is exactly this, in this order.
    pub(super) fn check_faults(&self) {
        let errors = read(&[("policy", &self.policy())]).expect_err(&self.field);
        assert_eq!(errors.len(), self.faults.len(), "{}: {errors:#?}", self.field);
        for (error, fault) in errors.iter().zip(&self.faults) {
            assert!(error.contains(fault), "{}: {error}", self.field);
        }
    }

    pub(super) fn reviewer(&self) -> Reviewer {
        let annotations = self.namespace.iter().map(|(key, value)| (key.as_str(), value.as_str()));
        let mut snapshot = Snapshot::default();
        snapshot.insert_namespace("team", NamespaceMetadata::new(BTreeMap::new(), annotations));
        Reviewer::new(policies(&self.policy()), snapshot)
    }

    /// The controls that a case is to be refused by.
    pub(super) fn expected<'c>(&'c self, case: &'c Case) -> BTreeSet<&'c str> {
        match &case.by {
            Some(by) => by.iter().map(String::as_str).collect(),
            None => self.controls.as_object().into_iter().flatten().map(|(id, _)| id.as_str()).collect(),
        }
    }

    /// The pods of a case: where it is about a container, one for each kind of container.
    pub(super) fn pods(&self, case: &Case) -> Vec<(String, Sent)> {
        let old = case.old.as_ref().map(|old| old.pod(Place::Ordinary, &json!({})));
        if case.container.is_none() || old.is_some() {
            return vec![("pod".to_owned(), Sent { pod: case.pod(Place::Ordinary, &json!({})), old })];
        }
        // The other containers of the pod are as one that passes.
        let other = self.allowed.iter().find_map(|allowed| allowed.container.clone()).unwrap_or(json!({}));
        let all = [Place::Ordinary, Place::Init, Place::Sidecar, Place::Ephemeral];
        let places = case.places.as_deref().unwrap_or(&all);
        let sent = places.iter().map(|place| {
            let pod = case.pod(*place, &other);
            let mut old = pod.clone();
            let is_later =
                old["spec"].as_object_mut().and_then(|spec| spec.remove("ephemeralContainers")).is_some();
            (format!("{place:?}"), Sent { pod, old: is_later.then_some(old) })
        });
        sent.collect()
    }

    /// The controls that refuse a pod after it has been changed, and the text of the refusal.
    pub(super) fn refused_by(&self, reviewer: &Reviewer, sent: &Sent) -> (BTreeSet<&'static str>, String) {
        let made = Sent { pod: mutated(reviewer, sent), old: sent.old.clone() };
        let bytes = made.review().to_string();
        let answer = reviewer.alone(Webhook::Validate, bytes.as_bytes()).unwrap();
        assert_eq!(answer.decision.error, "", "{}: {bytes}", self.field);
        let response = well_formed(&self.field, Webhook::Validate, "u", &answer.body);
        let text = response["status"]["message"].as_str().unwrap_or_default().to_owned();
        let found: BTreeSet<_> = answer.decision.findings.iter().map(|(control, _)| *control).collect();
        assert_eq!(found.is_empty(), response["allowed"] == true, "{}: {text}", self.field);
        (found, text)
    }

    /// What is not as it should be after a pod was changed.
    pub(super) fn wrongly_filled_in(&self, reviewer: &Reviewer, filled: &FilledIn) -> Vec<String> {
        let sent = Sent { pod: filled.given.pod(Place::Ordinary, &json!({})), old: None };
        let pod = mutated(reviewer, &sent);
        let mut wrong: Vec<String> = filled
            .made
            .iter()
            .filter(|(pointer, expected)| pod.pointer(pointer).unwrap_or(&Json::Null) != *expected)
            .map(|(pointer, expected)| {
                format!("{}: {pointer} is not {expected}: {}", self.field, pod["spec"])
            })
            .collect();
        let (found, text) = self.refused_by(reviewer, &Sent { pod, old: None });
        if !found.is_empty() {
            wrong.push(format!("{}: refused after it was changed: {text}", self.field));
        }
        wrong
    }
}

impl Sent {
    fn review(&self) -> Json {
        match &self.old {
            None => create(&self.pod),
            Some(old) => update(old, &self.pod),
        }
    }
}

/// The pod as `/mutate` leaves it.
fn mutated(reviewer: &Reviewer, sent: &Sent) -> Json {
    let review = sent.review().to_string();
    let answer = reviewer.alone(Webhook::Mutate, review.as_bytes()).unwrap();
    let response = well_formed("mutate", Webhook::Mutate, "u", &answer.body);
    let mut pod = sent.pod.clone();
    apply("mutate", &response, &mut pod);
    pod
}

impl Case {
    /// The pod, with the container in this place and, beside it, the other one.
    fn pod(&self, place: Place, other: &Json) -> Json {
        let named = |name: &str, members: &Json| {
            let mut container = json!({"name": name, "image": "registry.example.com/app:1"});
            merge(&mut container, members);
            container
        };
        let own = self.container.clone().unwrap_or(json!({}));
        let mut spec = json!({});
        if place == Place::Ordinary {
            spec["containers"] = json!([named("main", &own)]);
        } else {
            spec["containers"] = json!([named("main", other)]);
        }
        match place {
            Place::Ordinary => {}
            Place::Init => spec["initContainers"] = json!([named("init", &own)]),
            Place::Sidecar => {
                spec["initContainers"] = json!([named("sidecar", &own)]);
                spec["initContainers"][0]["restartPolicy"] = "Always".into();
            }
            Place::Ephemeral => spec["ephemeralContainers"] = json!([named("debug", &own)]),
        }
        merge(&mut spec, &self.spec);
        let mut metadata = json!({"name": "p", "namespace": "team"});
        merge(&mut metadata, &self.metadata);
        json!({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec})
    }
}

/// Sets the members of an object in another.
fn merge(into: &mut Json, members: &Json) {
    for (key, value) in members.as_object().into_iter().flatten() {
        into[key] = value.clone();
    }
}
