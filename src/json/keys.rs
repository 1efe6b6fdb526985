//! The keys of an object that is read, of which none may come twice.
//!
//! Two readers of a repeated key may each take a different value, so neither is safe. Among a few keys a repetition is
//! found by comparing two numbers for each; many are looked up by hash, so that an object with nothing but keys cannot
//! keep us busy.

use std::borrow::Cow;

use crate::json::error::{ErrorKind, JsonError, Result, fault};
use crate::json::fingerprint::KeyFingerprint;
use crate::json::reader::Reader;
use crate::json::scan::window_at_end;
use crate::json::seen_keys::{ManyKeys, SeenKeys};

/// From this many keys on, an object's keys are looked up by hash.
pub(super) const SCANNED_KEYS: usize = 24;

/// A filter that rules nothing out.
const FULL: u64 = u64::MAX;

/// Most keys of a text that are compared byte by byte with others of the same fingerprint. Real texts have a few; each
/// comparison reads the key again. Past it they are hashed.
const MOST_COMPARED: usize = 10_000;

impl<'a> Reader<'a> {
    /// To call before the first key of an object.
    #[inline]
    pub(super) fn nothing_seen(&self) -> SeenKeys {
        SeenKeys { first: self.fingerprints.len(), filter: 0 }
    }

    /// To call after the last key of an object.
    #[inline]
    pub(super) fn forget(&mut self, seen: SeenKeys) {
        self.fingerprints.truncate(seen.first);
        if seen.filter == FULL {
            self.many_keys.pop_if(|many| many.first == seen.first);
        }
    }

    /// Reads a key and its colon, and checks that the object has no such key yet: from where to where it stands, if each
    /// of its bytes stands for itself. Otherwise [`Reader::unusual_key`] reads it.
    #[inline(always)]
    pub(super) fn plain_key(&mut self, seen: &mut SeenKeys) -> Result<Option<(usize, usize)>> {
        self.count()?;
        // Nearly always the first of these is enough.
        if self.byte() != Some(b'"') && self.next_byte() != Some(b'"') {
            return Err(self.no_key());
        }
        let (start, bytes) = (self.at + 1, self.text.as_bytes());
        if let Some(end) = self.plain_string_end(self.at)
            && let Some([before @ .., _, b':']) = window_at_end(bytes, end)
            && let Some(key) = KeyFingerprint::of_shown(before, bytes, (start, end))
        {
            if !self.see(key, start, seen) {
                return Err(self.repeated(start));
            }
            self.at = end + 2;
            return Ok(Some((start, end)));
        }
        Ok(None)
    }

