//! Files of one folder do not depend on each other in a circle.
//!
//! A file depends on another if it imports an item that the other defines, or names it by a path, wherever it is
//! imported from: a name that `mod.rs` passes on is the file's that defines it. That a `mod.rs` declares a module or
//! passes on its names is no dependency. What a type's methods do is not seen here, as a method has no path. A folder
//! within the folder counts as one file.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use super::source::{Import, ModulePath, NamedPath, SOURCE, SourceFile};

/// The dependencies of each folder: who depends on whom, and through which names.
#[derive(Debug, Default)]
pub(super) struct Circles {
    folders: BTreeMap<ModulePath, Dependencies>,
}

type Dependencies = BTreeMap<String, BTreeMap<String, BTreeSet<String>>>;

/// What a folder's own file is called here.
const PARENT: &str = "mod";

impl Circles {
    pub(super) fn of(files: &BTreeMap<ModulePath, SourceFile>) -> Self {
        let mut circles = Self::default();
        for (module, file) in files {
            for (target, name) in dependencies(files, module, file) {
                circles.add(module, &target, name);
            }
        }
        circles
    }

    fn add(&mut self, from: &[String], to: &[String], name: String) {
        let depth = from.iter().zip(to).take_while(|(from, to)| from == to).count();
        let within = |module: &[String]| module.get(depth).map_or(PARENT, String::as_str).to_owned();
        let (folder, from, to) = (from[..depth].to_vec(), within(from), within(to));
        // How the modules of the crate depend on each other is the business of the layers.
        if !folder.is_empty() && from != to {
            let names = self.folders.entry(folder).or_default().entry(from).or_default();
            names.entry(to).or_default().insert(name);
        }
    }

    /// The circles among the files beside a folder's own, as `folder: file file`.
    pub(super) fn among_siblings(&self) -> BTreeMap<String, String> {
        let mut circles = BTreeMap::new();
        for (folder, dependencies) in &self.folders {
            let mut siblings = dependencies.clone();
            siblings.remove(PARENT);
            for circle in circles_in(&siblings) {
                let files: Vec<&str> = circle.iter().copied().collect();
                let name = format!("{}: {}", folder.join("/"), files.join(" "));
                circles.insert(name, through(dependencies, &circle));
            }
        }
        circles
    }

    /// The folders whose own file is in a circle with others.
    pub(super) fn with_parents(&self) -> BTreeMap<String, String> {
        let of_folder = |(folder, dependencies): (&ModulePath, &Dependencies)| {
            let circle = circles_in(dependencies).into_iter().find(|circle| circle.contains(PARENT))?;
            Some((folder.join("/"), through(dependencies, &circle)))
        };
        self.folders.iter().filter_map(of_folder).collect()
    }
}

/// The names that a circle runs through, a line for each dependency.
fn through(dependencies: &Dependencies, circle: &BTreeSet<&str>) -> String {
    let mut lines = String::new();
    for from in circle {
        for (to, names) in dependencies[*from].iter().filter(|(to, _)| circle.contains(to.as_str())) {
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            writeln!(lines, "    {from} uses {} of {to}", names.join(", ")).unwrap();
        }
    }
    lines
}

/// What a file depends on: the files of the crate, each with the name that is used of it.
fn dependencies(
    files: &BTreeMap<ModulePath, SourceFile>,
    module: &[String],
    file: &SourceFile,
) -> BTreeSet<(ModulePath, String)> {
    let imported = file.imports.iter().filter(|import| !import.is_exported).map(|import| &import.path);
    let mut found = BTreeSet::new();
    for path in imported.chain(&file.paths) {
        if let Some(path) = absolute(files, module, file, path)
            && let Some((target, name)) = resolve(files, &path, 0)
        {
            found.insert((target, name));
        }
    }
    found
}

/// A path from the root of the crate; `None` if it leads out of the crate, or to an item of the file itself.
fn absolute(
    files: &BTreeMap<ModulePath, SourceFile>,
    module: &[String],
    file: &SourceFile,
    path: &NamedPath,
) -> Option<Vec<String>> {
    let names = match path {
        NamedPath::Absolute(names) => return Some(names.clone()),
        NamedPath::Relative(names) => names,
    };
    let first = names.first()?;
    if let Some(import) = file.imports.iter().find(|import| import.alias == *first) {
        let target = import_target(files, module, import)?;
        return Some([&target, &names[1..]].concat());
    }
    let child = [module, std::slice::from_ref(first)].concat();
    if names.len() > 1 && files.contains_key(&child) {
        return Some([&child, &names[1..]].concat());
    }
    let all = file.imports.iter().filter(|import| import.alias == "*" && !file.items.contains(first));
    let mut paths =
        all.filter_map(|import| Some([&import_target(files, module, import)?, &names[..]].concat()));
    paths.find(|path| resolve(files, path, 0).is_some())
}

