//! Skips values that nobody reads: half of a review and more. They are checked like all others.
//!
//! There are two ways to skip a value. The quick one knows JSON as an API server writes it: well formed, and without
//! white space. Where it meets anything else it gives up, and the slow one, which knows all of JSON, starts over and can
//! say what is wrong and where. The quick one may give up on anything, but may not accept what the slow one refuses; a
//! test holds it to that.
//!
//! Nothing here recurses for more than [`MAX_DEPTH`] levels.

use crate::json::error::{ErrorKind, Result};
use crate::json::fingerprint::KeyFingerprint;
use crate::json::limits::{MAX_DEPTH, MAX_ELEMENTS, MAX_SKIPPED_DEPTH, MAX_STRING};
use crate::json::reader::Reader;
use crate::json::scan::window_at_end;
use crate::json::seen_keys::SeenKeys;

/// From an opening bracket to the closing one, in ASCII.
const TO_CLOSING: u8 = 2;

impl Reader<'_> {
    /// Skips the next value.
    #[inline]
    pub(super) fn skip_value(&mut self) -> Result<()> {
        let before = (self.at, self.elements, self.fingerprints.len(), self.many_keys.len());
        if let Some(end) = self.quick_value() {
            self.at = end;
            return Ok(());
        }
        (self.at, self.elements) = (before.0, before.1);
        self.fingerprints.truncate(before.2);
        self.many_keys.truncate(before.3);
        self.slow_value()
    }

    /// Where the value ends that is next.
    #[inline(always)]
    fn quick_value(&mut self) -> Option<usize> {
        match self.text.as_bytes().get(self.at..)? {
            [b'"', ..] => self.skip_quoted().ok().map(|_| self.at),
            [b'{', b'}', ..] | [b'[', b']', ..] => (self.depth < MAX_DEPTH).then_some(self.at + 2),
            [b'{', ..] => self.quick_nested(self.at + 1, 1),
            [b'[', ..] => self.quick_nested(self.at + 1, 0),
            _ => self.quick_scalar(self.at),
        }
    }

    /// Where the object or array ends of which the first member or item begins at `at`, and `is_object` says which of
    /// the two it is: 1 or 0.
    ///
    /// What is open is not kept on a stack. Of their kinds there is a bit for each, and in the reader's list of
    /// keys, before the keys of an object, stand those of the object around it.
    fn quick_nested(&mut self, mut at: usize, is_object: u64) -> Option<usize> {
        let bytes = self.text.as_bytes();
        let mut quotes = self.quotes_from(at);
        // The innermost last, and before the outermost a 1. At `deepest` nothing more is opened but what is empty.
        let mut open = 1 << 1 | is_object;
        let deepest = 1 << (MAX_DEPTH - 1).checked_sub(self.depth).filter(|left| *left > 0)?;
        let mut seen = self.enter(self.nothing_seen());
        loop {
            self.elements += 1;
            let mut value = Some(*bytes.get(at)?);
            if open & 1 == 1 {
                (at, quotes, seen, value) = self.quick_key(at, quotes, seen)?;
            }
            match value {
                None => {}
                Some(b'"') => (at, quotes) = self.quick_string(at, quotes)?,
                Some(bracket @ (b'{' | b'[')) => {
                    at += 1;
                    if *bytes.get(at)? != bracket + TO_CLOSING {
                        if open & deepest != 0 {
                            return None;
                        }
                        open = open << 1 | u64::from(bracket == b'{');
                        seen = self.enter(seen);
                        continue;
                    }
                    at += 1;
                }
                Some(_) => at = self.quick_scalar(at)?,
            }
            while *bytes.get(at)? != b',' {
                let bracket = if open & 1 == 1 { b'}' } else { b']' };
                if *bytes.get(at)? != bracket {
                    return None;
                }
                at += 1;
                seen = self.leave(seen)?;
                open >>= 1;
                if open == 1 {
                    self.leave_quotes(quotes);
                    return (self.elements <= MAX_ELEMENTS).then_some(at);
                }
            }
            at += 1;
        }
    }

    /// Where the value begins whose key begins at `at`, and its first byte. Of an empty object, the value of most members
    /// in managed fields, where it ends.
    #[inline(always)]
    fn quick_key(
        &mut self,
        at: usize,
        quotes: u64,
        seen: SeenKeys,
    ) -> Option<(usize, u64, SeenKeys, Option<u8>)> {
        let bytes = self.text.as_bytes();
        let start = at + 1;
        if *bytes.get(at)? != b'"' {
            return None;
        }
        let Some((end, quotes)) = self.take_string(quotes) else {
            return self.quick_unusual_key(at, seen);
        };
        let Some(window) = window_at_end(bytes, end) else {
            return self.quick_unusual_key(at, seen);
        };
        let [before @ .., _, b':', first, second, _, _, _, _] = window else { return None };
        let key = bytes.get(start..end).filter(|key| key.len() <= MAX_STRING)?;
        let seen = self.see(KeyFingerprint::of_shown(before, key, start), start, seen)?;
        if (*first, *second) == (b'{', b'}') {
            return Some((end + 4, quotes, seen, None));
        }
        Some((end + 2, quotes, seen, Some(*first)))
    }

    #[inline(never)]
    fn quick_unusual_key(&mut self, at: usize, seen: SeenKeys) -> Option<(usize, u64, SeenKeys, Option<u8>)> {
        self.at = at;
        let mut seen = seen;
        self.skip_long_key(&mut seen).ok()?;
        let [b':', first, ..] = self.text.as_bytes().get(self.at..)? else { return None };
        let at = self.at + 1;
        Some((at, self.quotes_from(at), seen, Some(*first)))
    }

    /// Where the string ends whose opening quote is at `at`.
    #[inline(always)]
    fn quick_string(&mut self, at: usize, quotes: u64) -> Option<(usize, u64)> {
        match self.take_string(quotes) {
            Some((end, quotes)) if end - at <= MAX_STRING => Some((end + 1, quotes)),
            _ => self.quick_unusual_string(at),
        }
    }

    #[inline(never)]
    fn quick_unusual_string(&mut self, at: usize) -> Option<(usize, u64)> {
        self.at = at;
        self.skip_long_string().ok()?;
        Some((self.at, self.quotes_from(self.at)))
    }

    #[inline(never)]
    fn quick_scalar(&mut self, at: usize) -> Option<usize> {
        self.at = at;
        match self.byte()? {
            b't' => self.literal("true"),
            b'f' => self.literal("false"),
            b'n' => self.literal("null"),
            b'-' | b'0'..=b'9' => self.skip_number(),
            _ => return None,
        }
        .ok()?;
        Some(self.at)
    }

    /// Skips the next value, and says what is wrong with it.
    fn slow_value(&mut self) -> Result<()> {
        match self.next_byte() {
            Some(b'{' | b'[') if self.depth == MAX_DEPTH => self.deep_value(),
            Some(b'"') => self.skip_quoted().map(drop),
            Some(b'{') => self.object(|reader, _| reader.slow_value()).map(drop),
            Some(b'[') => self.array(|reader, _| reader.slow_value()),
            Some(b't') => self.literal("true"),
            Some(b'f') => self.literal("false"),
            Some(b'n') => self.literal("null"),
            Some(b'-' | b'0'..=b'9') => self.skip_number(),
            _ => Err(self.expected("a value")),
        }
    }

    /// Skips an object or array that is deeper than anything that is read, without a call for each of its levels. A level
    /// that is put by takes a byte, and its keys what all keys take.
    fn deep_value(&mut self) -> Result<()> {
        let mut outer: Vec<u8> = Vec::new();
        let Some(mut level) = self.open_deep(0)? else { return Ok(()) };
        loop {
            match &mut level {
                Some(seen) => {
                    self.make_room_for_a_key();
                    self.key(seen)?;
                }
                None => self.count()?,
            }
            if let Some(b'{' | b'[') = self.next_byte() {
                if let Some(inner) = self.open_deep(outer.len() + 1)? {
                    outer.push(self.put_by(level));
                    level = inner;
                    continue;
                }
            } else {
                self.slow_value()?;
            }
            while !self.another_deep(level)? {
                let Some(around) = outer.pop() else { return Ok(()) };
                level = self.take_up(around);
            }
        }
    }

    /// Opens an object or array `within` so many that are deeper than [`MAX_DEPTH`]: of an object, its keys so far. Nothing
    /// if it is empty; it is then read.
    fn open_deep(&mut self, within: usize) -> Result<Option<Option<SeenKeys>>> {
        if MAX_DEPTH + within >= MAX_SKIPPED_DEPTH {
            let message = format!("nested more than {MAX_SKIPPED_DEPTH} levels deep");
            return Err(self.fault(ErrorKind::Syntax, message));
        }
        let is_object = self.byte() == Some(b'{');
        self.at += 1;
        if self.next_byte() == Some(if is_object { b'}' } else { b']' }) {
            self.at += 1;
            return Ok(None);
        }
        Ok(Some(is_object.then(|| self.nothing_seen())))
    }

    /// After a member or item of a level: whether another follows, or else its end, which is read.
    fn another_deep(&mut self, level: Option<SeenKeys>) -> Result<bool> {
        let bracket = if level.is_some() { b'}' } else { b']' };
        match self.next_byte() {
            Some(b',') => {
                self.at += 1;
                Ok(true)
            }
            Some(byte) if byte == bracket => {
                self.at += 1;
                if let Some(seen) = level {
                    self.forget(seen);
                }
                Ok(false)
            }
            _ => Err(self.not_another(bracket)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::MAX_STRING;
    use crate::json::tests::json;
    use proptest::prelude::*;

    /// What the quick way makes of the value that begins at a place: where it ends, and how many elements it has.
    fn quick(text: &str, at: usize) -> Option<(usize, usize)> {
        let mut reader = Reader { at, ..Reader::over(text) };
        let end = reader.quick_value()?;
        assert!(reader.fingerprints.is_empty() && reader.many_keys.is_empty());
        Some((end, reader.elements))
    }

    /// What the slow way makes of it.
    fn slow(text: &str, at: usize) -> Option<(usize, usize)> {
        let mut reader = Reader { at, ..Reader::over(text) };
        reader.slow_value().ok()?;
        Some((reader.at, reader.elements))
    }

    /// Objects whose keys are few, so that they meet each other: short and long, plain and escaped.
    fn meeting_keys() -> impl Strategy<Value = String> {
        const KEYS: [&str; 16] = [
            "",
            "a",
            "b",
            "\\u0061",
            "\\n",
            "\\u000a",
            "k:{\\\"a\\\":1}",
            "k:{\\u0022a\\\":1}",
            "fifteen letters",
            "sixteen letters.",
            "sixteen letters!",
            "sixteen \\u006cetters.",
            "é",
            "\\u00e9",
            "\\/",
            "/",
        ];
        let value = prop_oneof![
            Just("{}".to_owned()),
            Just("[]".to_owned()),
            Just("-1.5e3".to_owned()),
            Just("\"v\"".to_owned())
        ];
        value.prop_recursive(4, 64, 8, |inner| {
            let member = (0..KEYS.len(), inner.clone());
            prop_oneof![
                prop::collection::vec(member, 1..5).prop_map(|members| {
                    let members: Vec<_> =
                        members.iter().map(|(key, value)| format!("\"{}\":{value}", KEYS[*key])).collect();
                    format!("{{{}}}", members.join(","))
                }),
                prop::collection::vec(inner, 1..4).prop_map(|items| format!("[{}]", items.join(","))),
            ]
        })
    }

    proptest! {
        /// Of a text as an API server writes it the quick way leaves nothing to the slow one, wherever it stands.
        #[test]
        fn the_quick_way_goes_all_the_way(value in json(), before in 0..70usize, after in 0..40usize) {
            let text = serde_json::to_string(&value).expect("a value has a text");
            let (at, end) = (before, before + text.len());
            let text = format!("{}{text}{}", "\"".repeat(before), ",".repeat(after));
            let found = quick(&text, at);
            prop_assert_eq!(found.map(|(end, _)| end), Some(end));
            prop_assert_eq!(found, slow(&text, at));
        }

        #[test]
        fn both_ways_refuse_the_same_keys(text in meeting_keys(), after in 0..40usize) {
            let text = text + &" ".repeat(after);
            prop_assert_eq!(quick(&text, 0), slow(&text, 0));
        }

        /// A text with one byte changed: the quick way accepts nothing that the slow one refuses.
        #[test]
        fn the_quick_way_is_no_laxer(
            value in json(), at in any::<prop::sample::Index>(), byte in 0..0x80u8, cut in any::<bool>(),
        ) {
            let mut text = serde_json::to_vec(&value).expect("a value has a text");
            let at = at.index(text.len());
            if cut { text.truncate(at) } else { text[at] = byte }
            let text = String::from_utf8_lossy(&text);
            if let Some(found) = quick(&text, 0) {
                prop_assert_eq!(Some(found), slow(&text, 0));
            }
        }
    }

    #[test]
    fn the_limits_hold_on_the_quick_way_too() {
        let nested = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
        assert!(quick(&nested(MAX_DEPTH), 0).is_some() && quick(&nested(MAX_DEPTH + 1), 0).is_none());
        let nested = |depth: usize| format!("{}{{}}{}", "{\"a\":".repeat(depth - 1), "}".repeat(depth - 1));
        assert!(quick(&nested(MAX_DEPTH), 0).is_some() && quick(&nested(MAX_DEPTH + 1), 0).is_none());
        let items = |count: usize| format!("[{}0]", "0,".repeat(count - 1));
        assert!(quick(&items(MAX_ELEMENTS), 0).is_some() && quick(&items(MAX_ELEMENTS + 1), 0).is_none());
        let string = |length: usize| format!("\"{}\"", "a".repeat(length));
        assert!(quick(&string(MAX_STRING), 0).is_some() && quick(&string(MAX_STRING + 1), 0).is_none());
    }

    #[test]
    fn keys_past_the_limit_take_no_room() {
        let members: Vec<_> = (0..MAX_ELEMENTS + 50_000).map(|key| format!("\"{key}\":0")).collect();
        let text = format!("{{{}}}", members.join(","));
        let mut reader = Reader::over(&text);
        assert_eq!(reader.quick_value(), None);
        let kept = reader.many_keys.last().map_or(0, |many| many.hashes.len());
        assert!((1..=MAX_ELEMENTS).contains(&kept), "{kept} keys");
    }

    #[test]
    fn a_repeated_key_is_found_among_any_number() {
        for count in [1, 2, 20, 23, 24, 25, 26, 100] {
            for width in [1, 15, 16, 30] {
                let object = |last: usize| {
                    let keys: Vec<_> = (0..count)
                        .chain([last])
                        .map(|key| format!("\"{key:0width$}\":{{\"0\":0}}"))
                        .collect();
                    format!("[{{{}}},{{}}]", keys.join(","))
                };
                assert!(quick(&object(count), 0).is_some());
                for last in 0..count {
                    assert_eq!(quick(&object(last), 0), None, "{last} of {count}");
                    assert_eq!(slow(&object(last), 0), None, "{last} of {count}");
                }
            }
        }
    }
}
