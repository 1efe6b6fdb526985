//! A text as a JSON string, written as `serde_json` would write it.
//!
//! Answers are kilobytes of text. Looking at each of its bytes for what must be escaped was a tenth of all that a refusal takes;
//! here sixteen are looked at together.

use std::fmt::Write as _;

use crate::json::scan::plain_length;

/// Adds a text in its quotes to a JSON text.
pub(crate) fn write_string(text: &str, json: &mut String) {
    json.push('"');
    write_escaped(text, json);
    json.push('"');
}

/// The same without the quotes.
pub(crate) fn write_escaped(text: &str, json: &mut String) {
    let mut left = text;
    // What is escaped is one byte, so nothing is cut in two.
    while let Some((plain, rest)) = left.split_at_checked(plain_length(left.as_bytes())) {
        json.push_str(plain);
        let mut rest = rest.chars();
        let Some(special) = rest.next() else { break };
        escape(special, json);
        left = rest.as_str();
    }
}

/// A quote, a backslash or a control character.
fn escape(special: char, json: &mut String) {
    let letter = match special {
        '\u{8}' => 'b',
        '\u{c}' => 'f',
        '\n' => 'n',
        '\r' => 'r',
        '\t' => 't',
        '\0'..='\u{1f}' => {
            // A `String` takes every text.
            let _ = write!(json, "\\u{:04x}", u32::from(special));
            return;
        }
        other => other,
    };
    json.push('\\');
    json.push(letter);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn written(text: &str) -> String {
        let mut json = String::new();
        write_string(text, &mut json);
        json
    }

    #[test]
    fn every_character_is_written_as_serde_writes_it() {
        for character in ('\0'..='\u{2ff}').chain(['\u{2028}', '\u{fffd}', '\u{10ffff}']) {
            let text = format!("{character}{}{character}", "x".repeat(20));
            assert_eq!(written(&text), serde_json::to_string(&text).expect("a text"));
        }
    }

    proptest! {
        #[test]
        fn texts_are_written_as_serde_writes_them(text in "([ -~]{0,40}|[\"\\\\\x00-\x1f]{0,3}|.{0,9}){0,5}") {
            prop_assert_eq!(written(&text), serde_json::to_string(&text).expect("a text"));
        }
    }
}