fn import_target(
    files: &BTreeMap<ModulePath, SourceFile>,
    module: &[String],
    import: &Import,
) -> Option<Vec<String>> {
    match &import.path {
        NamedPath::Absolute(names) => Some(names.clone()),
        NamedPath::Relative(names) => {
            let child = [module, &names[..1]].concat();
            files.contains_key(&child).then(|| [&child, &names[1..]].concat())
        }
    }
}

/// The file that defines the item at a path, and the item; `None` for a module, and for what is not ours.
fn resolve(
    files: &BTreeMap<ModulePath, SourceFile>,
    path: &[String],
    turns: usize,
) -> Option<(ModulePath, String)> {
    assert!(turns < 20, "{path:?} leads nowhere");
    let mut module = ModulePath::new();
    for (index, name) in path.iter().enumerate() {
        let file = files.get(&module)?;
        let child = [&module[..], std::slice::from_ref(name)].concat();
        let is_last = index + 1 == path.len();
        let reexport = file.imports.iter().find(|import| import.alias == *name);
        if files.contains_key(&child) && !(is_last && (reexport.is_some() || file.items.contains(name))) {
            module = child;
            continue;
        }
        if file.items.contains(name) {
            return Some((module, name.clone()));
        }
        let rest = &path[index + 1..];
        if let Some(import) = reexport {
            let target = import_target(files, &module, import)?;
            return resolve(files, &[&target, rest].concat(), turns + 1);
        }
        let all = file.imports.iter().filter(|import| import.alias == "*");
        return all
            .filter_map(|import| import_target(files, &module, import))
            .find_map(|target| resolve(files, &[&target, &path[index..]].concat(), turns + 1));
    }
    None
}

/// The sets of files that all depend on each other.
fn circles_in(dependencies: &Dependencies) -> BTreeSet<BTreeSet<&str>> {
    let reached: BTreeMap<&str, BTreeSet<&str>> =
        dependencies.keys().map(|from| (from.as_str(), reachable(dependencies, from))).collect();
    let circle_of = |from: &str| -> BTreeSet<&str> {
        let is_mutual = |to: &&str| reached.get(*to).is_some_and(|back| back.contains(from));
        reached[from].iter().copied().filter(is_mutual).collect()
    };
    reached.keys().map(|from| circle_of(from)).filter(|circle| circle.len() > 1).collect()
}

fn reachable<'d>(dependencies: &'d Dependencies, from: &str) -> BTreeSet<&'d str> {
    let mut reached = BTreeSet::new();
    let mut left = vec![from];
    while let Some(from) = left.pop() {
        for to in dependencies.get(from).into_iter().flat_map(BTreeMap::keys) {
            if reached.insert(to.as_str()) {
                left.push(to);
            }
        }
    }
    reached
}

#[test]
fn files_of_one_folder_do_not_depend_on_each_other_in_a_circle() {
    let circles = Circles::of(&SOURCE);
    let among_siblings = circles.among_siblings();
    let with_parents = circles.with_parents();
    let found = among_siblings.iter().chain(&with_parents);
    let found: Vec<String> = found.map(|(circle, through)| format!("{circle}\n{through}")).collect();
    assert!(found.is_empty(), "circles:\n{}", found.concat());
}

#[test]
fn dependencies_are_found_in_every_form() {
    let files = [
        ("", "pub mod top;\npub mod other;"),
        ("top", "mod a;\nmod b;\nmod c;\nmod d;\nmod e;\npub use a::Apple;\npub use b::*;\npub struct Own;"),
        ("top/a", "use super::b::Berry;\npub struct Apple(Berry);"),
        ("top/b", "pub struct Berry;\nfn f() { let _ = format!(\"{}\", crate::top::c::cut()); }"),
        ("top/c", "use crate::top;\npub fn cut() { top::Apple; }"),
        ("top/e", "use super::*;\nstruct Mine(Apple);"),
        ("top/d", "use super::{Own, Berry as Fruit};\n#[cfg(test)]\nmod tests { use super::super::c; }"),
        ("other", "use crate::top::Apple;\nmod inline { use super::Apple; }"),
    ];
    let files = files.map(|(module, text)| {
        let module: ModulePath =
            module.split('/').filter(|part| !part.is_empty()).map(str::to_owned).collect();
        (module.clone(), SourceFile::read(module.join("/"), text, module))
    });
    let circles = Circles::of(&files.into());
    let of_top = &circles.folders[&vec!["top".to_owned()]];
    let found: Vec<String> = of_top
        .iter()
        .flat_map(|(from, targets)| targets.iter().map(move |(to, names)| format!("{from} {to} {names:?}")))
        .collect();
    assert_eq!(
        found,
        [r#"a b {"Berry"}"#, r#"b c {"cut"}"#, r#"c a {"Apple"}"#, r#"d b {"Berry"}"#, r#"d mod {"Own"}"#,]
    );
    assert_eq!(circles.among_siblings().into_keys().collect::<Vec<_>>(), ["top: a b c"]);
    assert!(circles.with_parents().is_empty());
    assert_eq!(circles.folders.len(), 1, "{circles:?}");
}
