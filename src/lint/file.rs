//! One file → what it adds to the report: each of its documents and objects is judged, counted, or reported as unread.

use std::collections::BTreeSet;

use crate::identity::aad_pod_identity::PodIdentityKind;
use crate::lint::account_of_run::is_account;
use crate::lint::identity::{IDENTITY_KEYS, keys_of_others};
use crate::lint::known_kinds::{NAMESPACE, is_without_pods};
use crate::lint::linter::Linter;
use crate::lint::manifest::{self, Item};
use crate::lint::objects::read_namespace;
use crate::lint::report::{FileReport, ObjectReport};
use crate::lint::resemblance::{document_at, is_like_manifest, is_template};
use crate::lint::source::ManifestSource;
use crate::lint::unread::{DocumentOrigin, Unread};
use crate::policy::{KIND_TABLE, Policies, is_of_policy, is_table, read_document};
use crate::workload::{CONTAINER_LISTS, Workload};
use crate::yaml::{self, ReadDocument, Stated, YamlError};

/// Lints a file.
pub(super) fn lint(source: &ManifestSource, linter: &Linter<'_>) -> FileReport {
    match source.text() {
        Ok(text) => lint_text(source, &text, linter),
        Err(error) => {
            let mut report = FileReport::default();
            if source.is_named || error.is_like_manifest {
                report.unread.push(error.unread);
            } else {
                report.not_manifests += 1;
            }
            report
        }
    }
}

/// Lints the text of a file.
pub(super) fn lint_text(source: &ManifestSource, text: &str, linter: &Linter<'_>) -> FileReport {
    let policies = Policies::new(linter.reserved());
    let (tables, report) = (Vec::new(), FileReport::default());
    let mut file = FileLinter { source, text, linter, policies, tables, report };
    let (mut index, mut is_empty) = (0, true);
    yaml::read_each(
        text,
        |stated| is_looked_into(stated, linter),
        |document| {
            index += 1;
            let origin = DocumentOrigin { file: &source.name, document: index, text };
            is_empty &= document.as_ref().is_ok_and(is_null);
            match document {
                Ok(ReadDocument::Document(document)) => file.document(&document, &origin),
                Ok(ReadDocument::Unwanted { api_version, kind }) => {
                    file.report.count_other(api_version, kind)
                }
                Err(fault) => file.broken_document(fault, &origin),
            }
        },
    );
    file.check_tables();
    if source.is_named && is_empty {
        let message = "there is nothing in it: did the program fail that should have written it?";
        file.report.unread.push(Unread::file(source.name.clone(), message.to_owned()));
    }
    file.report
}

fn is_null(document: &ReadDocument<'_>) -> bool {
    matches!(document, ReadDocument::Document(document) if document.root.value == yaml::Value::Null)
}

/// Whether a document has to be looked into. If not, it is an object of which there is no more to say than its kind.
fn is_looked_into(stated: &Stated<'_>, linter: &Linter<'_>) -> bool {
    let Stated { api_version, kind, .. } = *stated;
    let is_known = Workload::of_kind(api_version, kind).is_some()
        || Workload::of_other_version(api_version, kind).is_some()
        || linter.knows(api_version, kind)
        || is_of_policy(api_version, kind)
        || is_table(api_version, kind)
        || kind == NAMESPACE
        || kind.ends_with("List");
    let may_have_pods = || !is_without_pods(api_version, kind) && stated.has_text(&CONTAINER_LISTS);
    let is_misspelt = || {
        linter.misspelling(api_version, kind).is_some() || linter.nearly_known(api_version, kind).is_some()
    };
    let is_of_identity = || {
        linter.judges_identity()
            && (is_account(api_version, kind)
                || PodIdentityKind::of(api_version, kind).is_some()
                || stated.has_text(&IDENTITY_KEYS))
    };
    is_known || may_have_pods() || is_misspelt() || is_of_identity()
}

struct FileLinter<'f> {
    source: &'f ManifestSource,
    text: &'f str,
    linter: &'f Linter<'f>,
    /// The policies of this file: of two files of a tree, each may be a set of its own.
    policies: Policies,
    /// The tables of kinds, with the places of their documents.
    tables: Vec<(usize, yaml::Document)>,
    report: FileReport,
}

