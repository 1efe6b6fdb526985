//! Objects of a part that is read by itself, without an allocation: a rule that looks into a field of a pod that passes
//! must not cost one.
//!
//! The keys of open objects are kept on the stack, as such objects are small. One with more keys, or longer ones, than any
//! real object allocates.

use std::borrow::Cow;

use smallvec::SmallVec;

use crate::json::error::Result;
use crate::json::names::Names;
use crate::json::reader::Reader;
use crate::json::seen_keys::ManyKeys;

/// Most keys of an object that are compared with each other: a toleration has five, a node selector a few.
const COMPARED_KEYS: usize = 12;

/// The keys of one object of a part that have been read.
#[derive(Default)]
struct PartKeys<'a> {
    few: SmallVec<[Cow<'a, str>; COMPARED_KEYS]>,
    /// All of them, once they are many.
    many: Option<ManyKeys>,
}

impl<'a> Reader<'a> {
    /// A reader at the start of a part of a text: of a field of a pod, kept as text. Other than [`Reader::over`] it allocates
    /// nothing, and it is slower by the key.
    #[must_use]
    pub fn over_part(text: &'a str) -> Self {
        Self { is_part: true, ..Self::of_part(text) }
    }

    /// As [`Reader::object_with`].
    #[inline(never)]
    pub(super) fn object_of_part(
        &mut self,
        known: &Names<'_>,
        member: &mut dyn FnMut(&mut Self, &Cow<'a, str>) -> Result<()>,
    ) -> Result<bool> {
        if !self.open(b'{')? {
            return Ok(false);
        }
        if self.next_byte() == Some(b'}') {
            self.close();
            return Ok(true);
        }
        let mut seen = PartKeys::default();
        loop {
            self.count()?;
            if self.next_byte() != Some(b'"') {
                return Err(self.no_key());
            }
            let start = self.at + 1;
            let key = self.quoted()?;
            if self.next_byte() != Some(b':') {
                return Err(self.no_colon());
            }
            self.at += 1;
            if !seen.insert(key.clone()) {
                return Err(self.repeated(start));
            }
            let read = if known.may_have(key.as_bytes()) {
                member(self, &key)
            } else {
                self.next_byte();
                self.skip_value()
            };
            read.map_err(|error| error.inside_key(&key))?;
            if !self.another(b'}')? {
                return Ok(true);
            }
        }
    }
}

impl<'a> PartKeys<'a> {
    /// Whether a key is new.
    fn insert(&mut self, key: Cow<'a, str>) -> bool {
        if let Some(many) = &mut self.many {
            return many.insert(&key);
        }
        if self.few.contains(&key) {
            return false;
        }
        if self.few.len() < COMPARED_KEYS {
            self.few.push(key);
            return true;
        }
        let mut many = ManyKeys::new(0);
        for known in &self.few {
            many.insert(known);
        }
        many.insert(&key);
        self.many = Some(many);
        true
    }
}
