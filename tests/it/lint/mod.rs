//! The linter, from files to the report. Inputs and reports are written out in full.

mod files;
mod kinds;
mod misplaced;
mod notations;
mod same_verdicts;
mod unread;
mod verdicts;
mod wrong_types;

use std::fs;
use std::io::Write as _;

use podgate::lint::report::{json, text};
use podgate::lint::{Input, Options, Report, run};
use podgate::policy::{BUILT_IN, PolicySet, Snapshot};
use serde_json::Value;
use tempfile::TempDir;

use crate::policies::policies;

// ---- running the linter

/// Files to lint, with the policies and the Namespaces that are known.
struct Case {
    folder: TempDir,
    policies: PolicySet,
    namespaces: Snapshot,
}

impl Case {
    /// Files, judged by the built-in policy.
    fn new(files: &[(&str, &str)]) -> Self {
        let case = Self {
            folder: TempDir::new().unwrap(),
            policies: policies(BUILT_IN),
            namespaces: Snapshot::default(),
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

    fn run(self, names: &[&str]) -> Report {
        let inputs: Vec<Input> =
            names.iter().map(|name| Input::Path(self.folder.path().join(name))).collect();
        let mut report = run(&inputs, Options { policies: self.policies, namespaces: self.namespaces });
        let folder = format!("{}/", self.folder.path().display());
        let files = report.objects.iter_mut().map(|object| &mut object.file);
        for file in files.chain(report.unread.iter_mut().map(|unread| &mut unread.file)) {
            *file = file.replace(&folder, "");
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
    text::write(report, &mut shown).unwrap();
    writeln!(shown, "----").unwrap();
    text::write_summary(report, &mut shown).unwrap();
    write!(shown, "exit {}", report.exit_code()).unwrap();
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
const GOOD: &str = "{name: c, securityContext: {allowPrivilegeEscalation: false, runAsNonRoot: true, \
                    capabilities: {drop: [ALL]}, seccompProfile: {type: RuntimeDefault}}}";
