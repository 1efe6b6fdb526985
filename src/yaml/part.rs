//! A stretch of a text that holds documents, and places in it.

use std::fmt;

use wide::u8x16;

use crate::yaml::cursor::Mark;
use crate::yaml::error::{OF_TEMPLATES, YamlError};
use crate::yaml::node::Span;

/// How many bytes are looked at together.
const BLOCK: usize = 16;

/// A stretch of the stream, made ready for the parser.
#[derive(Clone, Copy)]
pub(super) struct Part<'a> {
    pub(super) text: &'a str,
    pub(super) start: Place,
    /// Where it ends in the stream, which may be a line end short of `text`.
    pub(super) end: usize,
}

/// A place in the whole text; line and column count from 1.
#[derive(Clone, Copy)]
pub(super) struct Place {
    pub(super) byte: usize,
    pub(super) line: usize,
    pub(super) column: usize,
}

impl<'a> Part<'a> {
    pub(super) fn split_at(self, byte: usize) -> (Self, Self) {
        let (text, behind) = self.text.split_at_checked(byte - self.start.byte).unwrap_or((self.text, ""));
        let start = self.start.after(text);
        (Part { text, end: start.byte, ..self }, Part { text: behind, start, ..self })
    }

    /// The span between two places in the part.
    pub(super) fn span(&self, from: Mark, to: Mark) -> Span {
        let before = if from.line == 1 { self.start.column } else { 1 };
        let byte = |mark: Mark| (self.start.byte + mark.byte).min(self.end);
        Span {
            start: byte(from),
            end: byte(to),
            line: self.start.line + from.line - 1,
            column: before + from.column,
        }
    }

    /// Finds text that kubectl refuses, or would cut into other lines than the parser does.
    pub(super) fn refused_text(&self) -> Option<YamlError> {
        if let Some(next) = self.text.strip_prefix("---").and_then(|behind| behind.chars().next())
            && !next.is_whitespace()
        {
            let message = "a line that starts with `---` divides documents; put a space or nothing behind it";
            return Some(self.start.fault(message));
        }
        let (byte, character) = self.first_refused()?;
        let what = match character {
            '\r' => "ends a line alone, which kubectl and other readers count differently",
            '\u{85}' | '\u{2028}' | '\u{2029}' => "ends a line for kubectl but not for other readers",
            '\u{feff}' => "is a byte order mark, which belongs at the start of a file only",
            _ => "is a control character, which YAML does not allow",
        };
        let before = self.text.get(..byte).unwrap_or_default();
        Some(self.start.after(before).fault(format!(
            "the character U+{:04X} {what}; remove it, or escape it in double quotes",
            u32::from(character)
        )))
    }

    /// The first character that is refused. Nearly all text is ASCII, and is passed in blocks.
    fn first_refused(&self) -> Option<(usize, char)> {
        let bytes = self.text.as_bytes();
        let is_refused = |byte: usize, character| match character {
            '\r' => bytes.get(byte + 1).is_none_or(|next| *next != b'\n'),
            _ => !is_plain(character),
        };
        let mut at = 0;
        while at < bytes.len() {
            at = behind_plain_ascii(bytes, at);
            let mut ahead = 0;
            for character in self.text.get(at..).unwrap_or_default().chars() {
                if ahead >= BLOCK {
                    break;
                }
                if is_refused(at + ahead, character) {
                    return Some((at + ahead, character));
                }
                ahead += character.len_utf8();
            }
            at += ahead;
        }
        None
    }

    /// An error in the syntax, with help if the text looks like a template.
    pub(super) fn malformed(&self, place: Span, message: &str) -> YamlError {
        let lines = (self.start.line..=place.line).zip(self.text.split_inclusive('\n'));
        let template = lines.into_iter().find(|(_, line)| has_template(line));
        let hint = template.map_or(String::new(), |(line, _)| format!("; line {line}{OF_TEMPLATES}"));
        YamlError::at(place, format!("{message}{hint}"))
    }
}

/// Passes blocks of nothing but printable ASCII, tabs and ends of lines.
fn behind_plain_ascii(bytes: &[u8], mut at: usize) -> usize {
    while let Some(block) = bytes.get(at..).and_then(|rest| rest.first_chunk::<BLOCK>()) {
        let block = u8x16::new(*block);
        let is_control = block.min(u8x16::splat(0x1f)).simd_eq(block);
        let is_space = block.simd_eq(u8x16::splat(b'\n')) | block.simd_eq(u8x16::splat(b'\t'));
        let is_beyond = block.max(u8x16::splat(0x7f)).simd_eq(block);
        if is_control.to_bitmask() & !is_space.to_bitmask() | is_beyond.to_bitmask() != 0 {
            break;
        }
        at += BLOCK;
    }
    at
}

/// The characters that go-yaml reads, less the line separators of YAML 1.1 and byte order marks.
fn is_plain(character: char) -> bool {
    matches!(character,
        '\t' | '\n' | ' '..='~' | '\u{a0}'..='\u{2027}' | '\u{202a}'..='\u{fefe}'
        | '\u{ff00}'..='\u{fffd}' | '\u{10000}'..)
}

/// Whether an action of Helm or Jinja stands in a line where YAML expects a value; in quotes it is text.
pub fn has_template(line: &str) -> bool {
    let line = line.trim_start();
    let comment = line.starts_with('#');
    let within = [": {{", ": {%", "- {{", "- {%"].iter().any(|open| line.contains(open));
    line.starts_with("{{") || line.starts_with("{%") || (within && !comment)
}

impl Place {
    /// The place behind a text that starts here.
    pub(super) fn after(self, text: &str) -> Self {
        let returns = text.matches('\r').count() - text.matches("\r\n").count();
        let breaks = text.matches('\n').count() + returns;
        let last = text.rsplit(['\n', '\r']).next().unwrap_or_default().chars().count();
        Self {
            byte: self.byte + text.len(),
            line: self.line + breaks,
            column: if breaks == 0 { self.column + last } else { 1 + last },
        }
    }

    /// The place behind a line that starts here, in which no `\r` is.
    pub(super) fn after_line(self, line: &str) -> Self {
        match line.ends_with('\n') {
            true => Self { byte: self.byte + line.len(), line: self.line + 1, column: 1 },
            false => self.after(line),
        }
    }

    /// A fault at this place.
    pub(super) fn fault(self, message: impl fmt::Display) -> YamlError {
        YamlError { line: self.line, column: self.column, message: message.to_string() }
    }
}
