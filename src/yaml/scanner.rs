//! Cuts a text into lexemes as go-yaml v2.4.4 does (`scannerc.go`), so that what kubectl reads is read here.
//!
//! It is a scanner of our own because the parsers that there are keep to YAML 1.2: kubectl takes quoted text
//! whose further lines stand at any column, and they do not.
//!
//! A key without `?` is seen to be one only at its `:`. So lexemes wait in a queue while the first of them may
//! still turn out to begin a key, for at most a line and 1024 characters.

use std::collections::VecDeque;

use crate::yaml::cursor::{Cursor, Mark};
use crate::yaml::error::{MAX_DEPTH, TOO_DEEP};
use crate::yaml::lexeme::{Lexeme, LexemeKind, Notation, SyntaxError};
use crate::yaml::{block_scalar, plain_scalar, property, quoted_scalar};

/// How long a key without `?` may be, in characters.
const LONGEST_KEY: usize = 1024;

/// What may turn out to begin a key.
#[derive(Clone, Copy, Debug)]
struct PossibleKey {
    /// The place of its first lexeme among all.
    lexeme: usize,
    mark: Mark,
    /// Whether nothing but a key can stand there.
    is_required: bool,
}

/// A text on its way to lexemes.
#[derive(Debug)]
pub(super) struct Scanner<'t> {
    cursor: Cursor<'t>,
    notation: Notation,
    queue: VecDeque<Lexeme<'t>>,
    /// How many lexemes were taken from the queue.
    taken: usize,
    /// The column of the innermost block; `None` outside of all.
    indent: Option<usize>,
    /// Those of the blocks around it.
    indents: Vec<Option<usize>>,
    /// Whether a key may begin here.
    allows_key: bool,
    /// The possible key of the block, and of each open bracket.
    keys: Vec<Option<PossibleKey>>,
    /// Where each open bracket stands.
    brackets: Vec<Mark>,
}

impl<'t> Scanner<'t> {
    pub(super) fn new(text: &'t str, notation: Notation) -> Self {
        Self {
            cursor: Cursor::new(text),
            notation,
            queue: VecDeque::new(),
            taken: 0,
            indent: None,
            indents: Vec::new(),
            allows_key: true,
            keys: vec![None],
            brackets: Vec::new(),
        }
    }

