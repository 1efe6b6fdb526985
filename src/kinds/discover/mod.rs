//! `podgate kinds discover`: CustomResourceDefinitions in, a file with entries for the table of kinds out.
//!
//! It proposes, and a person decides. A schema says what may be written and not what an operator makes of it, so whatever the
//! file leaves open stands in its comments.

mod compare;
mod definition;
mod proposal;
mod schema;

use std::collections::BTreeMap;

use crate::path::Path;
use crate::policy::{PolicyError, yaml_fault};
use crate::text::counted;
use crate::workload::Kinds;
use crate::yaml::{self, Node, ReadDocument, Stated};

use definition::{Definition, KIND};

/// Deepest list of lists that is looked into.
const MOST_LISTS: usize = 4;

/// What the CustomResourceDefinitions of some files say.
#[derive(Debug)]
pub struct Discovery {
    kinds: Kinds,
    definitions: BTreeMap<(String, String), FoundDefinition>,
    faults: Vec<PolicyError>,
    /// How many patches of definitions were passed over.
    patches: usize,
}

/// A definition, and where it was found first.
#[derive(Debug)]
struct FoundDefinition {
    place: String,
    definition: Definition,
    /// Where there are others of the kind that differ.
    others: Vec<String>,
}

impl Discovery {
    /// Of no file yet, beside the kinds that are known.
    #[must_use]
    pub fn new(kinds: Kinds) -> Self {
        Self { kinds, definitions: BTreeMap::new(), faults: Vec::new(), patches: 0 }
    }

    /// Reads one file, `text`, which errors and comments call `file`. What is no CustomResourceDefinition is passed over.
    pub fn read(&mut self, file: &str, text: &str) {
        // What never names the kind has none.
        if !text.contains(KIND) {
            return;
        }
        let is_wanted = |stated: &Stated<'_>| stated.kind == KIND || stated.kind.ends_with("List");
        yaml::read_each(text, is_wanted, |document| match document {
            Ok(ReadDocument::Document(document)) => self.object(file, &document, &Path::root(), 0),
            Ok(ReadDocument::Unwanted { .. }) => {}
            Err(fault) => self.faults.push(yaml_fault(file, text, &fault)),
        });
    }

    /// What could not be read.
    #[must_use]
    pub fn faults(&self) -> &[PolicyError] {
        &self.faults
    }

    /// How many kinds have a CustomResourceDefinition.
    #[must_use]
    pub fn count(&self) -> usize {
        self.definitions.len()
    }

    /// What was read, in words.
    #[must_use]
    pub fn summary(&self) -> String {
        let read = counted(self.definitions.len(), "CustomResourceDefinition");
        let read = match self.patches {
            0 => format!("{read} read"),
            count => format!("{read} read, {} of kustomize passed over", patches(count)),
        };
        match self.definitions.is_empty() {
            true => format!(
                "{read}: there is none to propose anything from (kubectl get customresourcedefinitions -o yaml prints those of a \
                 cluster)"
            ),
            false => read,
        }
    }

    fn object(&mut self, file: &str, document: &yaml::Document, at: &Path<'_>, depth: usize) {
        let object = document.root.locate(at).node;
        let kind = object.text_of("kind");
        if kind == KIND {
            self.definition(file, document, at, object);
        } else if kind.ends_with("List") && depth < MOST_LISTS {
            for index in 0..object.items_at("items").len() {
                self.object(file, document, &at.clone().key("items").index(index), depth + 1);
            }
        }
    }

    fn definition(&mut self, file: &str, document: &yaml::Document, at: &Path<'_>, object: &Node) {
        if definition::is_patch(object) {
            self.patches += 1;
            return;
        }
        let place = |path: &Path<'_>| document.root.locate(path).span;
        match definition::read(object) {
            Ok(definition) => {
                let line = place(&at.clone().key("kind")).line;
                self.keep(format!("{file}:{line}"), definition);
            }
            Err(faults) => {
                let error = |(path, message): definition::Fault| {
                    let path = at.join(&path);
                    let span = place(&path);
                    PolicyError::new(file, span.line, span.column, format!("{path}: {message}"))
                };
                let mut faults: Vec<PolicyError> = faults.into_iter().map(error).collect();
                faults.sort_by_key(|fault| (fault.line, fault.column));
                self.faults.append(&mut faults);
            }
        }
    }

    /// Keeps what is new of a definition. Of two that differ about a version the first holds, and the other is named.
    fn keep(&mut self, place: String, definition: Definition) {
        let key = (definition.group.clone(), definition.kind.clone());
        let Some(known) = self.definitions.get_mut(&key) else {
            self.definitions.insert(key, FoundDefinition { place, definition, others: Vec::new() });
            return;
        };
        let versions = &mut known.definition.versions;
        let mut differs = false;
        for version in definition.versions {
            match versions.iter_mut().find(|other| other.name == version.name) {
                // Some projects ship a definition without schema beside the whole one.
                Some(other) => match (other.found.has_pods(), version.found.has_pods()) {
                    (false, true) => *other = version,
                    (true, false) => {}
                    (true, true) | (false, false) => differs |= other.found != version.found,
                },
                None => versions.push(version),
            }
        }
        known.others.extend(differs.then_some(place));
    }
}

fn patches(count: usize) -> String {
    if count == 1 { "1 patch".to_owned() } else { format!("{count} patches") }
}
