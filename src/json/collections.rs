//! Objects and arrays, member by member and item by item.

use std::borrow::Cow;

use crate::json::error::{ErrorKind, JsonError, Result};
use crate::json::limits::{MAX_DEPTH, MAX_ELEMENTS, MAX_KEPT};
use crate::json::names::Names;
use crate::json::reader::Reader;
use crate::json::seen_keys::SeenKeys;

impl<'a> Reader<'a> {
    /// Reads an object: `member` is called with each key, in order, and must read its value.
    /// `Ok(false)` means that it was `null`.
    ///
    /// # Errors
    /// When it is neither, when a key comes twice, or what `member` returns.
    #[inline]
    pub fn object(&mut self, member: impl FnMut(&mut Self, &Cow<'a, str>) -> Result<()>) -> Result<bool> {
        self.object_with(&Names::ANY, member)
    }

    /// As [`Reader::object`], but keys that cannot be among the `known` may be skipped without calling `member`.
    ///
    /// # Errors
    /// As [`Reader::object`].
    #[inline]
    pub fn object_with(
        &mut self,
        known: &Names<'_>,
        mut member: impl FnMut(&mut Self, &Cow<'a, str>) -> Result<()>,
    ) -> Result<bool> {
        if self.is_part {
            return self.object_of_part(known, &mut member);
        }
        if !self.open(b'{')? {
            return Ok(false);
        }
        if self.next_byte() == Some(b'}') {
            self.close();
            return Ok(true);
        }
        let mut seen = self.nothing_seen();
        while let Some(key) = self.known_key(&mut seen, known)? {
            if let Err(error) = member(self, &key) {
                return Err(error.inside_key(&key));
            }
            if !self.another(b'}')? {
                break;
            }
        }
        self.forget(seen);
        Ok(true)
    }

    /// Reads members until there is one with a known key: that key, or nothing when all have been read.
    #[inline(never)]
    fn known_key(&mut self, seen: &mut SeenKeys, known: &Names<'_>) -> Result<Option<Cow<'a, str>>> {
        loop {
            match self.plain_key(seen)? {
                Some((start, end)) => {
                    // Most are skipped, and need not be texts for that.
                    let name = self.text.as_bytes().get(start..end).unwrap_or_default();
                    let text = self.text;
                    let key = move || text.get(start..end).map_or(Cow::Borrowed(""), Cow::Borrowed);
                    if known.may_have(name) {
                        return Ok(Some(key()));
                    }
                    self.skip_value().map_err(|error| error.inside_key(&key()))?;
                }
                None => {
                    let key = self.unusual_key(seen)?;
                    if known.may_have(key.as_bytes()) {
                        return Ok(Some(key));
                    }
                    self.skip_value().map_err(|error| error.inside_key(&key))?;
                }
            }
            if !self.another(b'}')? {
                return Ok(None);
            }
        }
    }

    /// Reads an array: `item` is called with each index, in order, and must read the item.
    /// `null` is an empty array.
    ///
    /// # Errors
    /// When it is neither, or what `item` returns.
    #[inline]
    pub fn array(&mut self, mut item: impl FnMut(&mut Self, usize) -> Result<()>) -> Result<()> {
        if !self.open(b'[')? {
            return Ok(());
        }
        if self.next_byte() == Some(b']') {
            self.close();
            return Ok(());
        }
        for index in 0.. {
            self.count()?;
            item(self, index).map_err(|error| error.inside_item(index))?;
            if !self.another(b']')? {
                break;
            }
        }
        Ok(())
    }

    /// Reads a value as a text of its own, with limits of its own: for lists whose items are each bounded alone.
    ///
    /// # Errors
    /// What `read` returns.
    pub fn apart<T>(&mut self, read: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        let before = (std::mem::take(&mut self.elements), std::mem::take(&mut self.kept));
        let value = read(self)?;
        (self.elements, self.kept) = before;
        Ok(value)
    }

    /// Counts an item that the caller is about to add to a list that `has` so many. What is skipped, or replaces another
    /// item, is not counted.
    ///
    /// # Errors
    /// When the list has `most` already, or all lists together have [`MAX_KEPT`].
    pub fn keep(&mut self, has: usize, most: usize, what: &str) -> Result<()> {
        self.kept += 1;
        if has >= most {
            return Err(self.limit(format!("more than {most} {what}")));
        }
        if self.kept > MAX_KEPT {
            return Err(
                self.limit(format!("more than {MAX_KEPT} labels, volumes, ports and the like in all"))
            );
        }
        Ok(())
    }

    /// Reads the opening bracket; `Ok(false)` means that it was `null`.
    #[inline]
    pub(super) fn open(&mut self, bracket: u8) -> Result<bool> {
        if self.next_byte() != Some(bracket) {
            return self.open_null(bracket);
        }
        if self.depth == MAX_DEPTH {
            return Err(self.too_deep());
        }
        self.depth += 1;
        self.at += 1;
        Ok(true)
    }

    #[inline(never)]
    fn open_null(&mut self, bracket: u8) -> Result<bool> {
        let what = if bracket == b'{' { "an object" } else { "an array" };
        if self.null()? { Ok(false) } else { Err(self.expected(what)) }
    }

    #[cold]
    fn too_deep(&self) -> JsonError {
        self.fault(ErrorKind::Syntax, format!("nested more than {MAX_DEPTH} levels deep"))
    }

    pub(super) fn close(&mut self) {
        self.depth -= 1;
        self.at += 1;
    }

    /// After a member or item: whether another follows, or else the closing `bracket`, which is read.
    #[inline]
    pub(super) fn another(&mut self, bracket: u8) -> Result<bool> {
        match self.byte() {
            Some(b',') => {
                self.at += 1;
                Ok(true)
            }
            Some(byte) if byte == bracket => {
                self.close();
                Ok(false)
            }
            _ => self.another_after_white_space(bracket),
        }
    }

    /// An API server writes none.
    #[cold]
    #[inline(never)]
    fn another_after_white_space(&mut self, bracket: u8) -> Result<bool> {
        match self.next_byte() {
            Some(b',') => {
                self.at += 1;
                Ok(true)
            }
            Some(byte) if byte == bracket => {
                self.close();
                Ok(false)
            }
            _ => Err(self.not_another(bracket)),
        }
    }

    #[cold]
    pub(super) fn not_another(&self, bracket: u8) -> JsonError {
        self.syntax(&format!("expected , or {}", char::from(bracket)))
    }

    #[inline]
    pub(super) fn count(&mut self) -> Result<()> {
        self.elements += 1;
        if self.elements > MAX_ELEMENTS {
            return Err(self.too_many());
        }
        Ok(())
    }

    #[cold]
    fn too_many(&self) -> JsonError {
        self.fault(ErrorKind::Limit, format!("more than {MAX_ELEMENTS} members and items in all"))
    }
}
