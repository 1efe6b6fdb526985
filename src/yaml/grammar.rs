//! Puts lexemes together to documents as go-yaml v2.4.4 does (`parserc.go`).

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "a grammar says which lexemes it takes; every other one, of today or later, does not fit"
)]

use std::borrow::Cow;
use std::collections::HashMap;
use std::mem;

use crate::yaml::cursor::Mark;
use crate::yaml::error::{MAX_DEPTH, TOO_DEEP, YamlError, shown};
use crate::yaml::lexeme::{Lexeme, LexemeKind as Kind, Notation, SyntaxError};
use crate::yaml::node::Span;
use crate::yaml::outline::{Outline, TokenKind};
use crate::yaml::part::Part;
use crate::yaml::scanner::Scanner;

pub(super) type Result<T> = std::result::Result<T, SyntaxError>;

/// The handles that every document knows.
const DEFAULT_HANDLES: [(&str, &str); 2] = [("!", "!"), ("!!", "tag:yaml.org,2002:")];

/// Where a value stands, which decides what may be one.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Position {
    /// The document, or an item of a block list.
    Block,
    /// In a block mapping, where a list needs no deeper indentation.
    BlockMapping,
    /// Within brackets.
    Flow,
}

/// Reads the documents of a part one by one.
pub(super) struct Grammar<'t> {
    pub(super) scanner: Scanner<'t>,
    part: &'t Part<'t>,
    pub(super) outline: Outline<'t>,
    /// The token that each anchor marks.
    anchors: HashMap<&'t str, usize>,
    /// The handles of `%TAG`.
    handles: Vec<(&'t str, &'t str)>,
    depth: usize,
    /// Whether a document may begin without `---`.
    may_begin: bool,
}

/// What stands before a value.
#[derive(Default)]
struct Properties<'t> {
    anchor: Option<&'t str>,
    tag: Option<Cow<'t, str>>,
    /// Where they end; `None` where there are none.
    end: Option<Mark>,
}

impl<'t> Grammar<'t> {
    pub(super) fn new(part: &'t Part<'t>, notation: Notation) -> Self {
        Self {
            scanner: Scanner::new(part.text, notation),
            part,
            outline: Outline::default(),
            anchors: HashMap::new(),
            handles: Vec::new(),
            depth: 0,
            may_begin: true,
        }
    }

