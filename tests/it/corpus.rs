//! The corpora of the fuzz targets, replayed: what the fuzzer has found worth keeping, and every crash of old.

use std::collections::BTreeSet;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::pods::of_repository;

#[path = "../fuzz/mod.rs"]
mod targets;

/// Most bytes of a corpus: it is for every clone, and is read in every run of the tests.
const LARGEST_CORPUS: u64 = 64 * 1024;

fn names(folder: &str) -> BTreeSet<String> {
    let entries = fs::read_dir(of_repository(folder)).unwrap_or_else(|error| panic!("{folder}: {error}"));
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

#[test]
fn every_input_of_the_corpora_holds_what_its_target_promises() {
    let mut faults = Vec::new();
    for (target, check) in targets::TARGETS {
        let inputs = names(&format!("fuzz/corpus/{target}"));
        assert!(inputs.len() >= 10, "only {} inputs for {target}", inputs.len());
        for name in inputs {
            let input = fs::read(of_repository(&format!("fuzz/corpus/{target}/{name}"))).unwrap();
            if catch_unwind(AssertUnwindSafe(|| check(&input))).is_err() {
                faults.push(format!("{target}/{name}"));
            }
        }
    }
    assert_eq!(faults, [""; 0]);
}

#[test]
fn every_target_has_its_program_and_its_words_and_a_small_corpus() {
    let expected: BTreeSet<String> = targets::TARGETS.map(|(target, _)| target.to_owned()).into();
    let with = |ending: &str| expected.iter().map(|target| format!("{target}.{ending}")).collect();
    assert_eq!(names("fuzz/corpus"), expected);
    assert_eq!(names("fuzz/fuzz_targets"), with("rs"));
    assert_eq!(names("fuzz/dictionaries"), with("dict"));
    let manifest = fs::read_to_string(of_repository("fuzz/Cargo.toml")).unwrap();
    for target in &expected {
        assert!(manifest.contains(&format!("name = \"{target}\"")), "fuzz/Cargo.toml lacks {target}");
        let folder = of_repository(&format!("fuzz/corpus/{target}"));
        let sizes = names(&format!("fuzz/corpus/{target}"))
            .into_iter()
            .map(|name| fs::metadata(folder.join(name)).unwrap().len());
        let size: u64 = sizes.sum();
        assert!(size <= LARGEST_CORPUS, "{target}: {size} bytes; keep the inputs that matter");
    }
}

/// A corpus is given to everybody.
#[test]
fn no_corpus_holds_a_key() {
    for (target, _) in targets::TARGETS {
        for name in names(&format!("fuzz/corpus/{target}")) {
            let input = fs::read(of_repository(&format!("fuzz/corpus/{target}/{name}"))).unwrap();
            let text = String::from_utf8_lossy(&input);
            let after = text.split("PRIVATE KEY-----").skip(1);
            let longest = after.map(|rest| rest.trim_start().split(['-', '\n']).next().unwrap().len()).max();
            assert!(longest.unwrap_or_default() < 32, "{target}/{name} looks as if it held a private key");
        }
    }
}