impl FileLinter<'_> {
    /// A document that cannot be parsed.
    fn broken_document(&mut self, fault: YamlError, origin: &DocumentOrigin<'_>) {
        let document = document_at(self.text, fault.line);
        let is_rendered = || !is_template(&document) && !self.source.is_chart_template();
        if self.source.is_named || is_like_manifest(&document) && is_rendered() {
            self.report.unread.push(Unread::in_document(origin, fault));
        } else {
            self.report.not_manifests += 1;
        }
    }

    fn document(&mut self, document: &yaml::Document, origin: &DocumentOrigin<'_>) {
        if !self.source.is_named && manifest::is_something_else(&document.root) {
            self.report.not_manifests += 1;
            return;
        }
        for item in manifest::items(&document.root) {
            let read = match item {
                Ok(item) => self.item(&item, origin),
                Err(fault) => Err(vec![fault]),
            };
            let faults = read.err().unwrap_or_default().into_iter();
            self.report.unread.extend(faults.map(|fault| Unread::in_document(origin, fault)));
        }
    }

    fn item(&mut self, item: &Item<'_>, origin: &DocumentOrigin<'_>) -> Result<(), Vec<YamlError>> {
        let Item { api_version, kind, .. } = *item;
        if let Some(workload) = Workload::of_kind(api_version, kind) {
            self.report.objects.push(self.linter.object(workload, item, origin)?);
        } else if is_of_policy(api_version, kind) {
            self.policy(item, origin);
        } else if is_table(api_version, kind) {
            let table = yaml::Document { root: item.node.clone(), line: item.node.span.line };
            self.tables.push((origin.document, table));
        } else if let Some(object) = self.other_kind(item, origin)? {
            self.report.objects.push(object);
        } else {
            if let Some(meant) = self.linter.nearly_known(api_version, kind) {
                let message =
                    format!("{api_version} has no {kind} that podgate knows, did you mean {meant}?");
                self.report.misspelt.push(Unread::in_document(origin, item.fault(message)));
            }
            if self.linter.judges_identity() {
                self.identity(item, origin)?;
            }
            self.report.count_other(api_version, kind);
        }
        Ok(())
    }

    /// An object without pods that identities may depend on.
    fn identity(&mut self, item: &Item<'_>, origin: &DocumentOrigin<'_>) -> Result<(), Vec<YamlError>> {
        self.report.accounts.extend(self.linter.account(item, origin)?);
        if !is_account(item.api_version, item.kind) {
            self.report.identity.extend(keys_of_others(item, origin.file));
        }
        Ok(())
    }

    /// An object of a kind that is not read: an error if it was meant for one that is.
    fn other_kind(
        &self,
        item: &Item<'_>,
        origin: &DocumentOrigin<'_>,
    ) -> Result<Option<ObjectReport>, Vec<YamlError>> {
        let Item { api_version, kind, .. } = *item;
        if item.is_namespace() {
            read_namespace(item, origin.text)?;
        }
        if let Some(known) = Workload::of_other_version(api_version, kind) {
            return Err(vec![item.fault(format!(
                "{kind} of {api_version}: not a version that podgate knows; it knows {}",
                known.join(", ")
            ))]);
        }
        if let Some(message) = self.linter.misspelling(api_version, kind) {
            return Err(vec![item.fault(message)]);
        }
        let may_have_pods = !is_without_pods(api_version, kind);
        Ok(may_have_pods.then(|| self.linter.custom_resource(item, origin)).flatten())
    }

    /// What is wrong with the tables of kinds of the file. Those in order are counted.
    fn check_tables(&mut self) {
        let tables: Vec<&yaml::Document> = self.tables.iter().map(|(_, table)| table).collect();
        let mut faulty = BTreeSet::new();
        for fault in self.linter.faults_of_tables(&self.source.name, &tables) {
            let before = |(_, table): &&(usize, yaml::Document)| table.line <= fault.line;
            let document = self.tables.iter().rev().find(before).map_or(1, |(document, _)| *document);
            faulty.insert(document);
            let origin = DocumentOrigin { file: &self.source.name, document, text: self.text };
            let place = YamlError { line: fault.line, column: fault.column, message: fault.message };
            self.report.unread.push(Unread::in_document(&origin, place));
        }
        for (_, table) in self.tables.iter().filter(|(document, _)| !faulty.contains(document)) {
            self.report.count_other(table.root.text_of("apiVersion"), KIND_TABLE);
        }
    }

    /// One of our own policies.
    fn policy(&mut self, item: &Item<'_>, origin: &DocumentOrigin<'_>) {
        let document = yaml::Document { root: item.node.clone(), line: item.node.span.line };
        let faults = read_document(origin.file, &document, &mut self.policies);
        self.report.policies += usize::from(faults.is_empty());
        let unread = faults.into_iter().map(|fault| {
            let place = YamlError { line: fault.line, column: fault.column, message: fault.message };
            Unread::in_document(origin, place)
        });
        self.report.unread.extend(unread);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::lint::report::ObjectVerdict;
    use crate::policy::{PolicyIndex, PolicySet, Snapshot};
    use crate::workload::{Kinds, References};

    proptest! {
        /// Whatever a text holds, each of its documents is judged, counted, or reported as unread; and what is allowed was
        /// read as a whole.
        #[test]
        fn nothing_panics_and_nothing_is_lost(is_named: bool, text in "(---\n|apiVersion: (v1|apps/v1|app/v1|ray.io/v1|podgate.dev/v1alpha1|podgate.dev/v1|5)\n|kind: (Pod|List|PodList|Deployment|deployment|Namespace|SecurityPolicy|X)\n|metadata: (\\{name: a\\}|b)\n|spec:\n|items: *(\\[\\]|\\[\\{kind: Pod, apiVersion: v1\\}\\])?\n| *- &a \\{[a-c]\\}\n|  (template|selector|containers|hostPID|securityContext): *(true|0|\\*a|\\[\\{name: c\\}\\]|\\[\\{name: c, image: i\\}\\])?\n){0,12}") {
            let policies = PolicySet::of_standard(&"restricted".parse().expect("a standard"));
            let index = PolicyIndex::new(policies, &Snapshot::default());
            let (kinds, references) = (Kinds::default(), References::default());
            let known = Snapshot::default();
            let linter = Linter::new(&index, "", (&kinds, &references), None, (None, &known));
            let source = ManifestSource::of_test(is_named);
            let report = lint_text(&source, &text, &linter);
            for (index, document) in yaml::read(&text).into_iter().enumerate() {
                let in_document = |document: Option<usize>| document == Some(index + 1);
                let unread = report.unread.iter().filter(|unread| in_document(unread.document)).count();
                let objects = report.objects.iter().filter(|object| in_document(Some(object.document))).count();
                let Ok(document) = document else {
                    prop_assert!(objects == 0 && unread == usize::from(is_named || unread == 1), "{text:?}");
                    continue;
                };
                let json = String::from_utf8_lossy(&document.root.to_json()).into_owned();
                let is_list = json.contains("\"items\"") || json.contains("List\"");
                let is_policy = json.contains("podgate") || json.contains("Policy");
                prop_assert!(objects + unread <= 1 || is_list || is_policy && objects == 0, "{text:?}");
            }
            let documents = yaml::read(&text);
            let counted = report.objects.len() + report.unread.len() + report.others() + report.not_manifests + report.policies;
            let has_lists = text.contains("items") || text.contains("List");
            prop_assert!(counted >= documents.len() || has_lists, "{counted} of {text:?}");
            prop_assert!(!is_named || report.not_manifests == 0, "{text:?}");
            for object in &report.objects {
                prop_assert!(!object.pods.is_empty() && !object.policies.is_empty(), "{object:?}");
                let is_resolved = object.pods.iter().all(|pod| pod.unresolved.is_empty());
                prop_assert!(is_resolved || object.verdict >= ObjectVerdict::Unresolved, "{object:?}");
            }
        }
    }
}
