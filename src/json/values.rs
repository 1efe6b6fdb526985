//! Strings, booleans and numbers, and values that are skipped.

use std::borrow::Cow;

use crate::json::error::{ErrorKind, JsonError, Result, fault};
use crate::json::names::Names;
use crate::json::reader::Reader;

impl<'a> Reader<'a> {
    /// Reads a string; `null` is the empty one, as in Go.
    ///
    /// # Errors
    /// When it is neither, or holds what no string may (control characters, lone surrogates).
    pub fn string(&mut self) -> Result<Cow<'a, str>> {
        match self.next_byte() {
            Some(b'"') => self.quoted(),
            _ if self.null()? => Ok(Cow::Borrowed("")),
            _ => Err(self.expected("a string")),
        }
    }

    /// Reads a string that may be absent; `null` is `None`.
    ///
    /// # Errors
    /// As [`Reader::string`].
    pub fn optional_string(&mut self) -> Result<Option<Cow<'a, str>>> {
        if self.null()? { Ok(None) } else { self.string().map(Some) }
    }

    /// Skips what [`Reader::string`] reads: it is checked in the same way, and its escapes are not undone.
    ///
    /// # Errors
    /// As [`Reader::string`].
    pub fn skip_string(&mut self) -> Result<()> {
        match self.next_byte() {
            Some(b'"') => self.skip_quoted().map(drop),
            _ if self.null()? => Ok(()),
            _ => Err(self.expected("a string")),
        }
    }

    /// Reads a boolean; `null` is `None`.
    ///
    /// # Errors
    /// When it is neither.
    pub fn boolean(&mut self) -> Result<Option<bool>> {
        match self.next_byte() {
            Some(b't') => self.literal("true").map(|()| Some(true)),
            Some(b'f') => self.literal("false").map(|()| Some(false)),
            _ if self.null()? => Ok(None),
            _ => Err(self.expected("true or false")),
        }
    }

    /// Reads a whole number of 64 bits; `null` is `None`. A fraction or an exponent is refused, as
    /// Go refuses it in an integer field.
    ///
    /// # Errors
    /// When it is neither, or does not fit.
    pub fn integer(&mut self) -> Result<Option<i64>> {
        match self.next_byte() {
            Some(b'-' | b'0'..=b'9') => {}
            _ if self.null()? => return Ok(None),
            _ => return Err(self.expected("a whole number")),
        }
        let start = self.at;
        self.skip_number()?;
        match self.text.get(start..self.at).map(str::parse) {
            Some(Ok(number)) => Ok(Some(number)),
            _ => Err(fault(ErrorKind::Type, "expected a whole number of 64 bits", start)),
        }
    }

    /// Reads a whole number of 32 bits; `null` is `None`.
    ///
    /// # Errors
    /// As [`Reader::integer`].
    pub fn integer32(&mut self) -> Result<Option<i32>> {
        let start = self.at;
        self.integer()?
            .map(i32::try_from)
            .transpose()
            .map_err(|_| fault(ErrorKind::Type, "expected a whole number of 32 bits", start))
    }

    pub(super) fn skip_number(&mut self) -> Result<()> {
        if self.byte() == Some(b'-') {
            self.at += 1;
        }
        if self.byte() == Some(b'0') {
            self.at += 1;
        } else {
            self.digits()?;
        }
        if self.byte() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        if matches!(self.byte(), Some(b'e' | b'E')) {
            self.at += 1;
            if matches!(self.byte(), Some(b'+' | b'-')) {
                self.at += 1;
            }
            self.digits()?;
        }
        match self.byte() {
            Some(b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' | b'.' | b'+' | b'-' | b'_') => {
                Err(self.syntax("not a number as JSON writes it"))
            }
            _ => Ok(()),
        }
    }

    fn digits(&mut self) -> Result<()> {
        if !matches!(self.byte(), Some(b'0'..=b'9')) {
            return Err(self.syntax("expected a digit"));
        }
        while matches!(self.byte(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
        Ok(())
    }

    /// Reads a value, or skips it if it is of another type than `read` expects: `Ok(Err)` says how.
    ///
    /// # Errors
    /// When it is not JSON, or over a limit.
    pub fn attempt<T>(
        &mut self,
        read: impl FnOnce(&mut Self) -> Result<T>,
    ) -> Result<std::result::Result<T, JsonError>> {
        let (at, depth, fingerprints, many) =
            (self.at, self.depth, self.fingerprints.len(), self.many_keys.len());
        match read(self) {
            Ok(value) => Ok(Ok(value)),
            Err(error) if error.kind() == ErrorKind::Type => {
                (self.at, self.depth) = (at, depth);
                self.fingerprints.truncate(fingerprints);
                self.many_keys.truncate(many);
                self.skip_value()?;
                Ok(Err(error))
            }
            Err(error) => Err(error),
        }
    }

    /// Skips a value that nobody reads, and returns its text. It is checked like every other, but for keys that come twice
    /// in it.
    ///
    /// # Errors
    /// When it is not JSON or over a limit.
    pub fn skip(&mut self) -> Result<&'a str> {
        self.next_byte();
        let start = self.at;
        self.skip_value()?;
        Ok(self.text.get(start..self.at).unwrap_or_default())
    }

    /// As [`Reader::skip`], for a list that may be read later: in none of its items a key may come twice.
    ///
    /// # Errors
    /// As [`Reader::skip`], and when a key comes twice.
    pub fn skip_list(&mut self) -> Result<&'a str> {
        self.next_byte();
        let start = self.at;
        if self.byte() == Some(b'[') {
            self.array(|reader, _| reader.skip_item())?;
        } else {
            self.skip_value()?;
        }
        Ok(self.text.get(start..self.at).unwrap_or_default())
    }

    fn skip_item(&mut self) -> Result<()> {
        match self.next_byte() {
            Some(b'{') => self.object_with(&Names::NONE, |reader, _| reader.skip_value()).map(drop),
            _ => self.skip_value(),
        }
    }

    /// Skips the value of a key that is not among the `known` of its object.
    ///
    /// # Errors
    /// As [`Reader::skip`], and as [`Reader::refusing_misspelt_case`] says.
    #[inline]
    pub fn skip_unknown(&mut self, key: &str, known: &Names<'_>) -> Result<()> {
        if self.refuses_misspelt_case
            && let Some(meant) = known.other_case_of(key)
        {
            return Err(self.typed(format!("unknown field, did you mean {meant}?")));
        }
        self.next_byte();
        self.skip_value()
    }
}
