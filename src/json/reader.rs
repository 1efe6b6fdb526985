//! A position in a JSON text, and the steps that all reading is made of.

use crate::json::error::{ErrorKind, JsonError, Result, fault};
use crate::json::fingerprint::KeyFingerprint;
use crate::json::quote_index::QuoteIndex;
use crate::json::seen_keys::ManyKeys;

/// Room for the keys of the objects that are open at a time, of a usual pod.
const OPEN_KEYS: usize = 96;

/// A position in a JSON text, moving forward.
#[derive(Debug)]
pub struct Reader<'a> {
    pub(super) text: &'a str,
    pub(super) at: usize,
    pub(super) depth: usize,
    pub(super) elements: usize,
    /// How many keys were compared with others that are like them.
    pub(super) compared: usize,
    pub(super) kept: usize,
    pub(super) refuses_misspelt_case: bool,
    /// Whether its objects are read without an allocation.
    pub(super) is_part: bool,
    /// Of the keys of the objects that are open, outermost first.
    pub(super) fingerprints: Vec<KeyFingerprint>,
    /// Those of the open objects that have many.
    pub(super) many_keys: Vec<ManyKeys>,
    /// Where quotes are, near this position.
    pub(super) quotes: QuoteIndex,
}

impl<'a> Reader<'a> {
    /// A reader at the start of `bytes`.
    ///
    /// # Errors
    /// When they are not UTF-8; the offset is the first byte that is not.
    pub fn new(bytes: &'a [u8]) -> Result<Self> {
        if let Ok(text) = simdutf8::basic::from_utf8(bytes) {
            return Ok(Self::over(text));
        }
        // The quick check does not tell where.
        match std::str::from_utf8(bytes) {
            Ok(text) => Ok(Self::over(text)),
            Err(error) => Err(fault(ErrorKind::Syntax, "not UTF-8", error.valid_up_to())),
        }
    }

    /// A reader of the part of `bytes` that is UTF-8: for what can still be learnt from a text that was cut off or is
    /// broken further on.
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
        Self { fingerprints: Vec::with_capacity(OPEN_KEYS), ..Self::of_part(text) }
    }

    /// A reader of a part of a text, which has few keys or none.
    pub(super) fn of_part(text: &'a str) -> Self {
        Self {
            text,
            at: 0,
            depth: 0,
            elements: 0,
            compared: 0,
            kept: 0,
            refuses_misspelt_case: false,
            is_part: false,
            fingerprints: Vec::new(),
            many_keys: Vec::new(),
            quotes: QuoteIndex::new(),
        }
    }

    /// The same reader, which refuses a key that differs from a known one only in case. Kubernetes ignores
    /// `hostnetwork`, but its author meant `hostNetwork`.
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
    pub(super) fn next_byte(&mut self) -> Option<u8> {
        match self.byte() {
            Some(byte) if byte > b' ' => Some(byte),
            _ => self.next_after_white_space(),
        }
    }

    /// An API server writes none.
    #[cold]
    #[inline(never)]
    fn next_after_white_space(&mut self) -> Option<u8> {
        loop {
            let byte = self.byte();
            match byte {
                Some(b' ' | b'\n' | b'\t' | b'\r') => self.at += 1,
                _ => return byte,
            }
        }
    }

    pub(super) fn literal(&mut self, word: &str) -> Result<()> {
        if self.text.as_bytes().get(self.at..).is_some_and(|rest| rest.starts_with(word.as_bytes())) {
            self.at += word.len();
            return Ok(());
        }
        Err(self.syntax("a word that JSON does not have"))
    }

    #[inline]
    pub(super) fn byte(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    #[cold]
    pub(super) fn expected(&mut self, what: &str) -> JsonError {
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
    pub fn typed(&self, message: impl Into<String>) -> JsonError {
        self.fault(ErrorKind::Type, message)
    }

    /// An error of the caller's own, at this place: more of something than is read.
    #[must_use]
    pub fn limit(&self, message: impl Into<String>) -> JsonError {
        self.fault(ErrorKind::Limit, message)
    }

    #[cold]
    pub(super) fn syntax(&self, message: &str) -> JsonError {
        self.fault(ErrorKind::Syntax, message)
    }

    pub(super) fn fault(&self, kind: ErrorKind, message: impl Into<String>) -> JsonError {
        fault(kind, message, self.at)
    }
}
