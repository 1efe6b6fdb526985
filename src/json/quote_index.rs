//! Four kilobytes of a text ahead: where the quotes in them stand.
//!
//! Searching for the end of each string from its beginning would make every step wait for the one before. So the text is
//! looked at once, ahead of everything else, and the end of a string is the next bit. Not the whole text at once: what is
//! known of it has a place in the reader itself.

use crate::json::quote_block::{BLOCK, QuoteBlock};

/// How many blocks are known at a time.
const BLOCKS: usize = 64;

/// The quotes that have not been taken yet of a block.
#[derive(Debug, Clone, Copy)]
pub(super) struct NextQuotes {
    /// Where the block begins.
    pub(super) start: usize,
    /// Which of the part it is.
    pub(super) block: usize,
    pub(super) quotes: u64,
}

/// The quotes of a part of a text. The part begins outside of a string, or within one that is longer than a part.
#[derive(Debug)]
pub(super) struct QuoteIndex {
    /// Where the part begins.
    start: usize,
    quotes: [u64; BLOCKS],
    backslashes: [u64; BLOCKS],
    suspects: [u64; BLOCKS],
    /// Whether any of the suspects is there.
    has_suspects: bool,
    /// 1 if the first byte after the part is escaped.
    escapes_next: u64,
}

impl QuoteIndex {
    /// Nothing is known yet: the part is nowhere near any place in a text.
    pub(super) const fn new() -> Self {
        Self {
            start: usize::MAX / 2,
            quotes: [0; BLOCKS],
            backslashes: [0; BLOCKS],
            suspects: [0; BLOCKS],
            has_suspects: false,
            escapes_next: 0,
        }
    }

    /// The closing quote of the string whose opening quote is at a place, if it is in the same block or in the next one, and
    /// no byte of the part has to be looked at closely.
    #[inline(always)]
    pub(super) fn near_end(&self, at: usize) -> Option<usize> {
        let offset = at.wrapping_sub(self.start);
        let (block, place) = (offset / BLOCK, offset % BLOCK);
        let here = self.quotes.get(block)? & (!1 << place);
        if self.has_suspects {
            return None;
        }
        if here != 0 {
            return Some(at - place + here.trailing_zeros() as usize);
        }
        let next = *self.quotes.get(block + 1)?;
        (next != 0).then_some(at - place + BLOCK + next.trailing_zeros() as usize)
    }

    /// As [`near_end`](Self::near_end), if there is no backslash near either.
    #[inline(always)]
    pub(super) fn near_plain_end(&self, at: usize) -> Option<usize> {
        let end = self.near_end(at)?;
        let of_block = |place: usize| self.backslashes.get(place.wrapping_sub(self.start) / BLOCK);
        (of_block(at)? | of_block(end)? == 0).then_some(end)
    }

    /// The quotes from a place outside of any string on. Nothing if a byte near it has to be looked at closely.
    #[inline(always)]
    pub(super) fn from(&mut self, text: &[u8], at: usize) -> Option<NextQuotes> {
        if at.wrapping_sub(self.start) >= BLOCK * BLOCKS {
            self.look(text, at, 0);
        }
        let offset = at.wrapping_sub(self.start);
        let quotes = self.quotes.get(offset / BLOCK)? & (!0 << (offset % BLOCK));
        (!self.has_suspects).then_some(NextQuotes {
            start: at - offset % BLOCK,
            block: offset / BLOCK,
            quotes,
        })
    }

    /// Those of the next block that has any.
    #[inline(always)]
    pub(super) fn after(&mut self, text: &[u8], block: usize) -> Option<NextQuotes> {
        match self.quotes.get(block + 1) {
            Some(quotes) if *quotes != 0 => {
                let start = self.start + (block + 1) * BLOCK;
                Some(NextQuotes { start, block: block + 1, quotes: *quotes })
            }
            _ => self.far_after(text, block),
        }
    }

    #[inline(never)]
    fn far_after(&mut self, text: &[u8], mut block: usize) -> Option<NextQuotes> {
        loop {
            block = block.wrapping_add(1);
            match self.quotes.get(block) {
                Some(0) => {}
                Some(quotes) => {
                    return Some(NextQuotes { start: self.start + block * BLOCK, block, quotes: *quotes });
                }
                None if self.start + BLOCK * BLOCKS >= text.len() => return None,
                None => {
                    self.look(text, self.start + BLOCK * BLOCKS, self.escapes_next);
                    if self.has_suspects {
                        return None;
                    }
                    block = usize::MAX;
                }
            }
        }
    }

