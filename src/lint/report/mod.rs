//! The result of a run of the linter: the one value behind every format.
//!
//! Its fields are those of the JSON format, version 1. Fields may be added; those that are there do not change.

pub mod concise;
mod exceptions;
mod finding;
mod fold;
mod identity;
mod identity_report;
pub mod json;
mod layout;
pub mod statistics;
pub mod summary;
pub mod text;
pub mod unresolved;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::Serialize;

use crate::lint::account_of_run::AccountOfRun;
use crate::lint::misplaced::Misplaced;
use crate::lint::source::FoundSources;
use crate::lint::unread::Unread;
use crate::path::Path;
use crate::policy::PolicySet;
use crate::text::Printable;
use crate::workload::Shape;

pub use crate::lint::injected::Injected;
pub use crate::lint::pod_summary::{PodSummary, SuggestedChange};
pub use crate::workload::FoundIn;
pub use crate::workload::{Unresolved, UnresolvedReason};
pub use finding::{FindingReport, FixReport};
pub use identity_report::{IdentityNote, IdentityReport};
pub use layout::Layout;

/// Every object that was judged, and everything that was not read.
#[derive(Debug, Serialize)]
pub struct Report {
    /// The objects that carry pods, in the order in which they were read.
    pub objects: Vec<ObjectReport>,
    /// What could not be read.
    pub unread: Vec<Unread>,
    /// The objects of a kind that podgate does not know, and nearly does. They are counted with the others of kinds without a
    /// pod.
    pub misspelt: Vec<Unread>,
    /// Service accounts, and labels and annotations of identities, that are not in order. They change no verdict.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub identity: Vec<IdentityNote>,
    /// The counts.
    pub summary: Summary,
    /// The standard, if objects were judged by one alone.
    #[serde(skip)]
    pub standard: Option<String>,
}

/// An object that carries a pod.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ObjectReport {
    /// The file, as it was named; `-` for standard input.
    pub file: String,
    /// The place of its document in the file, from 1.
    pub document: usize,
    /// The line on which it starts.
    pub line: usize,
    /// Its column.
    pub column: usize,
    /// `apiVersion`.
    pub api_version: String,
    /// `kind`.
    pub kind: String,
    /// `metadata.namespace`, or else the one that was given for objects without; may be empty.
    pub namespace: String,
    /// `metadata.name` or else `metadata.generateName`; may be empty.
    pub name: String,
    /// The webhook's verdict: the worst of its pods.
    pub verdict: ObjectVerdict,
    /// The names of the policies that hold in its namespace; if there are none, it was not judged.
    pub policies: Vec<String>,
    /// Whether enough is known of the namespace to tell which policies hold. If not, all that may hold
    /// are taken to hold.
    #[serde(rename = "namespaceKnown")]
    pub is_namespace_known: bool,
    /// Whether its kind has no namespace: its pods may be in any.
    #[serde(skip)]
    pub is_of_cluster: bool,
    /// The pods in it: at least one, which may be absent where one should be.
    pub pods: Vec<PodReport>,
    /// Fields that have no effect where they stand. They do not change the verdict.
    pub misplaced: Vec<Misplaced>,
    /// Containers that operators and webhooks add to its pods, and that are not in order as they are. They do not change the
    /// verdict: nobody has written them here.
    pub injected: Vec<Injected>,
}

/// The webhook's verdict, once it has filled in defaults.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ObjectVerdict {
    /// The pods are allowed. There may be notes for the audit log.
    Allow,
    /// They are allowed with a warning.
    Warn,
    /// Nothing of what is there is refused, but there is more to it.
    Unresolved,
    /// They are refused.
    Deny,
}

impl ObjectVerdict {
    /// Whether pods are admitted.
    pub(in crate::lint) fn is_allowed(self) -> bool {
        match self {
            Self::Allow | Self::Warn => true,
            Self::Unresolved | Self::Deny => false,
        }
    }
}

