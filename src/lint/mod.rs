//! The linter: manifests in, the verdicts of the webhook out, each fault with its line and column.
//!
//! It finds no fault by itself. An object goes as JSON, as kubectl would send it, to the reader and
//! the evaluator that the webhook uses; what is added here is which files and objects there are, and
//! where in the file a finding stands. What could not be read is part of the report, and makes it
//! one of failure: a gate that passes over what it does not understand is open.
//!
//! A manifest is judged as its pods will be once podgate's mutating webhook has filled in what is
//! absent and safe. With one standard alone and no policy it is judged as it is written, to the
//! letter of Kubernetes' own evaluator.

mod advice;
mod judge;
mod manifest;
mod objects;
mod place;
pub mod report;
mod source;

use crate::policy::{PolicySet, Scope, Snapshot};
use crate::workload::Workload;
use crate::yaml;

use judge::Judge;
use manifest::Item;
use report::Part;
use source::Source;

pub use objects::{Objects, read_objects};
pub use report::{Report, Unread};
pub use source::Input;

/// What manifests are judged by.
#[derive(Debug, Default)]
pub struct Options {
    /// The policies, or those of one standard ([`PolicySet::of_standard`]).
    pub policies: PolicySet,
    /// The Namespaces that are known apart from those among the manifests, which have the last word.
    pub namespaces: Snapshot,
}

/// Judges every object in the files, folders and standard input that are named.
#[must_use]
pub fn run(inputs: &[Input], options: Options) -> Report {
    let Options { policies, mut namespaces } = options;
    let (sources, lost) = source::find(inputs);
    if policies.security.iter().any(|policy| matches!(policy.scope, Scope::Labels(_))) {
        let mut objects = Objects { snapshot: namespaces, ..Objects::default() };
        sources.iter().for_each(|source| add_namespaces(source, &mut objects));
        namespaces = objects.snapshot;
    }
    let judge = Judge::new(&policies, &namespaces);
    let parts = sources.iter().map(|source| lint(source, &judge));
    Report::of(&policies, lost, parts)
}

/// Adds the Namespaces of a source. What cannot be read here is reported when the source is linted.
fn add_namespaces(source: &Source, objects: &mut Objects) {
    let Ok(text) = source.text() else { return };
    // Most files name none and need not be parsed for it; a backslash may hide the name.
    if text.contains(objects::NAMESPACE) || text.contains('\\') {
        read_objects(&source.name, &text, objects);
    }
}

fn lint(source: &Source, judge: &Judge<'_>) -> Part {
    let mut part = Part::default();
    match source.text() {
        Ok(text) => {
            for (index, document) in yaml::read(&text).into_iter().enumerate() {
                lint_document(
                    document,
                    &Origin { file: &source.name, document: index + 1 },
                    judge,
                    &mut part,
                );
            }
        }
        Err(unread) => part.unread.push(unread),
    }
    part
}

/// Where an object comes from.
struct Origin<'s> {
    file: &'s str,
    /// The place of its document in the file, from 1.
    document: usize,
}

fn lint_document(
    document: Result<yaml::Document, yaml::Fault>,
    origin: &Origin<'_>,
    judge: &Judge<'_>,
    part: &mut Part,
) {
    let document = match document {
        Ok(document) => document,
        Err(fault) => return part.unread.push(Unread::in_document(origin, fault)),
    };
    for item in manifest::items(&document.root) {
        if let Err(fault) = item.and_then(|item| lint_item(&item, origin, judge, part)) {
            part.unread.push(Unread::in_document(origin, fault));
        }
    }
}

fn lint_item(
    item: &Item<'_>,
    origin: &Origin<'_>,
    judge: &Judge<'_>,
    part: &mut Part,
) -> Result<(), yaml::Fault> {
    match Workload::of_kind(item.api_version, item.kind) {
        Some(workload) => part.objects.push(judge.object(workload, item, origin)?),
        None => {
            if item.is_namespace() {
                objects::read_namespace(item)?;
            }
            if let Some(known) = Workload::of_other_version(item.api_version, item.kind) {
                return Err(item.fault(format!(
                    "{} of {}: not a version that podgate knows; it knows {}",
                    item.kind,
                    item.api_version,
                    known.join(", ")
                )));
            }
            part.count_other(item.api_version, item.kind);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ORIGIN: Origin<'_> = Origin { file: "f", document: 1 };

    proptest! {
        /// Whatever a text holds, each of its documents is judged, counted, or reported as unread.
        #[test]
        fn nothing_panics_and_nothing_is_lost(text in "(---\n|apiVersion: (v1|apps/v1|5)\n|kind: (Pod|List|PodList|Deployment|Namespace|X)\n|metadata: (\\{name: a\\}|b)\n|spec:\n|items: *(\\[\\]|\\[\\{kind: Pod, apiVersion: v1\\}\\])?\n| *- &a \\{[a-c]\\}\n|  (template|containers|hostPID|securityContext): *(true|0|\\*a|\\[\\{name: c\\}\\])?\n){0,12}") {
            let policies = PolicySet::of_standard(&"restricted".parse().expect("a standard"));
            let namespaces = Snapshot::default();
            let judge = Judge::new(&policies, &namespaces);
            for document in yaml::read(&text) {
                let json = document.as_ref().map(|document| document.root.to_json()).unwrap_or_default();
                let json = String::from_utf8_lossy(&json);
                let is_list = json.contains("\"items\"") || json.contains("List\"");
                let mut part = Part::default();
                lint_document(document, &ORIGIN, &judge, &mut part);
                let counted = part.objects.len() + part.unread.len() + part.others();
                prop_assert!(counted == 1 || is_list, "{counted} of {text:?}");
            }
        }
    }
}
