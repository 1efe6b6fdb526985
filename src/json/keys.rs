//! The keys of an object, of which none may come twice.
//!
//! Two readers of a repeated key may each take a different value, so neither is safe. Among a few keys a repetition is
//! found by comparing two numbers for each; many are looked up by hash, so that an object with nothing but keys cannot
//! keep us busy.

use std::borrow::Cow;
use std::collections::HashSet;
use std::hash::RandomState;

use crate::json::error::{ErrorKind, JsonError, Result, fault};
use crate::json::fingerprint::KeyFingerprint;
use crate::json::limits::{MAX_ELEMENTS, MAX_STRING};
use crate::json::reader::Reader;
use crate::json::scan::window_at_end;
use crate::json::seen_keys::{ManyKeys, SeenKeys};
use crate::json::string::EscapeForm;

/// From this many keys on, an object's keys are looked up by hash.
pub(super) const SCANNED_KEYS: usize = 24;

/// A filter that rules nothing out.
const FULL: u64 = u64::MAX;

/// Most keys of a text that are compared byte by byte with others of the same fingerprint. Real texts have a few; each
/// comparison reads the key again. Past it they are hashed.
const MOST_COMPARED: usize = 10_000;

/// In [`Reader::put_by`]: an array.
const ARRAY: u8 = u8::MAX;
/// In it: that a filter is full.
const IS_FULL: u8 = 0x80;

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

    /// As [`Reader::nothing_seen`], for an object within another one, whose keys are put by.
    #[inline]
    pub(super) fn enter(&mut self, outer: SeenKeys) -> SeenKeys {
        self.fingerprints.push(KeyFingerprint::of_two(outer.first as u64, outer.filter));
        self.nothing_seen()
    }

    /// As [`Reader::forget`], for such an object: the keys of the one around it.
    #[inline]
    pub(super) fn leave(&mut self, seen: SeenKeys) -> Option<SeenKeys> {
        self.forget(seen);
        let (first, filter) = self.fingerprints.pop()?.two();
        Some(SeenKeys { first: first as usize, filter })
    }

    /// A level that is put by, in a byte: an array, or an object by the number of fingerprints of its keys and whether its
    /// filter is full. There are as many fingerprints as a filter has bits, and fewer than [`SCANNED_KEYS`] more.
    pub(super) fn put_by(&self, level: Option<SeenKeys>) -> u8 {
        let Some(seen) = level else { return ARRAY };
        let fingerprints = u8::try_from(self.fingerprints.len() - seen.first).unwrap_or(IS_FULL - 1);
        if seen.filter == FULL { fingerprints | IS_FULL } else { fingerprints }
    }

    /// A level that was put by, once the fingerprints of those within it are forgotten.
    pub(super) fn take_up(&self, level: u8) -> Option<SeenKeys> {
        if level == ARRAY {
            return None;
        }
        let first = self.fingerprints.len().saturating_sub(usize::from(level & !IS_FULL));
        let of_object = self.fingerprints.get(first..).unwrap_or_default();
        let filter = of_object.iter().fold(0, |filter, fingerprint| filter | fingerprint.filter_bit());
        Some(SeenKeys { first, filter: if level & IS_FULL == 0 { filter } else { FULL } })
    }

    /// Makes room for the fingerprint of a key. Doubling the capacity, as a list does by itself, would hold three times
    /// the memory while it moves.
    pub(super) fn make_room_for_a_key(&mut self) {
        if self.fingerprints.len() == self.fingerprints.capacity() {
            self.fingerprints.reserve_exact(self.fingerprints.len() / 4 + SCANNED_KEYS);
        }
    }

    /// Reads a key and its colon, and checks that the object has no such key yet.
    #[inline(always)]
    pub(super) fn key(&mut self, seen: &mut SeenKeys) -> Result<Cow<'a, str>> {
        self.count()?;
        if self.next_byte() != Some(b'"') {
            return Err(self.no_key());
        }
        let start = self.at + 1;
        if let Some(end) = self.plain_end()
            && let Some(window) = window_at_end(self.text.as_bytes(), end)
            && let Some(text) = self.text.get(start..end).filter(|text| text.len() <= MAX_STRING)
            && let [before @ .., _, b':', _, _, _, _, _, _] = window
        {
            let Some(with_it) =
                self.see(KeyFingerprint::of_shown(before, text.as_bytes(), start), start, *seen)
            else {
                return Err(self.repeated(start));
            };
            *seen = with_it;
            self.at = end + 2;
            return Ok(Cow::Borrowed(text));
        }
        let key = self.long_key(seen)?;
        if self.next_byte() != Some(b':') {
            return Err(self.no_colon());
        }
        self.at += 1;
        Ok(key)
    }

    /// Reads a key that is long or has escapes, and checks that the object has no such key yet.
    #[inline(never)]
    fn long_key(&mut self, seen: &mut SeenKeys) -> Result<Cow<'a, str>> {
        let start = self.at + 1;
        let form = self.skip_long_string()?;
        let spelt = self.text.get(start..self.at - 1).unwrap_or_default();
        let key = if form == EscapeForm::Plain { Cow::Borrowed(spelt) } else { unescaped(spelt)? };
        let with_it = if seen.filter == FULL {
            // It is hashed as it was read, without a fingerprint: each look at an escape costs more than the rest.
            let is_new = self.elements <= MAX_ELEMENTS && self.insert_into_many(&key, seen.first);
            is_new.then_some(*seen)
        } else if form == EscapeForm::Odd {
            self.see(KeyFingerprint::of(usual_spelling(&key).as_bytes(), start), start, *seen)
        } else {
            self.see(KeyFingerprint::of(spelt.as_bytes(), start), start, *seen)
        };
        let Some(with_it) = with_it else {
            return Err(self.repeated(start));
        };
        *seen = with_it;
        Ok(key)
    }

    /// Skips such a key. Usual escapes are not undone: managed fields have such keys (`k:{"name":"c"}`), one for each
    /// container.
    pub(super) fn skip_long_key(&mut self, seen: &mut SeenKeys) -> Result<()> {
        let start = self.at + 1;
        let form = self.skip_long_string()?;
        if form == EscapeForm::Odd || seen.filter == FULL {
            self.at = start - 1;
            return self.long_key(seen).map(drop);
        }
        let spelt = self.text.get(start..self.at - 1).unwrap_or_default();
        *seen = self
            .see(KeyFingerprint::of(spelt.as_bytes(), start), start, *seen)
            .ok_or_else(|| self.repeated(start))?;
        Ok(())
    }

    /// Adds a key that has just been read, and begins at `start`, to those of its object; nothing if it is there already.
    #[inline(always)]
    pub(super) fn see(&mut self, key: KeyFingerprint, start: usize, mut seen: SeenKeys) -> Option<SeenKeys> {
        let bit = key.filter_bit();
        if seen.filter & bit != 0 {
            return self.see_if_new(key, start, seen);
        }
        seen.filter |= bit;
        self.fingerprints.push(key);
        Some(seen)
    }

    #[inline(never)]
    fn see_if_new(&mut self, key: KeyFingerprint, start: usize, mut seen: SeenKeys) -> Option<SeenKeys> {
        // On the quick way members are counted and the count is looked at in the end, which would be late for many
        // keys: each of these takes room.
        if self.elements > MAX_ELEMENTS {
            return None;
        }
        let of_object = self.fingerprints.get(seen.first..).unwrap_or_default();
        if seen.filter != FULL && of_object.len() < SCANNED_KEYS {
            let like = of_object.iter().filter(|other| other.is_like(key)).count();
            // Long keys of one fingerprint may be equal. Comparing them all pairwise in a hostile text would keep us busy.
            let is_compared = key.start().is_some() && like > 0;
            if !is_compared || self.compared + like <= MOST_COMPARED {
                let is_among = if is_compared { self.is_among(key, seen) } else { like > 0 };
                self.compared += if is_compared { like } else { 0 };
                self.fingerprints.push(key);
                return (!is_among).then_some(seen);
            }
        }
        seen.filter = FULL;
        let key = self.reader_at(start - 1).quoted().ok()?;
        self.insert_into_many(&key, seen.first).then_some(seen)
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
        let mut many = ManyKeys { first, hash_key: RandomState::new(), hashes: HashSet::new() };
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
            return self.reader_at(start - 1).quoted().ok();
        }
        let spelt = String::from_utf8(fingerprint.short_key()).ok()?;
        unescaped(&spelt).ok().map(|key| Cow::Owned(key.into_owned()))
    }

    fn reader_at(&self, at: usize) -> Self {
        Self { at, ..Self::of_part(self.text) }
    }

    #[cold]
    fn no_key(&self) -> JsonError {
        self.syntax("expected a key in double quotes")
    }

    #[cold]
    fn no_colon(&self) -> JsonError {
        self.syntax("expected : after a key")
    }

    #[cold]
    fn repeated(&self, start: usize) -> JsonError {
        let error = fault(ErrorKind::Repeated, "the key comes twice", start - 1);
        match self.reader_at(start - 1).quoted() {
            Ok(text) => error.inside_key(&text),
            Err(error) => error,
        }
    }
}

/// What stands between the quotes of a string that was read over, its escapes undone.
fn unescaped(spelt: &str) -> Result<Cow<'_, str>> {
    Reader::of_part(spelt).unescaped().map(Cow::Owned)
}

/// A key's characters as [`EscapeForm::Escaped`] spells them.
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
            _ => spelt.push(character),
        }
    }
    spelt
}
