//! Builds the tree from the parser's events, with scalars, aliases, merge keys and duplicates resolved.
//!
//! The events of a document are kept until it ends. An alias reads those of its anchor again,
//! which is what go-yaml does with its nodes, and each such reading is paid for from a budget.

use smallvec::SmallVec;

use crate::yaml::error::{MAX_DEPTH, TOO_DEEP, YamlError, shown};
use crate::yaml::grammar::Grammar;
use crate::yaml::lexeme::Notation;
use crate::yaml::node::{Document, Entry, Node, ReadDocument, Span, Value};
use crate::yaml::outline::{Outline, Stated, Token, TokenKind};
use crate::yaml::part::Part;
use crate::yaml::scalar::{self, Tag};
use crate::yaml::sound;

/// How much aliases may copy in one text. The API server takes requests up to 3 MiB, in which
/// there is no room for more nodes or text than this.
#[derive(Debug)]
pub(super) struct Budget {
    nodes: usize,
    bytes: usize,
}

impl Default for Budget {
    fn default() -> Self {
        Self { nodes: 100_000, bytes: 3 << 20 }
    }
}

/// Reads the parts of one text.
pub(super) struct PartReader<'r> {
    pub(super) budget: Budget,
    /// Whether the tree of a document is wanted that says what it is.
    pub(super) is_wanted: &'r dyn Fn(&Stated<'_>) -> bool,
    /// What is given each document.
    pub(super) each: &'r mut dyn FnMut(Result<ReadDocument<'_>, YamlError>),
}

impl PartReader<'_> {
    /// Reads the documents of a part up to the first text that cannot be parsed.
    pub(super) fn read(&mut self, part: &Part<'_>, notation: Notation) {
        let mut grammar = Grammar::new(part, notation);
        loop {
            match grammar.document() {
                Ok(Some(outline)) => {
                    self.document(&outline, part, notation);
                    grammar.reuse(outline);
                }
                Ok(None) => return,
                Err(error) => {
                    let place = part.span(error.mark, error.mark);
                    return (self.each)(Err(part.malformed(place, &error.message)));
                }
            }
        }
    }

    /// The document, unless there is nothing in it.
    fn document(&mut self, outline: &Outline<'_>, part: &Part<'_>, notation: Notation) {
        if let Some(fault) = &outline.fault {
            return (self.each)(Err(fault.clone()));
        }
        if outline.is_empty() {
            return;
        }
        if let Some(stated) = outline.stated().filter(|stated| !(self.is_wanted)(stated))
            && sound::is_sound(&outline.tokens, notation)
        {
            return (self.each)(Ok(ReadDocument::Unwanted {
                api_version: stated.api_version,
                kind: stated.kind,
            }));
        }
        let (next, open, copied) = (0, Vec::new(), None);
        let mut builder = Builder { outline, part, notation, budget: &mut self.budget, next, open, copied };
        let document =
            builder.node().map(|root| ReadDocument::Document(Document { line: root.span.line, root }));
        (self.each)(document);
    }
}

/// Builds the tree by walking over the tokens, once for the text and again for each alias.
struct Builder<'b, 't> {
    outline: &'b Outline<'t>,
    part: &'b Part<'b>,
    notation: Notation,
    budget: &'b mut Budget,
    next: usize,
    /// The tokens that started the lists and mappings around `next`.
    open: Vec<usize>,
    /// The outermost alias that is being expanded.
    copied: Option<Span>,
}

impl Builder<'_, '_> {
    fn node(&mut self) -> Result<Node, YamlError> {
        let index = self.next;
        let outline = self.outline;
        let Some(token) = outline.tokens.get(index) else {
            return Err(self.part.start.fault("the document ends too early"));
        };
        self.next += 1;
        self.pay(token)?;
        let mut span = token.span;
        let value = match &token.kind {
            TokenKind::Scalar { text, plain, tag } => self.scalar(text, *plain, *tag, span)?,
            TokenKind::Sequence => self.nested(index, &mut span, Self::sequence)?,
            TokenKind::Mapping => self.nested(index, &mut span, Self::mapping)?,
            TokenKind::Alias(target) => return self.alias(*target, span),
            TokenKind::End => return Err(YamlError::at(span, "a list or mapping ends too early")),
        };
        Ok(Node { value, span, alias: None })
    }

    fn pay(&mut self, token: &Token<'_>) -> Result<(), YamlError> {
        let Some(alias) = self.copied else {
            return Ok(());
        };
        let bytes = if let TokenKind::Scalar { text, .. } = &token.kind { text.len() } else { 0 };
        let Budget { nodes, bytes: left } = &mut *self.budget;
        let (Some(fewer), Some(less)) = (nodes.checked_sub(1), left.checked_sub(bytes)) else {
            let message = "aliases copy more than a manifest can hold; write fewer of them";
            return Err(YamlError::at(alias, message));
        };
        (*nodes, *left) = (fewer, less);
        Ok(())
    }

    fn scalar(&self, text: &str, plain: bool, tag: Option<Tag>, span: Span) -> Result<Value, YamlError> {
        let value = match tag {
            Some(tag) => scalar::resolve_tagged(tag, text).ok_or_else(|| {
                YamlError::at(span, format!("`{}` is not of the type its tag says", shown(text)))
            })?,
            None if plain => scalar::resolve(text),
            None => Value::String(text.to_owned()),
        };
        if matches!(value, Value::Float(float) if !float.is_finite()) {
            let message = format!("`{}` has no form in JSON; write a finite number or quote it", shown(text));
            return Err(YamlError::at(span, message));
        }
        // No word of JSON is text without quotes, so this is a number that go-yaml could not hold.
        if plain && self.notation == Notation::Json && matches!(value, Value::String(_)) {
            return Err(YamlError::at(span, format!("`{}` is out of the range of numbers", shown(text))));
        }
        Ok(value)
    }

