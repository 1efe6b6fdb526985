//! Characters that may not be printed, written by their code.

use std::fmt::{self, Write};

/// A domain of 253 characters, a slash, and a name of 63.
const LONGEST_KEY: usize = 317;
/// A DNS label, the longest name that Kubernetes takes for a container or volume.
const LONGEST_NAME: usize = 63;

/// Text of others in a message of ours: on one line, in ASCII, and not longer than a name can be.
///
/// A name is a DNS label once the API server has validated it, but a mutating webhook and a linter see it before.
#[derive(Debug, Clone, Copy)]
pub struct Printable<'t>(pub &'t str);

impl Printable<'_> {
    /// Adds it to a text, without the machinery of formatting.
    pub(crate) fn write_to(self, text: &mut impl Write) -> fmt::Result {
        printable(self.0, LONGEST_NAME).write_to(text)
    }
}

impl fmt::Display for Printable<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write_to(f)
    }
}

/// The key of a label or annotation as it may be shown: whole if Kubernetes takes it.
#[derive(Debug, Clone, Copy)]
pub struct PrintableKey<'t>(pub &'t str);

impl PrintableKey<'_> {
    /// As [`Printable::write_to`].
    pub(crate) fn write_to(self, text: &mut impl Write) -> fmt::Result {
        printable(self.0, LONGEST_KEY).write_to(text)
    }
}

impl fmt::Display for PrintableKey<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write_to(f)
    }
}

/// Text in printable ASCII, what else it holds written by its code: `größe` is `gr\u{f6}\u{df}e`. Of more than `longest`
/// characters the first ones, and `...`.
#[must_use]
pub fn printable(text: &str, longest: usize) -> PrintableUpTo<'_> {
    PrintableUpTo { text, longest }
}

/// See [`printable`].
#[derive(Debug, Clone, Copy)]
pub struct PrintableUpTo<'t> {
    text: &'t str,
    longest: usize,
}

impl PrintableUpTo<'_> {
    fn write_to(self, text: &mut impl Write) -> fmt::Result {
        if self.text.len() <= self.longest && is_plain(self.text) {
            return text.write_str(self.text);
        }
        let mut characters = self.text.chars();
        for character in characters.by_ref().take(self.longest) {
            write_unless(!is_printable_ascii(character), character, text)?;
        }
        if characters.next().is_some() { text.write_str("...") } else { Ok(()) }
    }
}

impl fmt::Display for PrintableUpTo<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write_to(f)
    }
}

/// Text of any language, in which nothing moves a cursor, ends the line or turns the writing round: `größe\u{a}`.
///
/// Not in ASCII alone, as [`printable`] is: whoever reads it has the file before them, and finds `größe` by its name.
#[must_use]
pub fn one_line(text: &str) -> OneLine<'_> {
    OneLine { text, is_of_yaml: false }
}

/// As [`one_line`], of a message about a YAML file: a line break is `\n`, as the file spells it, and not `\u{a}`, which is what
/// [`Printable`] makes of it beside other text in a report.
#[must_use]
pub fn one_line_of_yaml(text: &str) -> OneLine<'_> {
    OneLine { text, is_of_yaml: true }
}

/// See [`one_line`].
#[derive(Debug, Clone, Copy)]
pub struct OneLine<'t> {
    text: &'t str,
    is_of_yaml: bool,
}

impl fmt::Display for OneLine<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.text.chars().try_for_each(|character| match character {
            '\n' | '\r' | '\t' if self.is_of_yaml => write!(f, "{}", character.escape_default()),
            _ => write_unless(moves(character), character, f),
        })
    }
}

fn write_unless(is_unsafe: bool, character: char, text: &mut impl Write) -> fmt::Result {
    if is_unsafe { write!(text, "{}", character.escape_unicode()) } else { text.write_char(character) }
}

/// Whether all of a text is printable ASCII, as nearly all text is: then it is written as it is.
fn is_plain(text: &str) -> bool {
    text.bytes().all(|byte| matches!(byte, b' '..=b'~'))
}

