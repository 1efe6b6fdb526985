//! Reads over values that nobody asks for: a half of a review and more. They are checked like all others.
//!
//! There are two ways over a value. The quick one knows JSON as an API server writes it: without white space,
//! and well formed. Where it meets anything else it gives up, and the value is read over again in the slow
//! way, which knows all of JSON and can say what is wrong and where. The quick one may give up on anything; it
//! may not accept what the slow one refuses, and a test holds it to that.

use crate::json::keys::Seen;
use crate::json::mark::Mark;
use crate::json::scan::{short_string, window};
use crate::json::{MAX_DEPTH, MAX_ELEMENTS, Reader, Result};

/// From an opening bracket to the closing one, in ASCII.
const TO_CLOSING: u8 = 2;

impl<'a> Reader<'a> {
    /// Reads over the value that is next.
    pub(super) fn skip_value(&mut self) -> Result<()> {
        let before = (self.at, self.elements, self.marks.len(), self.many_keys.len());
        if let Some(rest) = self.quick_value() {
            self.at = self.text.len() - rest.len();
            return Ok(());
        }
        (self.at, self.elements) = (before.0, before.1);
        self.marks.truncate(before.2);
        self.many_keys.truncate(before.3);
        self.slow_value()
    }

    /// What follows the value that is next.
    #[inline(always)]
    fn quick_value(&mut self) -> Option<&'a [u8]> {
        let rest = self.text.as_bytes().get(self.at..)?;
        match rest {
            [b'"', ..] => self.quick_string(rest),
            [b'{', b'}', rest @ ..] | [b'[', b']', rest @ ..] => (self.depth < MAX_DEPTH).then_some(rest),
            [b'{', inside @ ..] => self.quick_nested(inside, 1),
            [b'[', inside @ ..] => self.quick_nested(inside, 0),
            _ => self.quick_scalar(rest),
        }
    }

    /// What follows the object or array that has its first member or item where `rest` begins.
    ///
    /// `are_objects` has a bit for each that is open, the innermost last: whether it is an object. More is not on any
    /// stack: in the reader's list of keys, before the keys of an object, stand those of the object around it.
    fn quick_nested(&mut self, mut rest: &'a [u8], mut are_objects: u64) -> Option<&'a [u8]> {
        let mut depth = self.depth + 1;
        if depth > MAX_DEPTH {
            return None;
        }
        let mut seen = self.enter(self.nothing_seen());
        loop {
            self.elements += 1;
            if are_objects & 1 == 1 {
                (rest, seen) = self.quick_key(rest, seen)?;
            }
            match *rest.first()? {
                b'"' => rest = self.quick_string(rest)?,
                bracket @ (b'{' | b'[') => {
                    if depth == MAX_DEPTH {
                        return None;
                    }
                    rest = rest.get(1..)?;
                    if *rest.first()? != bracket + TO_CLOSING {
                        depth += 1;
                        are_objects = are_objects << 1 | u64::from(bracket == b'{');
                        seen = self.enter(seen);
                        continue;
                    }
                    rest = rest.get(1..)?;
                }
                _ => rest = self.quick_scalar(rest)?,
            }
            while *rest.first()? != b',' {
                let bracket = if are_objects & 1 == 1 { b'}' } else { b']' };
                if *rest.first()? != bracket {
                    return None;
                }
                rest = rest.get(1..)?;
                seen = self.leave(seen)?;
                are_objects >>= 1;
                depth -= 1;
                if depth == self.depth {
                    return (self.elements <= MAX_ELEMENTS).then_some(rest);
                }
            }
            rest = rest.get(1..)?;
        }
    }

    /// What follows the key that `rest` begins with and its colon.
    #[inline(always)]
    fn quick_key(&mut self, rest: &'a [u8], seen: Seen) -> Option<(&'a [u8], Seen)> {
        if let Some(window) = window(rest, 0)
            && let Some(length) = short_string(window)
            && window[length + 2] == b':'
        {
            let start = self.text.len() - rest.len() + 1;
            let seen = self.see(Mark::of_short(window, length), start, seen)?;
            return Some((rest.get(length + 3..)?, seen));
        }
        self.quick_long_key(rest, seen)
    }

    #[inline(never)]
    fn quick_long_key(&mut self, rest: &'a [u8], mut seen: Seen) -> Option<(&'a [u8], Seen)> {
        if rest.first() != Some(&b'"') {
            return None;
        }
        self.at = self.text.len() - rest.len();
        self.long_key(&mut seen).ok()?;
        let rest = self.text.as_bytes().get(self.at..)?;
        Some((rest.strip_prefix(b":")?, seen))
    }

    /// What follows the string that `rest` begins with.
    #[inline(always)]
    fn quick_string(&mut self, rest: &'a [u8]) -> Option<&'a [u8]> {
        if let Some(length) = window(rest, 0).and_then(short_string) {
            return rest.get(length + 2..);
        }
        self.quick_unusual_string(rest)
    }

    #[inline(never)]
    fn quick_unusual_string(&mut self, rest: &'a [u8]) -> Option<&'a [u8]> {
        self.at = self.text.len() - rest.len();
        self.skip_long_string().ok()?;
        self.text.as_bytes().get(self.at..)
    }

    #[inline(never)]
    fn quick_scalar(&mut self, rest: &'a [u8]) -> Option<&'a [u8]> {
        self.at = self.text.len() - rest.len();
        match *rest.first()? {
            b't' => self.literal("true"),
            b'f' => self.literal("false"),
            b'n' => self.literal("null"),
            b'-' | b'0'..=b'9' => self.skip_number(),
            _ => return None,
        }
        .ok()?;
        self.text.as_bytes().get(self.at..)
    }

    /// Reads over the value that is next, and says what is wrong with it.
    fn slow_value(&mut self) -> Result<()> {
        match self.next_byte() {
            Some(b'"') => self.skip_string().map(drop),
            Some(b'{') => self.object(|reader, _| reader.slow_value()).map(drop),
            Some(b'[') => self.array(|reader, _| reader.slow_value()),
            Some(b't') => self.literal("true"),
            Some(b'f') => self.literal("false"),
            Some(b'n') => self.literal("null"),
            Some(b'-' | b'0'..=b'9') => self.skip_number(),
            _ => Err(self.expected("a value")),
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
        let rest = reader.quick_value()?;
        assert!(reader.marks.is_empty() && reader.many_keys.is_empty());
        Some((text.len() - rest.len(), reader.elements))
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
