//! The files with CustomResourceDefinitions that the arguments name.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, anyhow, bail};
use ignore::WalkBuilder;

use crate::cli::sources::SourceFile;
use crate::policy::is_policy_file;

/// What standard input is called, in arguments and messages.
const STDIN: &str = "-";
/// Largest file that is read, in bytes, as the linter has it.
const MAX_BYTES: u64 = 32 << 20;
/// Most lines, commas and brackets in a file, likewise: each may be a value, which takes much more memory than its text.
const MAX_MARKS: usize = 4 << 20;

/// The texts of an argument, each as it is asked for: of a file, of all below a folder, or of standard input.
pub(super) fn texts_of(input: &Path) -> Box<dyn Iterator<Item = Result<SourceFile>>> {
    if input.as_os_str() == STDIN {
        return Box::new(std::iter::once_with(|| text(STDIN.to_owned(), io::stdin().lock())));
    }
    if !input.is_dir() {
        let input = input.to_owned();
        return Box::new(std::iter::once_with(move || file(&input)));
    }
    let files = files_below(input);
    Box::new(files.into_iter().map(|path| file(&path?)))
}

/// The files below a folder that may hold objects, in the order of their names; hidden and ignored ones are left out, by the
/// project's own files alone.
fn files_below(folder: &Path) -> Vec<Result<PathBuf>> {
    let mut walk = WalkBuilder::new(folder);
    walk.git_global(false).git_exclude(false).sort_by_file_name(Ord::cmp);
    let mut files = Vec::new();
    for entry in walk.build() {
        match entry {
            Ok(entry) if entry.path().is_file() && is_policy_file(&entry.file_name().to_string_lossy()) => {
                files.push(Ok(entry.into_path()));
            }
            Ok(_) => {}
            Err(error) => files.push(Err(anyhow!("{}: {error}", folder.display()))),
        }
    }
    files
}

fn file(path: &Path) -> Result<SourceFile> {
    let name = path.display().to_string();
    let is_too_large = fs::metadata(path).is_ok_and(|metadata| metadata.len() > MAX_BYTES);
    let file = File::open(path).with_context(|| format!("cannot read {name}"))?;
    if is_too_large { too_large(&name) } else { text(name, file) }
}

fn text(name: String, source: impl Read) -> Result<SourceFile> {
    let mut bytes = Vec::new();
    source.take(MAX_BYTES + 1).read_to_end(&mut bytes).with_context(|| format!("cannot read {name}"))?;
    let is_mark = |byte: &&u8| matches!(**byte, b'\n' | b',' | b'[' | b'{');
    if bytes.len() as u64 > MAX_BYTES || bytes.iter().filter(is_mark).count() > MAX_MARKS {
        return too_large(&name);
    }
    match String::from_utf8(bytes) {
        Ok(text) => Ok(SourceFile { name, text }),
        Err(_) => bail!("cannot read {name}: it is not UTF-8"),
    }
}

fn too_large(name: &str) -> Result<SourceFile> {
    bail!("cannot read {name}: it is too large (at most {} MiB, and {MAX_MARKS} values)", MAX_BYTES >> 20)
}
