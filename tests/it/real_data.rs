//! Folders of real data that are not part of the repository, each named by a variable.

use std::env;
use std::path::PathBuf;

use crate::left_out::{leave_out, say};

/// Kubernetes' own fixture pods, with `expected.jsonl`.
pub(crate) const FIXTURES: &str = "PSS_FIXTURES";
/// What a real API server sent: `reviews.jsonl` and `namespaces.yaml`.
pub(crate) const RECORDED: &str = "RECORDED_REVIEWS";

/// The folder that a variable names; `None`, which is said, where it names none.
///
/// # Panics
///
/// Where `PODGATE_REQUIRE_UPSTREAM` is set and the variable is not. Who sets it to nothing does without the folder.
#[track_caller]
pub(crate) fn folder(variable: &str, tests: &str) -> Option<PathBuf> {
    let Some(folder) = env::var_os(variable).map(PathBuf::from) else {
        leave_out(tests, &format!("{variable} names no folder"));
        return None;
    };
    if folder.as_os_str().is_empty() {
        say(&format!("left out: {tests}: {variable} is empty"));
        return None;
    }
    assert!(folder.is_dir(), "{variable} names {}, which is no folder", folder.display());
    Some(folder)
}
