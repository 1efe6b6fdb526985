//! Lists and mappings in brackets: go-yaml v2.4.4, `parserc.go`.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "a grammar says which lexemes it takes; every other one, of today or later, does not fit"
)]

use std::mem;

use crate::yaml::grammar::{Grammar, Position, Result};
use crate::yaml::lexeme::{LexemeKind as Kind, SyntaxError};
use crate::yaml::outline::TokenKind;

impl<'t> Grammar<'t> {
    pub(super) fn flow_sequence(&mut self) -> Result<()> {
        let open = self.scanner.take()?.start;
        let mut is_first = true;
        loop {
            match self.peek()? {
                Kind::FlowSequenceEnd => return self.close(),
                Kind::FlowMappingEnd => {
                    return Err(SyntaxError::at(open, "mismatched bracket '[' closed by '}'"));
                }
                _ => {}
            }
            if !mem::take(&mut is_first) {
                self.comma("a `,` or `]` is expected here")?;
            }
            match self.peek()? {
                Kind::FlowSequenceEnd => return self.close(),
                Kind::Key => {
                    let start = self.scanner.peek()?.start;
                    self.nested(TokenKind::Mapping, (start, start), Self::flow_pair)?;
                }
                _ => self.node(Position::Flow)?,
            }
        }
    }

    /// A mapping of one key that is an item of a list: `[a: b]`.
    fn flow_pair(&mut self) -> Result<()> {
        self.flow_half(Kind::is_flow_sequence_end)?;
        self.flow_value(Kind::is_flow_sequence_end)?;
        let here = self.scanner.peek()?.start;
        let span = self.span(here, here);
        self.outline.end_block(span);
        Ok(())
    }

    pub(super) fn flow_mapping(&mut self) -> Result<()> {
        let open = self.scanner.take()?.start;
        let mut is_first = true;
        loop {
            match self.peek()? {
                Kind::FlowMappingEnd => return self.close(),
                Kind::FlowSequenceEnd => {
                    return Err(SyntaxError::at(open, "mismatched bracket '{' closed by ']'"));
                }
                _ => {}
            }
            if !mem::take(&mut is_first) {
                self.comma("a `,` or `}` is expected here")?;
            }
            match self.peek()? {
                Kind::FlowMappingEnd => return self.close(),
                Kind::Key => {
                    self.flow_half(Kind::is_flow_mapping_end)?;
                    self.flow_value(Kind::is_flow_mapping_end)?;
                }
                _ => {
                    self.node(Position::Flow)?;
                    let mark = self.scanner.peek()?.start;
                    self.empty(mark);
                }
            }
        }
    }

    fn comma(&mut self, message: &str) -> Result<()> {
        if !matches!(self.peek()?, Kind::FlowEntry) {
            return Err(self.scanner.unexpected(message)?);
        }
        self.scanner.take().map(drop)
    }

    /// The `:` of a flow mapping and the value, or nothing.
    fn flow_value(&mut self, is_end: fn(&Kind<'t>) -> bool) -> Result<()> {
        if matches!(self.peek()?, Kind::Value) {
            return self.flow_half(is_end);
        }
        let mark = self.scanner.peek()?.start;
        self.empty(mark);
        Ok(())
    }

    /// A `?` or `:` within brackets and what it stands before, perhaps nothing.
    fn flow_half(&mut self, is_end: fn(&Kind<'t>) -> bool) -> Result<()> {
        let is_key = matches!(self.scanner.take()?.kind, Kind::Key);
        let next = self.scanner.peek()?;
        let start = next.start;
        let is_absent = match &next.kind {
            Kind::FlowEntry => true,
            Kind::Value => is_key,
            kind => is_end(kind),
        };
        if is_absent {
            self.empty(start);
            return Ok(());
        }
        self.node(Position::Flow)
    }
}

impl Kind<'_> {
    fn is_flow_sequence_end(&self) -> bool {
        matches!(self, Self::FlowSequenceEnd)
    }

    fn is_flow_mapping_end(&self) -> bool {
        matches!(self, Self::FlowMappingEnd)
    }
}
