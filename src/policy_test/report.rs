//! The result of a run of tests: the one value behind every format.
//!
//! Its fields are those of the JSON format, version 1. Fields may be added; those that are there do not change.

use serde::Serialize;

use crate::policy_test::expectation::CaseDifference;

/// What came of every test.
#[derive(Debug, Default, Serialize)]
pub struct TestReport {
    /// The files, in the order in which they were named.
    pub files: Vec<TestFileReport>,
}

/// What came of the cases of a file.
#[derive(Debug, Serialize)]
pub struct TestFileReport {
    /// The file, as it was named.
    pub file: String,
    /// Its cases, in their order.
    pub cases: Vec<CaseReport>,
}

/// What came of a case.
#[derive(Debug, Serialize)]
pub struct CaseReport {
    /// What it shows.
    pub name: String,
    /// The line on which it begins.
    pub line: usize,
    /// What is not as it is expected.
    pub differences: Vec<CaseDifference>,
    /// Why it could not be judged; `None` if it was.
    pub error: Option<String>,
    /// What the author of the object would be told.
    pub said: Vec<String>,
}

impl TestReport {
    /// Every case.
    pub fn cases(&self) -> impl Iterator<Item = &CaseReport> + Clone {
        self.files.iter().flat_map(|file| &file.cases)
    }

    /// Whether every case is as it is expected.
    #[must_use]
    pub fn is_as_expected(&self) -> bool {
        self.cases().all(CaseReport::is_as_expected)
    }
}

impl CaseReport {
    /// Whether it is as it is expected.
    #[must_use]
    pub fn is_as_expected(&self) -> bool {
        self.error.is_none() && self.differences.is_empty()
    }

    /// What is wrong in one line, for a list; `None` if nothing is.
    pub(super) fn in_short(&self) -> Option<String> {
        if let Some(error) = &self.error {
            return Some(format!("could not be judged: {error}"));
        }
        let of = |CaseDifference { what, expected, found }: &CaseDifference| {
            format!("{what}: expected {expected}, found {found}")
        };
        let differences: Vec<String> = self.differences.iter().map(of).collect();
        (!differences.is_empty()).then(|| differences.join("; "))
    }
}