    /// Reads a key, of which [`Reader::plain_key`] has seen the opening quote, and its colon.
    #[inline(never)]
    pub(super) fn unusual_key(&mut self, seen: &mut SeenKeys) -> Result<Cow<'a, str>> {
        let key = self.long_key(seen)?;
        if self.next_byte() != Some(b':') {
            return Err(self.no_colon());
        }
        self.at += 1;
        Ok(key)
    }

    /// Reads a key that is long or has escapes, and checks that the object has no such key yet.
    fn long_key(&mut self, seen: &mut SeenKeys) -> Result<Cow<'a, str>> {
        let start = self.at + 1;
        let key = self.quoted()?;
        let is_new = if seen.filter == FULL {
            // It is hashed as it was read, without a fingerprint: each look at an escape costs more than the rest.
            self.insert_into_many(&key, seen.first)
        } else {
            let spelt = match &key {
                Cow::Borrowed(key) => Cow::Borrowed(*key),
                Cow::Owned(key) => Cow::Owned(usual_spelling(key)),
            };
            self.see(KeyFingerprint::of(spelt.as_bytes(), start), start, seen)
        };
        if is_new { Ok(key) } else { Err(self.repeated(start)) }
    }

    /// Adds a key that has just been read, and begins at `start`, to those of its object: whether it is new.
    #[inline(always)]
    fn see(&mut self, key: KeyFingerprint, start: usize, seen: &mut SeenKeys) -> bool {
        let bit = key.filter_bit();
        if seen.filter & bit != 0 {
            return self.see_if_new(key, start, seen);
        }
        seen.filter |= bit;
        self.fingerprints.push(key);
        true
    }

    #[inline(never)]
    fn see_if_new(&mut self, key: KeyFingerprint, start: usize, seen: &mut SeenKeys) -> bool {
        let of_object = self.fingerprints.get(seen.first..).unwrap_or_default();
        if seen.filter != FULL && of_object.len() < SCANNED_KEYS {
            let like = of_object.iter().filter(|other| other.is_like(key)).count();
            // Long keys of one fingerprint may be equal. Comparing them all pairwise in a hostile text would keep us busy.
            let is_compared = key.start().is_some() && like > 0;
            if !is_compared || self.compared + like <= MOST_COMPARED {
                let is_among = if is_compared { self.is_among(key, *seen) } else { like > 0 };
                self.compared += if is_compared { like } else { 0 };
                self.fingerprints.push(key);
                return !is_among;
            }
        }
        seen.filter = FULL;
        self.string_at(start - 1).is_ok_and(|key| self.insert_into_many(&key, seen.first))
    }

    /// Whether a long key is equal to one of its object that is like it.
    fn is_among(&self, key: KeyFingerprint, seen: SeenKeys) -> bool {
        let spelt = self.key_of(key);
        let of_object = self.fingerprints.get(seen.first..).unwrap_or_default();
        of_object.iter().any(|other| other.is_like(key) && self.key_of(*other) == spelt)
    }

    /// Adds a key to all those of an object that has many, or long ones that are alike; whether it is new.
    fn insert_into_many(&mut self, key: &str, first: usize) -> bool {
        if let Some(many) = self.many_keys.last_mut().filter(|many| many.first == first) {
            return many.insert(key);
        }
        let mut many = ManyKeys::new(first);
        for fingerprint in self.fingerprints.get(first..).unwrap_or_default() {
            if let Some(scanned) = self.key_of(*fingerprint) {
                many.insert(&scanned);
            }
        }
        let is_new = many.insert(key);
        self.many_keys.push(many);
        // They are known by their hashes now. One fingerprint stays, so that an object within this one begins after it.
        self.fingerprints.truncate(first + 1);
        is_new
    }

    /// The key that a fingerprint is of. It was read without an error, and reading it again ends as well.
    fn key_of(&self, fingerprint: KeyFingerprint) -> Option<Cow<'a, str>> {
        if let Some(start) = fingerprint.start() {
            return self.string_at(start - 1).ok();
        }
        let spelt = String::from_utf8(fingerprint.short_key()).ok()?;
        unescaped(&spelt).ok().map(|key| Cow::Owned(key.into_owned()))
    }

    #[cold]
    pub(super) fn no_key(&self) -> JsonError {
        self.syntax("expected a key in double quotes")
    }

    #[cold]
    pub(super) fn no_colon(&self) -> JsonError {
        self.syntax("expected : after a key")
    }

    #[cold]
    pub(super) fn repeated(&self, start: usize) -> JsonError {
        let error = fault(ErrorKind::Repeated, "the key comes twice", start - 1);
        match self.string_at(start - 1) {
            Ok(text) => error.inside_key(&text),
            Err(error) => error,
        }
    }
}

/// What stands between the quotes of a string that was read over, its escapes undone.
fn unescaped(spelt: &str) -> Result<Cow<'_, str>> {
    Reader::of_part(spelt).unescaped().map(Cow::Owned)
}

/// A key's characters as every encoder spells them: two keys are equal if and only if these are.
fn usual_spelling(text: &str) -> String {
    let mut spelt = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '"' | '\\' => spelt.extend(['\\', character]),
            '\u{8}' => spelt.push_str("\\b"),
            '\u{c}' => spelt.push_str("\\f"),
            '\n' => spelt.push_str("\\n"),
            '\r' => spelt.push_str("\\r"),
            '\t' => spelt.push_str("\\t"),
            // A fingerprint takes a byte 0 for none.
            '\0'..='\u{1f}' => spelt.push_str(&format!("\\u{:04x}", u32::from(character))),
            _ => spelt.push(character),
        }
    }
    spelt
}
