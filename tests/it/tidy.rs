//! The house rules that a compiler does not know.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use podgate::controls::ALL;
use podgate::policy::{self, Policies, SYSTEM_NAMESPACES, read_file};

use crate::pods::{files, of_repository};

/// The modules from the ground up. Each sees those of the rows above its own, and of its own row only itself.
const LAYERS: [&[&str]; 10] = [
    &["json", "yaml"],
    &["pod"],
    &["workload"],
    &["controls"],
    &["policy"],
    &["evaluate"],
    &["mutate"],
    &["admission"],
    &["server", "cluster", "certificates", "lint", "doctor"],
    &["cli"],
];

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

/// Folders that code cannot count on; the pages and examples may speak of them.
const FOREIGN: [&str; 2] = ["/root/", "/tmp/"];

/// Folders that belong to no release.
const NOT_OURS: [&str; 3] = ["target", ".git", ".ci"];

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

fn show(path: &Path) -> String {
    path.strip_prefix(of_repository("")).unwrap_or(path).display().to_string()
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
            if import != module && row_of(import).is_none_or(|row| Some(row) >= row_of(&module)) {
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

#[test]
fn every_file_opens_with_what_it_is() {
    for folder in ["src", "tests", "fuzz/src", "fuzz/fuzz_targets"] {
        for path in files(&of_repository(folder), "rs") {
            let text = fs::read_to_string(&path).unwrap();
            assert!(text.starts_with("//! "), "{}: begin with //! and a sentence on what it is", show(&path));
        }
    }
}

#[test]
fn every_file_of_tests_is_run() {
    let main = fs::read_to_string(of_repository("tests/it/main.rs")).unwrap();
    for path in files(&of_repository("tests/it"), "rs") {
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let is_known = name == "main" || main.lines().any(|line| line == format!("mod {name};"));
        assert!(
            is_known || !path.parent().unwrap().ends_with("it"),
            "{}: not a module of main.rs",
            show(&path)
        );
    }
}

#[test]
fn every_file_of_controls_is_a_control_in_the_list() {
    let helpers = ["mod", "finding", "standard", "text"];
    let stem = |path: PathBuf| path.file_stem().unwrap().to_str().unwrap().to_owned();
    let mut of_files: BTreeSet<String> =
        files(&of_repository("src/controls"), "rs").into_iter().map(stem).collect();
    for helper in helpers {
        assert!(of_files.remove(helper), "src/controls/{helper}.rs is gone: take it out of this test");
    }
    let listed: BTreeSet<String> = ALL.iter().map(|control| snake_case(control.id)).collect();
    assert_eq!(of_files, listed);
}

/// `seLinuxOptions` as `se_linux_options`.
fn snake_case(id: &str) -> String {
    let mut name = String::new();
    for character in id.chars() {
        if character.is_ascii_uppercase() {
            name.push('_');
        }
        name.push(character.to_ascii_lowercase());
    }
    name
}

#[test]
fn the_page_of_controls_is_current() {
    check_generated("docs/controls.md", &podgate::cli::page());
}

#[test]
fn the_schemas_of_policy_files_are_current() {
    for kind in policy::Kind::ALL {
        let schema = format!("{:#}\n", policy::json_schema(kind));
        check_generated(&format!("docs/schemas/{}.json", kind.name()), &schema);
    }
}

/// Checks that a file of the repository is what we would write there, or writes it.
fn check_generated(name: &str, expected: &str) {
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
        if !text.contains("podgate.dev/v1alpha1") {
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
