//! Files of kinds: every fault of a file at once, each at its place; and files that are in order.
//!
//! What is expected of a file stands at its end behind `#> `: the faults as `line:column: message`, or the kinds with their
//! places.

use podgate::kinds::KindFiles;
use podgate::workload::{Carries, Kind, Kinds};

use crate::pods::annotated_files;

/// What comes of these files, named `a.yaml` and on.
fn read(texts: &[&str]) -> Result<Kinds, Vec<String>> {
    let mut read = KindFiles::default();
    for (name, text) in ('a'..).zip(texts) {
        read.read(&format!("{name}.yaml"), text);
    }
    read.finish().map_err(|faults| faults.iter().map(ToString::to_string).collect())
}

/// `group(versions) kind places` of a row.
fn words(row: &Kind) -> String {
    let versions =
        if row.versions.is_empty() { String::new() } else { format!("({})", row.versions.join(",")) };
    let carries = match row.carries {
        Carries::Templates(patterns) => {
            let places = patterns
                .iter()
                .map(|pattern| format!("{} {:?} {:?}", pattern.pattern, pattern.shape, pattern.part));
            places.collect::<Vec<_>>().join(", ")
        }
        other @ (Carries::Adapter(_) | Carries::Opaque | Carries::Nothing) => format!("{other:?}"),
    };
    format!("{}{versions} {} {carries}", row.group, row.kind)
}

fn added(kinds: &Kinds) -> Vec<String> {
    let mut added: Vec<String> = kinds.added().iter().map(words).collect();
    added.sort();
    added
}

#[test]
fn every_fault_is_told_at_once_and_in_its_place() {
    let cases = annotated_files("tests/fixtures/kind_tables/faulty");
    assert!(cases.len() > 10);
    for (name, text, expected) in cases {
        let expected: Vec<String> = expected.iter().map(|fault| format!("a.yaml:{fault}")).collect();
        assert_eq!(read(&[&text]).map(|kinds| added(&kinds)), Err(expected), "{name}");
    }
}

#[test]
fn files_in_order_are_read() {
    let cases = annotated_files("tests/fixtures/kind_tables/good");
    assert!(!cases.is_empty());
    for (name, text, expected) in cases {
        assert_eq!(read(&[&text]).map(|kinds| added(&kinds)), Ok(expected), "{name}");
    }
}

const A: &str = "apiVersion: podgate.dev/v1alpha1\nkind: KindTable\nspec:\n  kinds:\n  - group: example.com\n    kind: A\n    carries: opaque\n";

#[test]
fn a_kind_stands_in_one_of_all_files() {
    let fault = "b.yaml:6:11: spec.kinds[0].kind: example.com/A without versions is already in a.yaml:6";
    assert_eq!(read(&[A, A]).map(|_| ()), Err(vec![fault.to_owned()]));
    // Versions that are named stand beside the entry of all others.
    let of_version = A.replace("kind: A", "kind: A\n    versions: [v2]");
    let kinds = read(&[A, &of_version]).unwrap();
    assert_eq!(kinds.find("example.com/v2", "A").unwrap().versions, ["v2"]);
    assert!(kinds.find("example.com/v1", "A").unwrap().versions.is_empty());
}

#[test]
fn windows_files_and_json_are_read() {
    assert_eq!(
        read(&[&A.replace('\n', "\r\n")]).map(|kinds| added(&kinds)),
        Ok(vec!["example.com A Opaque".to_owned()])
    );
    let json = r#"{"apiVersion": "podgate.dev/v1alpha1", "kind": "KindTable", "spec": {"kinds": [{"group": "a.b", "kind": "A", "carries": "opaque"}]}}"#;
    assert!(read(&[json]).is_ok());
}

/// A table of kinds is no policy, and is told where it belongs.
#[test]
fn a_table_among_policies_is_told_where_it_belongs() {
    let faults = crate::policies::read(&[("a.yaml", A)]).map(|_| ()).unwrap_err();
    assert_eq!(faults, ["a.yaml:2:7: kind: a table of kinds, and no policy: name its file with --kinds"]);
    assert!(!podgate::policy::is_of_policy("podgate.dev/v1alpha1", "KindTable"));
}
