//! Skips values that nobody reads: half of a review and more. They must be JSON like all else, within the same limits. Only
//! a key may come twice in them: whichever of the two a reader takes, no verdict depends on it.
//!
//! There are two ways to skip a value. The quick one knows JSON as an API server writes it: well formed, and without
//! white space. Where it meets anything else it gives up, and the slow one, which knows all of JSON, starts over and can
//! say what is wrong and where. The quick one may give up on anything, but may not accept what the slow one refuses; a
//! test holds it to that.
//!
//! Nothing here recurses for more than [`MAX_DEPTH`] levels.

use crate::json::error::{ErrorKind, JsonError, Result};
use crate::json::limits::{MAX_DEPTH, MAX_ELEMENTS, MAX_SKIPPED_DEPTH};
use crate::json::reader::Reader;

/// From the closing quote of a key on: an empty object, and another key. Most members in managed fields are followed so.
const EMPTY_OBJECT: u64 = u64::from_le_bytes(*b"\0\0\":{},\"");
/// How many bytes of that come before the quote of the other key.
const EMPTY_OBJECT_LENGTH: usize = 5;
/// From an opening bracket to the closing one, in ASCII.
const TO_CLOSING: u8 = 2;

impl Reader<'_> {
    /// Skips the next value.
    #[inline]
    pub(super) fn skip_value(&mut self) -> Result<()> {
        let before = (self.at, self.elements);
        if let Some(end) = self.quick_value() {
            self.at = end;
            return Ok(());
        }
        (self.at, self.elements) = before;
        self.slow_value()
    }

    /// Where the value ends that is next.
    #[inline(always)]
    fn quick_value(&mut self) -> Option<usize> {
        match self.text.as_bytes().get(self.at..)? {
            [b'"', ..] => self.quick_string(self.at),
            [b'{', b'}', ..] | [b'[', b']', ..] => (self.depth < MAX_DEPTH).then_some(self.at + 2),
            [b'{', ..] => self.quick_nested(self.at + 1, 1),
            [b'[', ..] => self.quick_nested(self.at + 1, 0),
            _ => self.quick_scalar(self.at),
        }
    }

    /// Where the object or array ends of which the first member or item begins at `at`, and `is_object` says which of
    /// the two it is: 1 or 0.
    ///
    /// What is open is not kept on a stack: of their kinds there is a bit for each.
    fn quick_nested(&mut self, mut at: usize, is_object: u64) -> Option<usize> {
        let bytes = self.text.as_bytes();
        // The innermost last, and before the outermost a 1. At `deepest` nothing more is opened but what is empty.
        let mut open = 1 << 1 | is_object;
        let deepest = 1 << (MAX_DEPTH - 1).checked_sub(self.depth).filter(|left| *left > 0)?;
        let mut elements = self.elements;
        let mut next = self.quotes.from(bytes, at)?;
        loop {
            elements += 1;
            let mut first = *bytes.get(at)?;
            if open & 1 == 1 {
                at = self.next_string_end(at, &mut next)?;
                let after = bytes.get(at..)?;
                if after.first_chunk().is_some_and(|after| u64::from_le_bytes(*after) << 16 == EMPTY_OBJECT) {
                    at += EMPTY_OBJECT_LENGTH;
                    continue;
                }
                let [_, b':', begins, ..] = after else { return None };
                (at, first) = (at + 2, *begins);
            }
            match first {
                b'"' => at = self.next_string_end(at, &mut next)? + 1,
                b'{' | b'[' => {
                    at += 1;
                    if *bytes.get(at)? != first + TO_CLOSING {
                        if open & deepest != 0 {
                            return None;
                        }
                        open = open << 1 | u64::from(first == b'{');
                        continue;
                    }
                    at += 1;
                }
                _ => at = self.quick_scalar(at)?,
            }
            loop {
                match (*bytes.get(at)?, open & 1) {
                    (b',', _) => break,
                    (b'}', 1) | (b']', 0) => {}
                    _ => return None,
                }
                at += 1;
                open >>= 1;
                if open == 1 {
                    self.elements = elements;
                    return (elements <= MAX_ELEMENTS).then_some(at);
                }
            }
            at += 1;
        }
    }

    /// Where the string ends whose opening quote is at `at`.
    #[inline(always)]
    fn quick_string(&mut self, at: usize) -> Option<usize> {
        match self.string_end(at) {
            Some(end) => Some(end + 1),
            None => self.quick_unusual_string(at),
        }
    }

    #[inline(never)]
    fn quick_unusual_string(&mut self, at: usize) -> Option<usize> {
        self.at = at;
        self.look_at_string().ok()?;
        Some(self.at)
    }

    /// Where the word or number ends that begins at `at`.
    #[inline(never)]
    fn quick_scalar(&mut self, at: usize) -> Option<usize> {
        let rest = self.text.as_bytes().get(at..)?;
        match rest {
            [b't', b'r', b'u', b'e', ..] | [b'n', b'u', b'l', b'l', ..] => Some(at + 4),
            [b'f', b'a', b'l', b's', b'e', ..] => Some(at + 5),
            [b'0'..=b'9', b',' | b'}' | b']', ..] => Some(at + 1),
            [b'1'..=b'9', b'0'..=b'9', b',' | b'}' | b']', ..] => Some(at + 2),
            [b'-' | b'0'..=b'9', ..] => {
                self.at = at;
                self.skip_number().ok()?;
                Some(self.at)
            }
            _ => None,
        }
    }

    /// Skips the next value, and says what is wrong with it.
    fn slow_value(&mut self) -> Result<()> {
        match self.next_byte() {
            Some(b'{' | b'[') if self.depth == MAX_DEPTH => self.deep_value(),
            Some(b'"') => self.look_at_string().map(drop),
            Some(b'{') => self.slow_object(),
            Some(b'[') => self.array(|reader, _| reader.slow_value()),
            Some(b't') => self.literal("true"),
            Some(b'f') => self.literal("false"),
            Some(b'n') => self.literal("null"),
            Some(b'-' | b'0'..=b'9') => self.skip_number(),
            _ => Err(self.expected("a value")),
        }
    }

    /// As [`Reader::object`], for an object that nobody reads: a key may come twice.
    fn slow_object(&mut self) -> Result<()> {
        (self.depth, self.at) = (self.depth + 1, self.at + 1);
        if self.next_byte() == Some(b'}') {
            self.close();
            return Ok(());
        }
        loop {
            let start = self.unread_key()?;
            self.slow_value().map_err(|error| self.inside_key_at(start, error))?;
            if !self.another(b'}')? {
                return Ok(());
            }
        }
    }

    /// Skips a key and its colon: the place of its opening quote.
    fn unread_key(&mut self) -> Result<usize> {
        self.count()?;
        if self.next_byte() != Some(b'"') {
            return Err(self.no_key());
        }
        let start = self.at;
        self.skip_quoted()?;
        if self.next_byte() != Some(b':') {
            return Err(self.no_colon());
        }
        self.at += 1;
        Ok(start)
    }

    #[cold]
    fn inside_key_at(&self, start: usize, error: JsonError) -> JsonError {
        match self.string_at(start) {
            Ok(key) => error.inside_key(&key),
            Err(_) => error,
        }
    }

    /// Skips an object or array that is deeper than anything that is read, without a call for each of its levels: of each
    /// that is open it is kept whether it is an object.
    fn deep_value(&mut self) -> Result<()> {
        let mut outer: Vec<bool> = Vec::new();
        let Some(mut is_object) = self.open_deep(0)? else { return Ok(()) };
        loop {
            if is_object {
                self.unread_key()?;
            } else {
                self.count()?;
            }
            if let Some(b'{' | b'[') = self.next_byte() {
                if let Some(inner) = self.open_deep(outer.len() + 1)? {
                    outer.push(is_object);
                    is_object = inner;
                    continue;
                }
            } else {
                self.slow_value()?;
            }
            while !self.another_deep(is_object)? {
                let Some(around) = outer.pop() else { return Ok(()) };
                is_object = around;
            }
        }
    }

    /// Opens an object or array `within` so many that are deeper than [`MAX_DEPTH`]: whether it is an object. Nothing if it
    /// is empty; it is then read.
    fn open_deep(&mut self, within: usize) -> Result<Option<bool>> {
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
        Ok(Some(is_object))
    }

    /// After a member or item of a level: whether another follows, or else its end, which is read.
    fn another_deep(&mut self, is_object: bool) -> Result<bool> {
        let bracket = if is_object { b'}' } else { b']' };
        match self.next_byte() {
            Some(b',') => {
                self.at += 1;
                Ok(true)
            }
            Some(byte) if byte == bracket => {
                self.at += 1;
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
    fn what_nobody_reads_may_repeat_itself() {
        for text in [
            r#"{"a":1,"a":2}"#,
            r#"{"a":{"b":1,"\u0062":{"c":[{"d":0,"d":1}]}}}"#,
            "{ \"a\" : 1, \"a\" : { \"b\": 1, \"b\": 2 } }",
        ] {
            assert_eq!(slow(text, 0).map(|(end, _)| end), Some(text.len()), "{text}");
            assert!(quick(text, 0).is_none_or(|(end, _)| end == text.len()), "{text}");
        }
    }
}
