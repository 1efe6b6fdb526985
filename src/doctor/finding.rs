//! One thing that is wrong.

use serde::{Serialize, Serializer};

use super::Check;

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Pods are not judged, or not admitted, or soon will not be.
    Error,
    /// It works, but less safely than it could, or could not be told.
    Warning,
    /// Good to know; nothing to mend.
    Info,
}

impl Severity {
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
pub struct Finding {
    /// What was looked at.
    #[serde(serialize_with = "id")]
    pub check: Check,
    /// How bad it is.
    pub severity: Severity,
    /// The object, as `Deployment podgate-system/podgate`.
    pub object: String,
    /// Its field; empty for the object as a whole.
    pub field: String,
    /// What was found there, and what comes of it.
    pub found: String,
    /// The command that mends it; empty where there is nothing to mend.
    pub mend: String,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
fn id<S: Serializer>(check: &Check, serializer: S) -> Result<S::Ok, S::Error> {
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
