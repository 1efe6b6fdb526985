//! Where strings end.

use crate::json::limits::MAX_STRING;
use crate::json::quote_block::BLOCK;
use crate::json::quote_index::NextQuotes;
use crate::json::reader::Reader;

impl Reader<'_> {
    /// The closing quote of the string whose opening quote is at a place. Nothing if anything in it has to be looked at
    /// closely: then it may be no string.
    #[inline(always)]
    pub(super) fn string_end(&mut self, at: usize) -> Option<usize> {
        match self.quotes.near_end(at) {
            Some(end) => Some(end),
            None => self.quotes.end(self.text.as_bytes(), at).filter(|end| end - at <= MAX_STRING),
        }
    }

    /// As [`Reader::string_end`], for a string whose quotes are the next two.
    #[inline(always)]
    pub(super) fn next_string_end(&mut self, at: usize, next: &mut NextQuotes) -> Option<usize> {
        if next.quotes == 0 {
            *next = self.quotes.after(self.text.as_bytes(), next.block)?;
        }
        if next.start + next.quotes.trailing_zeros() as usize != at {
            return None;
        }
        next.quotes &= next.quotes - 1;
        if next.quotes == 0 {
            *next = self.quotes.after(self.text.as_bytes(), next.block)?;
            if next.start > at + MAX_STRING - BLOCK {
                return None;
            }
        }
        let end = next.start + next.quotes.trailing_zeros() as usize;
        next.quotes &= next.quotes - 1;
        Some(end)
    }

    /// As [`Reader::string_end`], and whether each byte of the string stands for itself.
    #[inline(always)]
    pub(super) fn string_end_and_form(&mut self, at: usize) -> Option<(usize, bool)> {
        if let Some(end) = self.quotes.near_plain_end(at) {
            return Some((end, true));
        }
        self.long_string_end_and_form(at)
    }

    /// As [`Reader::string_end`], if each byte of the string stands for itself.
    #[inline(always)]
    pub(super) fn plain_string_end(&mut self, at: usize) -> Option<usize> {
        match self.quotes.near_plain_end(at) {
            Some(end) => Some(end),
            None => self.long_string_end_and_form(at).and_then(|(end, is_plain)| is_plain.then_some(end)),
        }
    }

    #[inline(never)]
    fn long_string_end_and_form(&mut self, at: usize) -> Option<(usize, bool)> {
        let end = self.string_end(at)?;
        Some((end, self.quotes.is_plain(self.text.as_bytes(), at, end)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// What a string is made of, so that ends of blocks fall between any two of them.
    fn pieces() -> impl Strategy<Value = String> {
        let plain = (1..70usize).prop_map(|length| "a".repeat(length));
        let escapes = (1..40usize).prop_map(|count| "\\\"".repeat(count));
        let backslashes = (1..70usize).prop_map(|count| "\\\\".repeat(count));
        let others = prop::sample::select(vec![
            "\\\\",
            "\\\"",
            "\\n",
            "\\u0022",
            "\\/",
            "é",
            "x",
            "\u{1}",
            "\\x",
            "\\ud83d\\ude00",
            "\\ud83d",
            "\\u00",
        ]);
        let piece =
            prop_oneof![3 => plain, 2 => escapes, 2 => backslashes, 4 => others.prop_map(str::to_owned)];
        prop::collection::vec(piece, 0..7).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        /// Strings one after the other, as quotes tell and as each byte tells.
        #[test]
        fn quotes_tell_where_strings_end(strings in prop::collection::vec(pieces(), 1..6), before in 0..70usize) {
            let text = strings.iter().fold(" ".repeat(before), |text, string| format!("{text}\"{string}\":"));
            let mut reader = Reader::over(&text);
            let mut at = before;
            while at < text.len() {
                let mut looked_at = Reader { at, ..Reader::over(&text) };
                let found = reader.string_end_and_form(at);
                let Ok(is_plain) = looked_at.look_at_string() else {
                    prop_assert_eq!(found, None);
                    return Ok(());
                };
                let expected = (looked_at.at - 1, is_plain);
                let has_pair = text[at..=expected.0].contains("\\ud83d\\ude00");
                prop_assert!(found == Some(expected) || (found.is_none() && has_pair), "{:?}", found);
                at = expected.0 + 2;
            }
        }
    }

    #[test]
    fn plain_strings_are_found_at_every_place() {
        for length in 0..200 {
            for before in 0..70 {
                let text = format!("{}\"{}\":\"\"", " ".repeat(before), "a".repeat(length));
                let mut reader = Reader::over(&text);
                let plain = |at| Some((at, true));
                let second = before + length + 3;
                assert_eq!(reader.string_end_and_form(before), plain(before + 1 + length));
                assert_eq!(reader.string_end_and_form(second), plain(second + 1));
                assert_eq!(reader.string_end_and_form(before), plain(before + 1 + length), "once more");
            }
        }
    }

    #[test]
    fn escapes_are_told_across_blocks() {
        for count in 0..200 {
            for before in 0..70 {
                let string = "\\".repeat(count);
                let text = format!("{}\"{string}\"\":", " ".repeat(before));
                let end = before + 1 + count + count % 2;
                let found = Reader::over(&text).string_end_and_form(before);
                assert_eq!(found, Some((end, count == 0)), "{count} after {before}");
            }
        }
    }

    /// A string that is longer than what is looked at at once, and one that goes on where that ends.
    #[test]
    fn strings_are_longer_than_what_is_known() {
        for length in (4000..4200).chain(8100..8300).chain([50_000]) {
            for escape in ["", "\\\\", "\\\"", "\\u0041"] {
                for before in [0, 1, 4000, 4032, 4095, 4096] {
                    let text = format!("{}\"{}{escape}\":\"\"", " ".repeat(before), "a".repeat(length));
                    let mut reader = Reader::over(&text);
                    let end = before + 1 + length + escape.len();
                    assert_eq!(reader.string_end_and_form(before), Some((end, escape.is_empty())));
                    assert_eq!(reader.string_end_and_form(end + 2), Some((end + 3, true)));
                }
            }
        }
    }
}
