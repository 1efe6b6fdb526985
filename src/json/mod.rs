//! A strict JSON reader that borrows: one pass, no tree, no copy of a string without escapes.
//!
//! A review is hostile input on the way to a security decision, so this reader refuses what other
//! readers pass over even in the parts that nobody asks for: a repeated key, a lone surrogate, a
//! depth over [`MAX_SKIPPED_DEPTH`], more than [`MAX_ELEMENTS`] members and items. `serde_json` cannot be
//! told to do that while it skips, and a scan before it would cost more than the reading; a test
//! holds the two to the same answer on everything else.
//!
//! The caller pulls: [`Reader::object`] and [`Reader::array`] call back for each member or item,
//! and the callback must read the value, if only with [`Reader::skip`]. An absent thing may be
//! written `null` everywhere, as Kubernetes reads it.

mod error;
mod keys;
mod mark;
mod names;
mod quotes;
mod scan;
mod skip;
mod string;
#[cfg(test)]
mod tests;

use std::borrow::Cow;

pub use error::{Error, ErrorKind, Result};
use error::{Step, fault, printable};
use keys::{ManyKeys, Seen};
use mark::Mark;
pub use names::Names;
use quotes::Block;

/// Deepest nesting of what is read. Real pods reach 14; Go's encoder has no limit, our stack does.
pub const MAX_DEPTH: usize = 64;
/// Deepest nesting of what is read over: Go's own.
pub const MAX_SKIPPED_DEPTH: usize = 10_000;
/// Most members and items in one text. A review of 8 MiB as an API server writes it holds fewer.
pub const MAX_ELEMENTS: usize = 200_000;
/// Longest string, in bytes. etcd takes no object over 1.5 MiB.
pub const MAX_STRING: usize = 1 << 20;

/// Most items of lists that are kept of one text. What is kept of one is larger than what it may be written with, and only
/// in all are they fewer than could be written. A real pod has some hundreds: labels, volumes, ports of its node.
pub const MAX_KEPT: usize = 4096;

/// Room for the keys of the objects that are open at a time, of a usual pod.
const OPEN_KEYS: usize = 96;

/// A place in a JSON text, moving forward.
#[derive(Debug)]
pub struct Reader<'a> {
    text: &'a str,
    at: usize,
    depth: usize,
    elements: usize,
    /// How many keys were compared with others that are like them.
    compared: usize,
    kept: usize,
    refuses_misspelt_case: bool,
    /// Of the keys of the objects that are open, outermost first.
    marks: Vec<Mark>,
    /// Those of the open objects that have many.
    many_keys: Vec<ManyKeys>,
    /// Where strings are looked for, while values are read over.
    block: Block,
}

impl<'a> Reader<'a> {
    /// A reader at the start of `bytes`.
    ///
    /// # Errors
    /// When they are not UTF-8; the offset is the first byte that is not.
    pub fn new(bytes: &'a [u8]) -> Result<Self> {
        match std::str::from_utf8(bytes) {
            Ok(text) => Ok(Self::over(text)),
            Err(error) => Err(fault(ErrorKind::Syntax, "not UTF-8", error.valid_up_to())),
        }
    }

    /// A reader at the start of the part of `bytes` that is UTF-8: for what can still be learnt of a
    /// text that was cut off or is broken further on.
    #[must_use]
    pub fn of_valid_part(bytes: &'a [u8]) -> Self {
        let text = match std::str::from_utf8(bytes) {
            Ok(text) => text,
            Err(error) => bytes
                .get(..error.valid_up_to())
                .and_then(|valid| std::str::from_utf8(valid).ok())
                .unwrap_or_default(),
        };
        Self::over(text)
    }

    /// A reader at the start of `text`.
    #[must_use]
    pub fn over(text: &'a str) -> Self {
        Self { marks: Vec::with_capacity(OPEN_KEYS), ..Self::of_part(text) }
    }

    /// A reader of a part of a text, which has few keys or none.
    fn of_part(text: &'a str) -> Self {
        Self {
            text,
            at: 0,
            depth: 0,
            elements: 0,
            compared: 0,
            kept: 0,
            refuses_misspelt_case: false,
            marks: Vec::new(),
            many_keys: Vec::new(),
            block: Block::default(),
        }
    }

