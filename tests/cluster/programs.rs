//! Upstream's programs: where they are, and what is said where they are not.

use std::env;
use std::path::{Path, PathBuf};

use crate::left_out::leave_out;

/// The paths of these programs; `None`, and a line on standard error, where one of them is missing.
///
/// A bare `cargo test` needs Rust alone. Where `PODGATE_REQUIRE_UPSTREAM` is set, nothing may be left out.
pub(crate) fn find(wanted_by: &str, names: &[&str]) -> Option<Vec<PathBuf>> {
    let found: Result<_, String> = names
        .iter()
        .map(|name| {
            folders().iter().map(|folder| folder.join(name)).find(|path| path.is_file()).ok_or_else(|| {
                format!("{} is not there: tests/upstream/build makes it", built().join(name).display())
            })
        })
        .collect();
    match found {
        Ok(paths) => Some(paths),
        Err(missing) => {
            leave_out(wanted_by, &missing);
            None
        }
    }
}

/// The folder that `tests/upstream/build` builds into.
pub(crate) fn built() -> PathBuf {
    let usual = || Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap().join("upstream/bin");
    env::var_os("PODGATE_UPSTREAM").filter(|folder| !folder.is_empty()).map_or_else(usual, PathBuf::from)
}

/// Where programs are looked for, as `tests/upstream/control-plane` does.
fn folders() -> Vec<PathBuf> {
    let given = env::var_os("KUBEBUILDER_ASSETS").filter(|folder| !folder.is_empty()).map(PathBuf::from);
    given.into_iter().chain([built()]).collect()
}
