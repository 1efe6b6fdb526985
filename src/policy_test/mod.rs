//! Tests of policies: a file says what is expected of them, and here it is compared with what they do.
//!
//! Nothing is judged here. A file is read ([`PolicyTest`]), its cases are taken apart ([`CaseSubject`]), and what the code of
//! the webhook or of the linter found ([`CaseOutcome`]) is compared with what the case expects. The result ([`TestReport`])
//! is written as text, as JSON or as JUnit's XML. Whoever runs them reads the files and judges.

mod case;
mod expectation;
mod field;
mod file;
pub mod json;
pub mod junit;
mod report;
mod subject;
pub mod text;
mod written;

use serde_json::Value;

pub use case::{CaseSource, FileReference, TestCase};
pub use expectation::{CaseDifference, CaseOutcome};
pub use file::{FoundTests, PolicyTest};
pub use report::{CaseReport, TestFileReport, TestReport};
pub use subject::{CaseSubject, TestedPod};
pub use written::{SubresourceWord, TestVerdict};

/// The JSON Schema of such a file, for editors.
#[must_use]
pub fn json_schema() -> Value {
    crate::policy::schema::of::<written::PolicyTestFile>()
}
