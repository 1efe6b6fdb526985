//! What stands in a document, in order: what the grammar makes of its lexemes.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "a token is one of the few that are asked for, or it is not"
)]

use std::borrow::Cow;

use crate::yaml::error::YamlError;
use crate::yaml::node::Span;
use crate::yaml::scalar::{self, Tag};

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

impl Token<'_> {
    /// The text that is plainly here, of at least one character.
    fn text(&self) -> Option<&str> {
        let TokenKind::Scalar { text, plain, tag: None } = &self.kind else { return None };
        let is_text = !*plain || scalar::is_text(text);
        (is_text && !text.is_empty()).then_some(text)
    }

    /// What is left of the tokens behind this one when its list or mapping has ended.
    fn behind<'d>(&self, mut tokens: &'d [Self]) -> Option<&'d [Self]> {
        let mut depth = usize::from(self.kind.begins());
        while depth > 0 {
            let (next, behind) = tokens.split_first()?;
            match next.kind {
                TokenKind::End => depth -= 1,
                _ => depth += usize::from(next.kind.begins()),
            }
            tokens = behind;
        }
        Some(tokens)
    }
}

impl TokenKind<'_> {
    /// Whether an [`End`](Self::End) belongs to it.
    fn begins(&self) -> bool {
        matches!(self, Self::Sequence | Self::Mapping)
    }
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

/// What a document says that it is, before its tree is built.
pub struct Stated<'d> {
    /// `apiVersion`.
    pub api_version: &'d str,
    /// `kind`.
    pub kind: &'d str,
    tokens: &'d [Token<'d>],
}

impl Stated<'_> {
    /// Whether one of these texts is a key or value anywhere in the document.
    pub fn has_text(&self, texts: &[&str]) -> bool {
        self.tokens.iter().any(|token| match &token.kind {
            TokenKind::Scalar { text, .. } => texts.contains(&text.as_ref()),
            TokenKind::Sequence | TokenKind::Mapping | TokenKind::End | TokenKind::Alias(_) => false,
        })
    }
}

impl<'a> Outline<'a> {
    /// What the document says that it is; `None` if that is not plain, or if it may be a list of objects.
    pub(super) fn stated(&self) -> Option<Stated<'_>> {
        let (Token { kind: TokenKind::Mapping, .. }, mut rest) = self.tokens.split_first()? else {
            return None;
        };
        let (mut api_version, mut kind) = (None, None);
        while let Some((key, behind)) = rest.split_first() {
            let key = match &key.kind {
                TokenKind::End => break,
                TokenKind::Scalar { text, tag: None, .. } if text != "<<" && text != "items" => text.as_ref(),
                _ => return None,
            };
            let (value, behind) = behind.split_first()?;
            match key {
                "apiVersion" => api_version = Some(value.text()?),
                "kind" => kind = Some(value.text()?),
                _ => {}
            }
            rest = value.behind(behind)?;
        }
        Some(Stated { api_version: api_version?, kind: kind?, tokens: &self.tokens })
    }

    /// Whether there is nothing between the marks of the document.
    pub(super) fn is_empty(&self) -> bool {
        let [Token { kind, span }] = self.tokens.as_slice() else { return false };
        matches!(kind, TokenKind::Scalar { plain: true, tag: None, .. }) && span.is_empty()
    }

    /// Makes it empty, and keeps its room.
    pub(super) fn clear(&mut self) {
        self.tokens.clear();
        (self.fault, self.end) = (None, 0);
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
