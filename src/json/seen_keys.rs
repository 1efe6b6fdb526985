//! The keys of an object that have been read: by their fingerprints where they are few, by hash where they are many.

use std::collections::HashSet;
use std::hash::{BuildHasher as _, RandomState};

/// The keys of one object that have been read.
#[derive(Debug, Clone, Copy)]
pub(super) struct SeenKeys {
    /// Where their fingerprints begin in the reader's list.
    pub(super) first: usize,
    /// A bit for each, by its fingerprint: mostly this is enough to see that a key is new.
    pub(super) filter: u64,
}

/// All keys of an object that has many, or long ones of the same fingerprint.
///
/// Of each only a 64-bit hash with a secret key is kept: a table of the keys themselves would take ten times the memory of
/// the text. Two keys with the same hash are taken for one and the text is refused; with 200,000 keys that happens by
/// chance once in a billion texts.
#[derive(Debug)]
pub(super) struct ManyKeys {
    /// [`SeenKeys::first`] of the object.
    pub(super) first: usize,
    pub(super) hash_key: RandomState,
    pub(super) hashes: HashSet<u64>,
}

impl ManyKeys {
    pub(super) fn new(first: usize) -> Self {
        Self { first, hash_key: RandomState::new(), hashes: HashSet::new() }
    }

    pub(super) fn insert(&mut self, key: &str) -> bool {
        self.hashes.insert(self.hash_key.hash_one(key))
    }
}
