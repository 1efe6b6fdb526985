//! The linter, from files to the report. Inputs and reports are written out in full.

mod files;
mod identity;
mod kinds;
mod layouts;
mod misplaced;
mod notations;
mod placeholders;
mod references;
mod same_verdicts;
mod templates;
mod unjudged;
mod unread;
mod unresolved;
mod verdicts;
mod walked;
mod wrong_types;

use std::fs;
use std::io::Write as _;
use std::sync::Arc;

use podgate::identity::Providers;
use podgate::kinds::KindFiles;
use podgate::lint::report::{FailOn, Layout, json, summary, text};
use podgate::lint::{Excludes, Input, Options, Report, run};
use podgate::policy::{BUILT_IN, PolicySet, Snapshot};
use podgate::workload::{Kinds, References};
use serde_json::Value;
use tempfile::TempDir;

use crate::policies::policies;

// ---- running the linter

/// Files to lint, with the policies and the Namespaces that are known.
struct Case {
    folder: TempDir,
    policies: PolicySet,
    namespaces: Snapshot,
    namespace: String,
    excludes: Excludes,
    references: References,
    providers: Arc<Providers>,
}

impl Case {
    /// Files, judged by the built-in policy.
    fn new(files: &[(&str, &str)]) -> Self {
        let case = Self {
            folder: TempDir::new().unwrap(),
            policies: policies(BUILT_IN),
            namespaces: Snapshot::default(),
            namespace: String::new(),
            excludes: Excludes::default(),
            references: References::default(),
            providers: Arc::default(),
        };
        for (name, text) in files {
            case.write(name, text);
        }
        case
    }

    fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        let path = self.folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    /// One file, in a namespace that the built-in policy applies to.
    fn of(text: &str) -> Self {
        Self::new(&[("a.yaml", text)]).knowing("ml", &[("podgate.dev/policy", "ml-restricted")])
    }

    fn by_standard(self, standard: &str) -> Self {
        Self { policies: PolicySet::of_standard(&standard.parse().unwrap()), ..self }
    }

    fn by_policy(self, text: &str) -> Self {
        Self { policies: policies(text), ..self }
    }

    fn knowing(mut self, namespace: &str, labels: &[(&str, &str)]) -> Self {
        let labels = labels.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
        self.namespaces.insert(namespace, labels.collect());
        self
    }

    /// Lints as with these patterns of `--exclude`.
    fn without(mut self, globs: &[&str]) -> Self {
        self.excludes = Excludes::new(globs.iter().copied()).unwrap();
        self
    }

    /// Lints as with `--namespace`.
    fn in_namespace(mut self, namespace: &str) -> Self {
        namespace.clone_into(&mut self.namespace);
        self
    }

    /// Lints as with these in `--objects`.
    fn referring_to(mut self, references: References) -> Self {
        self.references = references;
        self
    }

    fn run(self, names: &[&str]) -> Report {
        let inputs: Vec<Input> =
            names.iter().map(|name| Input::Path(self.folder.path().join(name))).collect();
        let Self { folder, policies, namespaces, namespace, excludes, references, providers } = self;
        let mut report = run(
            &inputs,
            Options {
                policies,
                namespaces,
                namespace,
                excludes,
                today: None,
                kinds: Kinds::default(),
                references,
                providers,
                check_tables: Some(KindFiles::faults_of),
            },
        );
        let folder = format!("{}/", folder.path().display());
        let files = report.objects.iter_mut().map(|object| &mut object.file);
        let summary = &mut report.summary;
        let folders = summary.charts.iter_mut().chain(&mut summary.kustomizations);
        report.identity.iter_mut().for_each(|note| note.file = note.file.replace(&folder, ""));
        let unread = report.unread.iter_mut().chain(&mut report.misspelt).map(|unread| &mut unread.file);
        for file in files.chain(unread).chain(folders) {
            *file = file.replace(&folder, "");
        }
        for pod in report.objects.iter_mut().flat_map(|object| &mut object.pods) {
            let of_findings = pod.findings.iter_mut().filter_map(|finding| finding.from.as_mut());
            let of_unresolved = pod.unresolved.iter_mut().filter_map(|entry| entry.from.as_mut());
            for from in of_findings.chain(of_unresolved) {
                from.file = from.file.replace(&folder, "");
            }
        }
        report
    }

    /// The whole folder: the text report, the summary below a line, and the exit code.
    fn text(self) -> String {
        shown(&self.run(&[""]))
    }
}

fn shown(report: &Report) -> String {
    let mut shown = Vec::new();
    text::write(report, Layout::default(), &mut shown).unwrap();
    text::write_table(report, Layout::default(), &mut shown).unwrap();
    writeln!(shown, "----").unwrap();
    summary::write(report, &mut shown).unwrap();
    write!(shown, "exit {}", report.exit_code(&FailOn::DEFAULT)).unwrap();
    String::from_utf8(shown).unwrap()
}

fn as_json(report: &Report) -> Value {
    let mut bytes = Vec::new();
    json::write(report, &mut bytes).unwrap();
    assert_eq!(bytes.iter().filter(|byte| **byte == b'\n').count(), 1, "one line");
    serde_json::from_slice(&bytes).unwrap()
}

/// A policy that enforces baseline and warns about restricted.
const LENIENT: &str = "
apiVersion: podgate.dev/v1alpha1
kind: SecurityPolicy
metadata: {name: lenient}
spec:
  match: {namespaces: [ml]}
  standard: {enforce: baseline:latest, warn: restricted:latest}
";

/// A container that meets the restricted level.
const GOOD: &str = "{name: c, image: i, securityContext: {allowPrivilegeEscalation: false, runAsNonRoot: true, \
                    capabilities: {drop: [ALL]}, seccompProfile: {type: RuntimeDefault}}}";