    /// The next lexeme. At the end of the text it is the end of the stream, time and again.
    pub(super) fn peek(&mut self) -> Result<&Lexeme<'t>, SyntaxError> {
        while self.needs_more()? {
            self.fetch()?;
        }
        let mark = self.cursor.mark();
        self.queue.front().ok_or_else(|| SyntaxError::at(mark, "the document ends too early"))
    }

    /// Takes the next lexeme.
    pub(super) fn take(&mut self) -> Result<Lexeme<'t>, SyntaxError> {
        let mark = self.peek()?.start;
        self.taken += 1;
        self.queue.pop_front().ok_or_else(|| SyntaxError::at(mark, "the document ends too early"))
    }

    /// What is to be said of a lexeme that does not fit, at its place.
    pub(super) fn unexpected(&mut self, message: &str) -> Result<SyntaxError, SyntaxError> {
        let next = self.peek()?;
        let (mark, is_end) = (next.start, matches!(next.kind, LexemeKind::StreamEnd));
        let unclosed = self.brackets.last().filter(|_| is_end);
        Ok(unclosed.map_or(SyntaxError::at(mark, message), |bracket| {
            let text = self.cursor.before().get(bracket.byte..).and_then(|text| text.chars().next());
            SyntaxError::at(*bracket, format!("unclosed bracket '{}'", text.unwrap_or_default()))
        }))
    }

    fn needs_more(&mut self) -> Result<bool, SyntaxError> {
        if self.queue.is_empty() {
            return Ok(true);
        }
        let taken = self.taken;
        let level = self.keys.iter().position(|key| key.is_some_and(|key| key.lexeme == taken));
        level.map_or(Ok(false), |level| self.is_key_valid(level))
    }

    fn is_in_flow(&self) -> bool {
        !self.brackets.is_empty()
    }

    /// Cuts off the next lexeme. It may close blocks before it.
    fn fetch(&mut self) -> Result<(), SyntaxError> {
        self.skip_to_lexeme();
        let mark = self.cursor.mark();
        self.unroll(Some(mark.column));
        let Some(byte) = self.cursor.byte(0) else {
            return self.end();
        };
        if byte == b'%' && mark.column == 0 {
            return self.directive();
        }
        if let Some(indicator) = self.cursor.document_indicator() {
            return self.document_indicator(indicator);
        }
        let is_alone = self.cursor.is_space_or_end(1);
        match byte {
            b'[' => self.open(LexemeKind::FlowSequenceStart),
            b'{' => self.open(LexemeKind::FlowMappingStart),
            b']' => self.close(LexemeKind::FlowSequenceEnd),
            b'}' => self.close(LexemeKind::FlowMappingEnd),
            b',' => self.flow_entry(),
            b'-' if is_alone => self.block_entry(),
            b'?' | b':' if is_alone || self.is_in_flow() => self.indicator(byte, is_alone),
            b'*' | b'&' | b'!' => self.property(byte),
            b'|' | b'>' if !self.is_in_flow() => self.block_scalar(),
            b'\'' | b'"' => self.quoted_scalar(),
            _ if self.starts_plain(byte, is_alone) => self.plain_scalar(),
            b'\t' => Err(SyntaxError::at(mark, "a tab cannot indent; use spaces")),
            _ => {
                let character = self.cursor.rest().chars().next().unwrap_or_default();
                Err(SyntaxError::at(mark, format!("no text can start with {character:?}; put it in quotes")))
            }
        }
    }

    /// Tabs are space within brackets, and in a block where no key may begin.
    fn skip_to_lexeme(&mut self) {
        loop {
            if self.is_in_flow() || !self.allows_key {
                self.cursor.skip_blanks();
            } else {
                self.cursor.skip_spaces();
            }
            self.cursor.skip_comment();
            if !self.cursor.skip_line_end() {
                return;
            }
            if !self.is_in_flow() {
                self.allows_key = true;
            }
        }
    }

    fn starts_plain(&self, byte: u8, is_alone: bool) -> bool {
        match byte {
            b' ' | b'\t' => false,
            b'-' => !is_alone,
            b'?' | b':' => !self.is_in_flow() && !is_alone,
            _ => !b",[]{}#&*!|>'\"%@`".contains(&byte),
        }
    }

    /// Adds a lexeme that ends here.
    fn push(&mut self, start: Mark, kind: LexemeKind<'t>) {
        self.queue.push_back(Lexeme { kind, start, end: self.cursor.mark() });
    }

    /// Adds a lexeme of one character or more.
    fn push_indicator(&mut self, width: usize, kind: LexemeKind<'t>) {
        let start = self.cursor.mark();
        self.cursor.skip_many(width);
        self.push(start, kind);
    }

    fn end(&mut self) -> Result<(), SyntaxError> {
        self.unroll(None);
        self.remove_key()?;
        self.allows_key = false;
        self.push(self.cursor.mark(), LexemeKind::StreamEnd);
        Ok(())
    }

    fn directive(&mut self) -> Result<(), SyntaxError> {
        self.unroll(None);
        self.remove_key()?;
        self.allows_key = false;
        let start = self.cursor.mark();
        let kind = property::read_directive(&mut self.cursor)?;
        self.push(start, kind);
        Ok(())
    }

    fn document_indicator(&mut self, indicator: u8) -> Result<(), SyntaxError> {
        self.unroll(None);
        self.remove_key()?;
        self.allows_key = false;
        let is_start = indicator == b'-';
        self.push_indicator(3, if is_start { LexemeKind::DocumentStart } else { LexemeKind::DocumentEnd });
        Ok(())
    }

    fn open(&mut self, kind: LexemeKind<'t>) -> Result<(), SyntaxError> {
        if self.notation == Notation::Yaml {
            self.save_key()?;
        } else {
            self.remove_key()?;
        }
        if self.brackets.len() > MAX_DEPTH {
            return Err(SyntaxError::at(self.cursor.mark(), TOO_DEEP));
        }
        self.brackets.push(self.cursor.mark());
        self.keys.push(None);
        self.allows_key = true;
        self.push_indicator(1, kind);
        Ok(())
    }

    fn close(&mut self, kind: LexemeKind<'t>) -> Result<(), SyntaxError> {
        self.remove_key()?;
        if self.brackets.pop().is_some() {
            self.keys.pop();
        }
        self.allows_key = false;
        self.push_indicator(1, kind);
        Ok(())
    }

    fn flow_entry(&mut self) -> Result<(), SyntaxError> {
        self.remove_key()?;
        self.allows_key = true;
        self.push_indicator(1, LexemeKind::FlowEntry);
        Ok(())
    }

    fn block_entry(&mut self) -> Result<(), SyntaxError> {
        let mark = self.cursor.mark();
        if !self.is_in_flow() {
            self.must_allow_key("a list cannot begin here; put its `-` on a line of its own")?;
            self.roll(mark, None, LexemeKind::BlockSequenceStart);
        }
        self.remove_key()?;
        self.allows_key = true;
        self.push_indicator(1, LexemeKind::BlockEntry);
        Ok(())
    }

    fn indicator(&mut self, byte: u8, is_alone: bool) -> Result<(), SyntaxError> {
        // Behind quotes and brackets a colon needs no space in either version of YAML.
        let follows_json = || self.cursor.before().trim_end().ends_with(['"', '\'', ']', '}']);
        if !(is_alone || byte == b':' && follows_json()) {
            return Err(plain_scalar::ambiguous(&self.cursor));
        }
        if byte == b'?' { self.key() } else { self.value() }
    }

    fn key(&mut self) -> Result<(), SyntaxError> {
        let mark = self.cursor.mark();
        if !self.is_in_flow() {
            self.must_allow_key("a key cannot begin here; put it on a line of its own")?;
            self.roll(mark, None, LexemeKind::BlockMappingStart);
        }
        self.remove_key()?;
        self.allows_key = !self.is_in_flow();
        self.push_indicator(1, LexemeKind::Key);
        Ok(())
    }

    fn value(&mut self) -> Result<(), SyntaxError> {
        let level = self.keys.len().saturating_sub(1);
        let is_key = self.is_key_valid(level)?;
        if let Some(key) = self.keys.last_mut().and_then(Option::take).filter(|_| is_key) {
            let place = key.lexeme - self.taken;
            self.queue.insert(place, Lexeme { kind: LexemeKind::Key, start: key.mark, end: key.mark });
            self.roll(key.mark, Some(place), LexemeKind::BlockMappingStart);
            self.allows_key = false;
        } else {
            let mark = self.cursor.mark();
            if !self.is_in_flow() {
                self.must_allow_key(
                    "a key and its value cannot begin here; put them on a line of their own",
                )?;
                self.roll(mark, None, LexemeKind::BlockMappingStart);
            }
            self.allows_key = !self.is_in_flow();
        }
        self.push_indicator(1, LexemeKind::Value);
        Ok(())
    }

    fn property(&mut self, byte: u8) -> Result<(), SyntaxError> {
        self.save_key()?;
        self.allows_key = false;
        let start = self.cursor.mark();
        let kind = match byte {
            b'*' => LexemeKind::Alias(property::read_name(&mut self.cursor)?),
            b'&' => LexemeKind::Anchor(property::read_name(&mut self.cursor)?),
            _ => property::read_tag(&mut self.cursor)?,
        };
        self.push(start, kind);
        Ok(())
    }

    fn block_scalar(&mut self) -> Result<(), SyntaxError> {
        self.remove_key()?;
        self.allows_key = true;
        let scalar = block_scalar::read(&mut self.cursor, self.indent)?;
        self.push(scalar.start, LexemeKind::Scalar { text: scalar.text.into(), is_plain: false });
        Ok(())
    }

    fn quoted_scalar(&mut self) -> Result<(), SyntaxError> {
        self.save_key()?;
        self.allows_key = false;
        let start = self.cursor.mark();
        let text = quoted_scalar::read(&mut self.cursor, self.notation)?;
        self.push(start, LexemeKind::Scalar { text, is_plain: false });
        Ok(())
    }

    fn plain_scalar(&mut self) -> Result<(), SyntaxError> {
        self.save_key()?;
        let start = self.cursor.mark();
        let indent = self.indent.map_or(0, |indent| indent + 1);
        let is_in_flow = self.is_in_flow();
        let scalar = plain_scalar::read(&mut self.cursor, indent, is_in_flow)?;
        self.allows_key = scalar.ends_line;
        let kind = LexemeKind::Scalar { text: scalar.text, is_plain: true };
        self.queue.push_back(Lexeme { kind, start, end: scalar.end });
        Ok(())
    }

    fn must_allow_key(&self, message: &str) -> Result<(), SyntaxError> {
        if self.allows_key { Ok(()) } else { Err(SyntaxError::at(self.cursor.mark(), message)) }
    }

    /// Whether what may begin a key of a level still may.
    fn is_key_valid(&mut self, level: usize) -> Result<bool, SyntaxError> {
        let here = self.cursor.mark();
        let Some(slot) = self.keys.get_mut(level) else { return Ok(false) };
        let Some(key) = *slot else { return Ok(false) };
        let is_past = key.mark.line < here.line || key.mark.column + LONGEST_KEY < here.column;
        if self.notation == Notation::Json || !is_past {
            return Ok(true);
        }
        *slot = None;
        if key.is_required { Err(no_colon(key)) } else { Ok(false) }
    }

    /// Notes that a key may begin here.
    fn save_key(&mut self) -> Result<(), SyntaxError> {
        if !self.allows_key {
            return Ok(());
        }
        self.remove_key()?;
        let mark = self.cursor.mark();
        let is_required = !self.is_in_flow() && self.indent == Some(mark.column);
        let key = PossibleKey { lexeme: self.taken + self.queue.len(), mark, is_required };
        if let Some(slot) = self.keys.last_mut() {
            *slot = Some(key);
        }
        Ok(())
    }

    fn remove_key(&mut self) -> Result<(), SyntaxError> {
        match self.keys.last_mut().and_then(Option::take) {
            Some(key) if key.is_required => Err(no_colon(key)),
            _ => Ok(()),
        }
    }

    /// Opens a block, if this is deeper than the one around it: before a place of the queue, or at its end.
    fn roll(&mut self, mark: Mark, place: Option<usize>, kind: LexemeKind<'t>) {
        if self.is_in_flow() || self.indent.is_some_and(|indent| indent >= mark.column) {
            return;
        }
        self.indents.push(self.indent);
        self.indent = Some(mark.column);
        let place = place.unwrap_or(self.queue.len());
        self.queue.insert(place, Lexeme { kind, start: mark, end: mark });
    }

    /// Closes the blocks that are deeper than a column.
    fn unroll(&mut self, column: Option<usize>) {
        if self.is_in_flow() {
            return;
        }
        while self.indent > column {
            self.push(self.cursor.mark(), LexemeKind::BlockEnd);
            self.indent = self.indents.pop().flatten();
        }
    }
}

fn no_colon(key: PossibleKey) -> SyntaxError {
    SyntaxError::at(key.mark, "this should be a key, but no `:` follows it")
}
