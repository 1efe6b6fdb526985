//! Every link inside the repository leads to a file that is there, and to a heading of it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path, PathBuf};

use super::markdown::Page;
use super::pages;
use crate::pods::of_repository;

/// Where the repository's files are on the web.
const ON_THE_WEB: &str = concat!(env!("CARGO_PKG_REPOSITORY"), "/blob/main/");

/// The anchors of a page, as GitHub makes them.
fn anchors(page: &Page) -> BTreeSet<String> {
    let mut anchors = BTreeSet::new();
    for heading in page.headings() {
        let anchor = anchor(heading);
        let numbered = (1..).map(|number| format!("{anchor}-{number}"));
        let free = std::iter::once(anchor.clone()).chain(numbered).find(|name| !anchors.contains(name));
        anchors.extend(free);
    }
    anchors
}

/// The anchor of a heading: in lower case, with hyphens for blanks, and without what is no part of a word.
fn anchor(heading: &str) -> String {
    let words = heading.chars().filter(|c| c.is_alphanumeric() || ['-', '_', ' '].contains(c));
    words.map(|c| if c == ' ' { '-' } else { c }).flat_map(char::to_lowercase).collect()
}

/// A path without `.` and `..`.
fn plain(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for component in path.components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir => assert!(plain.pop(), "{}", path.display()),
            Component::Prefix(_) | Component::RootDir | Component::Normal(_) => plain.push(component),
        }
    }
    plain
}

/// What is wrong with the target of a link of a page, if anything is.
fn fault(page: &Page, target: &str, all: &BTreeMap<PathBuf, BTreeSet<String>>) -> Option<String> {
    let (target, base) = match target.strip_prefix(ON_THE_WEB) {
        Some(path) => (path, of_repository("")),
        None if target.contains("://") || target.starts_with("mailto:") => return None,
        None => (target, page.path.parent().unwrap().to_owned()),
    };
    let (file, anchor) = target.split_once('#').unwrap_or((target, ""));
    let path = if file.is_empty() { page.path.clone() } else { plain(&base.join(file)) };
    if !path.exists() {
        return Some(format!("{target}: there is no {}", path.display()));
    }
    let has_anchor = || all.get(&path).is_some_and(|anchors| anchors.contains(anchor));
    (!anchor.is_empty() && !has_anchor()).then(|| format!("{target}: there is no heading for #{anchor}"))
}

#[test]
fn every_link_leads_somewhere() {
    let pages = pages();
    let all: BTreeMap<PathBuf, BTreeSet<String>> =
        pages.iter().map(|page| (page.path.clone(), anchors(page))).collect();
    let (mut faults, mut count) = (Vec::new(), 0);
    for page in &pages {
        for link in page.links() {
            count += 1;
            let fault = fault(page, &link.text, &all);
            faults.extend(fault.map(|fault| format!("{}: {fault}", page.at(link.line))));
        }
        // The other way to write a link is not looked at.
        let is_apart = |line: &str| line.starts_with('[') && line.contains("]: ");
        assert!(!page.text.lines().any(is_apart), "{}: write links where they are used", page.name);
    }
    assert!(count > 100, "{count} links");
    assert_eq!(faults, [""; 0]);
}

/// Addresses of our own files outside of pages, as in alerts and errors.
#[test]
fn every_address_of_our_own_files_is_right() {
    let all: BTreeMap<PathBuf, BTreeSet<String>> =
        pages().iter().map(|page| (page.path.clone(), anchors(page))).collect();
    let page = &pages()[0];
    let extensions = [("src", "rs"), ("manifests", "yaml"), ("manifests", "txt"), ("policies", "yaml")];
    let (mut faults, mut count) = (Vec::new(), 0);
    for path in extensions.iter().flat_map(|(folder, kind)| crate::pods::files(&of_repository(folder), kind))
    {
        let text = std::fs::read_to_string(&path).unwrap();
        for (start, _) in text.match_indices(ON_THE_WEB) {
            let is_end = |c: char| c.is_whitespace() || ['"', '\'', ')', '`', '\\', ','].contains(&c);
            let address = text[start..].split(is_end).next().unwrap();
            count += 1;
            faults.extend(fault(page, address, &all).map(|fault| format!("{}: {fault}", path.display())));
        }
    }
    assert!(count >= 20, "{count} addresses");
    assert_eq!(faults, [""; 0]);
}

#[test]
fn a_link_that_leads_nowhere_is_seen() {
    let pages = pages();
    let all: BTreeMap<PathBuf, BTreeSet<String>> =
        pages.iter().map(|page| (page.path.clone(), anchors(page))).collect();
    let install = pages.iter().find(|page| page.name == "docs/install.md").unwrap();
    for good in ["#install", "lint.md", "../README.md#try-it", "https://example.com/#x", "schemas"] {
        assert_eq!(fault(install, good, &all), None);
    }
    let on_the_web = format!("{ON_THE_WEB}docs/lint.md#nowhere");
    for bad in ["#nowhere", "nowhere.md", "../README.md#nowhere", "/README.md", &on_the_web] {
        assert!(fault(install, bad, &all).is_some(), "{bad}");
    }
    assert_eq!(anchor("`--dev`, What's *new*? (1.2)"), "--dev-whats-new-12");
}
