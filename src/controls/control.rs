//! What a control is: data about a rule, and the function that looks for violations of it.

use std::fmt::Debug;
use std::sync::Arc;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::controls::checked_pod::CheckedPod;
use crate::controls::level::Level;
use crate::finding::{Edit, FieldPath, Finding, Sink, Subject};
use crate::path::{Path, Step};
use crate::pod::{Changes, Pod};

/// One rule that a pod can violate.
#[derive(Debug)]
pub struct Control {
    /// Its id: upstream's for the standard's controls, ours in the same style beyond it.
    pub id: &'static str,
    /// Its number in the code of a refusal: unique, never changed, never used again.
    pub number: u16,
    /// What its findings can have found, as an exception may name it; empty where that is never told.
    pub values: &'static [FoundValue],
    /// Whether it belongs to the standard or extends it.
    pub origin: Origin,
    /// Puts findings of this control (at least one, in the order of the walk) into words: the standard's own for its
    /// controls.
    pub violation: fn(&[Finding<'_>]) -> Violation,
    /// Its documentation.
    pub doc: Doc,
}

/// A kind of value that a finding can have found, as an exception may name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FoundValue {
    /// This boolean.
    Bool(bool),
    /// A whole number: an id, a port.
    Integer,
    /// Any text.
    Text,
    /// A capability: `IPC_LOCK`.
    Capability,
    /// A kind of volume source or, of a `hostPath`, the path.
    VolumeSource,
}

impl FoundValue {
    /// How an exception names it: `a capability such as IPC_LOCK`.
    #[must_use]
    pub fn in_words(self) -> &'static str {
        match self {
            Self::Bool(true) => "true",
            Self::Bool(false) => "false",
            Self::Integer => "a number or a range such as \"1000-2000\"",
            Self::Text => "a text",
            Self::Capability => "a capability such as IPC_LOCK",
            Self::VolumeSource => "a type of volume such as hostPath, or the path of one",
        }
    }
}

/// Where a control comes from.
#[derive(Debug)]
pub enum Origin {
    /// From the Pod Security Standards.
    Standard {
        /// The level that it belongs to.
        level: Level,
        /// Its checks through the versions, oldest first. Before the first it does not exist.
        revisions: &'static [Revision],
        /// The control of the baseline level that it replaces.
        overrides: Option<&'static Control>,
    },
    /// Ours: a policy turns it on.
    Extended {
        /// What a policy can say about it.
        parameters: Parameters,
        /// The changes of an existing pod that can make it violate the control. After any other update the pod is
        /// not checked again. (The standard's controls follow upstream's rule: [`Changes::OF_STANDARD`].)
        depends_on: Changes,
    },
}

/// A check of the standard from one minor version until the next revision.
#[derive(Debug, Clone, Copy)]
pub struct Revision {
    /// The first minor version that has it.
    pub since: u64,
    /// The check.
    pub check: CheckFn,
}

/// Checks a pod, and reports each violation to a [`Sink`].
pub type CheckFn = for<'p, 'a> fn(&'p Pod<'a>, &mut Sink<'_, 'p>);

/// The parameters of an extended control, as a policy gives them.
pub trait Check: Debug + Send + Sync {
    /// Checks a pod, and reports each violation to a [`Sink`]. Nothing is allocated for a pod that passes.
    fn check<'p>(&'p self, checked: CheckedPod<'p>, sink: &mut Sink<'_, 'p>);

    /// What has to be changed besides, where podgate itself makes the fixes of its findings about the parts that are
    /// `filled`. Told apart from the fixes: most of it is the same for every part, and a hostile pod has many.
    fn besides<'p>(
        &'p self,
        _pod: &'p Pod<'p>,
        _filled: &mut dyn Iterator<Item = Subject<'p>>,
        _edit: &mut dyn FnMut(Edit<'p>),
    ) {
    }

    /// Whether it compares an update with the pod as it was by itself, so that all that it finds is new.
    fn compares_with_old(&self) -> bool {
        false
    }

    /// What is wrong with the parameters beyond their shape, which the schema checks.
    fn faults(&self) -> Vec<ParameterError> {
        Vec::new()
    }

    /// The annotations of a pod's Namespace that it goes by: whoever may change them decides what it allows.
    fn namespace_annotations(&self) -> &'static [&'static str] {
        &[]
    }
}

/// How the parameters of an extended control are read.
#[derive(Debug)]
pub struct Parameters {
    /// Their JSON Schema: an object.
    pub schema: fn(&mut SchemaGenerator) -> Schema,
    /// Reads parameters that satisfy the schema.
    ///
    /// # Errors
    /// When they are impossible or contradict each other: every error.
    pub read: fn(Value) -> Result<Configured, Vec<ParameterError>>,
}

