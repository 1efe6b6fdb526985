//! The keys of an object, so that none comes twice.
//!
//! Two readers of a repeated key may each take another value, so there is no safe one to take. To find a
//! repetition among a few keys costs a comparison of two numbers for each; many are looked up by hash, so
//! that an object made of keys alone cannot keep us busy.

use std::borrow::Cow;
use std::collections::HashSet;

use crate::json::error::{Step, fault, printable};
use crate::json::string::Spelling;
use crate::json::{ErrorKind, Reader, Result};

/// From this many keys on, an object's keys are looked up by hash.
pub(super) const SCANNED_KEYS: usize = 24;

/// A key of an object, as it stands in the text.
#[derive(Debug, Clone, Copy)]
pub(super) struct Key {
    /// Of its characters: equal keys have equal ones.
    fingerprint: u64,
    /// Its first byte.
    start: usize,
    /// The quote after it.
    end: usize,
    spelling: Spelling,
}

/// The keys of one object that have been read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Seen {
    /// Where they begin in the reader's list.
    first: usize,
    /// A bit for each, by fingerprint: mostly it tells without a look that a key is new.
    filter: u64,
}

/// All keys of an object that has many.
#[derive(Debug)]
pub(super) struct ManyKeys<'a> {
    /// [`Seen::first`] of the object.
    first: usize,
    texts: HashSet<Cow<'a, str>>,
}

impl<'a> Reader<'a> {
    /// To call before the first key of an object.
    #[inline]
    pub(super) fn nothing_seen(&self) -> Seen {
        Seen { first: self.keys.len(), filter: 0 }
    }

    /// To call after the last key of an object.
    #[inline]
    pub(super) fn forget(&mut self, seen: Seen) {
        self.keys.truncate(seen.first);
        if self.many_keys.last().is_some_and(|many| many.first == seen.first) {
            self.many_keys.pop();
        }
    }

    /// Reads a key and its colon, and checks that the object has no such key yet.
    #[inline]
    pub(super) fn key(&mut self, seen: &mut Seen) -> Result<Key> {
        self.count()?;
        if self.next_byte() != Some(b'"') {
            return Err(self.syntax("expected a key in double quotes"));
        }
        let start = self.at + 1;
        let spelling = self.skip_string()?;
        let mut key = Key { fingerprint: 0, start, end: self.at - 1, spelling };
        key.fingerprint = match spelling {
            Spelling::Plain | Spelling::Escaped => self.fingerprint_at(start, key.end),
            Spelling::Odd => fingerprint(usual_spelling(&self.text_of(key)?).as_bytes()),
        };
        let bit = 1 << (key.fingerprint.wrapping_mul(MIXER) >> 58);
        let is_surely_new = seen.filter & bit == 0;
        seen.filter |= bit;
        if self.keys.len() - seen.first < SCANNED_KEYS && is_surely_new {
            self.keys.push(key);
        } else {
            self.check_new(key, *seen)?;
        }
        if self.next_byte() != Some(b':') {
            return Err(self.syntax("expected : after a key"));
        }
        self.at += 1;
        Ok(key)
    }

    /// The characters of a key that was read.
    pub(super) fn text_of(&self, key: Key) -> Result<Cow<'a, str>> {
        match key.spelling {
            Spelling::Plain => Ok(Cow::Borrowed(self.text.get(key.start..key.end).unwrap_or_default())),
            Spelling::Escaped | Spelling::Odd => {
                Self { at: key.start - 1, ..Self::of_part(self.text) }.quoted()
            }
        }
    }

    /// Checks that a key is not among those seen, and adds it to them.
    fn check_new(&mut self, key: Key, seen: Seen) -> Result<()> {
        let is_new = if self.keys.len() - seen.first < SCANNED_KEYS {
            let is_among = self.is_among(key, seen.first)?;
            self.keys.push(key);
            !is_among
        } else {
            self.insert_into_many(self.text_of(key)?, seen)?
        };
        if is_new {
            return Ok(());
        }
        let text = self.text_of(key)?;
        let error = fault(ErrorKind::Repeated, "the key comes twice", key.start - 1);
        Err(error.inside(Step::Member(printable(&text))))
    }

    fn is_among(&self, key: Key, first: usize) -> Result<bool> {
        let alike = |other: &&Key| other.fingerprint == key.fingerprint;
        for other in self.keys.get(first..).unwrap_or_default().iter().filter(alike) {
            if self.are_equal(*other, key)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn are_equal(&self, one: Key, other: Key) -> Result<bool> {
        if one.spelling == Spelling::Odd || other.spelling == Spelling::Odd {
            return Ok(self.text_of(one)? == self.text_of(other)?);
        }
        Ok(self.text.get(one.start..one.end) == self.text.get(other.start..other.end))
    }

    /// Adds a key to all those of an object that has had [`SCANNED_KEYS`] of them; whether it is new.
    fn insert_into_many(&mut self, text: Cow<'a, str>, seen: Seen) -> Result<bool> {
        let mut many = match self.many_keys.pop() {
            Some(many) if many.first == seen.first => many,
            others => {
                self.many_keys.extend(others);
                let scanned = self.keys.get(seen.first..).unwrap_or_default();
                let texts: Result<_> = scanned.iter().map(|key| self.text_of(*key)).collect();
                ManyKeys { first: seen.first, texts: texts? }
            }
        };
        let is_new = many.texts.insert(text);
        self.many_keys.push(many);
        Ok(is_new)
    }

    /// The fingerprint of a key that is spelt as usual. The bytes after a short one are read with it, at
    /// once.
    #[inline]
    fn fingerprint_at(&self, start: usize, end: usize) -> u64 {
        let bytes = self.text.as_bytes();
        match bytes.get(start..).and_then(|rest| rest.first_chunk::<8>()) {
            Some(chunk) if end - start < 8 => {
                let mask = (1 << (8 * (end - start))) - 1;
                (u64::from_le_bytes(*chunk) & mask) ^ tagged(end - start)
            }
            _ => fingerprint(bytes.get(start..end).unwrap_or_default()),
        }
    }
}

/// Spreads what differs in a few bits over all: 2^64 divided by the golden ratio.
const MIXER: u64 = 0x9e37_79b9_7f4a_7c15;

/// A number that differs for most keys that differ: of their length, and their first and last eight bytes.
#[inline]
fn fingerprint(key: &[u8]) -> u64 {
    let ends = match (key.first_chunk::<8>(), key.last_chunk::<8>()) {
        (Some(first), Some(last)) => u64::from_le_bytes(*first) ^ u64::from_le_bytes(*last).rotate_left(29),
        _ => key.iter().rev().fold(0, |word, byte| word << 8 | u64::from(*byte)),
    };
    ends ^ tagged(key.len())
}

#[inline]
fn tagged(length: usize) -> u64 {
    (length as u64).wrapping_mul(MIXER)
}

/// A key's characters as [`Spelling::Escaped`] spells them.
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
