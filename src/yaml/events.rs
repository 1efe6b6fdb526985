//! The parser's events as far as the tree needs them, refused where go-yaml would see others.

use std::borrow::Cow;
use std::collections::HashMap;

use granit_parser::{Event, ScalarStyle, StructureStyle};

use crate::yaml::error::YamlError;
use crate::yaml::node::Span;
use crate::yaml::part::Part;
use crate::yaml::scalar::Tag;

/// An event that matters for the tree.
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
    /// With the anchor it stands for.
    Alias(usize),
}

/// The events of one document.
#[derive(Default)]
pub(super) struct Outline<'a> {
    pub(super) tokens: Vec<Token<'a>>,
    /// The token that each anchor marks.
    pub(super) anchors: HashMap<usize, usize>,
    /// The first thing in it that is refused.
    pub(super) fault: Option<YamlError>,
    /// Where the last text of the document ended.
    end: usize,
    /// How many brackets and braces are open.
    flow: usize,
}

impl<'a> Outline<'a> {
    /// Takes the next event in.
    pub(super) fn add(&mut self, part: &Part<'_>, event: Event<'a>, span: &granit_parser::Span) {
        if let Err(fault) = self.try_add(part, event, span) {
            self.fault.get_or_insert(fault);
        }
    }

    /// Whether there is nothing between the marks of the document.
    pub(super) fn is_empty(&self) -> bool {
        let [Token { kind, span }] = self.tokens.as_slice() else { return false };
        matches!(kind, TokenKind::Scalar { plain: true, tag: None, .. }) && span.is_empty()
    }

    fn try_add(
        &mut self,
        part: &Part<'_>,
        event: Event<'a>,
        span: &granit_parser::Span,
    ) -> Result<(), YamlError> {
        let written = span.slice(part.text).unwrap_or_default();
        let mut place = part.span(&span.start, &span.end);
        place.end = place.start + written.trim_end().len();
        if event.tag().is_some() {
            check_tag(part, span, place)?;
        }
        let kind = match event {
            Event::Scalar(text, style, _, tag) => {
                self.scalar(part, span, place, (text, style, tag.as_deref()))?
            }
            // Tags of lists and mappings go-yaml does not even look at.
            Event::SequenceStart(style, _, _) => self.opened(style, TokenKind::Sequence),
            Event::MappingStart(style, _, _) => self.opened(style, TokenKind::Mapping),
            Event::SequenceEnd | Event::MappingEnd => {
                // The end of a block, unlike a bracket, has no text of its own.
                if written.trim_end().is_empty() {
                    place.end = self.end;
                } else {
                    self.flow = self.flow.saturating_sub(1);
                }
                TokenKind::End
            }
            Event::Alias(anchor) => {
                check_name(written.trim_start_matches('*'), place)?;
                TokenKind::Alias(anchor)
            }
            Event::Anchor(anchor, name) => {
                self.anchors.insert(anchor, self.tokens.len().saturating_sub(1));
                return check_name(&name, place);
            }
            Event::StreamStart
            | Event::StreamEnd
            | Event::DocumentStart(..)
            | Event::DocumentEnd
            | Event::Comment(..) => return Ok(()),
            Event::UnresolvedAlias(_) => {
                return Err(YamlError::at(place, "there is no such anchor before this alias"));
            }
            _ => return Err(YamlError::at(place, "this part of YAML is not supported")),
        };
        if !written.is_empty() {
            self.end = place.end;
        }
        self.tokens.push(Token { kind, span: place });
        Ok(())
    }

    /// A scalar: its text, its style and its tag.
    fn scalar(
        &self,
        part: &Part<'_>,
        span: &granit_parser::Span,
        place: Span,
        (text, style, tag): (Cow<'a, str>, ScalarStyle, Option<&granit_parser::Tag>),
    ) -> Result<TokenKind<'a>, YamlError> {
        // To go-yaml some tags make a merge of even a quoted `<<`.
        if tag.is_some() && text == "<<" {
            return Err(YamlError::at(place, "`<<` cannot have a tag; leave it out"));
        }
        let plain = style == ScalarStyle::Plain;
        if plain && self.flow > 0 {
            check_in_brackets(part, span, place)?;
        }
        // For a scalar that was left out the parser makes up a `~`.
        let is_left_out = span.slice(part.text).unwrap_or_default().is_empty();
        let text = if plain && is_left_out { Cow::Borrowed("") } else { text };
        Ok(TokenKind::Scalar { text, plain, tag: tag.map(|tag| scalar_tag(tag, place)).transpose()? })
    }

    fn opened(&mut self, style: StructureStyle, kind: TokenKind<'a>) -> TokenKind<'a> {
        self.flow += usize::from(style == StructureStyle::Flow);
        kind
    }
}

/// Within brackets go-yaml takes a `?`, or a `:` at the start, for an indicator even with no space
/// behind it, and a `:` for text even with a bracket or comma behind it. YAML 1.2 has it the other
/// way.
fn check_in_brackets(part: &Part<'_>, span: &granit_parser::Span, place: Span) -> Result<(), YamlError> {
    let (written, behind) = span
        .byte_range()
        .and_then(|range| part.text.get(range.start..)?.split_at_checked(range.len()))
        .unwrap_or_default();
    let indicator = written.starts_with(':') || written.contains('?');
    let colon = behind.strip_prefix(':').is_some_and(|behind| behind.starts_with([',', '[', ']', '{', '}']));
    if indicator || colon {
        return Err(YamlError::at(
            place,
            format!("`{written}` is read differently by kubectl and others; quote it"),
        ));
    }
    Ok(())
}

/// go-yaml takes more characters into a tag than YAML 1.2 does, brackets and commas among them.
fn check_tag(part: &Part<'_>, span: &granit_parser::Span, place: Span) -> Result<(), YamlError> {
    let tag = span.tag_span().and_then(|tag| part.text.get(tag.byte_range()?.start..)).unwrap_or_default();
    let tag = tag.split_whitespace().next().unwrap_or_default();
    let name = tag.strip_prefix("!<tag:yaml.org,2002:").map_or(tag, |name| name.trim_end_matches('>'));
    if name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.:/!".contains(&byte)) {
        return Ok(());
    }
    Err(YamlError::at(
        place,
        format!("the tag `{tag}` is read differently by kubectl and others; leave it out"),
    ))
}

fn scalar_tag(tag: &granit_parser::Tag, place: Span) -> Result<Tag, YamlError> {
    let core = tag.suffix_in_namespace("tag:yaml.org,2002:");
    Tag::parse(core.as_deref()).ok_or_else(|| {
        YamlError::at(
            place,
            format!("the tag `{}` has no use in a manifest; write the plain text", tag.original()),
        )
    })
}

/// go-yaml ends a name where YAML 1.2 reads on, so only names that both end alike are let in.
fn check_name(name: &str, place: Span) -> Result<(), YamlError> {
    if name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')) {
        return Ok(());
    }
    Err(YamlError::at(place, format!("the anchor name `{name}` may hold letters, digits, `-` and `_` only")))
}
