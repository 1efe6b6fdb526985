//! What adapters ask of an object, and say of it.

use std::borrow::Cow;

use crate::path::Path;
use crate::text::Printable;
use crate::workload::kind::Object;
use crate::workload::placeholder::has_placeholder;
use crate::workload::places::Places;
use crate::workload::references::Referent;
use crate::workload::template::{Part, Shape, Template};
use crate::workload::unresolved::{Unresolved, UnresolvedReason};
use crate::yaml::Node;

impl<'d> Object<'d> {
    /// The group.
    #[must_use]
    pub fn group(&self) -> &'d str {
        self.api_version.split_once('/').map_or("", |(group, _)| group)
    }

    /// The value at a path of keys, if it is there and not null.
    pub(super) fn get(&self, dotted: &str) -> Option<&'d Node> {
        dotted.split('.').try_fold(self.node, |node, key| node.get(key))
    }

    /// The PodTemplateSpecs where a pattern leads.
    pub(super) fn pod_templates(&self, pattern: &str) -> Vec<Template<'d>> {
        self.find(pattern, Shape::PodTemplate, Part::Whole)
    }

    /// A template that is put together from several places of the object: `spec` as in a pod.
    pub(super) fn merged(&self, path: Path<'d>, shape: Shape, part: Part, spec: Node) -> Template<'d> {
        let pod = Node::object(spec.span, [("spec", spec)]);
        self.merged_pod(path, shape, part, pod)
    }

    /// The same with a whole pod: `metadata` and `spec`.
    pub(super) fn merged_pod(&self, path: Path<'d>, shape: Shape, part: Part, pod: Node) -> Template<'d> {
        if !self.budget.take_for(&pod) {
            return self.too_large(path, shape);
        }
        let places = Places::merged(self.node, self.references, path.clone());
        Template::merged(places, path, shape, part, pod)
    }

    /// What is written of a pod, if anything is, with what is not known of it.
    pub(super) fn as_far_as_written(
        &self,
        path: Path<'d>,
        shape: Shape,
        pod: Option<Node>,
        unresolved: Vec<Unresolved>,
    ) -> Template<'d> {
        if pod.as_ref().is_some_and(|pod| !self.budget.take_for(pod)) {
            return self.too_large(path, shape);
        }
        let part = if pod.is_some() { Part::Whole } else { Part::Overlay };
        let places = Places::merged(self.node, self.references, path.clone());
        Template { path, shape, part, pod: pod.map(Cow::Owned), places, unresolved }
    }

    /// A pod that is not put together any more: those before it were too large, or this one is.
    pub(super) fn too_large(&self, path: Path<'d>, shape: Shape) -> Template<'d> {
        let text = format!("the pods of this {} have too much in common", Printable(self.kind));
        let unresolved = self.unresolved(&path, UnresolvedReason::Fragment, text);
        Template::unjudged(path, shape, unresolved)
    }

    /// That pod, if those before it were too large. Adapters ask where an object may have any number of pods that have much
    /// in common, before they put one together.
    pub(super) fn without_room(&self, path: &Path<'d>, shape: Shape) -> Option<Template<'d>> {
        (!self.budget.has_room()).then(|| self.too_large(path.clone(), shape))
    }

    /// Says that the text at a path is not read, if the object that it holds would be too large.
    pub(super) fn unread_text(&self, path: &Path<'_>, text: &str) -> Option<Unresolved> {
        let too_long = || format!("{path} is too long to be read as an object");
        (!self.budget.take_for_text(text))
            .then(|| self.unresolved(path, UnresolvedReason::Unparsable, too_long()))
    }

    /// The object of this group that it refers to by kind and name, if it is known.
    pub(super) fn referent(&self, group: &str, kind: &str, name: &str) -> Option<&'d Referent> {
        self.references.find(group, kind, self.namespace, name)
    }

    /// Something that is not known about the template at a path.
    pub(super) fn unresolved(
        &self,
        path: &Path<'_>,
        reason: UnresolvedReason,
        text: impl Into<String>,
    ) -> Unresolved {
        Unresolved::new(self.node, path, reason, text.into())
    }

    /// What stands at a path where an object or a list is wanted: a placeholder, or something else of the wrong type.
    pub(super) fn unreadable(&self, path: Path<'d>, node: &Node, shape: Shape, wanted: &str) -> Template<'d> {
        let unresolved = self.unreadable_value(&path, node, wanted);
        Template::unjudged(path, shape, unresolved)
    }

    /// The same about a part of a template.
    pub(super) fn unreadable_value(&self, path: &Path<'_>, node: &Node, wanted: &str) -> Unresolved {
        if node.as_text().is_some_and(has_placeholder) {
            self.unresolved(path, UnresolvedReason::Placeholder, format!("{path} is a placeholder"))
        } else {
            let text = format!("{path}: expected {wanted}, found {}", node.value.name());
            self.unresolved(path, UnresolvedReason::WrongType, text)
        }
    }

    /// One container at a path, as if it were alone in its pod.
    pub(super) fn container(&self, path: Path<'d>, node: &'d Node, part: Part) -> Template<'d> {
        if !node.is_object() {
            return self.unreadable(path, node, Shape::Container, "an object");
        }
        let containers = Node::list(node.span, vec![node.clone()]);
        let spec = Node::object(node.span, [("containers", containers)]);
        self.merged(path, Shape::Container, part, spec)
    }

    /// Something that comes from another object, of which nothing could be taken. If that is known, it is said why: there are two of
    /// its name, or it `lacks` what is wanted.
    pub(super) fn elsewhere(&self, unresolved: Unresolved, lacks: Option<&str>) -> Unresolved {
        let (Some(kind), Some(name)) = (&unresolved.kind, &unresolved.name) else { return unresolved };
        let why = self.references.why_unusable((self.group(), kind), self.namespace, name, lacks);
        unresolved.although_known(why)
    }

    /// A reference to an object of which nothing could be taken.
    pub(super) fn reference(
        &self,
        path: Path<'d>,
        (kind, name): (&str, &str),
        lacks: Option<&str>,
    ) -> Template<'d> {
        let mut reference = Template::reference(self.node, path, kind, name);
        let entries = reference.unresolved.into_iter();
        reference.unresolved = entries.map(|entry| self.elsewhere(entry, lacks)).collect();
        reference
    }

    /// The same, with what is written here of the pod that comes from it.
    pub(super) fn with_written(&self, reference: Template<'d>, spec: Node) -> Template<'d> {
        if spec.entries().is_empty() {
            return reference;
        }
        let overlay = self.merged(reference.path, Shape::Reference, Part::Overlay, spec);
        Template { unresolved: reference.unresolved, ..overlay }
    }

    /// The items of the list at a key of what stands at a path. Where no list is, that is told.
    pub(super) fn list<'n>(
        &self,
        (path, owner): (&Path<'_>, &'n Node),
        key: &str,
        unresolved: &mut Vec<Unresolved>,
    ) -> &'n [Node] {
        let Some(list) = owner.get(key) else { return &[] };
        if !list.is_list() {
            unresolved.push(self.unreadable_value(&path.clone().key(key.to_owned()), list, "a list"));
        }
        list.items()
    }

    /// The same about a part that would be merged into a template: what it would set is not known either.
    pub(super) fn unknown_part(&self, path: &Path<'_>, node: &Node) -> [Unresolved; 2] {
        let text = format!("what {path} would add to the pod is not known");
        let missing = self.unresolved(path, UnresolvedReason::Fragment, text);
        [self.unreadable_value(path, node, "an object"), missing]
    }

    /// The whole object as a template of which nothing is known: there is nothing in it that a pod could be made of.
    pub(super) fn without_templates(&self) -> Template<'d> {
        let path = Path::from_keys(["spec"]);
        let text = format!("no pod template in this {}", Printable(self.kind));
        let unresolved = self.unresolved(&path, UnresolvedReason::NoContainers, text);
        Template::unjudged(path, Shape::Opaque, unresolved)
    }
}

