//! JSON of an answer, written as `serde_json` would write it.

use base64_simd::STANDARD as BASE64;

use crate::json::write_string;

/// A JSON text that grows at its end.
#[derive(Debug)]
pub(super) struct AnswerJson {
    text: String,
}

impl AnswerJson {
    /// The text of an object, with room for so many bytes.
    pub(super) fn object(capacity: usize, members: impl FnOnce(&mut Self)) -> Vec<u8> {
        let mut json = Self { text: String::with_capacity(capacity) };
        json.braced(['{', '}'], members);
        json.text.into_bytes()
    }

    /// A member that is an object.
    pub(super) fn object_member(&mut self, key: &str, members: impl FnOnce(&mut Self)) {
        self.key(key);
        self.braced(['{', '}'], members);
    }

    /// A member that is a list, unless it is empty; `write` writes an item.
    pub(super) fn list_member<T>(&mut self, key: &str, items: &[T], write: impl Fn(&mut Self, &T)) {
        if items.is_empty() {
            return;
        }
        self.key(key);
        self.braced(['[', ']'], |json| {
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
        self.text.push_str(value);
    }

    /// A member that is these bytes in base 64.
    pub(super) fn base64_member(&mut self, key: &str, bytes: &[u8]) {
        self.key(key);
        self.text.push('"');
        BASE64.encode_append(bytes, &mut self.text);
        self.text.push('"');
    }

    /// An object or a list.
    pub(super) fn braced(&mut self, [open, close]: [char; 2], inside: impl FnOnce(&mut Self)) {
        self.text.push(open);
        inside(self);
        self.text.push(close);
    }

    /// A text in its quotes.
    pub(super) fn text(&mut self, text: &str) {
        write_string(text, &mut self.text);
    }

    /// Keys are ours, and need no escapes.
    fn key(&mut self, key: &str) {
        self.comma();
        self.text.push('"');
        self.text.push_str(key);
        self.text.push_str("\":");
    }

    fn comma(&mut self) {
        if !matches!(self.text.as_bytes().last(), Some(b'{' | b'[')) {
            self.text.push(',');
        }
    }
}
