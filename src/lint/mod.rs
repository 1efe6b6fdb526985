//! The linter: manifests in, the verdicts of the webhook out, each fault with its line and column.
//!
//! It has no checks of its own. An object goes as JSON, as kubectl would send it, through the reader and the evaluator of
//! the webhook; what is added here is which files and objects there are, and where in a file a finding is. What could not
//! be read is part of the report, and makes the run fail: a gate that ignores what it does not understand is open. So does
//! what cannot be judged because a part of it is elsewhere, or because its kind is not known. What is found in a folder and is
//! no manifest at all is only counted.
//!
//! A manifest is judged as its pods will be once podgate's mutating webhook has filled in safe defaults. With one standard
//! alone and no policy it is judged as it is written, as Kubernetes' own evaluator would: only a volume without a source is
//! the emptyDir that the API server makes of it before anything judges it.

mod containers;
mod diagnostic;
mod exclude;
mod file;
mod known_kinds;
mod legal_fields;
mod linter;
mod manifest;
mod misplaced;
mod objects;
mod place;
mod pod_summary;
pub mod report;
mod resemblance;
mod source;
mod unread;
mod unresolved;
mod wrong_types;

use crate::policy::{PolicySet, Snapshot};

use known_kinds::NAMESPACE;
use linter::Linter;
use source::ManifestSource;

pub use exclude::{ExcludeError, Excludes};
pub use misplaced::Misplaced;
pub use objects::{Objects, read_objects};
pub use report::Report;
pub use source::Input;
pub use unread::Unread;
pub use unresolved::Unresolved;

/// What manifests are judged by.
#[derive(Debug, Default)]
pub struct Options {
    /// The policies, or those of one standard ([`PolicySet::of_standard`]).
    pub policies: PolicySet,
    /// The Namespaces that are known besides those among the manifests, which take precedence.
    pub namespaces: Snapshot,
    /// The namespace of objects that name none; empty where it is not known.
    pub namespace: String,
    /// What is not read.
    pub excludes: Excludes,
}

/// Judges every object in the files, folders and standard input that are named.
#[must_use]
pub fn run(inputs: &[Input], options: Options) -> Report {
    let Options { policies, mut namespaces, namespace, excludes } = options;
    let mut found = source::find(inputs, &excludes);
    let sources = std::mem::take(&mut found.sources);
    if policies.selects_by_labels() {
        let mut objects = Objects::default();
        sources.iter().for_each(|source| add_namespaces(source, &mut objects));
        namespaces.take_from(&objects.snapshot);
        // Nobody can tell which of them is in the cluster, so every policy is taken to hold.
        objects.contradicted.iter().for_each(|name| namespaces.remove(name));
    }
    let linter = Linter::new(&policies, &namespaces, &namespace);
    let reports = sources.iter().map(|source| file::lint(source, &linter));
    Report::of(&policies, found, reports)
}

/// Adds the Namespaces of a source. What cannot be read here is reported when the source is linted.
fn add_namespaces(source: &ManifestSource, objects: &mut Objects) {
    let Ok(text) = source.text() else { return };
    // Most files name none and need not be parsed for it; a backslash may hide the name.
    if text.contains(NAMESPACE) || text.contains('\\') {
        read_objects(&source.name, &text, objects);
    }
}