    /// Reads a list or mapping and moves the end of its span to where it ends.
    fn nested(
        &mut self,
        index: usize,
        span: &mut Span,
        read: fn(&mut Self) -> Result<Value, YamlError>,
    ) -> Result<Value, YamlError> {
        if self.open.len() >= MAX_DEPTH {
            return Err(YamlError::at(*span, TOO_DEEP));
        }
        self.open.push(index);
        let value = read(self)?;
        self.open.pop();
        let closed = self.outline.tokens.get(self.next.saturating_sub(1));
        span.end = closed.map_or(span.end, |token| token.span.end.max(span.end));
        Ok(value)
    }

    fn sequence(&mut self) -> Result<Value, YamlError> {
        let mut items = Vec::new();
        while !self.closes() {
            items.push(self.node()?);
        }
        Ok(Value::Sequence(items))
    }

    fn mapping(&mut self) -> Result<Value, YamlError> {
        let mut writes = Vec::new();
        while !self.closes() {
            if self.merges() {
                self.merge(&mut writes)?;
                continue;
            }
            let (key, key_span) = self.key()?;
            let value = self.node()?;
            writes.push(Write {
                order: writes.len(),
                place: Some(key_span),
                entry: Entry { key, key_span, value },
            });
        }
        settle(writes).map(Value::Mapping)
    }

    /// Takes the end of a list or mapping, if that comes next.
    fn closes(&mut self) -> bool {
        let closes = matches!(self.peek(), Some(TokenKind::End));
        self.next += usize::from(closes);
        closes
    }

    /// Takes the key `<<`, if that comes next. In quotes it is a key like any other.
    fn merges(&mut self) -> bool {
        let merges =
            matches!(self.peek(), Some(TokenKind::Scalar { text, plain: true, tag: None }) if text == "<<");
        self.next += usize::from(merges);
        merges
    }

    fn peek(&self) -> Option<&TokenKind<'_>> {
        self.outline.tokens.get(self.next).map(|token| &token.kind)
    }

    fn key(&mut self) -> Result<(String, Span), YamlError> {
        let key = self.node()?;
        let span = key.alias.unwrap_or(key.span);
        if matches!(key.value, Value::Sequence(_) | Value::Mapping(_)) {
            return Err(self.part.malformed(span, "a list or mapping cannot be a key"));
        }
        match scalar::key(key.value) {
            Some(key) => Ok((key, span)),
            None => Err(YamlError::at(span, "this cannot be a key; quote it to make it text")),
        }
    }

    /// Adds what `<<` brings in. Of a list of mappings the first takes precedence.
    fn merge(&mut self, writes: &mut Vec<Write>) -> Result<(), YamlError> {
        let source = self.node()?;
        let sources = match source {
            Node { value: Value::Sequence(items), alias: None, .. } => items,
            source => vec![source],
        };
        for source in sources.into_iter().rev() {
            let Value::Mapping(entries) = source.value else {
                let place = source.alias.unwrap_or(source.span);
                return Err(YamlError::at(place, "`<<` takes a mapping or a list of mappings"));
            };
            for mut entry in entries {
                entry.value.alias = entry.value.alias.or(source.alias);
                writes.push(Write { order: writes.len(), place: None, entry });
            }
        }
        Ok(())
    }

    fn alias(&mut self, target: usize, span: Span) -> Result<Node, YamlError> {
        if self.open.contains(&target) {
            return Err(YamlError::at(span, "this alias stands inside its own anchor"));
        }
        let (next, copied) = (self.next, self.copied);
        self.next = target;
        self.copied = copied.or(Some(span));
        let node = self.node()?;
        self.next = next;
        self.copied = copied;
        Ok(Node { alias: Some(span), ..node })
    }
}

/// An entry that a mapping is given, by hand or by a merge.
struct Write {
    order: usize,
    /// Where the key is written in the mapping itself; a merge has no such place.
    place: Option<Span>,
    entry: Entry,
}

/// The entries that remain. As in go-yaml a later one replaces an earlier one, also a merged one
/// that was written out; but a key written out twice is refused.
fn settle(mut writes: Vec<Write>) -> Result<Vec<Entry>, YamlError> {
    let hashes = writes.iter().map(|write| sound::hash(&write.entry.key));
    if sound::are_distinct(&mut hashes.collect::<SmallVec<[u64; 32]>>()) {
        return Ok(writes.into_iter().map(|write| write.entry).collect());
    }
    // The sort is stable, so what is written to one key stays in order.
    writes.sort_by(|one, other| one.entry.key.cmp(&other.entry.key));
    let mut kept: Vec<Write> = Vec::with_capacity(writes.len());
    for mut write in writes {
        if let Some(earlier) = kept.pop_if(|earlier| earlier.entry.key == write.entry.key) {
            if let (Some(first), Some(second)) = (earlier.place, write.place) {
                let Entry { key, .. } = &write.entry;
                let lines = format!("on line {} and on line {}", first.line, second.line);
                return Err(YamlError::at(second, format!("the key `{}` is set twice, {lines}", shown(key))));
            }
            write.place = write.place.or(earlier.place);
        }
        kept.push(write);
    }
    kept.sort_by_key(|write| write.order);
    Ok(kept.into_iter().map(|write| write.entry).collect())
}
