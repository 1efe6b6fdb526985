//! A text cut into documents as kubectl cuts it.
//!
//! kubectl divides at every line that starts with `---`, before any YAML is parsed (`YAMLReader`,
//! k8s.io/apimachinery v0.37.2 `pkg/util/yaml/decoder.go`). What starts as JSON it decodes as a
//! series of JSON values and turns to YAML where that ends.

use std::borrow::Cow;
use std::fmt;

use granit_parser::Marker;
use serde::de::IgnoredAny;

use super::build::{self, Budget, Notation};
use super::{Document, Fault, Span};

/// A stretch of the stream, made ready for the parser.
#[derive(Clone, Copy)]
pub(super) struct Part<'a> {
    pub(super) text: &'a str,
    pub(super) start: Place,
    /// Where it ends in the stream, which may be a line end short of `text`.
    end: usize,
}

/// A place in the whole text; line and column count from 1.
#[derive(Clone, Copy)]
pub(super) struct Place {
    pub(super) byte: usize,
    pub(super) line: usize,
    pub(super) column: usize,
}

pub(super) fn read(text: &str) -> Vec<Result<Document, Fault>> {
    let mut documents = Vec::new();
    let mut budget = Budget::default();
    for part in parts(text) {
        let rest = read_json(part, &mut budget, &mut documents);
        // kubectl ends every line on its way to the YAML parser, so the last one too.
        let text = if rest.text.ends_with('\n') {
            Cow::Borrowed(rest.text)
        } else {
            Cow::Owned(format!("{}\n", rest.text))
        };
        let yaml = Part { text: &text, ..rest };
        match yaml.refused_text() {
            Some(fault) => documents.push(Err(fault)),
            None => build::read(&yaml, Notation::Yaml, &mut budget, &mut documents),
        }
    }
    documents
}

/// Cuts the text at its `---` lines. The line stays with what follows if it holds content.
fn parts(text: &str) -> Vec<Part<'_>> {
    let stream = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut parts = Vec::new();
    let mut here = Place { byte: text.len() - stream.len(), line: 1, column: 1 };
    let mut start = here;
    let mut header = Header::Empty;
    let mut cut = |start: Place, end: usize| {
        let text = text.get(start.byte..end).unwrap_or_default();
        parts.push(Part { text, start, end });
    };
    for line in stream.split_inclusive('\n') {
        let next = here.after(line);
        let marker = line.strip_prefix("---");
        if let Some(behind) = marker.filter(|_| header != Header::Directives) {
            cut(start, here.byte);
            start = if is_blank(behind) { next } else { here };
        }
        header = match marker {
            Some(behind) if is_blank(behind) && header != Header::Directives => Header::Empty,
            Some(_) => Header::Over,
            None => header.then(line),
        };
        here = next;
    }
    cut(start, text.len());
    parts
}

/// What came since the last end of a document: directives belong to the `---` that follows.
#[derive(Clone, Copy, PartialEq)]
enum Header {
    Empty,
    Directives,
    Over,
}

impl Header {
    fn then(self, line: &str) -> Self {
        match self {
            _ if line.starts_with("...") => Self::Empty,
            Self::Empty | Self::Directives if line.starts_with('%') => Self::Directives,
            Self::Empty | Self::Directives if is_blank(line) => self,
            Self::Empty | Self::Directives | Self::Over => Self::Over,
        }
    }
}

/// Whether a line, or the rest of one, has nothing but space and a comment.
fn is_blank(line: &str) -> bool {
    let text = line.trim();
    text.is_empty() || text.starts_with('#')
}

