//! Fields as the text format writes them: numbers and truths as they are, all else in quotes, in printable ASCII.
//!
//! Most of what is logged was written by a peer or a tenant. A value without quotes could bring fields of its own, and
//! one with a line break a line. So no value is trusted to be harmless, whoever made it.

use std::fmt::{self, Write};

use tracing::field::{Field, Visit};
use tracing_subscriber::field::RecordFields;
use tracing_subscriber::fmt::FormatFields;
use tracing_subscriber::fmt::format::Writer;

/// Writes the fields of a line.
pub(super) struct QuotedFields;

impl<'w> FormatFields<'w> for QuotedFields {
    fn format_fields<R: RecordFields>(&self, writer: Writer<'w>, fields: R) -> fmt::Result {
        let mut line = Line { writer, is_first: true, result: Ok(()) };
        fields.record(&mut line);
        line.result
    }
}

/// The name that `tracing` gives the words of a line.
pub(super) const MESSAGE: &str = "message";

struct Line<'w> {
    writer: Writer<'w>,
    is_first: bool,
    result: fmt::Result,
}

impl Line<'_> {
    fn plain(&mut self, field: &Field, value: impl fmt::Display) {
        self.write(|writer| write!(writer, "{}={value}", field.name()));
    }

    fn quoted(&mut self, field: &Field, value: fmt::Arguments<'_>) {
        self.write(|writer| {
            write!(writer, "{}=\"", field.name())?;
            Escaped(&mut *writer).write_fmt(value)?;
            writer.write_char('"')
        });
    }

    fn write(&mut self, write: impl FnOnce(&mut Writer<'_>) -> fmt::Result) {
        let is_first = std::mem::replace(&mut self.is_first, false);
        if self.result.is_ok() && !is_first {
            self.result = self.writer.write_char(' ');
        }
        if self.result.is_ok() {
            self.result = write(&mut self.writer);
        }
    }
}

impl Visit for Line<'_> {
    fn record_u64(&mut self, field: &Field, value: u64) {
        self.plain(field, value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.plain(field, value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.plain(field, value);
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.quoted(field, format_args!("{value}"));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == MESSAGE {
            return self.write(|writer| write!(Escaped(writer), "{value:?}"));
        }
        self.quoted(field, format_args!("{value:?}"));
    }
}

/// Writes what is not printable ASCII, and what would end a text in quotes, by its code.
struct Escaped<'w, W>(&'w mut W);

impl<W: Write> Write for Escaped<'_, W> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let mut written = 0;
        for (at, character) in text.char_indices() {
            if matches!(character, ' '..='~') && !matches!(character, '"' | '\\') {
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
