//! How long the parts of an answer may be. What is cut is measured as it is sent: JSON writes some bytes as six.

use crate::controls::Printable;

/// Longest answer, in bytes. The API server reads it whole, and keeps what is in it in its logs.
pub(super) const LONGEST_ANSWER: usize = 256 * 1024;
/// Longest audit annotation of a gate, in bytes: what people look for stands at its beginning, and the refusal says it all.
pub(super) const LONGEST_NOTE: usize = 1024;
/// Longest text in the words of Kubernetes' own admission, in bytes. An answer has two of them at most.
pub(super) const LONGEST_TEXT: usize = 110 * 1024;
/// Longest name in an answer, in bytes: the longest that Kubernetes takes.
pub(super) const LONGEST_NAME: usize = 253;
/// Longest path in an answer, in bytes: the key of an annotation has 317 at the most.
pub(super) const LONGEST_FIELD: usize = 512;
/// Longest message of a cause, in bytes.
pub(super) const LONGEST_CAUSE: usize = 1024;
/// Longest warnings about the pods of a namespace, in bytes. The API server passes on 4,096 characters.
pub(super) const LONGEST_WARNINGS: usize = 64 * 1024;

/// What stands in place of what was cut.
const MARK: &str = "...";

/// As much of a text as is sent in so many bytes.
pub(super) fn cut(text: &str, longest: usize) -> String {
    let mut length = 0;
    let mut end = 0;
    for (at, character) in text.char_indices() {
        length += sent_length(character);
        if length > longest {
            return format!("{}{MARK}", text.get(..end).unwrap_or_default());
        }
        if length + MARK.len() <= longest {
            end = at + character.len_utf8();
        }
    }
    text.to_owned()
}

/// As [`cut`], of a text that is not needed any more.
pub(super) fn cut_owned(text: String, longest: usize) -> String {
    // Not even a text of nothing but quotes is longer than this when it is sent.
    let is_short = text.len() <= longest / 6;
    if is_short || text.chars().map(sent_length).sum::<usize>() <= longest {
        text
    } else {
        cut(&text, longest)
    }
}

/// As many warnings as are sent in so many bytes, and how many more there are.
pub(super) fn cut_list(mut warnings: Vec<String>, longest: usize) -> Vec<String> {
    let mut length = 0;
    let fits = |warning: &&String| {
        length += warning.chars().map(sent_length).sum::<usize>();
        length <= longest
    };
    let count = warnings.iter().take_while(fits).count();
    let more = warnings.len() - count;
    if more > 0 {
        warnings.truncate(count);
        warnings.push(format!("and {more} more warnings"));
    }
    warnings
}

/// A word of the review in a message about it: short, and on one line.
pub(super) fn quoted(text: &str) -> String {
    format!("\"{}\"", Printable(text))
}

/// How many bytes a character is sent in.
fn sent_length(character: char) -> usize {
    match character {
        '"' | '\\' | '\n' | '\r' | '\t' | '\u{8}' | '\u{c}' => 2,
        '\0'..='\u{1f}' => 6,
        _ => character.len_utf8(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_cut_to_the_bytes_that_are_sent() {
        for text in ["a", "é", "\"", "\\", "\n", "\u{1}", "\u{7f}", "\u{10ffff}", "a\u{1}é\"", ""] {
            for count in [0, 1, 5, 20, 100] {
                let text = text.repeat(count);
                for longest in [10, 11, 12, 13, 50] {
                    let sent = |text: &str| serde_json::to_string(text).expect("a text").len() - 2;
                    let short = cut(&text, longest);
                    assert!(sent(&short) <= longest, "{short:?} of {longest}");
                    assert_eq!(short == text, sent(&text) <= longest, "{text:?} to {longest}");
                    assert_eq!(cut_owned(text.clone(), longest), short);
                }
            }
        }
    }

    #[test]
    fn lists_are_cut_with_a_count() {
        let list = |count: usize| vec!["ab".to_owned(); count];
        assert_eq!(cut_list(list(3), 6), list(3));
        assert_eq!(cut_list(list(5), 7), ["ab", "ab", "ab", "and 2 more warnings"]);
    }
}