fn is_printable_ascii(character: char) -> bool {
    matches!(character, ' '..='~')
}

/// Whether a character moves the cursor or what stands around it.
fn moves(character: char) -> bool {
    let turns_writing =
        matches!(character, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let ends_line = matches!(character, '\u{2028}' | '\u{2029}');
    turns_writing || ends_line || character.is_control()
}

/// Writes the text between two quotes: what is not printable ASCII, and what would end the text, by its code.
#[derive(Debug)]
pub struct Escaped<'w, W>(pub &'w mut W);

impl<W: Write> Write for Escaped<'_, W> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let mut written = 0;
        for (at, character) in text.char_indices() {
            if is_printable_ascii(character) && !matches!(character, '"' | '\\') {
                continue;
            }
            self.0.write_str(text.get(written..at).unwrap_or_default())?;
            written = at + character.len_utf8();
            match character {
                '"' | '\\' => write!(self.0, "\\{character}"),
                '\n' => self.0.write_str("\\n"),
                '\r' => self.0.write_str("\\r"),
                '\t' => self.0.write_str("\\t"),
                other => write!(self.0, "{}", other.escape_unicode()),
            }?;
        }
        self.0.write_str(text.get(written..).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_of_others_cannot_move_a_cursor_or_flood_a_line() {
        for (text, longest, expected) in [
            ("plain \"a\\b\"", 99, "plain \"a\\b\""),
            ("a\n\u{1b}[2J\u{202e}", 99, "a\\u{a}\\u{1b}[2J\\u{202e}"),
            ("größe", 5, "gr\\u{f6}\\u{df}e"),
            ("größe", 4, "gr\\u{f6}\\u{df}..."),
            ("a", 0, "..."),
            ("", 0, ""),
        ] {
            assert_eq!(printable(text, longest).to_string(), expected);
        }
        for (longest, show) in [
            (63, (|text| Printable(text).to_string()) as fn(&str) -> String),
            (317, |text| PrintableKey(text).to_string()),
        ] {
            assert_eq!(show(&"x".repeat(longest)), "x".repeat(longest));
            assert_eq!(show(&"x".repeat(longest + 1)), format!("{}...", "x".repeat(longest)));
        }
    }

    #[test]
    fn every_language_stays_on_its_line() {
        for (text, expected) in [
            ("größe 日本 עברית \u{1f600}", "größe 日本 עברית \u{1f600}"),
            ("größe\n\u{1b}[2J\u{202e}x", "größe\\u{a}\\u{1b}[2J\\u{202e}x"),
            (
                "\u{85}\u{200f}\u{2028}\u{2029}\u{202a}\u{2066}\u{2069}",
                "\\u{85}\\u{200f}\\u{2028}\\u{2029}\\u{202a}\\u{2066}\\u{2069}",
            ),
            ("\u{200d}\u{2027}\u{202f}\u{206a}", "\u{200d}\u{2027}\u{202f}\u{206a}"),
        ] {
            assert_eq!(one_line(text).to_string(), expected);
        }
        assert_eq!(one_line_of_yaml("ß\n\r\t\u{1b}\u{202e}").to_string(), "ß\\n\\r\\t\\u{1b}\\u{202e}");
    }

    #[test]
    fn nothing_ends_a_text_but_its_quote() {
        for (text, expected) in [
            ("plain a=b", "plain a=b"),
            ("a\" b=\"c", "a\\\" b=\\\"c"),
            ("\\\"", "\\\\\\\""),
            ("\n\r\t\0", "\\n\\r\\t\\u{0}"),
            ("\u{1b}[2J\u{9b}é\u{2028}", "\\u{1b}[2J\\u{9b}\\u{e9}\\u{2028}"),
            ("", ""),
        ] {
            let mut escaped = String::new();
            Escaped(&mut escaped).write_str(text).unwrap();
            assert_eq!(escaped, expected);
        }
    }
}
