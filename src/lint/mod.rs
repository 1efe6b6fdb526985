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

mod account_object;
mod account_of_run;
mod describe;
mod diagnostic;
mod exclude;
mod file;
mod identity;
mod injected;
mod judged_by;
mod known_kinds;
mod legal_fields;
mod linter;
mod manifest;
mod misplaced;
mod objects;
mod place;
mod pod_identities;
mod pod_summary;
pub mod report;
mod resemblance;
mod source;
mod standard_text;
mod unlooked;
mod unread;
mod unresolved;
mod workers;
mod wrong_types;

use std::mem;
use std::num::NonZero;
use std::sync::Arc;
use std::thread;

use jiff::civil::Date;

use crate::identity::Providers;
use crate::policy::{PolicyIndex, PolicySet, Snapshot};
use crate::workload::{Kinds, References, Referent, ReferentKinds};

use account_of_run::AccountOfRun;
use identity::{IdentityCheck, account_notes, crowd_notes};
use linter::{CheckTables, Linter};
use objects::{FoundObjects, find_objects, find_referents};
use report::{FileReport, IdentityNote};
use source::ManifestSource;
use workers::in_order;

pub use exclude::{ExcludeError, Excludes};
pub use misplaced::Misplaced;
pub use objects::{Objects, read_objects};
pub use report::Report;
pub use source::Input;
pub use unread::Unread;

/// Most files that are read at once: each takes memory while it is.
const MOST_THREADS: usize = 16;

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
    /// The day on which they are judged, in UTC; without one no exception holds.
    pub today: Option<Date>,
    /// The custom resources that are known.
    pub kinds: Kinds,
    /// What others may take their pods from, besides what is among the manifests, which takes precedence.
    pub references: References,
    /// Who gives pods identities where a policy or their label asks for it; without one labels are not looked at.
    pub providers: Arc<Providers>,
    /// Says what is wrong with the tables of kinds of a file, by its name; without it nothing is.
    pub check_tables: Option<CheckTables>,
}

/// Judges every object in the files, folders and standard input that are named.
#[must_use]
pub fn run(inputs: &[Input], options: Options) -> Report {
    let threads = thread::available_parallelism().map_or(1, NonZero::get);
    run_on(threads.min(MOST_THREADS), inputs, options)
}

fn run_on(threads: usize, inputs: &[Input], options: Options) -> Report {
    let Options {
        policies,
        mut namespaces,
        namespace,
        excludes,
        today,
        kinds,
        references,
        providers,
        check_tables,
    } = options;
    let mut found = source::find(inputs, &excludes);
    let sources = mem::take(&mut found.sources);
    let mut objects = Objects::default();
    let gives_identities = policies.standard.is_none() && !policies.identity.is_empty();
    let reads_accounts = gives_identities || policies.has_granted_exceptions();
    let mut mentions_identity = false;
    let mut asked_for = ReferentKinds::default();
    for found in in_order(threads, &sources, |source| objects_of(source, &namespace, reads_accounts)) {
        for (name, metadata) in found.namespaces {
            objects.add_namespace(name, metadata);
        }
        objects.references.extend(found.referents);
        found.accounts.into_iter().for_each(|object| object.put(&mut objects.snapshot));
        asked_for = asked_for.and(found.asked_for);
        mentions_identity |= found.mentions_identity;
    }
    let judges_labels = policies.standard.is_none() && mentions_identity && providers.iter().next().is_some();
    if judges_labels && !reads_accounts {
        for found in in_order(threads, &sources, |source| objects_of(source, &namespace, true)) {
            found.accounts.into_iter().for_each(|object| object.put(&mut objects.snapshot));
        }
    }
    if asked_for.are_any() {
        for found in in_order(threads, &sources, |source| referents_of(source, &namespace, asked_for)) {
            objects.references.extend(found);
        }
    }
    let is_complete = namespaces.knows_service_accounts();
    namespaces.take_from(&objects.snapshot);
    // Nobody can tell which of them is in the cluster, so every policy is taken to hold.
    objects.contradicted.iter().for_each(|name| namespaces.remove(name));
    objects.references.extend_unless_known(references);
    let index = PolicyIndex::new(policies, &namespaces);
    let identity = (gives_identities || judges_labels)
        .then(|| IdentityCheck::new(&index, &namespaces, (&providers, today), is_complete));
    let linter =
        Linter::new(&index, &namespace, (&kinds, &objects.references), check_tables, (today, &namespaces));
    let linter = linter.with_identity(identity);
    let reports = in_order(threads, &sources, |source| file::lint(source, &linter));
    let notes = if linter.judges_identity() { notes_of(&reports, &namespaces) } else { Vec::new() };
    let mut report = Report::of(index.policies(), found, reports.into_iter());
    report.identity.extend(notes);
    report
}

