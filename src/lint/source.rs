//! The files that the arguments name, and their contents.
//!
//! A folder gives the same files in the same order on every machine: what the project's own ignore
//! files exclude is left out, what a user ignores elsewhere is not. A file that is named is read
//! whatever its extension. Files are read when they are needed and not kept: a tree may be large. What
//! can be read only once (standard input, a pipe) is read at the start and kept. What `--exclude` leaves out is left out
//! in any case, also where it is named.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use ignore::{DirEntry, WalkBuilder};

use crate::lint::exclude::Excludes;
use crate::lint::resemblance::are_like_manifest;
use crate::lint::unread::Unread;
use crate::yaml::FILE_EXTENSIONS;

/// Largest file that is read, in bytes: room for the pods of a large cluster in one list.
const MAX_BYTES: u64 = 32 << 20;
/// Most lines, commas and brackets in a file: twice what a manifest of the largest size has. Each may
/// be a value, which takes up to 560 bytes while it is read.
const MAX_MARKS: usize = 4 << 20;
/// What standard input is called, in arguments and reports.
const STDIN: &str = "-";

/// The file that a folder is a Helm chart by.
const CHART: &str = "Chart.yaml";
/// Those that kustomize makes manifests from.
const KUSTOMIZATIONS: [&str; 3] = ["kustomization.yaml", "kustomization.yml", "Kustomization"];

/// Something to lint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    /// A file, or a folder with all that is below it.
    Path(PathBuf),
    /// Standard input.
    Stdin,
    /// A text that was read already, and what it is called in reports.
    Text {
        /// Its name.
        name: String,
        /// What is in it.
        text: String,
    },
}

impl From<PathBuf> for Input {
    /// As an argument is meant: `-` is standard input.
    fn from(path: PathBuf) -> Self {
        if path.as_os_str() == STDIN { Self::Stdin } else { Self::Path(path) }
    }
}

/// A text to lint.
#[derive(Debug)]
pub(super) struct ManifestSource {
    /// What it is called in reports.
    pub(super) name: String,
    /// Whether it was named itself, rather than found in a folder: then it has to be a manifest.
    pub(super) is_named: bool,
    content: Content,
}

/// Why a source has no text.
#[derive(Debug)]
pub(super) struct SourceError {
    pub(super) unread: Unread,
    /// Whether it may be a manifest, as far as it could be read.
    pub(super) is_like_manifest: bool,
}

/// Everything that the inputs name.
#[derive(Debug, Default)]
pub(super) struct FoundSources {
    /// What is to be read, each thing once.
    pub(super) sources: Vec<ManifestSource>,
    /// What cannot be found or read.
    pub(super) unread: Vec<Unread>,
    /// The folders of Helm charts.
    pub(super) charts: Vec<String>,
    /// The folders of kustomizations.
    pub(super) kustomizations: Vec<String>,
    /// Links to folders, which are not followed.
    pub(super) linked_folders: Vec<String>,
    /// How many things were named and left out by `--exclude`.
    pub(super) excluded: usize,
    /// The place of each source by its name.
    places: HashMap<String, usize>,
}

#[derive(Debug)]
enum Content {
    /// A file that can be read again.
    File(PathBuf),
    /// What was read.
    Kept(Vec<u8>),
}

impl ManifestSource {
    /// The text.
    pub(super) fn text(&self) -> Result<Cow<'_, str>, SourceError> {
        match &self.content {
            Content::Kept(bytes) => match std::str::from_utf8(bytes) {
                Ok(text) => Ok(text.into()),
                Err(error) => Err(not_utf8(&self.name, bytes, error.valid_up_to())),
            },
            Content::File(path) => {
                let bytes = File::open(path)
                    .map_err(|error| SourceError::of(unreadable(&self.name, &error)))
                    .and_then(|file| read(&self.name, file))?;
                match String::from_utf8(bytes) {
                    Ok(text) => Ok(text.into()),
                    Err(error) => {
                        let valid = error.utf8_error().valid_up_to();
                        Err(not_utf8(&self.name, error.as_bytes(), valid))
                    }
                }
            }
        }
    }
}

impl SourceError {
    /// Nothing of it could be read, so that it may be anything.
    fn of(unread: Unread) -> Self {
        Self { unread, is_like_manifest: true }
    }
}

