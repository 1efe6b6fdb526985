//! Whether a document holds only what the builder of trees would take, found out without building one.
//!
//! Most of a tree of manifests may be objects without pods, such as the schemas of custom resources: they are large, and
//! nobody looks into them. They are still refused for what other documents are refused for. What is not plainly sound is
//! left to the builder, which says what is wrong if anything is.

use crate::yaml::lexeme::Notation;
use crate::yaml::outline::{Token, TokenKind};
use crate::yaml::scalar;

/// Up to so many keys are compared each with each.
const FEW: usize = 16;
/// The digits of a number that any type holds.
const SURELY_IN_RANGE: usize = 15;

/// Whether nothing in a document can be refused: it has no aliases, merges or tags, plain scalars are no number that might
/// have no form in JSON, and no mapping has two keys that may be the same.
pub(super) fn is_sound(tokens: &[Token<'_>], notation: Notation) -> bool {
    let mut keys: Vec<u64> = Vec::new();
    // Where the keys of each open mapping begin among all; `None` for a list.
    let mut open: Vec<Option<usize>> = Vec::new();
    let mut is_key = false;
    for token in tokens {
        let in_mapping = matches!(open.last(), Some(Some(_)));
        match &token.kind {
            TokenKind::Scalar { tag: Some(_), .. } | TokenKind::Alias(_) => return false,
            TokenKind::Scalar { text, plain, tag: None } => {
                if *plain
                    && (is_key && (!scalar::is_text(text) || text == "<<") || may_be_no_json(text, notation))
                {
                    return false;
                }
                if is_key {
                    keys.push(hash(text));
                }
            }
            TokenKind::Sequence | TokenKind::Mapping if is_key => return false,
            TokenKind::Sequence => open.push(None),
            TokenKind::Mapping => {
                open.push(Some(keys.len()));
                is_key = true;
                continue;
            }
            TokenKind::End => {
                let Some(closed) = open.pop() else { return false };
                if let Some(start) = closed {
                    if !keys.get_mut(start..).is_some_and(are_distinct) {
                        return false;
                    }
                    keys.truncate(start);
                }
                is_key = matches!(open.last(), Some(Some(_)));
                continue;
            }
        }
        is_key = !matches!(token.kind, TokenKind::Sequence) && in_mapping && !is_key;
    }
    open.is_empty()
}

/// Whether a plain scalar may be a number that JSON has no form for, as `.inf`, or that is out of range.
fn may_be_no_json(text: &str, notation: Notation) -> bool {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    if digits.starts_with('.') {
        return digits.len() == 4;
    }
    notation == Notation::Json
        && digits.starts_with(|first: char| first.is_ascii_digit())
        && (digits.len() > SURELY_IN_RANGE || digits.contains(['e', 'E']))
}

/// Whether no two of these are the same.
pub(super) fn are_distinct(hashes: &mut [u64]) -> bool {
    if hashes.len() <= FEW {
        return hashes
            .iter()
            .enumerate()
            .all(|(at, hash)| !hashes.iter().take(at).any(|other| other == hash));
    }
    hashes.sort_unstable();
    hashes.windows(2).all(|pair| matches!(pair, [one, next] if one != next))
}

/// A number that is the same for equal texts, and different for nearly all others.
pub(super) fn hash(text: &str) -> u64 {
    let bytes = text.as_bytes();
    let (chunks, rest) = bytes.as_chunks::<8>();
    let mut hash = bytes.len() as u64;
    let mut add = |word: u64| hash = (hash.rotate_left(5) ^ word).wrapping_mul(0x517c_c1b7_2722_0a95);
    chunks.iter().for_each(|chunk| add(u64::from_le_bytes(*chunk)));
    add(rest.iter().fold(0, |word, byte| word << 8 | u64::from(*byte)));
    hash
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use crate::yaml::{ReadDocument, YamlError, read, read_each};

    /// What comes of a text of which no tree is wanted: whether each document was only checked.
    fn checked(text: &str) -> Vec<Result<bool, YamlError>> {
        let mut found = Vec::new();
        let each = |document: Result<ReadDocument<'_>, YamlError>| {
            found.push(document.map(|read| matches!(read, ReadDocument::Unwanted { .. })));
        };
        read_each(text, |_| false, each);
        found
    }

    #[test]
    fn no_tree_is_made_of_what_is_sound() {
        for spec in [
            "{a: [1, {b: c}], d: {}, e: .5, f: yes, 'g': \"h\", type: x}",
            "[[], [a, [b]], {c: {d: []}}]",
            "text",
            "",
        ] {
            assert_eq!(checked(&format!("apiVersion: v1\nkind: X\nspec: {spec}")), [Ok(true)], "{spec}");
        }
        assert_eq!(checked("{\"apiVersion\": \"v1\", \"kind\": \"X\", \"a\": [-1, true, null]}"), [Ok(true)]);
    }

    #[test]
    fn what_may_be_refused_or_be_more_is_built() {
        for text in [
            "apiVersion: v1\nkind: X\nitems: []",
            "apiVersion: v1\nkind: X\na: &a {}\nb: *a",
            "apiVersion: v1\nkind: X\n80: a",
            "apiVersion: v1\nkind: X\nyes: a",
            "apiVersion: v1\nkind: X\na: !!str b",
            "apiVersion: v1\nkind: 5",
            "apiVersion: v1",
            "- apiVersion: v1\n  kind: X",
        ] {
            assert_eq!(checked(text), [Ok(false)], "{text}");
        }
        for (text, message) in [
            (
                "apiVersion: v1\nkind: X\na: {b: 1, c: 2, b: 3}",
                "the key `b` is set twice, on line 3 and on line 3",
            ),
            ("apiVersion: v1\nkind: X\nkind: Y", "the key `kind` is set twice, on line 2 and on line 3"),
            (
                "apiVersion: v1\nkind: X\na: [{on: 1, true: 2}]",
                "the key `true` is set twice, on line 3 and on line 3",
            ),
            (
                "apiVersion: v1\nkind: X\na: -.inf",
                "`-.inf` has no form in JSON; write a finite number or quote it",
            ),
            ("apiVersion: v1\nkind: X\n{a: b}: c", "a list or mapping cannot be a key"),
            (
                "{\"apiVersion\": \"v1\", \"kind\": \"X\", \"a\": 1e999}",
                "`1e999` is out of the range of numbers",
            ),
        ] {
            let found = checked(text);
            let [Err(fault)] = found.as_slice() else { panic!("{text}: {found:?}") };
            assert_eq!(fault.message, message);
        }
    }

    proptest! {
        /// What is only checked is refused exactly where it is refused when a tree is built.
        #[test]
        fn a_check_refuses_what_the_builder_does(text in "(apiVersion: v1\nkind: X\n)((a|b|\"a\"|c{17}|1|yes|true|<<|items|\\? a\n): ?((\n  ){0,1}(a: |- |b: )){0,3}(x|\\.inf|1e999|&a b|\\*a|!!int 1|!x y|\\{a: b, a: c\\}|\\[a, \\{b: c\\}\\]|'q'|\\|\n  t)?\n){0,8}") {
            let expected: Vec<Option<YamlError>> = read(&text).into_iter().map(Result::err).collect();
            let found: Vec<Option<YamlError>> = checked(&text).into_iter().map(Result::err).collect();
            prop_assert_eq!(found, expected, "{:?}", text);
        }

        #[test]
        fn keys_are_distinct_or_not(keys in proptest::collection::vec("[ab]{0,5}", 0..40)) {
            let distinct: std::collections::BTreeSet<&String> = keys.iter().collect();
            let mut hashes: Vec<u64> = keys.iter().map(|key| super::hash(key)).collect();
            prop_assert_eq!(super::are_distinct(&mut hashes), distinct.len() == keys.len());
        }
    }
}