/// What is wrong with the service accounts that the pods of all files act as.
fn notes_of(reports: &[FileReport], known: &Snapshot) -> Vec<IdentityNote> {
    let accounts: Vec<&AccountOfRun> = reports.iter().flat_map(|report| &report.accounts).collect();
    let pods = reports.iter().flat_map(|report| &report.objects).flat_map(|object| &object.pods);
    let used = pods.flat_map(|pod| &pod.accounts);
    let used = used.map(|(namespace, name)| (namespace.as_str(), name.as_str())).collect();
    let mut notes = account_notes(&accounts, &used);
    notes.extend(crowd_notes(&accounts, known));
    notes
}

/// What verdicts on other objects depend on, of a source. What cannot be read here is reported when the source is linted.
fn objects_of(source: &ManifestSource, namespace: &str, gives_identities: bool) -> FoundObjects {
    match source.text() {
        Ok(text) => find_objects(&source.name, &text, namespace, gives_identities),
        Err(_) => FoundObjects::default(),
    }
}

/// The objects of kinds that are looked for only where another source refers to one.
fn referents_of(source: &ManifestSource, namespace: &str, kinds: ReferentKinds) -> Vec<Referent> {
    let text = source.text();
    text.map_or_else(|_| Vec::new(), |text| find_referents(&source.name, &text, namespace, kinds))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_report_is_the_same_on_any_number_of_threads() {
        let folder = tempfile::tempdir().expect("a folder");
        for index in 0..60 {
            let text = match index % 6 {
                0 => format!("apiVersion: v1\nkind: Namespace\nmetadata: {{name: n{index}, labels: {{a: b}}}}\n"),
                1 => "apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec: {hostPID: true, containers: [{name: c, \
                      image: i}]}\n---\na: [\n"
                    .to_owned(),
                2 => format!("apiVersion: v1\nkind: Namespace\nmetadata: {{name: same, labels: {{a: v{index}}}}}\n"),
                3 => "kind: Pod\napiVersion: v1\nspec: {Containers: []}\n".to_owned(),
                4 => "apiVersion: v1\nkind: ConfigMap\ndata: {a: b, a: c}\n".to_owned(),
                _ => format!("apiVersion: x.y/v1\nkind: K{index}\nspec: {{}}\n"),
            };
            fs::write(folder.path().join(format!("{index:02}.yaml")), text).expect("room for it");
        }
        let report = |threads| {
            let mut policies = crate::policy::Policies::new(vec![]);
            crate::policy::read_file("built in", crate::policy::BUILT_IN, &mut policies);
            let policies = policies.finish().expect("the built-in policy is sound");
            run_on(
                threads,
                &[Input::Path(folder.path().to_owned())],
                Options { policies, ..Options::default() },
            )
        };
        let alone = format!("{:?}", report(1));
        assert_eq!(report(1).summary.files, 60);
        for threads in [2, 3, 16, 100] {
            assert_eq!(format!("{:?}", report(threads)), alone, "{threads} threads");
        }
    }
}
