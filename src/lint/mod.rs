//! The linter: manifests in, the verdicts of the webhook out, each fault with its line and column.
//!
//! It has no checks of its own. An object goes as JSON, as kubectl would send it, through the reader and the evaluator of
//! the webhook; what is added here is which files and objects there are, and where in a file a finding is. What could not
//! be read is part of the report, and makes the run fail: a gate that ignores what it does not understand is open.
//!
//! A manifest is judged as its pods will be once podgate's mutating webhook has filled in safe defaults. With one standard
//! alone and no policy it is judged as it is written, exactly as Kubernetes' own evaluator would.

mod diagnostic;
mod legal_fields;
mod linter;
mod manifest;
mod misplaced;
mod objects;
mod place;
mod pod_summary;
pub mod report;
mod source;
mod unread;
mod wrong_types;

use crate::policy::{PolicySet, Snapshot};
use crate::workload::Workload;
use crate::yaml;

use linter::Linter;
use manifest::{Item, NAMESPACE};
use report::FileReport;
use source::ManifestSource;
use unread::DocumentOrigin;

pub use misplaced::Misplaced;
pub use objects::{Objects, read_objects};
pub use report::Report;
pub use source::Input;
pub use unread::Unread;

/// What manifests are judged by.
#[derive(Debug, Default)]
pub struct Options {
    /// The policies, or those of one standard ([`PolicySet::of_standard`]).
    pub policies: PolicySet,
    /// The Namespaces that are known besides those among the manifests, which take precedence.
    pub namespaces: Snapshot,
}

/// Judges every object in the files, folders and standard input that are named.
#[must_use]
pub fn run(inputs: &[Input], options: Options) -> Report {
    let Options { policies, mut namespaces } = options;
    let (sources, lost) = source::find(inputs);
    if policies.selects_by_labels() {
        let mut objects = Objects { snapshot: namespaces, ..Objects::default() };
        sources.iter().for_each(|source| add_namespaces(source, &mut objects));
        namespaces = objects.snapshot;
    }
    let linter = Linter::new(&policies, &namespaces);
    let reports = sources.iter().map(|source| lint(source, &linter));
    Report::of(&policies, lost, reports)
}

/// Adds the Namespaces of a source. What cannot be read here is reported when the source is linted.
fn add_namespaces(source: &ManifestSource, objects: &mut Objects) {
    let Ok(text) = source.text() else { return };
    // Most files name none and need not be parsed for it; a backslash may hide the name.
    if text.contains(NAMESPACE) || text.contains('\\') {
        read_objects(&source.name, &text, objects);
    }
}

fn lint(source: &ManifestSource, linter: &Linter<'_>) -> FileReport {
    let mut report = FileReport::default();
    match source.text() {
        Ok(text) => {
            for (index, document) in yaml::read(&text).into_iter().enumerate() {
                lint_document(
                    document,
                    &DocumentOrigin { file: &source.name, document: index + 1, text: &text },
                    linter,
                    &mut report,
                );
            }
        }
        Err(unread) => report.unread.push(unread),
    }
    report
}

fn lint_document(
    document: Result<yaml::Document, yaml::YamlError>,
    origin: &DocumentOrigin<'_>,
    linter: &Linter<'_>,
    report: &mut FileReport,
) {
    let document = match document {
        Ok(document) => document,
        Err(fault) => return report.unread.push(Unread::in_document(origin, fault)),
    };
    for item in manifest::items(&document.root) {
        let linted = match item {
            Ok(item) => lint_item(&item, origin, linter, report),
            Err(fault) => Err(vec![fault]),
        };
        let faults = linted.err().unwrap_or_default();
        report.unread.extend(faults.into_iter().map(|fault| Unread::in_document(origin, fault)));
    }
}

fn lint_item(
    item: &Item<'_>,
    origin: &DocumentOrigin<'_>,
    linter: &Linter<'_>,
    report: &mut FileReport,
) -> Result<(), Vec<yaml::YamlError>> {
    match Workload::of_kind(item.api_version, item.kind) {
        Some(workload) => report.objects.push(linter.object(workload, item, origin)?),
        None => {
            if item.is_namespace() {
                objects::read_namespace(item, origin.text)?;
            }
            if let Some(known) = Workload::of_other_version(item.api_version, item.kind) {
                return Err(vec![item.fault(format!(
                    "{} of {}: not a version that podgate knows; it knows {}",
                    item.kind,
                    item.api_version,
                    known.join(", ")
                ))]);
            }
            report.count_other(item.api_version, item.kind);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ORIGIN: DocumentOrigin<'_> = DocumentOrigin { file: "f", document: 1, text: "" };

    proptest! {
        /// Whatever a text holds, each of its documents is judged, counted, or reported as unread.
        #[test]
        fn nothing_panics_and_nothing_is_lost(text in "(---\n|apiVersion: (v1|apps/v1|5)\n|kind: (Pod|List|PodList|Deployment|Namespace|X)\n|metadata: (\\{name: a\\}|b)\n|spec:\n|items: *(\\[\\]|\\[\\{kind: Pod, apiVersion: v1\\}\\])?\n| *- &a \\{[a-c]\\}\n|  (template|containers|hostPID|securityContext): *(true|0|\\*a|\\[\\{name: c\\}\\])?\n){0,12}") {
            let policies = PolicySet::of_standard(&"restricted".parse().expect("a standard"));
            let namespaces = Snapshot::default();
            let linter = Linter::new(&policies, &namespaces);
            for document in yaml::read(&text) {
                let json = document.as_ref().map(|document| document.root.to_json()).unwrap_or_default();
                let json = String::from_utf8_lossy(&json);
                let is_list = json.contains("\"items\"") || json.contains("List\"");
                let mut report = FileReport::default();
                lint_document(document, &ORIGIN, &linter, &mut report);
                let counted = report.objects.len() + report.unread.len() + report.others();
                prop_assert!(counted == 1 || is_list, "{counted} of {text:?}");
            }
        }
    }
}