/// A pod, or the template of one.
#[derive(Debug, Serialize)]
pub struct PodReport {
    /// Its path in the object; empty for a Pod.
    pub path: String,
    /// How it is written there.
    pub shape: Shape,
    /// Whether it is allowed.
    pub allowed: bool,
    /// The webhook's verdict.
    pub verdict: ObjectVerdict,
    /// Why not, in the words of Kubernetes' own Pod Security Admission: in short.
    pub reason: String,
    /// And in full.
    pub detail: String,
    /// What a verdict lacks, if it lacks anything.
    pub unresolved: Vec<Unresolved>,
    /// What is wrong with its identity.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub identity: Vec<IdentityReport>,
    /// The service accounts that it acts as, or is to, by namespace and name.
    #[serde(skip)]
    pub(in crate::lint) accounts: Vec<(String, String)>,
    /// The exceptions that let something of it be, or may: whether RBAC grants their use is not known.
    #[serde(skip)]
    pub exceptions: BTreeSet<Arc<str>>,
    /// What is to be said of exceptions: those that let something be and end soon and, of a pod that is refused, those that
    /// would and do not hold.
    #[serde(rename = "exceptionNotes", skip_serializing_if = "Vec::is_empty")]
    pub exception_notes: Vec<String>,
    /// Each field that violates a policy, once.
    pub findings: Vec<FindingReport>,
    /// What people read; `None` if there is nothing to do.
    #[serde(skip)]
    pub summary: Option<PodSummary>,
}

impl PodReport {
    /// A pod that is not there to be judged: allowed unless something is unresolved about it.
    pub(super) fn unread_pod(path: &Path<'_>, shape: Shape, unresolved: Vec<Unresolved>) -> Self {
        let verdict = if unresolved.is_empty() { ObjectVerdict::Allow } else { ObjectVerdict::Unresolved };
        Self {
            path: path.to_string(),
            shape,
            allowed: verdict.is_allowed(),
            verdict,
            reason: String::new(),
            detail: String::new(),
            unresolved,
            identity: Vec::new(),
            accounts: Vec::new(),
            exceptions: BTreeSet::new(),
            exception_notes: Vec::new(),
            findings: Vec::new(),
            summary: None,
        }
    }
}

/// The counts of a run.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Summary {
    /// The files that were read or tried.
    pub files: usize,
    /// The objects that were judged.
    pub objects: usize,
    /// The pods in them.
    pub pods: usize,
    /// The objects whose pods are refused.
    pub denied: usize,
    /// The objects whose pods are allowed with a warning.
    pub warned: usize,
    /// The objects of which this cannot be said.
    pub unresolved: usize,
    /// The objects whose pods are allowed, those that were not judged among them.
    pub allowed: usize,
    /// The objects that were not judged, because no policy holds in their namespace.
    pub unjudged: usize,
    /// What could not be read.
    pub unread: usize,
    /// The findings, those that podgate fills in among them.
    pub findings: usize,
    /// The objects of namespaces that are not known.
    pub unknown_namespaces: usize,
    /// The objects of kinds that carry no pod that podgate knows of.
    pub other_kinds: Vec<OtherKind>,
    /// The policies of podgate among the files, each of them in order.
    pub policies: usize,
    /// The documents in folders that are no Kubernetes manifests.
    pub not_manifests: usize,
    /// Links to folders, which are not followed.
    pub linked_folders: Vec<String>,
    /// The folders of the Helm charts among them.
    pub charts: Vec<String>,
    /// The folders of the kustomizations among them.
    pub kustomizations: Vec<String>,
    /// What was named and then excluded.
    pub excluded: usize,
}

/// How many objects there are of a kind that was not judged.
#[derive(Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct OtherKind {
    /// `apiVersion`.
    pub api_version: String,
    /// `kind`.
    pub kind: String,
    /// How many.
    pub count: usize,
}

/// What one file adds to a report.
#[derive(Debug, Default)]
pub(super) struct FileReport {
    pub(super) objects: Vec<ObjectReport>,
    pub(super) unread: Vec<Unread>,
    pub(super) misspelt: Vec<Unread>,
    /// The service accounts, if anybody asks.
    pub(super) accounts: Vec<AccountOfRun>,
    /// Labels and annotations where nobody reads them.
    pub(super) identity: Vec<IdentityNote>,
    /// The policies that are in order.
    pub(super) policies: usize,
    /// The documents that are something else.
    pub(super) not_manifests: usize,
    other_kinds: BTreeMap<(String, String), usize>,
}

impl FileReport {
    pub(super) fn count_other(&mut self, api_version: &str, kind: &str) {
        *self.other_kinds.entry((api_version.to_owned(), kind.to_owned())).or_default() += 1;
    }

    /// How many objects were only counted.
    #[cfg(test)]
    pub(in crate::lint) fn others(&self) -> usize {
        self.other_kinds.values().sum()
    }
}

