//! Sixty-four bytes of a text: where the strings among them end, and whether anything in them has to be looked at closely.

use wide::u8x16;

/// How many bytes are looked at together.
pub(super) const BLOCK: usize = 64;

/// Every other bit.
const ODD_BITS: u64 = 0xaaaa_aaaa_aaaa_aaaa;

/// What is seen of a block.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct QuoteBlock {
    /// A bit for each quote that no backslash escapes.
    pub(super) quotes: u64,
    /// A bit for each backslash.
    pub(super) backslashes: u64,
    /// A bit for each control character, and for each escape that is not certainly one of JSON.
    pub(super) suspects: u64,
    /// 1 if the first byte of the next block is escaped.
    pub(super) escapes_next: u64,
}

impl QuoteBlock {
    /// Looks at a block of a text, which begins at `start`, outside of a string or where the block before it ended; then 1 is
    /// passed on if that one's last byte escapes the first of this one.
    #[inline(always)]
    #[expect(clippy::indexing_slicing, reason = "64 bytes are four chunks of 16")]
    pub(super) fn of(block: &[u8; BLOCK], is_first_escaped: u64, (text, start): (&[u8], usize)) -> Self {
        let (chunks, _) = block.as_chunks::<16>();
        let chunks = [0, 1, 2, 3].map(|index| u8x16::new(chunks[index]));
        let quotes = word(chunks.map(|chunk| chunk.simd_eq(u8x16::splat(b'"'))));
        let are_backslashes = chunks.map(|chunk| chunk.simd_eq(u8x16::splat(b'\\')));
        let any_backslash = are_backslashes.into_iter().fold(u8x16::default(), |any, chunk| any | chunk);
        let least = chunks.into_iter().fold(u8x16::splat(u8::MAX), u8x16::min);
        if u64::from((any_backslash | is_control(least)).to_bitmask()) | is_first_escaped == 0 {
            return Self { quotes, ..Self::default() };
        }
        let backslashes = word(are_backslashes);
        let controls = if is_control(least).to_bitmask() == 0 { 0 } else { word(chunks.map(is_control)) };
        let (escaped, escapes_next) = escaped(backslashes, is_first_escaped);
        let others = escaped & !(quotes | backslashes);
        let suspects = if others == 0 { controls } else { controls | suspects(text, start, others) };
        Self { quotes: quotes & !escaped, backslashes, suspects, escapes_next }
    }
}

/// A bit for each byte that a backslash escapes, and whether the one after them is. Of backslashes in a row every other one
/// escapes what follows it: a subtraction carries through each row at once, as in simdjson.
#[inline(always)]
fn escaped(backslashes: u64, is_first_escaped: u64) -> (u64, u64) {
    let starts = backslashes & !is_first_escaped;
    let rows = ((starts << 1) | ODD_BITS).wrapping_sub(starts) ^ ODD_BITS;
    (rows ^ (backslashes | is_first_escaped), (rows & backslashes) >> 63)
}

/// Those of the `escaped` bytes of a block that are not certainly of an escape that JSON has.
#[inline(never)]
fn suspects(text: &[u8], start: usize, escaped: u64) -> u64 {
    let (mut left, mut suspects) = (escaped, 0);
    while left != 0 {
        let place = start + left.trailing_zeros() as usize;
        let is_known = match text.get(place..) {
            Some([b'b' | b'f' | b'n' | b'r' | b't' | b'/', ..]) => true,
            Some([b'u', digits @ ..]) => digits.first_chunk().is_some_and(is_character),
            _ => false,
        };
        let bit = left & left.wrapping_neg();
        suspects |= if is_known { 0 } else { bit };
        left ^= bit;
    }
    suspects
}

/// Whether four digits are the number of a character by itself, not half a surrogate pair.
fn is_character(digits: &[u8; 4]) -> bool {
    let is_half = matches!(digits, [b'd' | b'D', b'8'..=b'9' | b'a'..=b'f' | b'A'..=b'F', ..]);
    digits.iter().all(u8::is_ascii_hexdigit) && !is_half
}

/// Which bytes are control characters.
#[inline(always)]
fn is_control(chunk: u8x16) -> u8x16 {
    chunk.min(u8x16::splat(0x1f)).simd_eq(chunk)
}

/// The first bits of four chunks.
#[inline(always)]
fn word(chunks: [u8x16; 4]) -> u64 {
    let [a, b, c, d] = chunks.map(|chunk| u64::from(chunk.to_bitmask()));
    (a | b << 16) | (c << 32 | d << 48)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Which bytes of a row are escaped, told byte by byte.
    fn told(text: &[u8], mut is_escaped: bool) -> (Vec<bool>, bool) {
        let told = text
            .iter()
            .map(|byte| {
                let was = is_escaped;
                is_escaped = *byte == b'\\' && !was;
                was
            })
            .collect();
        (told, is_escaped)
    }

    proptest! {
        #[test]
        fn every_other_backslash_escapes(
            text in prop::collection::vec(prop::sample::select(vec![b'\\', b'\\', b'\\', b'"', b'n']), BLOCK),
            is_first_escaped in any::<bool>(),
        ) {
            let bits = |is: &dyn Fn(usize) -> bool| (0..BLOCK).filter(|at| is(*at)).fold(0, |bits, at| bits | 1u64 << at);
            let (expected, escapes_next) = told(&text, is_first_escaped);
            let found = escaped(bits(&|at| text[at] == b'\\'), u64::from(is_first_escaped));
            prop_assert_eq!(found, (bits(&|at| expected[at]), u64::from(escapes_next)));
        }
    }

    fn is_suspect(text: &[u8]) -> bool {
        let mut block = [b' '; BLOCK];
        block[..text.len()].copy_from_slice(text);
        QuoteBlock::of(&block, 0, (text, 0)).suspects != 0
    }

    #[test]
    fn every_escape_is_known_or_suspect() {
        for byte in 0..=u8::MAX {
            let is_known = b"\"\\/bfnrt".contains(&byte);
            assert_eq!(is_suspect(&[b'\\', byte]), !is_known, "{byte:#x}");
        }
        for (digits, is_known) in [
            ("0041", true),
            ("d7ff", true),
            ("D800", false),
            ("dbff", false),
            ("dfFF", false),
            ("dc00", false),
            ("e000", true),
            ("FFFF", true),
            ("004", false),
            ("00g1", false),
            ("d8", false),
        ] {
            assert_eq!(is_suspect(format!("\\u{digits}\"").as_bytes()), !is_known, "{digits}");
        }
    }
}
