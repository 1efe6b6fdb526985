//! The exceptions that the pods among some objects use, by the verdicts of the linter.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Result;
use jiff::civil::Date;

use crate::cli::sources::{KindsArg, SourceFile, read_paths};
use crate::lint::report::ObjectVerdict;
use crate::lint::{self, Input, Objects, Options, read_objects};
use crate::policy::{PolicySet, Snapshot};
use crate::text::counted;

/// What the pods among some objects use.
pub(super) struct UsedByObjects {
    /// The exceptions that let something of a pod be, or may if RBAC grants them.
    pub(super) used: BTreeSet<Arc<str>>,
    /// How many pods and templates of pods there are.
    pub(super) pods: usize,
    unresolved: usize,
    /// What could not be read.
    pub(super) unread: Vec<String>,
    known: Snapshot,
}

impl UsedByObjects {
    /// Judges the objects of these files and folders, on a day.
    pub(super) fn of(paths: &[PathBuf], kinds: &KindsArg, policies: PolicySet, today: Date) -> Result<Self> {
        let mut objects = Objects::default();
        let mut unread = Vec::new();
        let mut inputs = Vec::new();
        for SourceFile { name, text } in read_paths(paths, "object")? {
            unread.extend(read_objects(&name, &text, &mut objects).iter().map(ToString::to_string));
            inputs.push(Input::Text { name, text });
        }
        let known = objects.snapshot.clone();
        let options = Options {
            policies,
            namespaces: objects.snapshot,
            references: objects.references,
            today: Some(today),
            kinds: kinds.load()?,
            ..Options::default()
        };
        let report = lint::run(&inputs, options);
        let pods = || report.objects.iter().flat_map(|object| &object.pods);
        let of_linter = report.unread.iter().map(ToString::to_string);
        let of_linter: Vec<String> = of_linter.filter(|text| !unread.contains(text)).collect();
        unread.extend(of_linter);
        Ok(Self {
            used: pods().flat_map(|pod| pod.exceptions.iter().cloned()).collect(),
            pods: pods().count(),
            unresolved: pods().filter(|pod| pod.verdict == ObjectVerdict::Unresolved).count(),
            unread,
            known,
        })
    }

    /// Whether RBAC lets any service account use an exception.
    pub(super) fn grants_to_anybody(&self, exception: &str) -> Option<bool> {
        self.known.grants_to_anybody(exception)
    }

    /// `objects: 12 pods, of which 2 are unresolved`.
    pub(super) fn summary(&self) -> String {
        let unresolved = match self.unresolved {
            0 => String::new(),
            count => format!(", of which {count} could not be judged to the end"),
        };
        format!("objects: {}{unresolved}", counted(self.pods, "pod"))
    }
}
