//! What holds of the files of the repository: every one is used, is current, and stands on its own.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use podgate::controls::CONTROLS;
use podgate::policy::{Policies, PolicyKind, SYSTEM_NAMESPACES, read_file};

use super::show;
use crate::pods::{files, of_repository};

/// Folders that code cannot count on; the pages and examples may speak of them.
const FOREIGN: [&str; 2] = ["/root/", "/tmp/"];

/// Folders that belong to no release.
const NOT_OURS: [&str; 3] = ["target", ".git", ".ci"];

#[test]
fn every_file_opens_with_what_it_is() {
    for folder in ["src", "tests", "fuzz/src", "fuzz/fuzz_targets"] {
        for path in files(&of_repository(folder), "rs") {
            let text = fs::read_to_string(&path).unwrap();
            assert!(text.starts_with("//! "), "{}: begin with //! and a sentence on what it is", show(&path));
        }
    }
}

/// A file that no `mod` line names is never compiled, and its tests are missed by nobody.
#[test]
fn every_file_of_tests_is_run() {
    let roots = files(&of_repository("tests"), "rs").into_iter().filter(|path| path.ends_with("main.rs"));
    for root in roots {
        let folder = root.parent().unwrap();
        for path in files(folder, "rs").iter().filter(|path| **path != root) {
            let is_folder = path.ends_with("mod.rs");
            let module = if is_folder { path.parent().unwrap() } else { path };
            let name = module.file_stem().unwrap().to_str().unwrap();
            let parent = module.parent().unwrap();
            let parents = [root.clone(), parent.join("mod.rs"), parent.with_extension("rs")];
            let candidates = if parent == folder { &parents[..1] } else { &parents[1..] };
            let is_known = candidates
                .iter()
                .filter_map(|parent| fs::read_to_string(parent).ok())
                .any(|text| text.lines().any(|line| line.ends_with(&format!("mod {name};"))));
            assert!(is_known, "{}: no file has a line `mod {name};` for it", show(path));
        }
    }
}

#[test]
fn every_file_of_controls_is_a_control_in_the_list() {
    let is_control = |path: &PathBuf| {
        let text = fs::read_to_string(path).unwrap();
        text.contains("pub(super) static CONTROL: Control")
    };
    let stem = |path: PathBuf| path.file_stem().unwrap().to_str().unwrap().to_owned();
    let of_files: BTreeSet<String> =
        files(&of_repository("src/controls"), "rs").into_iter().filter(is_control).map(stem).collect();
    let listed: BTreeSet<String> = CONTROLS.iter().map(|control| snake_case(control.id)).collect();
    assert_eq!(of_files, listed);
}

/// `seLinuxOptions` as `se_linux_options`.
fn snake_case(id: &str) -> String {
    let mut name = String::new();
    let mut is_word = false;
    for character in id.chars() {
        // One for the whole of an abbreviation: hostPID.
        if character.is_ascii_uppercase() && is_word {
            name.push('_');
        }
        is_word = !character.is_ascii_uppercase();
        name.push(character.to_ascii_lowercase());
    }
    name
}

#[test]
fn the_page_of_controls_is_current() {
    check_generated("docs/controls.md", &podgate::cli::page());
}

#[test]
fn the_page_of_kinds_is_current() {
    check_generated("docs/kinds.md", &podgate::kinds::page());
    let schema = format!("{:#}\n", podgate::kinds::json_schema());
    check_generated(&format!("docs/schemas/{}.json", podgate::policy::KIND_TABLE), &schema);
}

#[test]
fn the_schemas_of_policy_files_are_current() {
    for kind in PolicyKind::ALL {
        let schema = format!("{:#}\n", kind.json_schema());
        check_generated(&format!("docs/schemas/{}.json", kind.name()), &schema);
    }
}

/// Checks that a file of the repository is what we would write there, or writes it.
pub(crate) fn check_generated(name: &str, expected: &str) {
    let path = of_repository(name);
    if std::env::var_os("PODGATE_BLESS").is_some() {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, expected).unwrap();
    }
    let written = fs::read_to_string(&path).unwrap_or_default();
    let line = written.lines().zip(expected.lines()).position(|(written, expected)| written != expected);
    assert!(
        written == expected,
        "{name} is not current (line {:?}): run the tests with PODGATE_BLESS=1",
        line.map(|line| line + 1)
    );
}

#[test]
fn every_policy_that_we_ship_loads() {
    let mut shipped = files(&of_repository("policies"), "yaml");
    assert!(!shipped.is_empty());
    if of_repository("examples").is_dir() {
        shipped.extend(files(&of_repository("examples"), "yaml"));
    }
    for path in shipped {
        let text = fs::read_to_string(&path).unwrap();
        if !text.contains("podgate.dev/v1alpha1") || text.contains("\nkind: PolicyTest\n") {
            continue;
        }
        let reserved = SYSTEM_NAMESPACES.iter().chain(&["podgate-system"]).map(ToString::to_string);
        let mut policies = Policies::new(reserved.collect());
        read_file(&show(&path), &text, &mut policies);
        let faults: Vec<String> =
            policies.finish().err().unwrap_or_default().iter().map(ToString::to_string).collect();
        assert_eq!(faults, [""; 0]);
    }
}

/// A path of the machine that something was written on is nobody else's.
#[test]
fn no_file_names_a_path_of_one_machine() {
    let mut faults = Vec::new();
    // The folder that this clone stands in.
    let workshop = format!("{}/", of_repository("").parent().unwrap().display());
    for path in repository_files(&of_repository("")) {
        let name = show(&path);
        let Ok(text) = fs::read_to_string(&path) else { continue };
        for (index, line) in text.lines().enumerate() {
            let is_foreign = name.starts_with("src/") && FOREIGN.iter().any(|folder| line.contains(folder));
            if is_foreign || workshop.len() > 1 && line.contains(&workshop) {
                faults.push(format!("{name}:{}: {}", index + 1, line.trim()));
            }
        }
    }
    assert_eq!(faults, [""; 0]);
}

fn repository_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        if path.is_symlink() || NOT_OURS.contains(&name) {
            continue;
        }
        if path.is_dir() {
            files.extend(repository_files(&path));
        } else {
            files.push(path);
        }
    }
    files
}
