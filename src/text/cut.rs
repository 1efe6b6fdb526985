//! Text cut to a number of bytes, at the end of a character.

use std::borrow::Cow;

/// What stands in place of what was cut.
const MARK: &str = "...";
/// Most bytes that JSON writes one byte as: `\u0000`.
const LONGEST_ESCAPE: usize = 6;

/// The whole characters of a text that fit into so many bytes, without a mark where it is cut.
#[must_use]
pub fn prefix(text: &str, longest: usize) -> &str {
    let end = (0..=text.len().min(longest)).rev().find(|end| text.is_char_boundary(*end));
    text.get(..end.unwrap_or_default()).unwrap_or_default()
}

/// A text in so many bytes: where it is cut, it ends with `...`.
#[must_use]
pub fn cut<'t>(text: impl Into<Cow<'t, str>>, longest: usize) -> String {
    let text = text.into();
    if text.len() <= longest {
        return text.into_owned();
    }
    [prefix(&text, longest.saturating_sub(MARK.len())), MARK].concat()
}

/// A text that takes so many bytes as a JSON string, where a line break takes two and a NUL six: where it is cut, it ends
/// with `...`. The quotes around it are not counted.
#[must_use]
pub fn cut_as_json<'t>(text: impl Into<Cow<'t, str>>, longest: usize) -> String {
    let text = text.into();
    if text.len() <= longest / LONGEST_ESCAPE || json_length(&text) <= longest {
        return text.into_owned();
    }
    let (mut length, room) = (0, longest.saturating_sub(MARK.len()));
    let mut fits = |byte: &u8| {
        length += json_length_of(*byte);
        length <= room
    };
    let fitting = text.as_bytes().iter().take_while(|byte| fits(byte)).count();
    [prefix(&text, fitting), MARK].concat()
}

/// How many bytes a text takes as a JSON string, the quotes around it not counted.
#[must_use]
pub fn json_length(text: &str) -> usize {
    let short = count(text, |byte| json_length_of(byte) == 2);
    let long = count(text, |byte| json_length_of(byte) == LONGEST_ESCAPE);
    text.len() + short + long * (LONGEST_ESCAPE - 1)
}

/// How many bytes are such. They are counted in bytes, so that many are looked at together.
fn count(text: &str, is_such: impl Fn(u8) -> bool) -> usize {
    let in_part = |part: &[u8]| usize::from(part.iter().map(|byte| u8::from(is_such(*byte))).sum::<u8>());
    text.as_bytes().chunks(usize::from(u8::MAX)).map(in_part).sum()
}

/// How many bytes JSON makes of one.
fn json_length_of(byte: u8) -> usize {
    match byte {
        b'"' | b'\\' | b'\n' | b'\r' | b'\t' | 0x8 | 0xc => 2,
        0..=0x1f => LONGEST_ESCAPE,
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_cut_to_the_bytes_that_they_take() {
        for text in ["a", "é", "\"", "\\", "\n", "\u{1}", "\u{7f}", "\u{10ffff}", "a\u{1}é\"", ""] {
            for count in [0, 1, 5, 20, 100] {
                let text = text.repeat(count);
                for longest in [10, 11, 12, 13, 50] {
                    let sent = |text: &str| serde_json::to_string(text).expect("a text").len() - 2;
                    assert_eq!(json_length(&text), sent(&text));
                    let short = cut_as_json(&text, longest);
                    assert!(sent(&short) <= longest, "{short:?} of {longest}");
                    assert_eq!(short == text, sent(&text) <= longest, "{text:?} to {longest}");
                    assert_eq!(cut_as_json(text.clone(), longest), short);
                    let short = cut(&text, longest);
                    assert!(short.len() <= longest, "{short:?} of {longest}");
                    assert_eq!(short == text, text.len() <= longest, "{text:?} to {longest}");
                }
            }
        }
    }

    #[test]
    fn a_prefix_ends_with_a_whole_character() {
        for (text, longest, expected) in
            [("abc", 2, "ab"), ("abc", 3, "abc"), ("aé", 2, "a"), ("é", 1, ""), ("é", 2, "é"), ("", 5, "")]
        {
            assert_eq!(prefix(text, longest), expected);
        }
    }

    #[test]
    fn what_is_cut_says_so() {
        assert_eq!(cut("abcdefgh", 7), "abcd...");
        assert_eq!(cut("abcdefgh", 8), "abcdefgh");
        assert_eq!(cut_as_json("ab\n\n\n\n", 8), "ab\n...");
    }
}
