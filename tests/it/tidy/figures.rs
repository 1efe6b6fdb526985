//! The figures of the source without its tests, two of which have a limit: `cargo test --test it figures -- --nocapture`
//! prints them.

use super::circles::Circles;
use super::names::Names;
use super::source::{Function, SOURCE, SourceFile};

/// The most lines of a file without its tests.
const LONGEST_FILE: usize = 400;

/// The most lines of a function.
const LONGEST_FUNCTION: usize = 60;

/// The least length that so many of a hundred do not exceed.
fn percentile(sorted: &[usize], of_hundred: usize) -> usize {
    sorted[(sorted.len() * of_hundred).div_ceil(100).max(1) - 1]
}

fn percent(part: usize, whole: usize) -> usize {
    (part * 100 + whole / 2) / whole
}

fn sorted(lengths: impl Iterator<Item = usize>) -> Vec<usize> {
    let mut sorted: Vec<usize> = lengths.collect();
    sorted.sort_unstable();
    sorted
}

fn functions() -> impl Iterator<Item = (&'static SourceFile, &'static Function)> {
    SOURCE.values().flat_map(|file| file.functions.iter().map(move |function| (file, function)))
}

fn sum(of_file: impl Fn(&SourceFile) -> usize) -> usize {
    SOURCE.values().map(of_file).sum()
}

#[test]
fn the_figures_of_the_source() {
    let files = sorted(SOURCE.values().map(|file| file.lines));
    let lengths = sorted(functions().map(|(_, function)| function.lines));
    let longer = |than: usize| lengths.iter().filter(|length| **length > than).count();
    let lines: usize = files.iter().sum();
    let at = |of_hundred| percentile(&lengths, of_hundred);
    let names = Names::count();
    let circles = Circles::of(&SOURCE);
    let (among_siblings, with_parents) = (circles.among_siblings(), circles.with_parents());
    eprintln!(
        "files {}, lines {lines}, med/p90/max {}/{}/{}",
        files.len(),
        percentile(&files, 50),
        percentile(&files, 90),
        percentile(&files, 100)
    );
    eprintln!(
        "functions {}, lines med/p75/p90/p99/max {}/{}/{}/{}/{}, over 60: {}, over 40: {}",
        lengths.len(),
        at(50),
        at(75),
        at(90),
        at(99),
        at(100),
        longer(60),
        longer(40)
    );
    eprintln!(
        "comments {} % (documentation {} %), headers {}/{}, public items with documentation {}/{}",
        percent(sum(|file| file.comment_lines), lines),
        percent(sum(|file| file.doc_lines), lines),
        sum(|file| usize::from(file.has_header)),
        files.len(),
        sum(|file| file.documented),
        sum(|file| file.public)
    );
    eprintln!(
        "types {}, distinct names {}, sharing theirs {} %, of one word {} %",
        names.types,
        names.distinct,
        percent(names.shared, names.types),
        percent(names.of_one_word, names.types)
    );
    eprintln!(
        "circles among files {}, folders in a circle with their files {}",
        among_siblings.len(),
        with_parents.len()
    );
    for (circle, through) in among_siblings.iter().chain(&with_parents) {
        eprintln!("{circle}\n{through}");
    }
}

#[test]
fn files_and_functions_are_short() {
    let files = SOURCE.values().map(|file| (file.name.clone(), file.lines));
    let functions =
        functions().map(|(file, function)| (format!("{} {}", file.name, function.name), function.lines));
    assert_eq!(longer_than(LONGEST_FILE, files), [""; 0]);
    assert_eq!(longer_than(LONGEST_FUNCTION, functions), [""; 0]);
}

fn longer_than(limit: usize, found: impl Iterator<Item = (String, usize)>) -> Vec<String> {
    let longer = found.filter(|(_, lines)| *lines > limit);
    longer.map(|(name, lines)| format!("{name}: {lines} lines, and {limit} is the most")).collect()
}
