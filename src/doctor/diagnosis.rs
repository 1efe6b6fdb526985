//! One thing that is wrong, and how to fix it.

use serde::{Serialize, Serializer};

use crate::doctor::health_check::HealthCheck;

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum DiagnosisSeverity {
    /// Pods are not judged, or not admitted, or soon will not be.
    Error,
    /// It works, but less safely than it could, or cannot be checked.
    Warning,
    /// Good to know; nothing to fix.
    Info,
}

impl DiagnosisSeverity {
    /// As a word.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Info => "info",
        }
    }
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Diagnosis {
    /// What was checked.
    #[serde(serialize_with = "id")]
    pub check: HealthCheck,
    /// How bad it is.
    pub severity: DiagnosisSeverity,
    /// The object, as `Deployment podgate-system/podgate`.
    pub object: String,
    /// Its field; empty for the object as a whole.
    pub field: String,
    /// What was found there, and its consequence.
    pub found: String,
    /// The command that fixes it; empty where there is nothing to fix.
    #[serde(rename = "mend")]
    pub fix: String,
}

impl Diagnosis {
    pub(super) fn error(check: HealthCheck, object: impl Into<String>) -> Self {
        Self::new(DiagnosisSeverity::Error, check, object.into())
    }

    pub(super) fn warning(check: HealthCheck, object: impl Into<String>) -> Self {
        Self::new(DiagnosisSeverity::Warning, check, object.into())
    }

    pub(super) fn info(check: HealthCheck, object: impl Into<String>) -> Self {
        Self::new(DiagnosisSeverity::Info, check, object.into())
    }

    fn new(severity: DiagnosisSeverity, check: HealthCheck, object: String) -> Self {
        let (field, found, fix) = Default::default();
        Self { check, severity, object, field, found, fix }
    }

    /// The field that is wrong.
    pub(super) fn field(self, field: impl Into<String>) -> Self {
        Self { field: field.into(), ..self }
    }

    /// What was found, and its consequence.
    pub(super) fn because(self, found: impl Into<String>) -> Self {
        Self { found: found.into(), ..self }
    }

    /// The command that fixes it.
    pub(super) fn fix(self, command: impl Into<String>) -> Self {
        Self { fix: command.into(), ..self }
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
fn id<S: Serializer>(check: &HealthCheck, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(check.id())
}

/// The names that are written out, of however many.
const MOST: usize = 8;

/// Some names as the arguments of a command; where there are more, it can be run again.
pub(super) fn arguments(names: &[&str]) -> String {
    names.iter().take(MOST).copied().collect::<Vec<_>>().join(" ")
}

/// Some names, of which only the first few are written out.
pub(super) fn listed(names: &[&str]) -> String {
    let shown: Vec<&str> = names.iter().take(MOST).copied().collect();
    match names.len().saturating_sub(MOST) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}
