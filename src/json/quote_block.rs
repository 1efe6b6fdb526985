//! Sixty-four bytes of a text: where the quotes among them stand.

use wide::u8x16;

/// How many bytes are looked at together.
pub(super) const BLOCK: usize = 64;

/// The block in which quotes are being taken.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct QuoteBlock {
    /// Where it begins.
    pub(super) start: usize,
    /// A bit for each quote that ends or begins a string: all of them from the lowest on.
    pub(super) quotes: u64,
    /// A bit for each backslash before a quote that does not; and others if there were such in a block before.
    pub(super) escaping: u64,
    /// A bit for each other backslash and each control character.
    pub(super) specials: u64,
}

impl QuoteBlock {
    /// The block that begins at a place. What is behind the end of the text is special.
    #[inline(always)]
    pub(super) fn at(bytes: &[u8], start: usize) -> Self {
        let padded;
        let block = match bytes.get(start..).and_then(|rest| rest.first_chunk()) {
            Some(block) => block,
            None => {
                padded = Self::padded(bytes, start);
                &padded
            }
        };
        Self::of(block, start)
    }

    #[cold]
    #[inline(never)]
    fn padded(bytes: &[u8], start: usize) -> [u8; BLOCK] {
        let mut block = [0; BLOCK];
        for (to, from) in block.iter_mut().zip(bytes.iter().skip(start)) {
            *to = *from;
        }
        block
    }

    #[inline(always)]
    #[expect(clippy::indexing_slicing, reason = "64 bytes are four chunks of 16")]
    fn of(block: &[u8; BLOCK], start: usize) -> Self {
        let (chunks, _) = block.as_chunks::<16>();
        let chunks = [0, 1, 2, 3].map(|index| u8x16::new(chunks[index]));
        let quotes = word(chunks.map(|chunk| chunk.simd_eq(u8x16::splat(b'"'))));
        let are_backslashes = chunks.map(|chunk| chunk.simd_eq(u8x16::splat(b'\\')));
        let is_control = |chunk: u8x16| chunk.min(u8x16::splat(0x1f)).simd_eq(chunk);
        let any_backslash = are_backslashes.into_iter().fold(u8x16::default(), |any, chunk| any | chunk);
        let least = chunks.into_iter().fold(u8x16::splat(u8::MAX), u8x16::min);
        if (any_backslash | is_control(least)).to_bitmask() == 0 {
            return Self { start, quotes, escaping: 0, specials: 0 };
        }
        let backslashes = word(are_backslashes);
        let escaping = backslashes & quotes >> 1 & !(backslashes << 1);
        let specials = backslashes & !escaping | word(chunks.map(is_control));
        Self { start, quotes: quotes & !(escaping << 1), escaping, specials }
    }
}

/// The first bits of four chunks.
#[inline(always)]
fn word(chunks: [u8x16; 4]) -> u64 {
    let [a, b, c, d] = chunks.map(|chunk| u64::from(chunk.to_bitmask()));
    (a | b << 16) | (c << 32 | d << 48)
}