    /// As [`near_end`](Self::near_end), wherever the closing quote is. Nothing if there is none, or if a byte of the string
    /// itself has to be looked at closely.
    #[inline(never)]
    pub(super) fn end(&mut self, text: &[u8], at: usize) -> Option<usize> {
        let mut offset = at.wrapping_sub(self.start);
        if offset >= BLOCK * BLOCKS {
            self.look(text, at, 0);
            offset = 0;
        }
        // All but the opening quote and what is before it.
        let mut left = !1 << (offset % BLOCK);
        let mut block = offset / BLOCK;
        loop {
            let Some((all, suspects)) = self.quotes.get(block).zip(self.suspects.get(block)) else {
                if self.start + BLOCK * BLOCKS >= text.len() {
                    return None;
                }
                if offset > 0 {
                    // Once more from the beginning of the string, so that the part holds the whole of it.
                    (offset, left) = (0, !1);
                    self.look(text, at, 0);
                } else {
                    left = !0;
                    self.look(text, self.start + BLOCK * BLOCKS, self.escapes_next);
                }
                block = 0;
                continue;
            };
            let quotes = all & left;
            // Up to the first quote, or else all that are left.
            let inside = left & (quotes & quotes.wrapping_neg()).wrapping_sub(1);
            if suspects & inside != 0 {
                return None;
            }
            if quotes != 0 {
                return Some(self.start + block * BLOCK + quotes.trailing_zeros() as usize);
            }
            left = !0;
            block += 1;
        }
    }

    /// Whether there is no backslash from one place to another.
    pub(super) fn is_plain(&self, text: &[u8], from: usize, to: usize) -> bool {
        let (first, last) = (from.wrapping_sub(self.start) / BLOCK, to.wrapping_sub(self.start) / BLOCK);
        let seen = match (self.backslashes.get(first), self.backslashes.get(last)) {
            (Some(first_bits), Some(last_bits)) if last - first <= 1 => first_bits | last_bits,
            _ => 1,
        };
        seen == 0 || has_no_backslash(text, from, to)
    }

    /// Looks at the part of the text that begins at a place.
    #[inline(never)]
    fn look(&mut self, text: &[u8], start: usize, is_first_escaped: u64) {
        let (blocks, rest) = text.get(start..).unwrap_or_default().as_chunks::<BLOCK>();
        (self.start, self.escapes_next, self.has_suspects) = (start, is_first_escaped, false);
        // By number: three lists side by side would be three more things to count.
        for (place, block) in (0..BLOCKS).zip(blocks) {
            self.put(place, QuoteBlock::of(block, self.escapes_next, (text, start + place * BLOCK)));
        }
        if blocks.len() < BLOCKS {
            // The end of the text.
            let end = (text, start + blocks.len() * BLOCK);
            self.put(blocks.len(), QuoteBlock::of(&padded(rest), self.escapes_next, end));
            (blocks.len() + 1..BLOCKS).for_each(|place| self.put(place, QuoteBlock::default()));
        }
    }

    #[inline(always)]
    fn put(&mut self, place: usize, found: QuoteBlock) {
        let places =
            (self.quotes.get_mut(place), self.backslashes.get_mut(place), self.suspects.get_mut(place));
        if let (Some(quotes), Some(backslashes), Some(suspects)) = places {
            (*quotes, *backslashes, *suspects) = (found.quotes, found.backslashes, found.suspects);
        }
        self.escapes_next = found.escapes_next;
        self.has_suspects |= found.suspects != 0;
    }
}

/// The end of a text, as a block.
fn padded(rest: &[u8]) -> [u8; BLOCK] {
    let mut block = [b' '; BLOCK];
    for (to, from) in block.iter_mut().zip(rest) {
        *to = *from;
    }
    block
}

#[inline(never)]
fn has_no_backslash(text: &[u8], from: usize, to: usize) -> bool {
    text.get(from..to).is_some_and(|bytes| !bytes.contains(&b'\\'))
}
