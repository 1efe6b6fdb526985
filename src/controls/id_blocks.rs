//! Blocks of ids as an annotation of a Namespace has them: `1000650000/10000,1000700000-1000700099`.

use crate::controls::NamespaceAnnotations;
use crate::controls::id_range::{IdRange, LARGEST_ID};

/// Blocks of an annotation that were read: not none, and each in order. They are read again wherever they are walked, as
/// that costs less than keeping them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct IdBlocks<'t> {
    text: &'t str,
}

/// Why an annotation is of no use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct UnreadableBlocks;

impl<'t> IdBlocks<'t> {
    /// Reads an annotation: one block or more, with commas between, each as `START/LENGTH` or `START-END`. Spaces around a
    /// block are passed over.
    ///
    /// # Errors
    /// If it is anything else, if a block has no id, or an id that the API server takes of nobody.
    pub(super) fn read(text: &'t str) -> Result<Self, UnreadableBlocks> {
        let is_legal =
            text.len() <= NamespaceAnnotations::LONGEST && blocks(text).all(|block| block.is_some());
        is_legal.then_some(Self { text }).ok_or(UnreadableBlocks)
    }

    /// The blocks, in order.
    pub(super) fn iter(self) -> impl Iterator<Item = IdRange> + use<'t> {
        blocks(self.text).flatten()
    }
}

fn blocks(text: &str) -> impl Iterator<Item = Option<IdRange>> {
    text.split(',').map(|block| read_block(block.trim_matches(' ')))
}

fn read_block(text: &str) -> Option<IdRange> {
    let (min, max) = match text.split_once('/') {
        Some((start, length)) => {
            let start = id(start)?;
            (start, start + id(length)? - 1)
        }
        None => {
            let (start, end) = text.split_once('-')?;
            (id(start)?, id(end)?)
        }
    };
    (min <= max && max <= LARGEST_ID).then_some(IdRange { min, max })
}

/// A number of digits alone, and no more of them than an id has: no sign, no space.
fn id(text: &str) -> Option<i64> {
    const MOST_DIGITS: usize = 10;
    let is_number = text.len() <= MOST_DIGITS && text.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(text: &str) -> Option<Vec<(i64, i64)>> {
        let blocks = IdBlocks::read(text).ok()?;
        Some(blocks.iter().map(|IdRange { min, max }| (min, max)).collect())
    }

    #[test]
    fn blocks_have_two_spellings() {
        for (text, expected) in [
            ("1000650000/10000", vec![(1_000_650_000, 1_000_659_999)]),
            ("1000650000-1000659999", vec![(1_000_650_000, 1_000_659_999)]),
            ("5-5", vec![(5, 5)]),
            ("5/1", vec![(5, 5)]),
            ("0/1", vec![(0, 0)]),
            ("2147483647/1,0-2147483647", vec![(2_147_483_647, 2_147_483_647), (0, 2_147_483_647)]),
            ("1/2, 7-9 ,20/1", vec![(1, 2), (7, 9), (20, 20)]),
            ("0010/02", vec![(10, 11)]),
        ] {
            assert_eq!(read(text), Some(expected), "{text}");
        }
    }

    #[test]
    fn anything_else_is_refused() {
        for text in [
            "",
            " ",
            ",",
            "1000",
            "1000/",
            "/10",
            "1000-",
            "-5",
            "1000/0",
            "9-5",
            "1/2,",
            ",1/2",
            "1/2,,3/4",
            "1/2;3/4",
            "1/2 3/4",
            "+1/2",
            "1/+2",
            "-1/2",
            "1/-2",
            "1--2",
            "1-2-3",
            "1/2/3",
            "1/2-3",
            "1-2/3",
            "0x10/2",
            "1e3/2",
            "1_000/2",
            "1 /2",
            "1\t/2",
            "\t1/2",
            "1/2\n",
            "١/٢",
            "1/2\0",
            "2147483648/1",
            "2147483647/2",
            "0-2147483648",
            "4294967295/2",
            "1/4294967296",
            "9999999999/9999999999",
            "18446744073709551615/2",
            "9223372036854775807-9223372036854775807",
            "00000000001/1",
        ] {
            assert_eq!(read(text), None, "{text:?}");
        }
        assert_eq!(read(&["1/1"; 65].join(",")), None, "it is too long");
        assert_eq!(read(&["1/1"; 64].join(",")).map(|blocks| blocks.len()), Some(64));
    }

    proptest! {
        #[test]
        fn whatever_is_written_the_ids_are_those_that_the_api_server_takes(text in "[0-9,/ -]{0,40}|\\PC{0,20}") {
            if let Some(blocks) = read(&text) {
                prop_assert!(!blocks.is_empty());
                prop_assert!(blocks.iter().all(|(min, max)| 0 <= *min && min <= max && *max <= LARGEST_ID));
            }
        }
    }
}