/// Everything that the inputs name, but for what is excluded.
pub(super) fn find(inputs: &[Input], excludes: &Excludes) -> FoundSources {
    let mut found = FoundSources::default();
    for input in inputs {
        match input {
            Input::Stdin => found.keep(STDIN.to_owned(), || Ok(io::stdin().lock())),
            Input::Text { name, text } => found.keep(name.clone(), || Ok(text.as_bytes())),
            Input::Path(path) if excludes.has_named(path, path.is_dir()) => found.excluded += 1,
            Input::Path(path) => match fs::metadata(path) {
                Ok(metadata) if metadata.is_dir() => found.walk(path, excludes),
                Ok(metadata) if metadata.is_file() => found.file(path, true),
                // A pipe, as a shell makes one of `<(helm template .)`.
                Ok(_) => found.keep(name_of(path), || File::open(path)),
                Err(error) => found.unread.push(unreadable(&name_of(path), &error)),
            },
        }
    }
    // The chart that a chart depends on is rendered with it.
    let all = found.charts.clone();
    found.charts.retain(|chart| !all.iter().any(|outer| is_chart_of(outer, chart)));
    found
}

impl FoundSources {
    fn file(&mut self, path: &Path, is_named: bool) {
        self.add(ManifestSource { name: name_of(path), is_named, content: Content::File(path.to_owned()) });
    }

    fn add(&mut self, source: ManifestSource) {
        let place = *self.places.entry(source.name.clone()).or_insert(self.sources.len());
        match self.sources.get_mut(place) {
            Some(known) => known.is_named |= source.is_named,
            None => self.sources.push(source),
        }
    }

    fn keep<R: Read>(&mut self, name: String, open: impl FnOnce() -> io::Result<R>) {
        if self.places.contains_key(&name) {
            return;
        }
        let bytes = open().map_err(|error| SourceError::of(unreadable(&name, &error)));
        match bytes.and_then(|file| read(&name, file)) {
            Ok(bytes) => self.add(ManifestSource { name, is_named: true, content: Content::Kept(bytes) }),
            Err(error) => self.unread.push(error.unread),
        }
    }

    fn walk(&mut self, folder: &Path, excludes: &Excludes) {
        let mut is_empty = true;
        let (root, excludes) = (folder.to_owned(), excludes.clone());
        let is_wanted = move |entry: &DirEntry| {
            let is_folder = entry.file_type().is_some_and(|kind| kind.is_dir());
            entry.depth() == 0 || !excludes.has_walked(&root, entry.path(), is_folder)
        };
        let mut walk = WalkBuilder::new(folder);
        walk.git_global(false).git_exclude(false).sort_by_file_name(Ord::cmp).filter_entry(is_wanted);
        for entry in walk.build() {
            if let Ok(entry) = &entry {
                self.note_source_of_manifests(entry.path());
            }
            match entry {
                Ok(entry) if entry.path_is_symlink() && entry.depth() > 0 && entry.path().is_dir() => {
                    self.linked_folders.push(name_of(entry.path()));
                }
                Ok(entry) if is_named_as_manifest(&entry) => {
                    is_empty = false;
                    self.entry(entry.path());
                }
                Ok(_) => {}
                Err(error) => self.unread.push(Unread::file(name_of(folder), error.to_string())),
            }
        }
        if is_empty {
            let message = "no manifest in it (.yaml, .yml, .json; ignored and hidden files are left out)";
            self.unread.push(Unread::file(name_of(folder), message.to_owned()));
        }
    }

    /// Keeps the folder of a file that manifests are made from.
    fn note_source_of_manifests(&mut self, file: &Path) {
        let folders = match file.file_name().and_then(|name| name.to_str()) {
            Some(CHART) => &mut self.charts,
            Some(name) if KUSTOMIZATIONS.contains(&name) => &mut self.kustomizations,
            _ => return,
        };
        let folder = match file.parent().map(name_of) {
            Some(folder) if !folder.is_empty() => folder,
            _ => ".".to_owned(),
        };
        if !folders.contains(&folder) {
            folders.push(folder);
        }
    }

    /// Takes what a folder has under the name of a manifest. A link to a file is as good as the file.
    fn entry(&mut self, path: &Path) {
        match fs::metadata(path) {
            Ok(metadata) if metadata.is_dir() => {}
            Ok(metadata) if metadata.is_file() => self.file(path, false),
            // Opening a pipe would wait for its writer.
            Ok(_) => self.unread.push(Unread::file(name_of(path), "not a regular file".to_owned())),
            Err(error) => self.unread.push(unreadable(&name_of(path), &error)),
        }
    }
}

/// Whether a chart is in the folder of those that another depends on.
fn is_chart_of(outer: &str, chart: &str) -> bool {
    let below = Path::new(chart).strip_prefix(if outer == "." { "" } else { outer });
    below.is_ok_and(|below| below.starts_with("charts"))
}

