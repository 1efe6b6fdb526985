//! What a linter run came to: the one value behind every format.
//!
//! Its fields are those of the JSON format, version 1. What that says is not to change; fields may
//! be added.

pub mod json;
pub mod text;

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;
use serde_json::Value as Json;

use crate::controls::{self, Found, Value};
use crate::evaluate::{Severity, sentence};
use crate::lint::Origin;
use crate::lint::judge::Placed;
use crate::pod;
use crate::policy::{PolicySet, Scope};
use crate::yaml::Fault;

pub use crate::lint::advice::{Advice, Change};

/// Every object that was judged, and everything that was not read.
#[derive(Debug, Serialize)]
pub struct Report {
    /// The objects that carry pods, in the order in which they were read.
    pub objects: Vec<Object>,
    /// What could not be read.
    pub unread: Vec<Unread>,
    /// The counts.
    pub summary: Summary,
    /// The standard, if objects were judged by one alone.
    #[serde(skip)]
    pub standard: Option<String>,
}

/// An object that carries a pod.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Object {
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
    /// `metadata.namespace`; may be empty.
    pub namespace: String,
    /// `metadata.name` or else `metadata.generateName`; may be empty.
    pub name: String,
    /// What the webhook would come to.
    pub verdict: Verdict,
    /// Whether enough is known of the namespace to tell which policies hold. If not, all that may hold
    /// are taken to hold.
    #[serde(rename = "namespaceKnown")]
    pub is_namespace_known: bool,
    /// The pods in it: one, or none where the template is absent.
    pub pods: Vec<Pod>,
}

/// What the webhook would come to, once it has filled in what it fills in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// The pods are let through. There may be notes for the audit log.
    Allow,
    /// They are let through with a warning.
    Warn,
    /// They are refused.
    Deny,
}

/// A pod, or the template of one.
#[derive(Debug, Serialize)]
pub struct Pod {
    /// Where it stands in the object; empty for a Pod.
    pub path: String,
    /// Whether it is let through.
    pub allowed: bool,
    /// Why not, in the words of Kubernetes' own Pod Security Admission: in a few.
    pub reason: String,
    /// And in many.
    pub detail: String,
    /// Each way in which it breaks a policy.
    pub findings: Vec<Finding>,
    /// What people are told; `None` if there is nothing to do.
    #[serde(skip)]
    pub advice: Option<Advice>,
}

/// One breach of one control.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Finding {
    /// The id of the control.
    pub control: &'static str,
    /// `deny`, `warn` or `audit`.
    pub severity: &'static str,
    /// The name of the container, if it is one's.
    pub container: Option<String>,
    /// The field, from the object on: `spec.template.spec.containers[0].securityContext.privileged`.
    pub field: String,
    /// What it holds.
    pub value: Json,
    /// The finding and its remedy as a sentence.
    pub message: String,
    /// The change that mends it.
    pub remedy: Remedy,
    /// Whether podgate makes that change by itself, so that it does not count.
    #[serde(rename = "filledIn")]
    pub is_filled_in: bool,
    /// The line of the field, or of what it is missing from.
    pub line: usize,
    /// Its column.
    pub column: usize,
    /// The line of the alias, if it is one that puts the field there; `line` is then that of its anchor.
    pub alias_line: Option<usize>,
}

/// The change that mends a finding: `{"set": false}`, `{"remove": true}` or `{"choose": [...]}`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Remedy {
    /// Give the field this value.
    Set(Json),
    /// Remove the field, or this item of its list.
    Remove(bool),
    /// Give the field one of these values, or put one of these in its place.
    Choose(Vec<&'static str>),
}

/// Something that could not be read, and so was not judged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Unread {
    /// The file, as it was named; `-` for standard input.
    pub file: String,
    /// The line, if it is one place in the file.
    pub line: Option<usize>,
    /// The column, likewise.
    pub column: Option<usize>,
    /// The place of the document in the file, from 1, if the rest of the file was read.
    pub document: Option<usize>,
    /// Why, and what to do.
    pub message: String,
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
    /// The objects whose pods are let through with a warning.
    pub warned: usize,
    /// The objects whose pods are let through.
    pub allowed: usize,
    /// What could not be read.
    pub unread: usize,
    /// The findings, those that podgate fills in among them.
    pub findings: usize,
    /// The objects of namespaces that are not known.
    pub unknown_namespaces: usize,
    /// The objects of kinds that carry no pod that podgate knows of.
    pub other_kinds: Vec<OtherKind>,
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
pub(super) struct Part {
    pub(super) objects: Vec<Object>,
    pub(super) unread: Vec<Unread>,
    other_kinds: BTreeMap<(String, String), usize>,
}

