//! The quotes of a text, one after the other, found for sixty-four bytes at a time.
//!
//! Searching for the end of each string from its beginning would make every step wait for the one before. So the places
//! of quotes are the bits of a word, and the next one is a bit away.

use std::num::NonZeroU64;

use crate::json::quote_block::{BLOCK, QuoteBlock};
use crate::json::reader::Reader;

impl Reader<'_> {
    /// The quotes from a place on that is not within a string: those of the block that begins there.
    #[inline(always)]
    pub(super) fn quotes_from(&mut self, start: usize) -> u64 {
        self.block = QuoteBlock::at(self.text.as_bytes(), start);
        self.block.quotes
    }

    /// Keeps the quotes that have not been taken for the next read.
    #[inline(always)]
    pub(super) fn leave_quotes(&mut self, quotes: u64) {
        self.block.quotes = quotes;
    }

    /// Takes two quotes, the first of which begins a string: the place of the second, and the quotes that are left.
    /// Nothing if anything but plain bytes and `\"` is between them.
    #[inline(always)]
    pub(super) fn take_string(&mut self, mut quotes: u64) -> Option<(usize, u64)> {
        if quotes == 0 {
            quotes = self.next_quotes()?.get();
        }
        quotes &= quotes - 1;
        if quotes == 0 {
            quotes = self.next_quotes()?.get();
        }
        let place = quotes.trailing_zeros();
        if self.block.specials.trailing_zeros() < place {
            return None;
        }
        Some((self.block.start + place as usize, quotes & (quotes - 1)))
    }

    /// The place of the quote that ends the string whose opening quote is next. Nothing unless every byte between them
    /// stands for itself.
    #[inline(always)]
    pub(super) fn plain_end(&mut self) -> Option<usize> {
        let QuoteBlock { start, mut quotes, .. } = self.block;
        if quotes == 0 || start + quotes.trailing_zeros() as usize != self.at {
            quotes = self.quotes_from(self.at);
        }
        if self.block.escaping != 0 {
            return None;
        }
        let (end, quotes) = self.take_string(quotes)?;
        if self.block.escaping != 0 {
            return None;
        }
        self.leave_quotes(quotes);
        Some(end)
    }

    /// The quotes of the next block that has any, unless something special is passed by or the text ends.
    #[inline(never)]
    fn next_quotes(&mut self) -> Option<NonZeroU64> {
        loop {
            let QuoteBlock { start, escaping, specials, .. } = self.block;
            let next = start + BLOCK;
            if specials != 0 || next >= self.text.len() {
                return None;
            }
            let quotes = self.quotes_from(next);
            // A caller that wants plain strings must learn of the escapes that were skipped, too.
            self.block.escaping |= escaping;
            if let Some(quotes) = NonZeroU64::new(quotes) {
                return Some(quotes);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::string::EscapeForm;
    use proptest::prelude::*;

    /// What a string is made of, so that ends of blocks fall between any two of them.
    fn pieces() -> impl Strategy<Value = String> {
        let plain = (1..70usize).prop_map(|length| "a".repeat(length));
        let escapes = (1..40usize).prop_map(|count| "\\\"".repeat(count));
        let others =
            prop::sample::select(vec!["\\\\", "\\\"", "\\n", "\\u0022", "\\/", "é", "x", "\u{1}", "\\x"]);
        let piece = prop_oneof![3 => plain, 2 => escapes, 4 => others.prop_map(str::to_owned)];
        prop::collection::vec(piece, 0..7).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        /// Strings one after the other, as quotes tell and as each byte tells.
        #[test]
        fn quotes_tell_where_strings_end(strings in prop::collection::vec(pieces(), 1..6), before in 0..70usize) {
            let text = strings.iter().fold(" ".repeat(before), |text, string| format!("{text}\"{string}\":"));
            let (mut plain, mut quick) = (Reader::over(&text), Reader::over(&text));
            plain.at = before;
            let mut quotes = quick.quotes_from(before);
            while plain.at < text.len() {
                let mut looked_at = Reader { at: plain.at, ..Reader::over(&text) };
                let Ok(form) = looked_at.skip_long_string() else {
                    prop_assert_eq!(plain.plain_end(), None);
                    prop_assert_eq!(quick.take_string(quotes), None);
                    return Ok(());
                };
                let end = looked_at.at - 1;
                let found = plain.plain_end();
                prop_assert!(found.is_none() || (found, form) == (Some(end), EscapeForm::Plain));
                quotes = match quick.take_string(quotes) {
                    Some((found, left)) => {
                        prop_assert_eq!(found, end);
                        prop_assert_ne!(form, EscapeForm::Odd);
                        left
                    }
                    None => quick.quotes_from(end + 1),
                };
                plain.at = end + 2;
            }
        }
    }

    #[test]
    fn plain_strings_are_found_at_every_place() {
        for length in 0..200 {
            for before in 0..70 {
                let text = format!("{}\"{}\":\"\"", " ".repeat(before), "a".repeat(length));
                let mut reader = Reader { at: before, ..Reader::over(&text) };
                assert_eq!(reader.plain_end(), Some(before + 1 + length));
                reader.at = before + length + 3;
                assert_eq!(reader.plain_end(), Some(reader.at + 1));
                let mut reader = Reader::over(&text);
                let quotes = reader.quotes_from(before);
                assert_eq!(reader.take_string(quotes).map(|(end, _)| end), Some(before + 1 + length));
            }
        }
    }
}