/// Gives a container an image if it has none: its operator, or another field of the object, does. Which one is not looked at, so
/// that a rule about images finds a placeholder.
pub(super) fn give_image(container: &mut Node) {
    if container.text_of("image").is_empty() {
        container.set("image", Node::text(container.span, "${image}"));
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::workload::copy_budget::CopyBudget;
    use crate::workload::find::Carried;
    use crate::workload::kind::Kinds;
    use crate::workload::references::References;
    use crate::yaml;

    fn each<T>(text: &str, of_template: impl Fn(&Template<'_>) -> T) -> Vec<T> {
        let document = yaml::read(text).remove(0).expect(text);
        let (node, kinds) = (&document.root, Kinds::default());
        let (api_version, kind) = (node.text_of("apiVersion"), node.text_of("kind"));
        let (references, budget) = (References::default(), CopyBudget::of(usize::MAX));
        let (namespace, kinds, references, budget) = ("", &kinds, &references, &budget);
        let object = Object { node, api_version, kind, kinds, namespace, references, budget };
        match object.carried() {
            Carried::Templates(templates) => templates.iter().map(of_template).collect(),
            other @ (Carried::Unknown | Carried::Nothing) => panic!("{other:?}: {text}"),
        }
    }

    /// `path shape reason,reason` of each template of an object.
    pub(in crate::workload) fn found(text: &str) -> Vec<String> {
        let name = |value| serde_json::to_value(value).expect("a name").as_str().expect("a name").to_owned();
        each(text, |template| {
            let shape = serde_json::to_value(template.shape).expect("a name");
            let reasons =
                template.unresolved.iter().map(|entry| name(entry.reason)).collect::<Vec<_>>().join(",");
            format!("{} {} {reasons}", template.path, shape.as_str().expect("a name")).trim_end().to_owned()
        })
    }

    /// The pod of each template of an object, as JSON; empty where there is none.
    pub(in crate::workload) fn pods(text: &str) -> Vec<String> {
        each(text, |template| {
            let json = template.pod.as_ref().map(|pod| pod.to_json()).unwrap_or_default();
            String::from_utf8(json).expect("UTF-8")
        })
    }
}
