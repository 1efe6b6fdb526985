//! The house rules that a compiler does not know.

mod circles;
mod dependencies;
mod figures;
mod layers;
mod names;
mod repository;
mod source;

use std::path::Path;

pub(crate) use repository::check_generated;

use crate::pods::of_repository;

/// A path from the root of the repository.
fn show(path: &Path) -> String {
    path.strip_prefix(of_repository("")).unwrap_or(path).display().to_string()
}
