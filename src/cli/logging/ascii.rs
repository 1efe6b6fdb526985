//! Lines of JSON in ASCII: characters that a terminal or a log viewer would obey, or take for the end of a line, are
//! escaped. In JSON only strings can hold such characters, so the text stays JSON and means the same.

use std::io::{self, Write};

/// Writes whole lines.
pub(super) struct AsciiWriter<W>(pub(super) W);

impl<W: Write> Write for AsciiWriter<W> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        match std::str::from_utf8(line) {
            Ok(text) if !text.chars().all(is_plain) => self.0.write_all(escaped(text).as_bytes())?,
            Ok(_) | Err(_) => self.0.write_all(line)?,
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

fn is_plain(character: char) -> bool {
    matches!(character, ' '..='~' | '\n')
}

fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len() * 2);
    for character in text.chars() {
        if is_plain(character) {
            escaped.push(character);
        } else {
            for unit in character.encode_utf16(&mut [0; 2]) {
                escaped.push_str(&format!("\\u{unit:04x}"));
            }
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_means_the_same_in_ascii() {
        for text in ["plain", "é\u{7f}\u{85}\u{9b}\u{2028}\u{202e}\u{1f600}", "\u{1b}\"\\\n"] {
            let line = format!("{}\n", serde_json::json!({ "name": text }));
            let mut written = Vec::new();
            AsciiWriter(&mut written).write_all(line.as_bytes()).unwrap();
            assert!(written.iter().all(|byte| matches!(byte, b' '..=b'~' | b'\n')), "{written:?}");
            let read: serde_json::Value = serde_json::from_slice(&written).unwrap();
            assert_eq!(read["name"], text);
        }
    }
}
