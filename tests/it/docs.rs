//! The pages: what they name is there, what they show can be read, and what they link to can be reached.
//!
//! `markdown` takes a page apart. Nothing here knows what a page is about; a page that a test has no rule for fails it,
//! so that what a new page shows is checked as well.

mod commands;
mod links;
mod markdown;
mod names;
mod snippets;

use std::fs;

use crate::pods::{files, of_repository};
use markdown::Page;

/// The folders with pages, besides the repository's own.
const FOLDERS: [&str; 6] = ["certs", "docs", "examples", "fuzz", "manifests", "policies"];

/// Every page of the repository.
fn pages() -> Vec<Page> {
    let of_folders = FOLDERS.iter().flat_map(|folder| files(&of_repository(folder), "md"));
    let entries = fs::read_dir(of_repository("")).unwrap().map(|entry| entry.unwrap().path());
    let at_top = entries.filter(|path| path.extension().is_some_and(|extension| extension == "md"));
    let mut paths: Vec<_> = at_top.chain(of_folders).collect();
    paths.sort();
    assert!(paths.len() > 25, "{paths:?}");
    paths.iter().map(|path| Page::read(path)).collect()
}

/// The pieces of a text between characters that are not part of a name.
fn names(text: &str, is_inner: impl Fn(char) -> bool) -> impl Iterator<Item = &str> {
    text.split(move |character| !is_inner(character)).filter(|name| !name.is_empty())
}
