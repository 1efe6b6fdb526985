//! Modules import only from the rows above them, and everything through `admission` only computes.

use std::fs;
use std::path::{Path, PathBuf};

use super::show;
use crate::pods::{files, of_repository};

/// The modules from the ground up. Each sees those of the rows above its own, and of its own row only itself.
const LAYERS: [&[&str]; 13] = [
    &["path", "text"],
    &["json", "yaml"],
    &["pod"],
    &["workload"],
    &["finding"],
    &["identity"],
    &["controls"],
    &["policy"],
    &["evaluate", "psp"],
    &["mutate", "assess"],
    &["admission"],
    &["server", "cluster", "certificates", "lint", "kinds", "policy_test", "doctor", "survey"],
    &["cli"],
];

/// What a module may see of its own row: the store that a self-managed certificate needs is the cluster's.
const SEES: [(&str, &str); 1] = [("cluster", "certificates")];

/// The last module that does nothing but compute.
const LAST_PURE: &str = "admission";

/// What would make a module do more than compute.
const IMPURE: [&str; 12] = [
    "std::fs",
    "std::env",
    "std::time",
    "std::net",
    "std::thread",
    "std::process",
    "std::{",
    "tokio",
    "tracing",
    "async ",
    "Mutex",
    "RwLock",
];

fn row_of(module: &str) -> Option<usize> {
    LAYERS.iter().position(|row| row.contains(&module))
}

/// The files of the library with the module that each is of; the roots of the crate are of none.
fn modules() -> Vec<(String, PathBuf)> {
    let source = of_repository("src");
    let module_of = |path: PathBuf| {
        let relative = path.strip_prefix(&source).unwrap();
        let first = Path::new(relative.components().next().unwrap().as_os_str());
        let module = first.file_stem().unwrap().to_str().unwrap().to_owned();
        (module != "lib" && module != "main").then_some((module, path))
    };
    files(&source, "rs").into_iter().filter_map(module_of).collect()
}

/// The lines of a file that are not comments, with their numbers.
fn code(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.lines()
        .enumerate()
        .map(|(index, line)| (index + 1, line))
        .filter(|(_, line)| !line.trim_start().starts_with("//"))
}

/// What a line names behind `crate::`: `{` for a list.
fn imports(line: &str) -> impl Iterator<Item = &str> {
    line.split("crate::").skip(1).map(|rest| {
        let is_inner = |character: char| character.is_ascii_alphanumeric() || character == '_';
        match rest.find(|character| !is_inner(character)) {
            Some(0) => &rest[..1],
            Some(end) => &rest[..end],
            None => rest,
        }
    })
}

#[test]
fn every_module_stands_in_the_layers() {
    for (module, path) in modules() {
        assert!(row_of(&module).is_some(), "{}: give the module {module} its row in LAYERS", show(&path));
    }
}

#[test]
fn modules_import_only_from_the_rows_above() {
    let mut faults = Vec::new();
    for (module, path) in modules() {
        let text = fs::read_to_string(&path).unwrap();
        for (line, import) in
            code(&text).flat_map(|(line, text)| imports(text).map(move |import| (line, import)))
        {
            let is_above = row_of(import).is_some_and(|row| Some(row) < row_of(&module));
            if import != module && !is_above && !SEES.contains(&(&module, import)) {
                faults.push(format!("{}:{line}: {module} must not see crate::{import}", show(&path)));
            }
        }
    }
    assert_eq!(faults, [""; 0]);
}

#[test]
fn imports_are_found_in_every_form() {
    for (line, expected) in [
        ("use crate::pod::Pod;", vec!["pod"]),
        ("    let a = crate::pod::x(crate::json::y);", vec!["pod", "json"]),
        ("use crate::{pod, json};", vec!["{"]),
        ("pub(in crate::pod) fn x() {}", vec!["pod"]),
        ("$crate::json::members!(x)", vec!["json"]),
        ("pub(crate) fn x() {}", vec![]),
    ] {
        assert_eq!(imports(line).collect::<Vec<_>>(), expected, "{line}");
    }
    assert_eq!(code("a\n  // b\n//! c\nd").collect::<Vec<_>>(), [(1, "a"), (4, "d")]);
}

#[test]
fn everything_through_admission_is_pure() {
    let mut faults = Vec::new();
    for (module, path) in modules().into_iter().filter(|(module, _)| row_of(module) <= row_of(LAST_PURE)) {
        let text = fs::read_to_string(&path).unwrap();
        for (line, text) in code(&text) {
            faults.extend(
                IMPURE
                    .iter()
                    .filter(|word| text.contains(**word))
                    .map(|word| format!("{}:{line}: {word} in {module}, which only computes", show(&path))),
            );
        }
    }
    assert_eq!(faults, [""; 0]);
}