impl Part {
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
    /// Puts a report together from what was never found and from a part for each file.
    pub(super) fn of(policies: &PolicySet, lost: Vec<Unread>, parts: impl Iterator<Item = Part>) -> Self {
        let alone = policies.security.iter().find(|policy| matches!(policy.scope, Scope::Everywhere));
        let standard = alone.and_then(|policy| policy.enforce.as_ref()).map(ToString::to_string);
        let mut report = Self { objects: Vec::new(), unread: lost, summary: Summary::default(), standard };
        let mut files = report.unread.len();
        let mut other_kinds = BTreeMap::new();
        for part in parts {
            files += 1;
            report.objects.extend(part.objects);
            report.unread.extend(part.unread);
            for (kind, count) in part.other_kinds {
                *other_kinds.entry(kind).or_default() += count;
            }
        }
        report.summary = report.summary(files, other_kinds);
        report
    }

    fn summary(&self, files: usize, other_kinds: BTreeMap<(String, String), usize>) -> Summary {
        let with = |verdict| self.objects.iter().filter(|object| object.verdict == verdict).count();
        let pods = || self.objects.iter().flat_map(|object| &object.pods);
        let other_kind = |((api_version, kind), count)| OtherKind { api_version, kind, count };
        Summary {
            files,
            objects: self.objects.len(),
            pods: pods().count(),
            denied: with(Verdict::Deny),
            warned: with(Verdict::Warn),
            allowed: with(Verdict::Allow),
            unread: self.unread.len(),
            findings: pods().map(|pod| pod.findings.len()).sum(),
            unknown_namespaces: self.objects.iter().filter(|object| !object.is_namespace_known).count(),
            other_kinds: other_kinds.into_iter().map(other_kind).collect(),
        }
    }

    /// What the process exits with: 3 if something could not be read, else 1 if something is refused,
    /// else 0.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match &self.summary {
            Summary { unread: 1.., .. } => 3,
            Summary { denied: 1.., .. } => 1,
            Summary { .. } => 0,
        }
    }
}

impl Finding {
    pub(super) fn new(pod: &pod::Pod<'_>, placed: &Placed<'_>) -> Self {
        let Placed { finding, severity, is_filled_in, field, span, alias } = placed;
        Self {
            control: finding.control.id,
            severity: Severity::name(*severity),
            container: finding.place.container().map(|container| container.name.to_owned()),
            field: field.clone(),
            value: to_json(finding.found),
            message: sentence(pod, finding),
            remedy: Remedy::of(finding.remedy),
            is_filled_in: *is_filled_in,
            line: span.line,
            column: span.column,
            alias_line: alias.map(|alias| alias.line),
        }
    }
}

fn to_json(found: Found<'_>) -> Json {
    match found {
        Found::Absent => Json::Null,
        Found::Bool(value) => value.into(),
        Found::Integer(value) => value.into(),
        Found::Text(text) => text.into(),
        Found::List(items) => items.iter().map(AsRef::as_ref).collect(),
    }
}

impl Remedy {
    fn of(remedy: controls::Remedy<'_>) -> Self {
        match remedy {
            controls::Remedy::Set(Value::Bool(value)) => Self::Set(value.into()),
            controls::Remedy::Set(Value::Text(text)) => Self::Set(text.into()),
            controls::Remedy::Set(Value::ListOf(text)) => Self::Set(vec![text].into()),
            controls::Remedy::Remove => Self::Remove(true),
            controls::Remedy::Choose(values) => Self::Choose(values.to_vec()),
        }
    }
}

impl Unread {
    /// A whole file.
    pub(super) fn file(file: String, message: String) -> Self {
        Self { file, line: None, column: None, document: None, message }
    }

    /// A document, or an object in one.
    pub(super) fn in_document(origin: &Origin<'_>, fault: Fault) -> Self {
        Self {
            file: origin.file.to_owned(),
            line: Some(fault.line),
            column: Some(fault.column),
            document: Some(origin.document),
            message: fault.message,
        }
    }
}

impl fmt::Display for Unread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        for number in [self.line, self.column].into_iter().flatten() {
            write!(f, ":{number}")?;
        }
        write!(f, ": {}", self.message)
    }
}
