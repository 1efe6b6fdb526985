//! Strings: skipped, or read with their escapes undone.

use std::borrow::Cow;

use crate::json::error::{ErrorKind, Result, fault};
use crate::json::limits::MAX_STRING;
use crate::json::reader::Reader;
use crate::json::scan::plain_length;

impl<'a> Reader<'a> {
    /// Skips a string whose opening quote is next, and tells whether each of its bytes stands for itself. Its escapes are
    /// checked, not undone.
    #[inline]
    pub(super) fn skip_quoted(&mut self) -> Result<bool> {
        match self.string_end_and_form(self.at) {
            Some((end, is_plain)) => {
                self.at = end + 1;
                Ok(is_plain)
            }
            None => self.look_at_string(),
        }
    }

    /// As [`Reader::skip_quoted`], byte by byte: says what is wrong.
    #[inline(never)]
    pub(super) fn look_at_string(&mut self) -> Result<bool> {
        let (bytes, start) = (self.text.as_bytes(), self.at);
        let mut is_plain = true;
        self.at += 1;
        loop {
            self.skip_plain();
            match bytes.get(self.at..).unwrap_or_default() {
                [b'"', ..] => break,
                [b'\\', ..] => {
                    self.at += 1;
                    self.escape()?;
                    is_plain = false;
                }
                [_, ..] => return Err(self.syntax("a control character in a string")),
                [] => return Err(self.syntax("the text ends within a string")),
            }
        }
        if self.at - start - 1 > MAX_STRING {
            return Err(fault(ErrorKind::Limit, format!("a string of over {MAX_STRING} bytes"), start));
        }
        self.at += 1;
        Ok(is_plain)
    }

    /// Reads a string whose opening quote is next.
    pub(super) fn quoted(&mut self) -> Result<Cow<'a, str>> {
        let start = self.at + 1;
        if let Some(end) = self.quotes.near_plain_end(self.at)
            && let Some(text) = self.text.get(start..end)
        {
            self.at = end + 1;
            return Ok(Cow::Borrowed(text));
        }
        self.long_quoted(start)
    }

    #[inline(never)]
    fn long_quoted(&mut self, start: usize) -> Result<Cow<'a, str>> {
        let is_plain = self.skip_quoted()?;
        self.between(start, is_plain)
    }

    /// The string from a place to the quote that was read last, its escapes undone.
    fn between(&self, start: usize, is_plain: bool) -> Result<Cow<'a, str>> {
        let text = self.text.get(start..self.at - 1).unwrap_or_default();
        if is_plain { Ok(Cow::Borrowed(text)) } else { Reader::of_part(text).unescaped().map(Cow::Owned) }
    }

    /// Reads the string again whose opening quote is at a place.
    pub(super) fn string_at(&self, at: usize) -> Result<Cow<'a, str>> {
        let mut reader = Self { at, ..Self::of_part(self.text) };
        let is_plain = reader.look_at_string()?;
        reader.between(at + 1, is_plain)
    }

    /// The text of this reader as a string's inside, its escapes undone.
    pub(super) fn unescaped(&mut self) -> Result<String> {
        let mut string = String::with_capacity(self.text.len());
        loop {
            let start = self.at;
            self.skip_plain();
            string.push_str(self.text.get(start..self.at).unwrap_or_default());
            match self.byte() {
                Some(b'\\') => {
                    self.at += 1;
                    string.push(self.escape()?);
                }
                Some(_) => return Err(self.syntax("a control character in a string")),
                None => return Ok(string),
            }
        }
    }

    /// Moves over the bytes of a string that stand for themselves.
    #[inline]
    fn skip_plain(&mut self) {
        self.at += plain_length(self.text.as_bytes().get(self.at..).unwrap_or_default());
    }

    /// Reads what follows a backslash.
    fn escape(&mut self) -> Result<char> {
        let byte = self.byte();
        self.at += 1;
        match byte {
            Some(b'"') => Ok('"'),
            Some(b'\\') => Ok('\\'),
            Some(b'/') => Ok('/'),
            Some(b'b') => Ok('\u{8}'),
            Some(b'f') => Ok('\u{c}'),
            Some(b'n') => Ok('\n'),
            Some(b'r') => Ok('\r'),
            Some(b't') => Ok('\t'),
            Some(b'u') => self.unicode_escape(),
            _ => Err(self.syntax("an escape that JSON does not have")),
        }
    }

    fn unicode_escape(&mut self) -> Result<char> {
        const HALF: &str = "half a surrogate pair in a string";
        let high = self.four_hex()?;
        if !(0xd800..0xdc00).contains(&high) {
            return char::from_u32(high).ok_or_else(|| self.syntax(HALF));
        }
        if !self.text.as_bytes().get(self.at..).unwrap_or_default().starts_with(b"\\u") {
            return Err(self.syntax(HALF));
        }
        self.at += 2;
        let low = self.four_hex()?;
        if !(0xdc00..0xe000).contains(&low) {
            return Err(self.syntax(HALF));
        }
        char::from_u32(0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00)).ok_or_else(|| self.syntax(HALF))
    }

    fn four_hex(&mut self) -> Result<u32> {
        let digits = self.text.as_bytes().get(self.at..self.at + 4).unwrap_or_default();
        let mut code = 0;
        for digit in digits {
            let Some(value) = char::from(*digit).to_digit(16) else {
                return Err(self.syntax("\\u without four hexadecimal digits"));
            };
            code = code * 16 + value;
        }
        if digits.len() < 4 {
            return Err(self.syntax("\\u without four hexadecimal digits"));
        }
        self.at += 4;
        Ok(code)
    }
}