impl Report {
    /// The report of all files.
    pub(super) fn of(
        policies: &PolicySet,
        found: FoundSources,
        reports: impl Iterator<Item = FileReport>,
    ) -> Self {
        let FoundSources { unread, charts, kustomizations, linked_folders, excluded, .. } = found;
        let standard = policies.standard.as_ref().map(ToString::to_string);
        let mut counts = Summary {
            files: unread.len(),
            charts,
            kustomizations,
            linked_folders,
            excluded,
            ..Summary::default()
        };
        let (objects, misspelt) = (Vec::new(), Vec::new());
        let (identity, summary) = (Vec::new(), Summary::default());
        let mut report = Self { objects, unread, misspelt, identity, summary, standard };
        let mut other_kinds = BTreeMap::new();
        for of_file in reports {
            counts.files += 1;
            counts.policies += of_file.policies;
            counts.not_manifests += of_file.not_manifests;
            report.objects.extend(of_file.objects);
            report.unread.extend(of_file.unread);
            report.misspelt.extend(of_file.misspelt);
            report.identity.extend(of_file.identity);
            for (kind, count) in of_file.other_kinds {
                *other_kinds.entry(kind).or_default() += count;
            }
        }
        report.summary = report.summary(counts, other_kinds);
        report
    }

    fn summary(&self, counts: Summary, other_kinds: BTreeMap<(String, String), usize>) -> Summary {
        let with = |verdict| self.objects.iter().filter(|object| object.verdict == verdict).count();
        let pods = || self.objects.iter().flat_map(|object| &object.pods);
        let other_kind = |((api_version, kind), count)| OtherKind { api_version, kind, count };
        Summary {
            objects: self.objects.len(),
            pods: pods().count(),
            denied: with(ObjectVerdict::Deny),
            warned: with(ObjectVerdict::Warn),
            unresolved: with(ObjectVerdict::Unresolved),
            allowed: with(ObjectVerdict::Allow),
            unjudged: self.objects.iter().filter(|object| object.is_unjudged()).count(),
            unread: self.unread.len(),
            findings: pods().map(|pod| pod.findings.len()).sum(),
            unknown_namespaces: self.objects.iter().filter(|object| object.lacks_namespace()).count(),
            other_kinds: other_kinds.into_iter().map(other_kind).collect(),
            ..counts
        }
    }

    /// The exit code of the process: 1 if something is refused, or is as else the run is to fail for; else 3 if something could
    /// not be read, or is unresolved; else 0. What could not be read counts in any case.
    #[must_use]
    pub fn exit_code(&self, fail_on: &[FailOn]) -> u8 {
        let Summary { denied, warned, unjudged, unread, unresolved, .. } = &self.summary;
        let fails_on = |outcome| fail_on.contains(&outcome);
        let is_refused = *denied > 0;
        let is_warned = *warned > 0 && fails_on(FailOn::Warn);
        let is_unjudged = *unjudged > 0 && fails_on(FailOn::Unjudged);
        let is_unresolved = *unresolved > 0 && fails_on(FailOn::Unresolved);
        match () {
            () if is_refused || is_warned || is_unjudged => 1,
            () if *unread > 0 || is_unresolved => 3,
            () => 0,
        }
    }
}

impl ObjectReport {
    /// Whether it is in a namespace of which too little is known.
    fn lacks_namespace(&self) -> bool {
        !self.is_namespace_known && !self.is_of_cluster
    }

    /// Whether nothing was said of it because no policy holds in its namespace. What is wrong with the identity that a pod asks
    /// for itself is said all the same.
    fn is_unjudged(&self) -> bool {
        self.policies.is_empty() && self.verdict == ObjectVerdict::Allow
    }

    /// What people call it: `Job team/train`.
    fn subject(&self) -> String {
        let Self { kind, namespace, name, .. } = self;
        let separator = if namespace.is_empty() || name.is_empty() { "" } else { "/" };
        let name = format!("{}{separator}{}", Printable(namespace), Printable(name));
        format!("{} {name}", Printable(kind)).trim_end().to_owned()
    }
}

/// What makes a run fail, besides what is refused or could not be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum FailOn {
    /// Something is refused: exit code 1, in any case.
    Deny,
    /// Something is warned of: exit code 1.
    Warn,
    /// Something is unresolved: exit code 3.
    Unresolved,
    /// Something was not judged, because no policy holds in its namespace: exit code 1.
    Unjudged,
}

impl FailOn {
    /// What makes a run fail unless told otherwise.
    pub const DEFAULT: [Self; 2] = [Self::Deny, Self::Unresolved];
}
