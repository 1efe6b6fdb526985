//! Every dependency is used, and a dependency that only came with another is named as that one's.

use std::fs;

use crate::pods::{files, of_repository};

/// The names of the crates in a section of Cargo.toml, as code writes them.
fn crates(section: &str) -> Vec<String> {
    let manifest = fs::read_to_string(of_repository("Cargo.toml")).unwrap();
    let (_, behind) = manifest.split_once(&format!("\n[{section}]\n")).unwrap();
    let lines = behind.lines().take_while(|line| !line.starts_with('['));
    let names = lines.filter_map(|line| line.split_once(" = ")).map(|(name, _)| name.replace('-', "_"));
    names.filter(|name| !name.starts_with('#')).collect()
}

/// The crates of a section that no file of these folders names.
fn unused(section: &str, folders: &[&str]) -> Vec<String> {
    let files = folders.iter().flat_map(|folder| files(&of_repository(folder), "rs"));
    let text: String = files.map(|file| fs::read_to_string(file).unwrap()).collect();
    crates(section).into_iter().filter(|name| !names_crate(&text, name)).collect()
}

/// Whether code names a crate: `name::` that is no part of a longer path.
fn names_crate(text: &str, name: &str) -> bool {
    let path = format!("{name}::");
    text.match_indices(&path).any(|(at, _)| {
        let before = text.get(..at).and_then(|before| before.chars().next_back());
        before.is_none_or(|before| !before.is_alphanumeric() && before != '_' && before != ':')
    })
}

#[test]
fn every_dependency_is_used() {
    assert!(crates("dependencies").len() > 40 && crates("dev-dependencies").len() > 5);
    assert_eq!(unused("dependencies", &["src"]), [""; 0]);
    assert_eq!(unused("dev-dependencies", &["src", "tests", "benches"]), [""; 0]);
}

#[test]
fn a_crate_of_another_crate_is_not_named() {
    assert!(names_crate("use json_patch::jsonptr::Token;", "json_patch"));
    for text in ["use json_patch::jsonptr::Token;", "use my_jsonptr::Token;", "use jsonptr;", ""] {
        assert!(!names_crate(text, "jsonptr"), "{text}");
    }
}
