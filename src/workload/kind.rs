//! A custom resource that carries pods: a row of the table.

use crate::workload::copy_budget::CopyBudget;
use crate::workload::references::References;
use crate::workload::template::{Part, Shape, Template};
use crate::yaml::Node;

/// A kind of custom resource. What the table says is known for as long as the process lives.
#[derive(Debug, Clone, Copy)]
pub struct Kind {
    /// The API group.
    pub group: &'static str,
    /// The versions that this row is about; empty for all that no other row of the kind names.
    pub versions: &'static [&'static str],
    /// `kind`.
    pub kind: &'static str,
    /// Where its pods are.
    pub carries: Carries,
}

/// Where the pods of a kind are.
#[derive(Debug, Clone, Copy)]
pub enum Carries {
    /// Where these patterns lead.
    Templates(&'static [TemplatePattern]),
    /// No pattern can say: how its operator makes pods of it has to be known.
    Adapter(Adapter),
    /// It makes pods, of which nothing that a rule looks at is written in it.
    Opaque,
    /// It makes no pod.
    Nothing,
}

/// Where templates are, and what they are.
#[derive(Debug, Clone, Copy)]
pub struct TemplatePattern {
    /// Leads to them: `spec.replicaSpecs.*.template`.
    pub pattern: &'static str,
    /// How they are written.
    pub shape: Shape,
    /// What follows where a field is absent.
    pub part: Part,
}

/// What finds the templates of a kind that no pattern describes.
#[derive(Debug, Clone, Copy)]
pub struct Adapter {
    /// Finds them, in the order of the object.
    pub(super) find: for<'o, 'd> fn(&'o Object<'d>) -> Vec<Template<'d>>,
    /// For people: where it looks, and how it is written there.
    pub places: &'static [(&'static str, Shape)],
}

impl Kind {
    /// Where it has its pods, as patterns for people, and how they are written there.
    pub fn places(&self) -> impl Iterator<Item = (&'static str, Shape)> {
        let (patterns, places): (&[TemplatePattern], &[(&str, Shape)]) = match self.carries {
            Carries::Templates(patterns) => (patterns, &[]),
            Carries::Adapter(adapter) => (&[], adapter.places),
            Carries::Opaque | Carries::Nothing => (&[], &[]),
        };
        patterns.iter().map(|pattern| (pattern.pattern, pattern.shape)).chain(places.iter().copied())
    }
}

/// An object of a kind that carries pods.
///
/// Adapters look for templates with `find`, put others together with `merged`, and say of each what is
/// missing.
#[derive(Debug, Clone, Copy)]
pub struct Object<'d> {
    /// The object.
    pub node: &'d Node,
    /// `apiVersion`, perhaps that of its list.
    pub api_version: &'d str,
    /// `kind`, likewise.
    pub kind: &'d str,
    /// The kinds that are known.
    pub kinds: &'d Kinds,
    /// The namespace that it is in; empty where it is not known.
    pub namespace: &'d str,
    /// The objects that it may refer to.
    pub references: &'d References,
    /// How much may be copied for its pods.
    pub budget: &'d CopyBudget,
}

/// The kinds that are known: those of the table, and those that a user has added.
#[derive(Debug)]
pub struct Kinds {
    pub(super) table: &'static [&'static [Kind]],
    pub(super) added: Vec<Kind>,
}

impl Kinds {
    /// Those that were added, and the table's.
    pub fn iter(&self) -> impl Iterator<Item = &Kind> {
        self.added.iter().chain(self.table.iter().copied().flatten())
    }

    /// Those that were added.
    #[must_use]
    pub fn added(&self) -> &[Kind] {
        &self.added
    }

    /// The kind that a manifest names: the row of its version, or else that of all others. Of a version that nobody knows, the first
    /// row of the table: a kind is not unknown because it is newer.
    #[must_use]
    pub fn find(&self, api_version: &str, kind: &str) -> Option<&Kind> {
        let (group, version) = api_version.split_once('/')?;
        let is_meant = |row: &&Kind| row.kind == kind && row.group == group;
        let rows = || self.iter().filter(is_meant);
        let of_version = rows().find(|row| row.versions.contains(&version));
        let of_all = || rows().find(|row| row.versions.is_empty());
        // Who adds a kind says which versions it holds for.
        of_version.or_else(of_all).or_else(|| self.table.iter().copied().flatten().find(is_meant))
    }
}
