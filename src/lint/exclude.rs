//! What `--exclude` leaves out, in the patterns of ignore files.

use std::fmt;
use std::path::{Component, Path, PathBuf};

use ignore::gitignore::{Gitignore, GitignoreBuilder};

/// Patterns of files and folders that are not read.
#[derive(Debug, Clone)]
pub struct Excludes {
    globs: Gitignore,
}

/// A pattern that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ExcludeError {
    message: String,
}

impl ExcludeError {
    fn new(error: impl fmt::Display) -> Self {
        Self { message: error.to_string() }
    }
}

impl Default for Excludes {
    /// Nothing is left out.
    fn default() -> Self {
        Self { globs: Gitignore::empty() }
    }
}

impl Excludes {
    /// Leaves out what matches any of these patterns, each as a line of an ignore file: `values.yaml`, `vendor/`, `/ci/*.json`.
    ///
    /// # Errors
    /// When one of them is no pattern.
    pub fn new<'g>(globs: impl IntoIterator<Item = &'g str>) -> Result<Self, ExcludeError> {
        let mut builder = GitignoreBuilder::new("");
        for glob in globs {
            builder.add_line(None, glob).map_err(ExcludeError::new)?;
        }
        builder.build().map(|globs| Self { globs }).map_err(ExcludeError::new)
    }

    /// Whether what the arguments name is left out, by itself or with a folder that it is in.
    pub(super) fn has_named(&self, path: &Path, is_folder: bool) -> bool {
        self.globs.matched_path_or_any_parents(plain(path), is_folder).is_ignore()
    }

    /// Whether what a walk of `folder` meets is left out: by its path from there, or by its path as it was named.
    pub(super) fn has_walked(&self, folder: &Path, path: &Path, is_folder: bool) -> bool {
        let from_folder = path.strip_prefix(folder).unwrap_or(path);
        [from_folder.to_owned(), plain(path)]
            .iter()
            .any(|path| self.globs.matched(path, is_folder).is_ignore())
    }
}

/// A path without a root, `.` and `..`: patterns are matched from where it starts.
fn plain(path: &Path) -> PathBuf {
    path.components().filter(|part| matches!(part, Component::Normal(_))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_are_those_of_ignore_files() {
        let excludes =
            Excludes::new(["values*.yaml", "vendor/", "/ci/*.json", "!values-keep.yaml"]).expect("patterns");
        for (path, is_folder, expected) in [
            ("a/values.yaml", false, true),
            ("a/values-x.yaml", false, true),
            ("a/values-keep.yaml", false, false),
            ("a/vendor", true, true),
            ("a/vendor", false, false),
            ("ci/x.json", false, true),
            ("a/ci/x.json", false, false),
        ] {
            let walked = Path::new("/a/tree").join(path);
            assert_eq!(excludes.has_walked(Path::new("/a/tree"), &walked, is_folder), expected, "{path}");
            assert_eq!(
                excludes.has_named(Path::new("./").join(path).as_path(), is_folder),
                expected,
                "{path}"
            );
        }
        assert!(excludes.has_walked(Path::new("ci"), Path::new("ci/x.json"), false));
        assert!(excludes.has_named(Path::new("../a/vendor/x.yaml"), false));
        assert!(!Excludes::default().has_named(Path::new("/a"), false));
        assert!(Excludes::new(["[z-a]"]).is_err());
    }
}
