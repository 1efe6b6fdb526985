//! The pieces that the scanner cuts a text into: go-yaml's tokens.

use std::borrow::Cow;

use crate::yaml::cursor::Mark;

/// Which decoder kubectl would use.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Notation {
    Json,
    Yaml,
}

/// A piece and its place.
#[derive(Debug)]
pub(super) struct Lexeme<'t> {
    pub(super) kind: LexemeKind<'t>,
    pub(super) start: Mark,
    pub(super) end: Mark,
}

#[derive(Debug)]
pub(super) enum LexemeKind<'t> {
    StreamEnd,
    DocumentStart,
    DocumentEnd,
    /// `%YAML`.
    VersionDirective,
    /// `%TAG`: what a handle stands for.
    TagDirective {
        handle: &'t str,
        prefix: &'t str,
    },
    BlockSequenceStart,
    BlockMappingStart,
    /// Of either.
    BlockEnd,
    FlowSequenceStart,
    FlowSequenceEnd,
    FlowMappingStart,
    FlowMappingEnd,
    /// `-`.
    BlockEntry,
    /// `,`.
    FlowEntry,
    /// `?`, or the start of a key without it.
    Key,
    /// `:`.
    Value,
    Alias(&'t str),
    Anchor(&'t str),
    /// Without a handle the suffix is the whole tag.
    Tag {
        handle: &'t str,
        suffix: &'t str,
    },
    Scalar {
        text: Cow<'t, str>,
        is_plain: bool,
    },
}

/// Where and why a text is not YAML.
#[derive(Debug)]
pub(super) struct SyntaxError {
    pub(super) mark: Mark,
    pub(super) message: String,
}

impl SyntaxError {
    pub(super) fn at(mark: Mark, message: impl Into<String>) -> Self {
        Self { mark, message: message.into() }
    }
}
