//! What stands in a document, in order: what the grammar makes of its lexemes.

use std::borrow::Cow;

use crate::yaml::error::YamlError;
use crate::yaml::node::Span;
use crate::yaml::scalar::Tag;

/// What begins or ends a value.
pub(super) struct Token<'a> {
    pub(super) kind: TokenKind<'a>,
    pub(super) span: Span,
}

pub(super) enum TokenKind<'a> {
    Scalar {
        text: Cow<'a, str>,
        plain: bool,
        tag: Option<Tag>,
    },
    Sequence,
    Mapping,
    /// Of a sequence or mapping; its span ends where the content did.
    End,
    /// With the place among the tokens of what it stands for.
    Alias(usize),
}

/// The tokens of one document.
#[derive(Default)]
pub(super) struct Outline<'a> {
    pub(super) tokens: Vec<Token<'a>>,
    /// The first thing in it that is refused.
    pub(super) fault: Option<YamlError>,
    /// Where the last text of the document ended.
    end: usize,
}

impl<'a> Outline<'a> {
    /// Whether there is nothing between the marks of the document.
    pub(super) fn is_empty(&self) -> bool {
        let [Token { kind, span }] = self.tokens.as_slice() else { return false };
        matches!(kind, TokenKind::Scalar { plain: true, tag: None, .. }) && span.is_empty()
    }

    pub(super) fn push(&mut self, kind: TokenKind<'a>, span: Span) {
        if !span.is_empty() {
            self.end = span.end;
        }
        self.tokens.push(Token { kind, span });
    }

    /// Adds a scalar with its tag, written out in full.
    pub(super) fn push_scalar(&mut self, text: Cow<'a, str>, plain: bool, tag: Option<&str>, span: Span) {
        // To go-yaml some tags make a merge of even a quoted `<<`.
        let result = match tag {
            Some(_) if text == "<<" => Err(YamlError::at(span, "`<<` cannot have a tag; leave it out")),
            Some(tag) => scalar_tag(tag, span).map(Some),
            None => Ok(None),
        };
        match result {
            Ok(tag) => self.push(TokenKind::Scalar { text, plain, tag }, span),
            Err(fault) => self.refuse(fault),
        }
    }

    /// Adds the end of a block. Unlike a bracket, it has no text of its own.
    pub(super) fn end_block(&mut self, here: Span) {
        self.tokens.push(Token { kind: TokenKind::End, span: Span { end: self.end, ..here } });
    }

    /// Notes what is refused, while the rest is still taken apart.
    pub(super) fn refuse(&mut self, fault: YamlError) {
        self.fault.get_or_insert(fault);
    }
}

fn scalar_tag(tag: &str, place: Span) -> Result<Tag, YamlError> {
    let core = tag.strip_prefix("tag:yaml.org,2002:");
    Tag::parse(core).ok_or_else(|| {
        let name = core.unwrap_or_default();
        YamlError::at(place, format!("the tag `!!{name}` has no use in a manifest; write the plain text"))
    })
}
