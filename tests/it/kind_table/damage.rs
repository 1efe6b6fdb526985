//! Random damage to files of kinds and to CustomResourceDefinitions: faults with a place, a bounded proposal, and no crash.

use std::fs;

use podgate::kinds::{Discovery, KindFiles};
use podgate::workload::Kinds;
use proptest::prelude::*;

use crate::pods::of_repository;

/// What is put in place of something.
const PIECES: [&str; 18] = [
    "null",
    "[]",
    "{}",
    "-1",
    "~",
    "'",
    "\n",
    ": ",
    "- ",
    "*",
    "[",
    "]",
    "{",
    "}",
    "properties:",
    "ä",
    "\u{1f600}",
    "x-kubernetes-preserve-unknown-fields: true",
];

/// A text with some stretches of it replaced, doubled or moved. Places are those of characters, so that it stays UTF-8.
fn damaged(text: String) -> impl Strategy<Value = String> {
    let damage = (any::<prop::sample::Index>(), any::<prop::sample::Index>(), 0..PIECES.len(), 0..3_u8);
    prop::collection::vec(damage, 1..6).prop_map(move |damages| {
        let mut characters: Vec<char> = text.chars().collect();
        for (first, second, piece, how) in damages {
            let (first, second) = (first.index(characters.len() + 1), second.index(characters.len() + 1));
            let range = first.min(second)..first.max(second);
            let short = range.start..range.end.min(range.start + 12);
            match how {
                0 => drop(characters.splice(short, PIECES[piece].chars())),
                1 => drop(characters.drain(range)),
                _ => {
                    let doubled: Vec<char> = characters[range].to_vec();
                    characters.splice(second..second, doubled);
                }
            }
            characters.truncate(1 << 16);
        }
        characters.into_iter().collect()
    })
}

fn table() -> String {
    fs::read_to_string(of_repository("tests/fixtures/kind_tables/good/every-shape.yaml")).unwrap()
}

fn definition() -> String {
    fs::read_to_string(of_repository("tests/fixtures/kind_tables/definition.yaml")).unwrap()
}

proptest! {
    #[test]
    fn files_of_kinds_are_read_or_have_faults_with_places(text in damaged(table())) {
        let mut files = KindFiles::default();
        files.read("a.yaml", &text);
        for fault in files.finish().err().unwrap_or_default() {
            prop_assert!(fault.line > 0 && fault.column > 0 && !fault.message.is_empty(), "{fault}");
        }
    }

    /// Whatever is proposed can be used.
    #[test]
    fn what_is_proposed_can_be_read_back(text in damaged(definition())) {
        let mut discovery = Discovery::new(Kinds::default());
        discovery.read("a.yaml", &text);
        for fault in discovery.faults() {
            prop_assert!(fault.line > 0 && fault.column > 0 && !fault.message.is_empty(), "{fault}");
        }
        let proposal = discovery.proposal();
        prop_assert!(proposal.len() < 1 << 18);
        if proposal.contains("\nkind: KindTable\n") {
            let mut files = KindFiles::default();
            files.read("proposal.yaml", &proposal);
            let faults = files.finish().err();
            prop_assert!(faults.is_none(), "{faults:?}\n{proposal}");
        }
    }
}

/// A schema as deep as a text may be, and one that is as wide as a file may be.
#[test]
fn deep_and_wide_schemas_are_bounded() {
    let pod = "properties: {containers: {type: array}, volumes: {}}";
    let of_spec = |spec: &str| {
        format!(
            "{{apiVersion: apiextensions.k8s.io/v1, kind: CustomResourceDefinition, spec: {{group: a.b, names: {{kind: A}}, \
             versions: [{{name: v1, schema: {{openAPIV3Schema: {{properties: {{spec: {{{spec}}}}}}}}}}}]}}}}"
        )
    };
    let items = of_spec(&format!("{}{pod}{}", "items: {".repeat(50), "}".repeat(50)));
    let deeper = of_spec(&format!("{}{pod}{}", "items: {".repeat(80), "}".repeat(80)));
    let wide: String = (0..20_000).map(|index| format!("p{index}: {{{pod}}}, ")).collect();
    let wide = of_spec(&format!("properties: {{{wide}}}"));
    for (text, is_read, part) in [
        (&items, true, "path: spec[][]"),
        (&deeper, false, "There is nothing to add"),
        (&wide, true, "too large to be searched whole"),
    ] {
        let mut discovery = Discovery::new(Kinds::default());
        discovery.read("a.yaml", text);
        let proposal = discovery.proposal();
        assert_eq!(discovery.faults().is_empty(), is_read, "{:?}", discovery.faults());
        assert!(
            proposal.contains(part) && proposal.len() < 20_000,
            "{part}: {}",
            &proposal[..1000.min(proposal.len())]
        );
    }
}
