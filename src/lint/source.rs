//! The files that the arguments name, and their contents.
//!
//! A folder gives the same files in the same order on every machine: what the project's own ignore
//! files exclude is left out, what a user ignores elsewhere is not. A file that is named is read
//! whatever its extension. Files are read when they are needed and not kept: a tree may be large. What
//! can be read only once (standard input, a pipe) is read at the start and kept.

use std::borrow::Cow;
use std::collections::HashSet;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use ignore::{DirEntry, WalkBuilder};

use crate::lint::unread::Unread;
use crate::yaml::FILE_EXTENSIONS;

/// Largest file that is read, in bytes: room for the pods of a large cluster in one list.
const MAX_BYTES: u64 = 32 << 20;
/// Most lines, commas and brackets in a file: twice what a manifest of the largest size has. Each may
/// be a value, which takes up to 560 bytes while it is read.
const MAX_MARKS: usize = 4 << 20;
/// What standard input is called, in arguments and reports.
const STDIN: &str = "-";

/// Something to lint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    /// A file, or a folder with all that is below it.
    Path(PathBuf),
    /// Standard input.
    Stdin,
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
    content: Content,
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
    pub(super) fn text(&self) -> Result<Cow<'_, str>, Unread> {
        match &self.content {
            Content::Kept(bytes) => match std::str::from_utf8(bytes) {
                Ok(text) => Ok(text.into()),
                Err(error) => Err(not_utf8(&self.name, bytes, error.valid_up_to())),
            },
            Content::File(path) => {
                let bytes = File::open(path)
                    .map_err(|error| unreadable(&self.name, &error))
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

/// Everything that the inputs name, each thing once, and what of it cannot be found or read.
pub(super) fn find(inputs: &[Input]) -> (Vec<ManifestSource>, Vec<Unread>) {
    let mut found = FoundSources::default();
    for input in inputs {
        match input {
            Input::Stdin => found.keep(STDIN.to_owned(), || Ok(io::stdin().lock())),
            Input::Path(path) => match fs::metadata(path) {
                Ok(metadata) if metadata.is_dir() => found.walk(path),
                Ok(metadata) if metadata.is_file() => found.file(path),
                // A pipe, as a shell makes one of `<(helm template .)`.
                Ok(_) => found.keep(name_of(path), || File::open(path)),
                Err(error) => found.unread.push(unreadable(&name_of(path), &error)),
            },
        }
    }
    (found.sources, found.unread)
}

#[derive(Default)]
struct FoundSources {
    sources: Vec<ManifestSource>,
    unread: Vec<Unread>,
    names: HashSet<String>,
}

impl FoundSources {
    fn file(&mut self, path: &Path) {
        let name = name_of(path);
        if self.names.insert(name.clone()) {
            self.sources.push(ManifestSource { name, content: Content::File(path.to_owned()) });
        }
    }

    fn keep<R: Read>(&mut self, name: String, open: impl FnOnce() -> io::Result<R>) {
        if !self.names.insert(name.clone()) {
            return;
        }
        match open().map_err(|error| unreadable(&name, &error)).and_then(|file| read(&name, file)) {
            Ok(bytes) => self.sources.push(ManifestSource { name, content: Content::Kept(bytes) }),
            Err(unread) => self.unread.push(unread),
        }
    }

    fn walk(&mut self, folder: &Path) {
        let mut is_empty = true;
        let walk =
            WalkBuilder::new(folder).git_global(false).git_exclude(false).sort_by_file_name(Ord::cmp).build();
        for entry in walk {
            match entry {
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

    /// Takes what a folder has under the name of a manifest. A link to a file is as good as the file.
    fn entry(&mut self, path: &Path) {
        match fs::metadata(path) {
            Ok(metadata) if metadata.is_dir() => {}
            Ok(metadata) if metadata.is_file() => self.file(path),
            // Opening a pipe would wait for its writer.
            Ok(_) => self.unread.push(Unread::file(name_of(path), "not a regular file".to_owned())),
            Err(error) => self.unread.push(unreadable(&name_of(path), &error)),
        }
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

fn read(name: &str, input: impl Read) -> Result<Vec<u8>, Unread> {
    let mut bytes = Vec::new();
    match input.take(MAX_BYTES + 1).read_to_end(&mut bytes) {
        Err(error) => Err(unreadable(name, &error)),
        Ok(_) if bytes.len() as u64 > MAX_BYTES => {
            let message = format!("larger than {} MiB; split it", MAX_BYTES >> 20);
            Err(Unread::file(name.to_owned(), message))
        }
        Ok(_) if marks(&bytes) > MAX_MARKS => {
            let message = "holds more values than a manifest has; split it".to_owned();
            Err(Unread::file(name.to_owned(), message))
        }
        Ok(_) => Ok(bytes),
    }
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

fn not_utf8(name: &str, bytes: &[u8], valid: usize) -> Unread {
    let before = bytes.get(..valid).and_then(|valid| std::str::from_utf8(valid).ok()).unwrap_or_default();
    let last = before.rsplit('\n').next().unwrap_or_default();
    Unread {
        line: Some(before.matches('\n').count() + 1),
        column: Some(last.chars().count() + 1),
        ..Unread::file(name.to_owned(), "not UTF-8; save it as UTF-8".to_owned())
    }
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
        assert_eq!(source.text().expect_err("0xff").to_string(), "-:2:1: not UTF-8; save it as UTF-8");
    }
}