    /// The next document; `None` at the end of the part.
    pub(super) fn document(&mut self) -> Result<Option<Outline<'t>>> {
        while matches!(self.peek()?, Kind::DocumentEnd) {
            self.scanner.take()?;
            self.may_begin = true;
        }
        if matches!(self.peek()?, Kind::StreamEnd) {
            return Ok(None);
        }
        self.anchors.clear();
        let has_directives = self.directives()?;
        let next = self.scanner.peek()?;
        if matches!(next.kind, Kind::DocumentStart) {
            self.scanner.take()?;
        } else if has_directives || !self.may_begin {
            let message = "the document has ended before this, which kubectl ignores; indent it as the lines above, or \
                           begin another document with `---`";
            return Err(SyntaxError::at(next.start, message));
        }
        self.may_begin = false;
        let start = self.scanner.peek()?.start;
        match self.peek()? {
            Kind::VersionDirective
            | Kind::TagDirective { .. }
            | Kind::DocumentStart
            | Kind::DocumentEnd
            | Kind::StreamEnd => self.empty(start),
            _ => self.node(Position::Block)?,
        }
        Ok(Some(mem::take(&mut self.outline)))
    }

    /// Takes back an outline, for its room.
    pub(super) fn reuse(&mut self, mut outline: Outline<'t>) {
        outline.clear();
        self.outline = outline;
    }

    /// Reads the directives before a document, and returns whether there are any.
    fn directives(&mut self) -> Result<bool> {
        self.handles.clear();
        let mut has_any = false;
        loop {
            match *self.peek()? {
                Kind::VersionDirective => {}
                Kind::TagDirective { handle, prefix } => self.handles.push((handle, prefix)),
                _ => break,
            }
            self.scanner.take()?;
            has_any = true;
        }
        self.handles.extend(DEFAULT_HANDLES);
        Ok(has_any)
    }

    pub(super) fn peek(&mut self) -> Result<&Kind<'t>> {
        self.scanner.peek().map(|lexeme| &lexeme.kind)
    }

    pub(super) fn span(&self, from: Mark, to: Mark) -> Span {
        let mut span = self.part.span(from, to);
        let text = self.part.text.get(from.byte..to.byte).unwrap_or_default();
        span.end = span.start + text.trim_end().len();
        span
    }

    /// Adds what stands where nothing is written.
    pub(super) fn empty(&mut self, mark: Mark) {
        let span = self.part.span(mark, mark);
        self.outline.push_scalar(Cow::Borrowed(""), true, None, span);
    }

    pub(super) fn node(&mut self, position: Position) -> Result<()> {
        let properties = self.properties()?;
        if let Some(anchor) = properties.anchor {
            self.anchors.insert(anchor, self.outline.tokens.len());
        }
        let next = self.scanner.peek()?;
        let (start, end) = (next.start, next.end);
        let is_block = position != Position::Flow;
        match next.kind {
            Kind::Alias(name) if properties.end.is_none() => self.alias(name),
            Kind::Scalar { .. } => self.scalar(&properties),
            Kind::FlowSequenceStart => self.nested(TokenKind::Sequence, (start, end), Self::flow_sequence),
            Kind::FlowMappingStart => self.nested(TokenKind::Mapping, (start, end), Self::flow_mapping),
            Kind::BlockSequenceStart if is_block => {
                self.nested(TokenKind::Sequence, (start, end), Self::block_sequence)
            }
            Kind::BlockMappingStart if is_block => {
                self.nested(TokenKind::Mapping, (start, end), Self::block_mapping)
            }
            Kind::BlockEntry if position == Position::BlockMapping => {
                self.nested(TokenKind::Sequence, (start, start), Self::indentless_sequence)
            }
            _ => match properties.end {
                Some(end) => {
                    let span = self.part.span(end, end);
                    let tag = properties.tag.as_deref();
                    self.outline.push_scalar(Cow::Borrowed(""), true, tag, span);
                    Ok(())
                }
                None => Err(self.scanner.unexpected("a value is expected here; quote it if it is text")?),
            },
        }
    }

    /// An anchor and a tag, in any order.
    fn properties(&mut self) -> Result<Properties<'t>> {
        let mut properties = Properties::default();
        loop {
            let next = self.scanner.peek()?;
            let (start, end) = (next.start, next.end);
            match next.kind {
                Kind::Anchor(name) if properties.anchor.is_none() => properties.anchor = Some(name),
                Kind::Tag { handle, suffix } if properties.tag.is_none() => {
                    properties.tag = Some(self.tag(handle, suffix, start)?);
                }
                _ => return Ok(properties),
            }
            properties.end = Some(end);
            self.scanner.take()?;
        }
    }

    fn tag(&self, handle: &'t str, suffix: &'t str, mark: Mark) -> Result<Cow<'t, str>> {
        if handle.is_empty() {
            return Ok(Cow::Borrowed(suffix));
        }
        let known = self.handles.iter().find(|(known, _)| *known == handle);
        let Some((_, prefix)) = known else {
            return Err(SyntaxError::at(
                mark,
                format!("nothing says what the tag's `{}` means; leave it out", shown(handle)),
            ));
        };
        Ok(Cow::Owned(format!("{prefix}{suffix}")))
    }

    fn alias(&mut self, name: &str) -> Result<()> {
        let Lexeme { start, end, .. } = self.scanner.take()?;
        let span = self.span(start, end);
        match self.anchors.get(name) {
            Some(target) => self.outline.push(TokenKind::Alias(*target), span),
            None => {
                let fault = YamlError::at(span, "there is no such anchor before this alias");
                self.outline.refuse(fault);
                self.outline.push_scalar(Cow::Borrowed(""), true, None, span);
            }
        }
        Ok(())
    }

    fn scalar(&mut self, properties: &Properties<'t>) -> Result<()> {
        let Lexeme { start, end, kind } = self.scanner.take()?;
        if let Kind::Scalar { text, is_plain } = kind {
            let span = self.span(start, end);
            self.outline.push_scalar(text, is_plain, properties.tag.as_deref(), span);
        }
        Ok(())
    }

    /// A list or mapping, one level deeper.
    pub(super) fn nested(
        &mut self,
        kind: TokenKind<'t>,
        (start, end): (Mark, Mark),
        read: fn(&mut Self) -> Result<()>,
    ) -> Result<()> {
        if self.depth >= MAX_DEPTH {
            return Err(SyntaxError::at(start, TOO_DEEP));
        }
        self.depth += 1;
        let span = self.span(start, end);
        self.outline.push(kind, span);
        read(self)?;
        self.depth -= 1;
        Ok(())
    }

    /// Takes the end of a list or mapping and adds it.
    pub(super) fn close(&mut self) -> Result<()> {
        let Lexeme { start, end, kind } = self.scanner.take()?;
        let span = self.span(start, end);
        match kind {
            Kind::FlowSequenceEnd | Kind::FlowMappingEnd => self.outline.push(TokenKind::End, span),
            _ => self.outline.end_block(span),
        }
        Ok(())
    }

    fn block_sequence(&mut self) -> Result<()> {
        self.scanner.take()?;
        loop {
            match self.peek()? {
                Kind::BlockEntry => self.block_item(false)?,
                Kind::BlockEnd => return self.close(),
                _ => {
                    return Err(self
                        .scanner
                        .unexpected("a `-` is expected here, as before the other items of the list")?);
                }
            }
        }
    }

    fn indentless_sequence(&mut self) -> Result<()> {
        while matches!(self.peek()?, Kind::BlockEntry) {
            self.block_item(true)?;
        }
        let here = self.scanner.peek()?.start;
        let span = self.span(here, here);
        self.outline.end_block(span);
        Ok(())
    }

    /// A `-` and what it stands before, perhaps nothing.
    fn block_item(&mut self, is_indentless: bool) -> Result<()> {
        let mark = self.scanner.take()?.end;
        match self.peek()? {
            Kind::BlockEntry | Kind::BlockEnd => self.empty(mark),
            Kind::Key | Kind::Value if is_indentless => self.empty(mark),
            _ => self.node(Position::Block)?,
        }
        Ok(())
    }

    fn block_mapping(&mut self) -> Result<()> {
        self.scanner.take()?;
        loop {
            match self.peek()? {
                Kind::Key => self.block_half()?,
                // A value without a key has the key null.
                Kind::BlockEnd => return self.close(),
                _ => {
                    return Err(self
                        .scanner
                        .unexpected("a key is expected here, at the column of the other keys")?);
                }
            }
            if matches!(self.peek()?, Kind::Value) {
                self.block_half()?;
            } else {
                let mark = self.scanner.peek()?.start;
                self.empty(mark);
            }
        }
    }

    /// A `?` or `:` of a block mapping and what it stands before, perhaps nothing.
    fn block_half(&mut self) -> Result<()> {
        let mark = self.scanner.take()?.end;
        match self.peek()? {
            Kind::Key | Kind::Value | Kind::BlockEnd => self.empty(mark),
            _ => self.node(Position::BlockMapping)?,
        }
        Ok(())
    }
}
