//! Strings: skipped, or read with their escapes undone.

use std::borrow::Cow;

use crate::json::error::{ErrorKind, Result, fault};
use crate::json::limits::MAX_STRING;
use crate::json::reader::Reader;
use crate::json::scan::plain_length;

/// How a string is spelt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum EscapeForm {
    /// Each character stands for itself.
    Plain,
    /// With escapes, each the one that every encoder writes for its character: two strings of this form are equal if and
    /// only if their bytes are.
    Escaped,
    /// With escapes that have other spellings too: `\u0022`, `\/`.
    Odd,
}

impl<'a> Reader<'a> {
    /// Skips a string whose opening quote is next. Its escapes are checked, not undone.
    #[inline]
    pub(super) fn skip_quoted(&mut self) -> Result<EscapeForm> {
        if let Some(end) = self.plain_end()
            && end - self.at <= MAX_STRING
        {
            self.at = end + 1;
            return Ok(EscapeForm::Plain);
        }
        self.skip_long_string()
    }

    /// As [`Reader::skip_quoted`], for one that is not short.
    #[inline(never)]
    pub(super) fn skip_long_string(&mut self) -> Result<EscapeForm> {
        let (bytes, start) = (self.text.as_bytes(), self.at);
        let mut form = EscapeForm::Plain;
        self.at += 1;
        loop {
            self.at += plain_length(bytes.get(self.at..).unwrap_or_default());
            match bytes.get(self.at..).unwrap_or_default() {
                [b'"', ..] => break,
                [b'\\', b'"' | b'\\' | b'b' | b'f' | b'n' | b'r' | b't', ..] => {
                    self.at += 2;
                    form = form.max(EscapeForm::Escaped);
                }
                [b'\\', ..] => {
                    self.at += 1;
                    self.escape()?;
                    form = EscapeForm::Odd;
                }
                [_, ..] => return Err(self.syntax("a control character in a string")),
                [] => return Err(self.syntax("the text ends within a string")),
            }
        }
        if self.at - start - 1 > MAX_STRING {
            return Err(fault(ErrorKind::Limit, format!("a string of over {MAX_STRING} bytes"), start));
        }
        self.at += 1;
        Ok(form)
    }

    /// Reads a string whose opening quote is next.
    pub(super) fn quoted(&mut self) -> Result<Cow<'a, str>> {
        let start = self.at + 1;
        let form = self.skip_quoted()?;
        let text = self.text.get(start..self.at - 1).unwrap_or_default();
        if form == EscapeForm::Plain {
            return Ok(Cow::Borrowed(text));
        }
        let mut inner = Reader::of_part(text);
        inner.unescaped().map(Cow::Owned)
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