/// Reads the JSON values a part starts with and returns what is left of it.
fn read_json<'a>(
    part: Part<'a>,
    budget: &mut Budget,
    documents: &mut Vec<Result<Document, Fault>>,
) -> Part<'a> {
    let mut rest = part;
    if !part.text.trim_ascii_start().starts_with(['{', '[']) {
        return rest;
    }
    let mut values = serde_json::Deserializer::from_str(part.text).into_iter::<IgnoredAny>();
    while let Some(Ok(IgnoredAny)) = values.next() {
        let (value, behind) = rest.split_at(values.byte_offset() + part.start.byte);
        // YAML refuses some tabs that JSON allows. Outside strings they are only space, and inside
        // them JSON has none, so a blank in their place keeps all that counts.
        let text = value.text.replace('\t', " ");
        build::read(&Part { text: &text, ..value }, Notation::Json, budget, documents);
        rest = behind;
    }
    rest
}

impl<'a> Part<'a> {
    fn split_at(self, byte: usize) -> (Self, Self) {
        let (text, behind) = self.text.split_at_checked(byte - self.start.byte).unwrap_or((self.text, ""));
        let start = self.start.after(text);
        (Part { text, end: start.byte, ..self }, Part { text: behind, start, ..self })
    }

    /// The span between two marks of the parser, whose lines count from 1 and columns from 0.
    pub(super) fn span(&self, from: &Marker, to: &Marker) -> Span {
        let before = if from.line() == 1 { self.start.column } else { 1 };
        let byte = |mark: &Marker| (self.start.byte + mark.byte_offset().unwrap_or(0)).min(self.end);
        Span {
            start: byte(from),
            end: byte(to),
            line: self.start.line + from.line().saturating_sub(1),
            column: before + from.col(),
        }
    }

    /// Finds text that kubectl refuses, or would cut into other lines than the parser does.
    fn refused_text(&self) -> Option<Fault> {
        if let Some(next) = self.text.strip_prefix("---").and_then(|behind| behind.chars().next())
            && !next.is_whitespace()
        {
            let message = "a line that starts with `---` divides documents; put a space or nothing behind it";
            return Some(self.start.fault(message));
        }
        let (byte, character) = self.text.char_indices().find(|(byte, character)| match character {
            '\r' => self.text.as_bytes().get(byte + 1).is_none_or(|next| *next != b'\n'),
            _ => !is_plain(*character),
        })?;
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

    /// A fault in the form of the text, with a hint if that looks like a template.
    pub(super) fn malformed(&self, place: Span, message: &str) -> Fault {
        let lines = (self.start.line..=place.line).zip(self.text.split_inclusive('\n'));
        let template = lines.into_iter().find(|(_, line)| has_template(line));
        let hint = template.map_or(String::new(), |(line, _)| {
            format!("; line {line} looks like an unrendered template: render it first (`helm template`)")
        });
        Fault::at(place, format!("{message}{hint}"))
    }
}

/// The characters that go-yaml reads, less the line separators of YAML 1.1 and byte order marks.
fn is_plain(character: char) -> bool {
    matches!(character,
        '\t' | '\n' | ' '..='~' | '\u{a0}'..='\u{2027}' | '\u{202a}'..='\u{fefe}'
        | '\u{ff00}'..='\u{fffd}' | '\u{10000}'..)
}

/// Whether an action of Helm or Jinja stands where YAML expects a value; in quotes it is text.
fn has_template(line: &str) -> bool {
    let line = line.trim_start();
    let comment = line.starts_with('#');
    let within = [": {{", ": {%", "- {{", "- {%"].iter().any(|open| line.contains(open));
    line.starts_with("{{") || line.starts_with("{%") || (within && !comment)
}

impl Place {
    /// The place behind a text that starts here.
    fn after(self, text: &str) -> Self {
        let returns = text.matches('\r').count() - text.matches("\r\n").count();
        let breaks = text.matches('\n').count() + returns;
        let last = text.rsplit(['\n', '\r']).next().unwrap_or_default().chars().count();
        Self {
            byte: self.byte + text.len(),
            line: self.line + breaks,
            column: if breaks == 0 { self.column + last } else { 1 + last },
        }
    }

    /// A fault at this place.
    pub(super) fn fault(self, message: impl fmt::Display) -> Fault {
        Fault { line: self.line, column: self.column, message: message.to_string() }
    }
}
