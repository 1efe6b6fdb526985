//! What must show in a text that our JSON reader refuses and `serde_json` takes: of the fuzz target and of the differential.

use std::cell::Cell;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};

/// What `serde_json` sees of a text that it does not tell of: its depth, and whether a key comes twice.
#[derive(Debug)]
pub(crate) struct JsonShape {
    /// How deep it is.
    pub(crate) depth: usize,
    /// Whether a key comes twice in an object, or may come twice where `serde_json` does not read on.
    pub(crate) repeats: bool,
}

impl JsonShape {
    pub(crate) fn of(text: &[u8]) -> Self {
        let (deepest, repeats) = (Cell::new(0), Cell::new(false));
        let seed = Walk { depth: 0, deepest: &deepest, repeats: &repeats };
        // What is wrong further on is no matter; a number before it that only `serde_json` does not take ends the walk.
        let walked = seed.deserialize(&mut serde_json::Deserializer::from_slice(text));
        let has_ended = walked.is_err_and(|error| is_only_theirs(&error.to_string()));
        Self { depth: deepest.get(), repeats: repeats.get() || has_ended }
    }
}

/// Whether it is a limit of `serde_json` alone: numbers that no `f64` holds, and its own depth.
pub(crate) fn is_only_theirs(error: &str) -> bool {
    error.starts_with("number out of range") || error.starts_with("recursion limit exceeded")
}

/// A walk over a text, which stands at this depth.
#[derive(Clone, Copy)]
struct Walk<'w> {
    depth: usize,
    deepest: &'w Cell<usize>,
    repeats: &'w Cell<bool>,
}

impl Walk<'_> {
    fn deeper(self) -> Self {
        self.deepest.set(self.deepest.get().max(self.depth + 1));
        Self { depth: self.depth + 1, ..self }
    }
}

impl<'de> DeserializeSeed<'de> for Walk<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> std::result::Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Walk<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> std::result::Result<(), A::Error> {
        let walk = self.deeper();
        let mut keys = std::collections::BTreeSet::new();
        while let Some(key) = map.next_key::<String>()? {
            if !keys.insert(key) {
                self.repeats.set(true);
            }
            map.next_value_seed(walk)?;
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> std::result::Result<(), A::Error> {
        let walk = self.deeper();
        while items.next_element_seed(walk)?.is_some() {}
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> std::result::Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> std::result::Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> std::result::Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> std::result::Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> std::result::Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> std::result::Result<(), E> {
        Ok(())
    }
}
