//! An object of any kind → the pods that it makes.

use std::rc::Rc;

use crate::path::Path;
use crate::workload::built_in::Workload;
use crate::workload::containers::holders;
use crate::workload::kind::{Carries, Kind, Object, TemplatePattern};
use crate::workload::pattern::{Match, matches};
use crate::workload::placeholder::has_placeholder;
use crate::workload::template::{Part, Shape, Template};
use crate::workload::unresolved::{Unresolved, UnresolvedReason};
use crate::yaml::{self, Node, Value, YamlError};

/// What an object of a custom resource carries.
#[derive(Debug)]
pub enum Carried<'d> {
    /// Its kind is not known.
    Unknown,
    /// Its kind is known to make no pods.
    Nothing,
    /// Its pods: at least one, of which nothing may be known.
    Templates(Vec<Template<'d>>),
}

impl<'d> Object<'d> {
    /// The pods that an object of a custom resource makes.
    #[must_use]
    pub fn carried(&self) -> Carried<'d> {
        let Some(kind) = self.kinds.find(self.api_version, self.kind) else { return Carried::Unknown };
        let mut found = match kind.carries {
            Carries::Nothing => return Carried::Nothing,
            Carries::Opaque => vec![self.opaque()],
            Carries::Templates(patterns) => self.by_patterns(patterns),
            Carries::Adapter(adapter) => (adapter.find)(self),
        };
        // Several patterns meet the same placeholder on their common way.
        found.dedup_by(|next, known| {
            next.pod.is_none() && next.path == known.path && next.unresolved == known.unresolved
        });
        let index = Rc::default();
        found.iter_mut().for_each(|template| template.places.share(self.node, &index));
        match found.is_empty() {
            true if self.has_objects(kind) => Carried::Nothing,
            true => Carried::Templates(vec![self.without_templates()]),
            false => Carried::Templates(found),
        }
    }

    /// Whether the kind is one that holds other objects, and this one does: none of them has a pod.
    fn has_objects(&self, kind: &Kind) -> bool {
        let mut places = kind.places();
        places.any(|(pattern, shape)| shape == Shape::Object && !matches(self.node, pattern).is_empty())
    }

    /// Whether the kind of an object in this one is known.
    pub(super) fn knows(&self, node: &Node) -> bool {
        let (api_version, kind) = (node.text_of("apiVersion"), node.text_of("kind"));
        Workload::of_kind(api_version, kind).is_some() || self.kinds.find(api_version, kind).is_some()
    }

    /// A PodTemplateSpec at a path.
    pub(super) fn template_at(&self, path: Path<'d>, node: &'d Node) -> Template<'d> {
        if node.is_object() {
            Template::in_place(path, node)
        } else {
            self.unreadable(path, node, Shape::PodTemplate, "an object")
        }
    }

    fn opaque(&self) -> Template<'d> {
        let path = Path::from_keys(["spec"]);
        let text = "its operator makes the pod, and nothing of it is written here that could be judged";
        let unresolved = self.unresolved(&path, UnresolvedReason::NoContainers, text);
        Template::unjudged(path, Shape::Opaque, unresolved)
    }

    fn by_patterns(&self, patterns: &[TemplatePattern]) -> Vec<Template<'d>> {
        let of_pattern = |TemplatePattern { pattern, shape, part }: &_| self.find(pattern, *shape, *part);
        patterns.iter().flat_map(of_pattern).collect()
    }

    /// The templates that a pattern leads to.
    pub(super) fn find(&self, pattern: &str, shape: Shape, part: Part) -> Vec<Template<'d>> {
        let of_match = |found| match found {
            Match::Value(path, node) if !node.is_object() => {
                vec![self.unreadable(path, node, shape, "an object")]
            }
            Match::Value(path, node) => match shape {
                Shape::Object => self.embedded(&path, node),
                Shape::PodTemplate => vec![Template { part, ..Template::in_place(path, node) }],
                Shape::Container => vec![self.container(path, node, part)],
                Shape::Reference => {
                    vec![Template::reference(self.node, path, "preset", node.text_of("name"))]
                }
                Shape::PodSpec
                | Shape::ExtendedPodSpec
                | Shape::PartialPodSpec
                | Shape::Patch
                | Shape::Opaque => {
                    vec![Template::of_spec(path, shape, part, node)]
                }
            },
            Match::Unreadable(path, node) => {
                let wanted = if node.is_list() { "an object" } else { "an object or a list" };
                vec![self.unreadable(path, node, shape, wanted)]
            }
        };
        matches(self.node, pattern).into_iter().flat_map(of_match).collect()
    }

    /// The pods of an object of any kind that stands at a path of this one. One that has none says nothing.
    pub(super) fn embedded(&self, path: &Path<'d>, node: &'d Node) -> Vec<Template<'d>> {
        if !node.is_object() {
            return vec![self.unreadable(path.clone(), node, Shape::Object, "an object")];
        }
        if let Some(key) = unknown_identity(node) {
            let at = path.clone().key(key.0);
            let unresolved = self.unreadable_value(&at, key.1, "the name of a kind");
            return vec![Template::unjudged(path.clone(), Shape::Object, unresolved)];
        }
        let (api_version, kind) = (node.text_of("apiVersion"), node.text_of("kind"));
        let inner = Object { node, api_version, kind, ..*self };
        if kind.ends_with("List") && !node.items_at("items").is_empty() {
            let items = node.items_at("items").iter().enumerate();
            return items
                .flat_map(|(index, item)| self.embedded(&path.clone().key("items").index(index), item))
                .collect();
        }
        inner.pods().into_iter().map(|template| template.within(path)).collect()
    }

    /// The pods of an object of any kind. One that has none says nothing.
    pub(super) fn pods(&self) -> Vec<Template<'d>> {
        match Workload::of_kind(self.api_version, self.kind) {
            Some(workload) => vec![self.of_workload(workload)],
            None => match self.carried() {
                Carried::Templates(templates) => templates,
                Carried::Nothing => Vec::new(),
                Carried::Unknown if holders(self.node).is_empty() => Vec::new(),
                Carried::Unknown => vec![self.unknown_kind()],
            },
        }
    }

    /// The pods of the objects in a text at a path of this one.
    pub(super) fn embedded_text(&self, path: &Path<'d>, text: &'d Node) -> Vec<Template<'d>> {
        let mut found = Vec::new();
        let written = text.as_text().unwrap_or_default();
        if let Some(unresolved) = self.unread_text(path, written) {
            return vec![Template::unjudged(path.clone(), Shape::Object, unresolved)];
        }
        for document in yaml::read(written) {
            match document {
                Ok(document) if document.root.value == Value::Null => {}
                Ok(document) if !document.root.is_object() => {
                    found.push(self.unreadable(path.clone(), &document.root, Shape::Object, "an object"));
                }
                Ok(document) => {
                    let node = document.root.moved_to(text.span);
                    found.extend(self.of_text(&node).into_iter().map(|template| template.within(path)));
                }
                Err(error) => {
                    let text = format!("{path} cannot be read as an object: {}", fault_of(&error));
                    let unresolved = self.unresolved(path, UnresolvedReason::Unparsable, text);
                    found.push(Template::unjudged(path.clone(), Shape::Object, unresolved));
                }
            }
        }
        found
    }

    /// The pods of an object that was written as a text.
    fn of_text(&self, node: &Node) -> Vec<Template<'d>> {
        let object = Object { node, api_version: "", kind: "", ..*self };
        let found = object.embedded(&Path::root(), node).into_iter();
        found.map(|template| template.into_owned().knowing(self.references)).collect()
    }

    /// The pod of one of Kubernetes' own kinds.
    fn of_workload(&self, workload: &Workload) -> Template<'d> {
        let path = workload.template_steps();
        let located = self.node.locate(&path);
        if located.exact && located.node.value != Value::Null {
            return self.template_at(path, located.node);
        }
        let unresolved = self.unresolved(&path, UnresolvedReason::Fragment, format!("no {path}"));
        Template::unjudged(path, Shape::PodTemplate, unresolved)
    }

    /// An object with containers of which nobody knows what it makes of them.
    fn unknown_kind(&self) -> Template<'d> {
        let name = self.node.get("metadata").map(|metadata| metadata.text_of("name")).unwrap_or_default();
        let about = (self.api_version, self.kind);
        let unresolved = Unresolved::of_unknown_kind(self.node, about, name, &Path::root());
        Template::unjudged(Path::root(), Shape::Object, unresolved)
    }
}

/// What is wrong with a text that holds an object. None is of a chart: what is in double braces, a controller fills in when it runs.
pub(super) fn fault_of(error: &YamlError) -> String {
    match error.without_advice() {
        Some(fault) => format!(
            "{fault}; what is in {{{{...}}}} is filled in when it runs: put quotes around it where a string may stand, or judge \
             the object with a value in its place"
        ),
        None => error.message.clone(),
    }
}

/// What says the kind of an object and is not known: a placeholder, or no text.
fn unknown_identity(node: &Node) -> Option<(&'static str, &Node)> {
    let mut keys = ["apiVersion", "kind"].into_iter().filter_map(|key| Some((key, node.get(key)?)));
    keys.find(|(_, value)| value.as_text().is_none_or(has_placeholder))
}