/// An extended control with the parameters of a policy.
#[derive(Debug, Clone)]
pub struct Configured {
    /// The check.
    pub check: Arc<dyn Check>,
    /// The parameters as they were understood, including defaults: reading them again gives the same check.
    pub parameters: Value,
}

/// A parameter that makes no sense.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{path}: {message}")]
pub struct ParameterError {
    /// The path, relative to the control: `allowed[0].prefix`.
    pub path: Path<'static>,
    /// What is wrong, and what to do.
    pub message: String,
}

impl ParameterError {
    /// An error at this path.
    #[must_use]
    pub fn at(path: FieldPath<'static>, message: impl Into<String>) -> Self {
        Self { path: path.into(), message: message.into() }
    }

    /// An error at a key that the policy has chosen, of a parameter.
    #[must_use]
    pub fn at_key(parameter: &'static str, key: &str, message: impl Into<String>) -> Self {
        let steps = [Step::from(parameter), Step::from(key.to_owned())];
        Self { path: steps.into_iter().collect(), message: message.into() }
    }
}

impl Parameters {
    /// The parameters with which podgate fills in what a pod leaves out: a switch, and values to fill in.
    pub const FILLING_IN: [&str; 3] = ["fillIn", "default", "defaultAdd"];

    /// Parameters of this type.
    #[must_use]
    pub const fn of<P: Check + DeserializeOwned + Serialize + JsonSchema + 'static>() -> Self {
        Self { schema: P::json_schema, read: read::<P> }
    }
}

fn read<P: Check + DeserializeOwned + Serialize + 'static>(
    value: Value,
) -> Result<Configured, Vec<ParameterError>> {
    let whole = |error: serde_json::Error| vec![ParameterError::at(FieldPath::default(), error.to_string())];
    let check: P = serde_json::from_value(value).map_err(whole)?;
    let faults = check.faults();
    if !faults.is_empty() {
        return Err(faults);
    }
    let parameters = serde_json::to_value(&check).map_err(whole)?;
    Ok(Configured { check: Arc::new(check), parameters })
}

/// Findings of one control in words.
#[derive(Debug, PartialEq, Eq)]
pub struct Violation {
    /// What is wrong in a few words: `hostPort`.
    pub reason: &'static str,
    /// Where and how: `container "c" uses hostPort 80`.
    pub detail: String,
}

/// The documentation of a control.
#[derive(Debug)]
pub struct Doc {
    /// What it is about, in a few words.
    pub title: &'static str,
    /// What must hold, and why.
    pub rule: &'static str,
    /// How the rule changed through the versions; empty if it never did.
    pub history: &'static str,
    /// The fields it looks at, as in a pod.
    pub fields: &'static [&'static str],
    /// How to fix a violation.
    pub fix: &'static str,
    /// A part of a pod that satisfies the rule, as YAML.
    pub example: &'static str,
    /// Whether Kubernetes' own policies could say the same.
    pub cel: Cel,
}

/// Whether a ValidatingAdmissionPolicy could say what a control says, in its expressions (CEL).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cel {
    /// It could.
    Whole,
    /// It could, but for this.
    Partly(&'static str),
}

impl Control {
    /// The level that it belongs to; `None` for an extended control.
    #[must_use]
    pub fn level(&self) -> Option<Level> {
        match self.origin {
            Origin::Standard { level, .. } => Some(level),
            Origin::Extended { .. } => None,
        }
    }

    /// The control of the baseline level that it replaces at the restricted level.
    #[must_use]
    pub fn overrides(&self) -> Option<&'static Self> {
        match self.origin {
            Origin::Standard { overrides, .. } => overrides,
            Origin::Extended { .. } => None,
        }
    }

    /// The changes of an existing pod that can make it violate the control.
    #[must_use]
    pub fn depends_on(&self) -> Changes {
        match self.origin {
            Origin::Standard { .. } => Changes::OF_STANDARD,
            Origin::Extended { depends_on, .. } => depends_on,
        }
    }

    /// Its check at a minor version of the standard; `None` before its first revision.
    pub(super) fn check_at(&self, minor: u64) -> Option<CheckFn> {
        match self.origin {
            Origin::Standard { revisions, .. } => {
                revisions.iter().rev().find(|revision| revision.since <= minor).map(|revision| revision.check)
            }
            Origin::Extended { .. } => None,
        }
    }
}

impl PartialEq for Control {
    fn eq(&self, other: &Self) -> bool {
        self.number == other.number
    }
}