impl ManifestSource {
    /// A source that tests lint a text for.
    #[cfg(test)]
    pub(super) fn of_test(is_named: bool) -> Self {
        Self { name: "f".to_owned(), is_named, content: Content::Kept(Vec::new()) }
    }

    /// Whether it is a template of a Helm chart: below `templates`, beside a `Chart.yaml`.
    pub(super) fn is_chart_template(&self) -> bool {
        let Content::File(path) = &self.content else { return false };
        let folders =
            path.ancestors().filter(|folder| folder.file_name().is_some_and(|name| name == "templates"));
        folders.filter_map(Path::parent).any(|folder| folder.join(CHART).is_file())
    }
}

fn is_named_as_manifest(entry: &DirEntry) -> bool {
    let extension = entry.path().extension().and_then(|extension| extension.to_str()).unwrap_or_default();
    entry.depth() > 0 && FILE_EXTENSIONS.iter().any(|known| extension.eq_ignore_ascii_case(known))
}

/// The path as it was given, without the `./` that a walk adds.
fn name_of(path: &Path) -> String {
    path.strip_prefix("./").unwrap_or(path).display().to_string()
}

fn read(name: &str, input: impl Read) -> Result<Vec<u8>, SourceError> {
    let mut bytes = Vec::new();
    let read = input.take(MAX_BYTES + 1).read_to_end(&mut bytes);
    read.map_err(|error| SourceError::of(unreadable(name, &error)))?;
    let message = if bytes.len() as u64 > MAX_BYTES {
        format!("larger than {} MiB; split it", MAX_BYTES >> 20)
    } else if marks(&bytes) > MAX_MARKS {
        "holds more values than a manifest has; split it".to_owned()
    } else {
        return Ok(bytes);
    };
    Err(SourceError {
        unread: Unread::file(name.to_owned(), message),
        is_like_manifest: are_like_manifest(&bytes),
    })
}

fn marks(bytes: &[u8]) -> usize {
    bytes.iter().filter(|byte| matches!(byte, b'\n' | b',' | b'[' | b'{')).count()
}

fn unreadable(name: &str, error: &io::Error) -> Unread {
    let kind = error.kind();
    let message = if kind == io::ErrorKind::NotFound {
        "there is no such file or folder".to_owned()
    } else if kind == io::ErrorKind::PermissionDenied {
        "there is no permission to read it".to_owned()
    } else {
        error.to_string()
    };
    Unread::file(name.to_owned(), message)
}

fn not_utf8(name: &str, bytes: &[u8], valid: usize) -> SourceError {
    let before = bytes.get(..valid).and_then(|valid| std::str::from_utf8(valid).ok()).unwrap_or_default();
    let last = before.rsplit('\n').next().unwrap_or_default();
    let unread = Unread {
        line: Some(before.matches('\n').count() + 1),
        column: Some(last.chars().count() + 1),
        ..Unread::file(name.to_owned(), "not UTF-8; save it as UTF-8".to_owned())
    };
    SourceError { unread, is_like_manifest: are_like_manifest(bytes) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dash_is_standard_input() {
        assert_eq!(Input::from(PathBuf::from("-")), Input::Stdin);
        assert_eq!(Input::from(PathBuf::from("./-")), Input::Path(PathBuf::from("./-")));
    }

    #[test]
    fn what_is_kept_is_read_up_to_the_limit() {
        let mut found = FoundSources::default();
        found.keep("-".to_owned(), || Ok(&b"kind: Pod\n\xff"[..]));
        found.keep("-".to_owned(), || Ok(&b"read already"[..]));
        found.keep("zeros".to_owned(), || Ok(io::repeat(0)));
        found.keep("commas".to_owned(), || Ok(io::repeat(b',').take(MAX_BYTES)));
        found.keep("gone".to_owned(), || Err::<io::Empty, _>(io::ErrorKind::NotFound.into()));
        let unread: Vec<String> = found.unread.iter().map(ToString::to_string).collect();
        assert_eq!(
            unread,
            [
                "zeros: larger than 32 MiB; split it",
                "commas: holds more values than a manifest has; split it",
                "gone: there is no such file or folder"
            ]
        );
        let [source] = found.sources.as_slice() else { panic!("one source: {:?}", found.sources) };
        assert_eq!(source.text().expect_err("0xff").unread.to_string(), "-:2:1: not UTF-8; save it as UTF-8");
    }
}
