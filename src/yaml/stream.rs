//! A text cut into documents as kubectl cuts it.
//!
//! kubectl divides at every line that starts with `---`, before any YAML is parsed (`YAMLReader`,
//! k8s.io/apimachinery v0.37.2 `pkg/util/yaml/decoder.go`). What starts as JSON it decodes as a
//! series of JSON values and turns to YAML where that ends.

use std::borrow::Cow;

use serde::de::IgnoredAny;

use crate::yaml::build::{Budget, PartReader};
use crate::yaml::error::YamlError;
use crate::yaml::lexeme::Notation;
use crate::yaml::node::ReadDocument;
use crate::yaml::outline::Stated;
use crate::yaml::part::{Part, Place};

pub(super) fn read(
    text: &str,
    is_wanted: &dyn Fn(&Stated<'_>) -> bool,
    each: &mut dyn FnMut(Result<ReadDocument<'_>, YamlError>),
) {
    let mut reader = PartReader { budget: Budget::default(), is_wanted, each };
    for part in parts(text) {
        let rest = read_json(part, &mut reader);
        // kubectl ends every line on its way to the YAML parser, so the last one too.
        let text = if rest.text.ends_with('\n') {
            Cow::Borrowed(rest.text)
        } else {
            Cow::Owned(format!("{}\n", rest.text))
        };
        let yaml = Part { text: &text, ..rest };
        match yaml.refused_text() {
            Some(fault) => (reader.each)(Err(fault)),
            None => reader.read(&yaml, Notation::Yaml),
        }
    }
}

/// Cuts the text at its `---` lines. The line stays with what follows if it holds content.
fn parts(text: &str) -> Vec<Part<'_>> {
    let stream = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut parts = Vec::new();
    let mut here = Place { byte: text.len() - stream.len(), line: 1, column: 1 };
    let mut start = here;
    let has_returns = stream.contains('\r');
    let mut header = Header::Empty;
    let mut cut = |start: Place, end: usize| {
        let text = text.get(start.byte..end).unwrap_or_default();
        parts.push(Part { text, start, end });
    };
    for line in stream.split_inclusive('\n') {
        let next = if has_returns { here.after(line) } else { here.after_line(line) };
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
fn read_json<'a>(part: Part<'a>, reader: &mut PartReader<'_>) -> Part<'a> {
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
        reader.read(&Part { text: &text, ..value }, Notation::Json);
        rest = behind;
    }
    rest
}
