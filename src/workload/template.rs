//! A pod that an object makes, as far as it is written there.

use std::borrow::Cow;

use serde::Serialize;

use crate::path::Path;
use crate::workload::found_in::FoundIn;
use crate::workload::places::{Place, Places};
use crate::workload::references::{References, Referent};
use crate::workload::unresolved::{Unresolved, UnresolvedReason};
use crate::yaml::Node;

/// How a pod is written in an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Shape {
    /// A PodTemplateSpec: `metadata` and `spec`.
    PodTemplate,
    /// A PodSpec.
    PodSpec,
    /// The fields of a PodSpec beside others, and further containers.
    ExtendedPodSpec,
    /// Some fields of a PodSpec.
    PartialPodSpec,
    /// One container, or nearly.
    Container,
    /// Something that is merged into a pod of another object.
    Patch,
    /// The name of another object that has it.
    Reference,
    /// An object of any kind, or a text that holds one.
    Object,
    /// Nothing of it: the operator makes it.
    Opaque,
}

/// What follows where a field is absent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// It is the whole pod, or is judged as if it were: what is absent, nobody adds.
    Whole,
    /// It has all containers, and no place for the pod's own security context: whoever uses it may add that.
    WithoutPodLevel,
    /// Any of it may be elsewhere.
    Overlay,
}

/// A pod that an object makes, as far as it is written there.
#[derive(Debug)]
pub struct Template<'d> {
    /// Where it stands in the object.
    pub path: Path<'d>,
    /// How it is written.
    pub shape: Shape,
    /// What follows where a field is absent.
    pub part: Part,
    /// What is written, put together, with `metadata` and `spec` as in a pod; `None` if nothing is.
    pub pod: Option<Cow<'d, Node>>,
    /// Where its fields stand in the object.
    pub places: Places<'d>,
    /// What is known to be missing.
    pub unresolved: Vec<Unresolved>,
}

impl<'d> Template<'d> {
    /// A PodTemplateSpec, or a whole pod, at a path.
    #[must_use]
    pub fn in_place(path: Path<'d>, node: &'d Node) -> Self {
        let places = Places::Template(path.clone());
        Self {
            path,
            shape: Shape::PodTemplate,
            part: Part::Whole,
            pod: Some(Cow::Borrowed(node)),
            places,
            unresolved: Vec::new(),
        }
    }

    /// A PodSpec, or something like it, at a path.
    #[must_use]
    pub fn of_spec(path: Path<'d>, shape: Shape, part: Part, spec: &'d Node) -> Self {
        let places = Places::Spec(path.clone());
        let pod = Node::object(spec.span, [("spec", spec.clone())]);
        Self { path, shape, part, pod: Some(Cow::Owned(pod)), places, unresolved: Vec::new() }
    }

    /// One that was put together from several places of an object: a whole pod.
    #[must_use]
    pub fn merged(places: Places<'d>, path: Path<'d>, shape: Shape, part: Part, pod: Node) -> Self {
        Self { path, shape, part, pod: Some(Cow::Owned(pod)), places, unresolved: Vec::new() }
    }

    /// One of which nothing can be judged.
    #[must_use]
    pub fn unjudged(path: Path<'d>, shape: Shape, unresolved: Unresolved) -> Self {
        let places = Places::Template(path.clone());
        Self { path, shape, part: Part::Overlay, pod: None, places, unresolved: vec![unresolved] }
    }

    /// A reference to an object that is not there.
    #[must_use]
    pub fn reference(object: &'d Node, path: Path<'d>, kind: &str, name: &str) -> Self {
        let text = if name.is_empty() {
            format!("its pod comes from a {kind}")
        } else {
            format!("its pod comes from {kind} {name}")
        };
        let unresolved = Unresolved::new(object, &path, UnresolvedReason::Reference, text).about(kind, name);
        Self::unjudged(path, Shape::Reference, unresolved)
    }

    /// The same, in which something is missing: any of it may be elsewhere.
    #[must_use]
    pub fn lacking(mut self, unresolved: Unresolved) -> Self {
        self.part = Part::Overlay;
        self.unresolved.push(unresolved);
        self
    }

    /// The same of an object that stands at a path of another.
    #[must_use]
    pub fn within(self, outer: &Path<'d>) -> Self {
        Self {
            path: outer.join(&self.path),
            places: self.places.within(outer),
            unresolved: self.unresolved.into_iter().map(|entry| entry.within(outer)).collect(),
            ..self
        }
    }

    /// The same as part of an object that names the one that it is of, at this path.
    pub(super) fn taken_from(
        self,
        referent: &'d Referent,
        references: &'d References,
        path: Path<'d>,
    ) -> Self {
        let in_other = |entry: Unresolved| entry.in_other(Some(FoundIn::new(referent)));
        Self {
            path,
            places: self.places.elsewhere(Some(referent), references),
            unresolved: self.unresolved.into_iter().map(in_other).collect(),
            ..self
        }
    }

    /// The same, in which values may stand that other objects have.
    pub(super) fn knowing(self, references: &'d References) -> Self {
        Self { places: self.places.elsewhere(None, references), ..self }
    }

    /// Something that is not known about a field of the pod.
    #[must_use]
    pub fn unknown(&self, pod: &Node, path: &Path<'_>, reason: UnresolvedReason, text: String) -> Unresolved {
        let Place { field, referent, .. } = self.places.locate(pod, path);
        let entry = Unresolved::new(pod, path, reason, text);
        Unresolved { path: field, ..entry }.in_other(referent.map(FoundIn::new))
    }

    /// The same, borrowing nothing: of an object that was written as a text.
    #[must_use]
    pub fn into_owned<'o>(self) -> Template<'o> {
        Template {
            path: self.path.into_owned(),
            shape: self.shape,
            part: self.part,
            pod: self.pod.map(|pod| Cow::Owned(pod.into_owned())),
            places: self.places.into_owned(),
            unresolved: self.unresolved,
        }
    }
}
