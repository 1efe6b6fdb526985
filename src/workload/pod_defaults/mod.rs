//! Kubeflow's PodDefaults: what its webhook merges into the pods of a namespace whose labels they select.
//!
//! The webhook refuses a pod in which something of the same name is there already and is another. What it sets without asking
//! (the service account), the last PodDefault by name sets. Commands and arguments, which it sets too, no rule looks at.

mod merge;
mod selector;

use std::borrow::Cow;

use crate::path::Path;
use crate::text::Printable;
use crate::workload::pod_defaults::merge::{Conflict, Merge};
use crate::workload::pod_defaults::selector::{Labels, Match, matches};
use crate::workload::references::{References, Referent};
use crate::workload::template::{Shape, Template};
use crate::workload::unresolved::{Unresolved, UnresolvedReason};
use crate::yaml::Node;

/// Most PodDefaults that are merged into a pod: there is hardly more than one.
const MOST: usize = 64;
/// The annotation of a pod that is to be left as it is.
const EXCLUDE: &str = "poddefault.admission.kubeflow.org/exclude";
/// That of a pod that a kubelet runs by itself, and only shows to the API server.
const MIRROR: &str = "kubernetes.io/config.mirror";
/// The kinds whose operators give their own labels to their pods: those of Kubeflow's notebooks choose PodDefaults so.
const LABELLING: [(&str, &str); 2] =
    [("kubeflow.org", "Notebook"), ("serving.kserve.io", "InferenceService")];
/// The kind, for messages.
const KIND: &str = "PodDefault";

/// The PodDefaults of a namespace.
#[derive(Debug)]
pub struct PodDefaults<'d> {
    references: &'d References,
    /// By name, as the API server lists them.
    of_namespace: Vec<&'d Referent>,
}

/// What is done about a pod.
#[derive(Debug, Default)]
struct Selected<'d> {
    merged: Vec<&'d Referent>,
    unresolved: Vec<Unresolved>,
}

impl<'d> PodDefaults<'d> {
    /// Those of a namespace.
    #[must_use]
    pub fn of(references: &'d References, namespace: &str) -> Self {
        let mut of_namespace: Vec<&Referent> = references.pod_defaults(namespace).collect();
        of_namespace.sort_by(|one, other| one.name.cmp(&other.name));
        Self { references, of_namespace }
    }

    /// Whether there are none.
    #[must_use]
    pub fn are_none(&self) -> bool {
        self.of_namespace.is_empty()
    }

    /// A template as its pods will be, once those that select it have been merged into them. `owner` is the object that it is
    /// of.
    #[must_use]
    pub fn merged_into(&self, template: Template<'d>, owner: &Node) -> Template<'d> {
        let is_pod = !matches!(template.shape, Shape::Patch | Shape::Container | Shape::Opaque);
        let Some(pod) = template.pod.as_deref().filter(|_| is_pod && !self.are_none()) else {
            return template;
        };
        let Selected { merged, mut unresolved } = self.selected(&template, pod, owner);
        let added = Merge::of(pod, &merged);
        let told = |conflict: &Conflict<'_>| {
            at(&template, pod, UnresolvedReason::Conflict, conflict.text.clone(), &conflict.of.name)
        };
        unresolved.extend(added.conflicts.iter().map(told));
        let is_refused = !added.conflicts.is_empty();
        unresolved.extend(added.unreadable);
        let mut template = template;
        template.unresolved.extend(unresolved);
        if is_refused || merged.is_empty() {
            return template;
        }
        let places = template.places.elsewhere(None, self.references);
        Template { pod: Some(Cow::Owned(added.pod)), places, ..template }
    }

    /// Those that are merged into a pod, and what is not known of them.
    fn selected(&self, template: &Template<'_>, pod: &Node, owner: &Node) -> Selected<'d> {
        let mut selected = Selected::default();
        let annotation = |key: &str| pod.get_in(&["metadata", "annotations", key]);
        let is_excluded = annotation(EXCLUDE).is_some_and(|value| value.as_text() == Some("true"));
        if is_excluded || annotation(MIRROR).is_some() {
            return selected;
        }
        let is_labelled = LABELLING.iter().any(|(group, kind)| {
            let of_group = owner.text_of("apiVersion").split_once('/').is_some_and(|(of, _)| of == *group);
            of_group && owner.text_of("kind") == *kind
        });
        let labels = Labels::of(pod, is_labelled.then_some(owner));
        let mut told = None;
        for referent in &self.of_namespace {
            let name = Printable(&referent.name);
            let (reason, text) = match matches(referent, &labels) {
                Match::No => continue,
                Match::Unknown(reason) => {
                    (reason, format!("whether {KIND} {name} selects the pod is not known"))
                }
                Match::Yes if self.references.is_contradicted(referent) => {
                    if told.replace(&referent.name) == Some(&referent.name) {
                        continue;
                    }
                    let text = "that differ: what they add to the pod is not known";
                    (UnresolvedReason::Conflict, format!("there are several {KIND}s {name} {text}"))
                }
                Match::Yes if selected.merged.len() == MOST => {
                    let text = format!("more than {MOST} {KIND}s are for the pod: the others are not merged");
                    selected.unresolved.push(at(template, pod, UnresolvedReason::Conflict, text, ""));
                    break;
                }
                Match::Yes => {
                    selected.merged.push(referent);
                    continue;
                }
            };
            selected.unresolved.push(at(template, pod, reason, text, &referent.name));
        }
        selected
    }
}

/// Something that is not known about the pod of a template and a PodDefault.
fn at(template: &Template<'_>, pod: &Node, reason: UnresolvedReason, text: String, name: &str) -> Unresolved {
    let entry = template.unknown(pod, &Path::root(), reason, text).about(KIND, name);
    Unresolved { path: template.path.to_string(), ..entry }
}
