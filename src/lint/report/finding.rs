//! A finding, with its place and its fix, as it is reported.

use serde::{Serialize, Serializer};
use serde_json::Value as Json;

use crate::evaluate::{Severity, sentence};
use crate::finding::{EditOp, Fix, Found};
use crate::lint::diagnostic::Diagnostic;
use crate::pod::Pod;
use crate::policy::Exception;
use crate::workload::FoundIn;

/// One violation of one control.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct FindingReport {
    /// The id of the control.
    pub control: &'static str,
    /// The name of the policy, or the standard.
    pub policy: String,
    /// `deny`, `warn` or `audit`.
    #[serde(serialize_with = "severity_name")]
    pub severity: Severity,
    /// `denied`, `warned`, `audited`, `filledIn`, `excepted` or `unresolved`.
    pub disposition: &'static str,
    /// The exception that lets it be.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exception: Option<ExceptionReport>,
    /// The name of the container, if it is one's.
    pub container: Option<String>,
    /// The field, from the object on: `spec.template.spec.containers[0].securityContext.privileged`.
    pub field: String,
    /// What it holds.
    pub value: Json,
    /// The finding and its fix as a sentence.
    pub message: String,
    /// The change that fixes it.
    pub remedy: FixReport,
    /// Whether podgate makes that change by itself, so that it does not count.
    #[serde(rename = "filledIn")]
    pub is_filled_in: bool,
    /// The line of the field, or of what it is missing from.
    pub line: usize,
    /// Its column.
    pub column: usize,
    /// The object that it comes from, if that is another one: `field` and `line` are then in it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<FoundIn>,
    /// The line of the alias, if it is one that puts the field there; `line` is then that of its anchor.
    pub alias_line: Option<usize>,
}

/// An exception that lets a finding be.
#[derive(Debug, Serialize)]
pub struct ExceptionReport {
    /// Its name.
    pub name: String,
    /// Whom to ask about it.
    pub owner: String,
    /// The last day on which it holds: `2027-03-31`.
    pub expires: String,
}

impl ExceptionReport {
    fn of(exception: &Exception) -> Self {
        let Exception { name, owner, expires, .. } = exception;
        Self { name: name.to_string(), owner: owner.clone(), expires: expires.to_string() }
    }
}

/// The change that fixes a finding: `{"set": false}`, `{"add": ["ALL"]}`, `{"remove": true}`, `{"choose": [...]}` or
/// `{"range": [1, 9]}`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum FixReport {
    /// Give the field this value.
    Set(Json),
    /// Add these at the end of the list.
    Add(Json),
    /// Remove the field, or this item of its list.
    Remove(bool),
    /// Give the field one of these values, or put one of these in its place.
    Choose(Vec<String>),
    /// Give the field a number from the first to the second.
    Range([i64; 2]),
}

impl FindingReport {
    pub(in crate::lint) fn new(pod: &Pod<'_>, diagnostic: &Diagnostic<'_, '_>) -> Self {
        let Diagnostic { judged, severity, exception, field, span, alias, referent, .. } = diagnostic;
        let finding = judged.finding;
        Self {
            control: judged.control().id,
            policy: judged.policy.name.to_string(),
            severity: *severity,
            disposition: diagnostic.disposition(),
            exception: exception.map(ExceptionReport::of),
            container: finding.subject.container().map(|container| container.name.to_owned()),
            field: field.clone(),
            value: to_json(finding.found),
            message: sentence(pod, judged),
            remedy: FixReport::of(&finding.fix),
            is_filled_in: judged.is_filled_in(),
            line: span.line,
            column: span.column,
            from: referent.map(FoundIn::new),
            alias_line: alias.map(|alias| alias.line),
        }
    }
}

pub(super) fn severity_name<S: Serializer>(severity: &Severity, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(severity.name())
}

fn to_json(found: Found<'_>) -> Json {
    match found {
        Found::Absent => Json::Null,
        Found::Bool(value) => value.into(),
        Found::Integer(value) => value.into(),
        Found::Text(text) => text.into(),
        Found::List(items) => items.iter().map(AsRef::as_ref).collect(),
        // Nobody may see it.
        Found::Hidden => Json::Null,
    }
}

impl FixReport {
    fn of_edit(op: &EditOp<'_>) -> Self {
        match op {
            EditOp::Set(value) | EditOp::Prepend(value) => Self::Set(value.into()),
            EditOp::Append(items) => {
                Self::Add(items.iter().filter_map(|item| serde_json::from_str::<Json>(item).ok()).collect())
            }
            EditOp::Remove => Self::Remove(true),
        }
    }

    fn of(fix: &Fix<'_>) -> Self {
        match fix {
            Fix::Edit { op, .. } => Self::of_edit(op),
            Fix::Edits { edits, .. } => {
                edits.first().map_or(Self::Remove(true), |edit| Self::of_edit(&edit.op))
            }
            Fix::OneOf(values) => Self::Choose(values.iter().map(str::to_owned).collect()),
            Fix::Range { least, most } => Self::Range([*least, *most]),
        }
    }
}
