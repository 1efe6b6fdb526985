//! The pods of an object that take them from another one as it is: they are judged as its own, and told where they are.

use crate::path::Path;
use crate::text::Printable;
use crate::workload::kind::Object;
use crate::workload::references::{References, Referent};
use crate::workload::template::{Shape, Template};
use crate::workload::unresolved::UnresolvedReason;
use crate::yaml::Node;

impl<'d> Object<'d> {
    /// The pods of the object of a group, kind and name that this one names at a path; a reference where it is not known.
    pub(super) fn pods_of(
        &self,
        path: &Path<'d>,
        (group, kind): (&str, &str),
        name: &str,
    ) -> Vec<Template<'d>> {
        let pods = self.referent(group, kind, name).map(|referent| self.pods_in(path, referent));
        let pods = pods.filter(|pods| !pods.is_empty());
        pods.unwrap_or_else(|| vec![Template::reference(self.node, path.clone(), kind, name)])
    }

    /// The pods of an object that this one names at a path.
    pub(super) fn pods_in(&self, path: &Path<'d>, referent: &'d Referent) -> Vec<Template<'d>> {
        if !self.budget.take_for(&referent.node) {
            let (kind, name) = (Printable(&referent.kind), Printable(&referent.name));
            let text = format!("{kind} {name} is too large to be looked into");
            let unresolved = self.unresolved(path, UnresolvedReason::Fragment, text);
            return vec![Template::unjudged(path.clone(), Shape::Reference, unresolved)];
        }
        let (node, api_version, kind) = (&referent.node, &referent.api_version, &referent.kind);
        let other = Object { node, api_version, kind, namespace: &referent.namespace, ..*self };
        self.taken(path, referent, other.pods())
    }

    /// The pods of the objects in a text, which stands at a path of an object that this one names. What those refer to is not
    /// looked up: a text could lead back to itself.
    pub(super) fn pods_in_text(
        &self,
        path: &Path<'d>,
        (referent, at, text): (&'d Referent, &Path<'d>, &'d Node),
    ) -> Vec<Template<'d>> {
        let other = Object { node: &referent.node, references: References::none(), ..*self };
        let found = self.taken(path, referent, other.embedded_text(at, text));
        if !found.is_empty() {
            return found;
        }
        let (kind, name) = (Printable(&referent.kind), Printable(&referent.name));
        let text = format!("no pod in {at} of {kind} {name}");
        let unresolved = self.unresolved(path, UnresolvedReason::NoContainers, text);
        vec![Template::unjudged(path.clone(), Shape::Reference, unresolved)]
    }

    fn taken(&self, path: &Path<'d>, referent: &'d Referent, found: Vec<Template<'d>>) -> Vec<Template<'d>> {
        found
            .into_iter()
            .map(|template| template.taken_from(referent, self.references, path.clone()))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workload::copy_budget::CopyBudget;
    use crate::workload::kind::Kinds;
    use crate::yaml;

    /// `path: text` of what is unresolved of a RayJob beside a cluster, with room for so many values.
    fn unresolved(room: usize) -> Vec<String> {
        let read = |text: &str| yaml::read(text).remove(0).expect(text).root;
        let mut references = References::default();
        references.add(Referent {
            file: "a.yaml".to_owned(),
            api_version: "ray.io/v1".to_owned(),
            kind: "RayCluster".to_owned(),
            namespace: String::new(),
            name: "a".to_owned(),
            node: read("{spec: {headGroupSpec: {template: '${X}'}}}"),
        });
        let node = read("{spec: {clusterSelector: {ray.io/cluster: a}}}");
        let (kinds, budget) = (Kinds::default(), CopyBudget::of(room));
        let object = Object {
            node: &node,
            api_version: "ray.io/v1",
            kind: "RayJob",
            kinds: &kinds,
            namespace: "",
            references: &references,
            budget: &budget,
        };
        let entries = object.pods().into_iter().flat_map(|template| template.unresolved);
        entries.map(|entry| format!("{}: {}", entry.path, entry.text)).collect()
    }

    #[test]
    fn what_is_too_large_is_not_looked_into() {
        assert_eq!(
            unresolved(4),
            ["spec.headGroupSpec.template: spec.headGroupSpec.template is a placeholder"]
        );
        assert_eq!(unresolved(3), ["spec.clusterSelector: RayCluster a is too large to be looked into"]);
    }
}