    /// The same reader, which refuses a key that differs from a known one in case only. Kubernetes
    /// passes over `hostnetwork`, and whoever wrote it meant `hostNetwork`.
    #[must_use]
    pub fn refusing_misspelt_case(self) -> Self {
        Self { refuses_misspelt_case: true, ..self }
    }

    /// The byte at which the next thing is read.
    #[must_use]
    pub fn offset(&self) -> usize {
        self.at
    }

    /// The text from an offset to the byte at which the next thing is read.
    #[must_use]
    pub fn text_since(&self, offset: usize) -> &'a str {
        self.text.get(offset..self.at).unwrap_or_default()
    }

    /// Checks that nothing but white space follows.
    ///
    /// # Errors
    /// When something does.
    pub fn end(&mut self) -> Result<()> {
        match self.next_byte() {
            None => Ok(()),
            Some(_) => Err(self.syntax("something follows the end of the JSON text")),
        }
    }

    /// Reads an object: `member` is called with each key, in order, and must read its value.
    /// `Ok(false)` means that it was `null`.
    ///
    /// # Errors
    /// When it is neither, when a key comes twice, or what `member` returns.
    #[inline]
    pub fn object(&mut self, member: impl FnMut(&mut Self, &Cow<'a, str>) -> Result<()>) -> Result<bool> {
        self.object_with(&Names::ANY, member)
    }

    /// As [`Reader::object`], but `member` may not be called with a key that is surely none of the `known`.
    ///
    /// # Errors
    /// As [`Reader::object`].
    #[inline]
    pub fn object_with(
        &mut self,
        known: &Names<'_>,
        mut member: impl FnMut(&mut Self, &Cow<'a, str>) -> Result<()>,
    ) -> Result<bool> {
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
                return Err(error.inside(Step::Member(printable(&key))));
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
    fn known_key(&mut self, seen: &mut Seen, known: &Names<'_>) -> Result<Option<Cow<'a, str>>> {
        loop {
            let key = self.key(seen)?;
            if known.may_have(&key) {
                return Ok(Some(key));
            }
            if let Err(error) = self.skip_value() {
                return Err(error.inside(Step::Member(printable(&key))));
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
            item(self, index).map_err(|error| error.inside(Step::Item(index)))?;
            if !self.another(b']')? {
                break;
            }
        }
        Ok(())
    }

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

    /// Reads a value as a text of its own: it may have as many members and items as a whole text, and as many may be kept. For lists of
    /// things of which each alone is bounded.
    ///
    /// # Errors
    /// What `read` returns.
    pub fn apart<T>(&mut self, read: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        let before = (std::mem::take(&mut self.elements), std::mem::take(&mut self.kept));
        let value = read(self)?;
        (self.elements, self.kept) = before;
        Ok(value)
    }

    /// Counts an item of a list that the caller is about to keep, of which it has so many. What is passed over, or kept in
    /// place of another, is not counted.
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

    /// Reads a value, or reads over it if it is of another type than `read` expects: `Ok(Err)` says how.
    ///
    /// # Errors
    /// When it is not JSON, or over a limit.
    pub fn attempt<T>(
        &mut self,
        read: impl FnOnce(&mut Self) -> Result<T>,
    ) -> Result<std::result::Result<T, Error>> {
        let (at, depth, marks, many) = (self.at, self.depth, self.marks.len(), self.many_keys.len());
        match read(self) {
            Ok(value) => Ok(Ok(value)),
            Err(error) if error.kind() == ErrorKind::Type => {
                (self.at, self.depth) = (at, depth);
                self.marks.truncate(marks);
                self.many_keys.truncate(many);
                self.skip_value()?;
                Ok(Err(error))
            }
            Err(error) => Err(error),
        }
    }

    /// Reads over any value, and returns its text. It is checked like every other.
    ///
    /// # Errors
    /// When it is not JSON or over a limit.
    pub fn skip(&mut self) -> Result<&'a str> {
        self.next_byte();
        let start = self.at;
        self.skip_value()?;
        Ok(self.text.get(start..self.at).unwrap_or_default())
    }

    /// Reads over the value of a key that is none of those its object has, the `known`.
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

    /// Reads `null` if it stands here.
    ///
    /// # Errors
    /// When something else begins like it.
    pub fn null(&mut self) -> Result<bool> {
        if self.next_byte() == Some(b'n') {
            return self.literal("null").map(|()| true);
        }
        Ok(false)
    }

    /// The byte that is next after any white space.
    #[inline]
    fn next_byte(&mut self) -> Option<u8> {
        match self.byte() {
            Some(byte) if byte > b' ' => Some(byte),
            _ => self.next_after_white_space(),
        }
    }

    /// An API server writes none.
    #[cold]
    fn next_after_white_space(&mut self) -> Option<u8> {
        loop {
            let byte = self.byte();
            match byte {
                Some(b' ' | b'\n' | b'\t' | b'\r') => self.at += 1,
                _ => return byte,
            }
        }
    }

    /// Reads the opening bracket; `Ok(false)` means that it was `null`.
    #[inline]
    fn open(&mut self, bracket: u8) -> Result<bool> {
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
    fn too_deep(&self) -> Error {
        self.fault(ErrorKind::Syntax, format!("nested more than {MAX_DEPTH} levels deep"))
    }

    fn close(&mut self) {
        self.depth -= 1;
        self.at += 1;
    }

    /// After a member or item: whether another follows, or else the closing `bracket`, which is read.
    #[inline]
    fn another(&mut self, bracket: u8) -> Result<bool> {
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
    fn not_another(&self, bracket: u8) -> Error {
        self.syntax(&format!("expected , or {}", char::from(bracket)))
    }

    #[inline]
    fn count(&mut self) -> Result<()> {
        self.elements += 1;
        if self.elements > MAX_ELEMENTS {
            return Err(self.too_many());
        }
        Ok(())
    }

    #[cold]
    fn too_many(&self) -> Error {
        self.fault(ErrorKind::Limit, format!("more than {MAX_ELEMENTS} members and items in all"))
    }

    fn skip_number(&mut self) -> Result<()> {
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

    fn literal(&mut self, word: &str) -> Result<()> {
        if self.text.as_bytes().get(self.at..).is_some_and(|rest| rest.starts_with(word.as_bytes())) {
            self.at += word.len();
            return Ok(());
        }
        Err(self.syntax("a word that JSON does not have"))
    }

    #[inline]
    fn byte(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    #[cold]
    fn expected(&mut self, what: &str) -> Error {
        let found = match self.next_byte() {
            Some(b'{') => "an object",
            Some(b'[') => "an array",
            Some(b'"') => "a string",
            Some(b't' | b'f') => "a boolean",
            Some(b'n') => "null",
            Some(b'-' | b'0'..=b'9') => "a number",
            Some(_) => return self.syntax(&format!("expected {what}, found something that is not JSON")),
            None => return self.syntax(&format!("expected {what}, found the end of the text")),
        };
        self.typed(format!("expected {what}, found {found}"))
    }

    /// An error of the caller's own, at this place: JSON that is of the wrong type for its field.
    #[must_use]
    pub fn typed(&self, message: impl Into<String>) -> Error {
        self.fault(ErrorKind::Type, message)
    }

    /// An error of the caller's own, at this place: more of something than is read.
    #[must_use]
    pub fn limit(&self, message: impl Into<String>) -> Error {
        self.fault(ErrorKind::Limit, message)
    }

    #[cold]
    fn syntax(&self, message: &str) -> Error {
        self.fault(ErrorKind::Syntax, message)
    }

    fn fault(&self, kind: ErrorKind, message: impl Into<String>) -> Error {
        fault(kind, message, self.at)
    }
}

/// Reads an object member by member: each named key with its expression, every other key over.
///
/// A macro, so that the names stand once: [`Reader::skip_unknown`] needs them as a list.
macro_rules! members {
    ($reader:ident, { $($name:literal => $read:expr),+ $(,)? }) => {
{
        const KNOWN: &$crate::json::Names<'_> = &$crate::json::Names::new(&[$($name),+]);
        $reader.object_with(KNOWN, |$reader, key| {
            match key.as_ref() {
                $($name => { $read; })+
                _ => $reader.skip_unknown(key, KNOWN)?,
            }
            Ok(())
        })
    }};
}
pub(crate) use members;
