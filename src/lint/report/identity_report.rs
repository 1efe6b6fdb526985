//! What is wrong with the identities of pods, as it is reported: of a pod, or of something that pods depend on.

use serde::Serialize;

use crate::evaluate::Severity;
use crate::lint::report::finding::severity_name;
use crate::workload::FoundIn;

/// What is wrong with the identity of a pod.
#[derive(Debug, Serialize)]
pub struct IdentityReport {
    /// `deny` or `warn`.
    #[serde(serialize_with = "severity_name")]
    pub severity: Severity,
    /// The field that says as whom the pod runs, or that it asks for an identity.
    pub field: String,
    /// Its line, or that of what it is missing from.
    pub line: usize,
    /// Its column.
    pub column: usize,
    /// What is wrong and what to do, in the words of the webhook.
    pub message: String,
    /// The object that it comes from, if that is another one: `field` and `line` are then in it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<FoundIn>,
}

/// Something that identities depend on and that is not in order. It changes no verdict by itself.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct IdentityNote {
    /// The file, as it was named; empty if it is in none of the manifests.
    pub file: String,
    /// The line.
    pub line: Option<usize>,
    /// The column.
    pub column: Option<usize>,
    /// What is wrong and what to do.
    pub message: String,
}
