//! JSON of an answer, written as `serde_json` would write it.
//!
//! A refusal is kilobytes of text. Looking at each of its bytes for what must be escaped was a tenth of all that a refusal takes;
//! here sixteen are looked at together.

use std::io::Write as _;

use crate::json::plain_length;

/// A JSON text that grows at its end.
#[derive(Debug)]
pub(super) struct AnswerJson {
    bytes: Vec<u8>,
}

impl AnswerJson {
    /// The text of an object, with room for so many bytes.
    pub(super) fn object(capacity: usize, members: impl FnOnce(&mut Self)) -> Vec<u8> {
        let mut json = Self { bytes: Vec::with_capacity(capacity) };
        json.braced(*b"{}", members);
        json.bytes
    }

    /// A member that is an object.
    pub(super) fn object_member(&mut self, key: &str, members: impl FnOnce(&mut Self)) {
        self.key(key);
        self.braced(*b"{}", members);
    }

    /// A member that is a list, unless it is empty; `write` writes an item.
    pub(super) fn list_member<T>(&mut self, key: &str, items: &[T], write: impl Fn(&mut Self, &T)) {
        if items.is_empty() {
            return;
        }
        self.key(key);
        self.braced(*b"[]", |json| {
            for item in items {
                json.comma();
                write(json, item);
            }
        });
    }

    /// A member that is a text.
    pub(super) fn text_member(&mut self, key: &str, text: &str) {
        self.key(key);
        self.text(text);
    }

    /// A member that is a text, unless there is none.
    pub(super) fn optional_member(&mut self, key: &str, text: Option<&str>) {
        if let Some(text) = text {
            self.text_member(key, text);
        }
    }

    /// A member that is a boolean or a number, as it is written.
    pub(super) fn plain_member(&mut self, key: &str, value: &str) {
        self.key(key);
        self.bytes.extend_from_slice(value.as_bytes());
    }

    /// A member that is a text in which nothing has to be escaped.
    pub(super) fn unescaped_member(&mut self, key: &str, text: &str) {
        self.key(key);
        self.bytes.push(b'"');
        self.bytes.extend_from_slice(text.as_bytes());
        self.bytes.push(b'"');
    }

    /// An object or a list.
    pub(super) fn braced(&mut self, [open, close]: [u8; 2], inside: impl FnOnce(&mut Self)) {
        self.bytes.push(open);
        inside(self);
        self.bytes.push(close);
    }

    /// A text in its quotes.
    pub(super) fn text(&mut self, text: &str) {
        self.bytes.push(b'"');
        let mut left = text.as_bytes();
        while let Some((plain, rest)) = left.split_at_checked(plain_length(left)) {
            self.bytes.extend_from_slice(plain);
            let [byte, rest @ ..] = rest else { break };
            self.escape(*byte);
            left = rest;
        }
        self.bytes.push(b'"');
    }

    /// A quote, a backslash or a control character.
    fn escape(&mut self, byte: u8) {
        let letter = match byte {
            0x8 => b'b',
            0xc => b'f',
            b'\n' => b'n',
            b'\r' => b'r',
            b'\t' => b't',
            0..=0x1f => {
                // A `Vec` takes every byte.
                let _ = write!(self.bytes, "\\u{byte:04x}");
                return;
            }
            other => other,
        };
        self.bytes.extend_from_slice(&[b'\\', letter]);
    }

    /// Keys are ours, and need no escapes.
    fn key(&mut self, key: &str) {
        self.comma();
        self.bytes.push(b'"');
        self.bytes.extend_from_slice(key.as_bytes());
        self.bytes.extend_from_slice(b"\":");
    }

    fn comma(&mut self) {
        if !matches!(self.bytes.last(), Some(b'{' | b'[')) {
            self.bytes.push(b',');
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn written(text: &str) -> String {
        let bytes = AnswerJson::object(0, |json| json.text_member("k", text));
        String::from_utf8(bytes).expect("text")
    }

    #[test]
    fn every_character_is_written_as_serde_writes_it() {
        for character in ('\0'..='\u{2ff}').chain(['\u{2028}', '\u{fffd}', '\u{10ffff}']) {
            let text = format!("{character}{}{character}", "x".repeat(20));
            let expected = format!("{{\"k\":{}}}", serde_json::to_string(&text).expect("a text"));
            assert_eq!(written(&text), expected);
        }
    }

    proptest! {
        #[test]
        fn texts_are_written_as_serde_writes_them(text in "([ -~]{0,40}|[\"\\\\\x00-\x1f]{0,3}|.{0,9}){0,5}") {
            let expected = format!("{{\"k\":{}}}", serde_json::to_string(&text).expect("a text"));
            prop_assert_eq!(written(&text), expected);
        }
    }
}
