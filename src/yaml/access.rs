//! Going through a tree by its keys, and making small trees of parts of others.

use crate::path::{Path, Step};
use crate::yaml::node::{Entry, Node, Span, Value};

impl Value {
    /// What it is, with its article.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "a boolean",
            Self::Int(_) | Self::Float(_) => "a number",
            Self::String(_) => "a string",
            Self::Sequence(_) => "a list",
            Self::Mapping(_) => "an object",
        }
    }
}

impl Node {
    /// What a key of it is set to; `None` where it is absent or null.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Self> {
        let entry = self.entries().iter().find(|entry| entry.key == key)?;
        Some(&entry.value).filter(|value| value.value != Value::Null)
    }

    /// What the last of these keys is set to, each a key of what the one before is set to.
    #[must_use]
    pub fn get_in(&self, keys: &[&str]) -> Option<&Self> {
        keys.iter().try_fold(self, |node, key| node.get(key))
    }

    /// Whether it is an object.
    #[must_use]
    pub fn is_object(&self) -> bool {
        matches!(self.value, Value::Mapping(_))
    }

    /// Whether it is a list.
    #[must_use]
    pub fn is_list(&self) -> bool {
        matches!(self.value, Value::Sequence(_))
    }

    /// The keys and values of an object; of anything else none.
    #[must_use]
    pub fn entries(&self) -> &[Entry] {
        if let Value::Mapping(entries) = &self.value { entries } else { &[] }
    }

    /// The items of a list; of anything else none.
    #[must_use]
    pub fn items(&self) -> &[Self] {
        if let Value::Sequence(items) = &self.value { items } else { &[] }
    }

    /// The items of the list at a key of it.
    #[must_use]
    pub fn items_at(&self, key: &str) -> &[Self] {
        self.get(key).map(Self::items).unwrap_or_default()
    }

    /// Its text, if it is one and not empty.
    #[must_use]
    pub fn as_text(&self) -> Option<&str> {
        if let Value::String(text) = &self.value {
            Some(text.as_str()).filter(|text| !text.is_empty())
        } else {
            None
        }
    }

    /// The text of a key of it; empty where there is none.
    #[must_use]
    pub fn text_of(&self, key: &str) -> &str {
        self.get(key).and_then(Self::as_text).unwrap_or_default()
    }

    /// An object that stands where this span is.
    #[must_use]
    pub fn object<'k>(span: Span, entries: impl IntoIterator<Item = (&'k str, Self)>) -> Self {
        let entries = entries.into_iter().map(|(key, value)| Entry::new(key, value)).collect();
        Self { value: Value::Mapping(entries), span, alias: None }
    }

    /// A list that stands where this span is.
    #[must_use]
    pub fn list(span: Span, items: Vec<Self>) -> Self {
        Self { value: Value::Sequence(items), span, alias: None }
    }

    /// A text that stands where this span is.
    #[must_use]
    pub fn text(span: Span, text: impl Into<String>) -> Self {
        Self { value: Value::String(text.into()), span, alias: None }
    }

    /// Gives a key of an object this value. Anything else becomes an object of this key alone.
    pub fn set(&mut self, key: &str, value: Self) {
        let Value::Mapping(entries) = &mut self.value else {
            self.value = Value::Mapping(vec![Entry::new(key, value)]);
            return;
        };
        match entries.iter_mut().find(|entry| entry.key == key) {
            Some(entry) => *entry = Entry { key_span: entry.key_span, ..Entry::new(key, value) },
            None => entries.push(Entry::new(key, value)),
        }
    }

    /// Takes a key with its value out of an object.
    pub fn remove(&mut self, key: &str) -> Option<Self> {
        let Value::Mapping(entries) = &mut self.value else { return None };
        let place = entries.iter().position(|entry| entry.key == key)?;
        Some(entries.remove(place).value)
    }

    /// What a path leads to, to be changed.
    pub fn locate_mut(&mut self, path: &[Step<'_>]) -> Option<&mut Self> {
        path.iter().try_fold(self, |node, step| match (&mut node.value, step) {
            (Value::Mapping(entries), Step::Key(key)) => {
                entries.iter_mut().find(|entry| entry.key == *key).map(|entry| &mut entry.value)
            }
            (Value::Sequence(items), Step::Index(index)) => items.get_mut(*index),
            _ => None,
        })
    }

    /// The same, with all of it standing where this span is: what was written there as a text, or is elsewhere.
    #[must_use]
    pub fn moved_to(mut self, span: Span) -> Self {
        self.move_to(span);
        self
    }

    fn move_to(&mut self, span: Span) {
        self.span = span;
        self.alias = None;
        match &mut self.value {
            Value::Mapping(entries) => {
                for entry in entries {
                    entry.key_span = span;
                    entry.value.move_to(span);
                }
            }
            Value::Sequence(items) => items.iter_mut().for_each(|item| item.move_to(span)),
            Value::Null | Value::Bool(_) | Value::Int(_) | Value::Float(_) | Value::String(_) => {}
        }
    }

    /// The same, marked as one of another text than the object that it is used in: a number from 1.
    #[must_use]
    pub fn of_source(mut self, source: usize) -> Self {
        self.mark(source);
        self
    }

    fn mark(&mut self, source: usize) {
        self.span = self.span.of_source(source);
        self.alias = self.alias.map(|alias| alias.of_source(source));
        match &mut self.value {
            Value::Mapping(entries) => {
                for entry in entries {
                    entry.key_span = entry.key_span.of_source(source);
                    entry.value.mark(source);
                }
            }
            Value::Sequence(items) => items.iter_mut().for_each(|item| item.mark(source)),
            Value::Null | Value::Bool(_) | Value::Int(_) | Value::Float(_) | Value::String(_) => {}
        }
    }

    /// Gives every value in it, with its path, from outside inwards.
    pub fn for_each<'d>(&'d self, path: &mut Path<'d>, each: &mut impl FnMut(&Path<'d>, &'d Self)) {
        each(path, self);
        match &self.value {
            Value::Mapping(entries) => {
                for entry in entries {
                    path.push(entry.key.as_str());
                    entry.value.for_each(path, each);
                    path.pop();
                }
            }
            Value::Sequence(items) => {
                for (index, item) in items.iter().enumerate() {
                    path.push(index);
                    item.for_each(path, each);
                    path.pop();
                }
            }
            Value::Null | Value::Bool(_) | Value::Int(_) | Value::Float(_) | Value::String(_) => {}
        }
    }
}

/// The bits of a place above those that a byte of a text can have: no text is as long.
const SOURCE_BITS: u32 = usize::BITS - 24;
const _: () = assert!(usize::BITS == 64, "where addresses are shorter, a text could be as long");

impl Span {
    /// The text that it belongs to, where it is not that of the object: a number from 1.
    #[must_use]
    pub fn source(self) -> usize {
        self.start >> SOURCE_BITS
    }

    fn of_source(self, source: usize) -> Self {
        let mark = source << SOURCE_BITS;
        let marked = |at: usize| at & ((1 << SOURCE_BITS) - 1) | mark;
        Self { start: marked(self.start), end: marked(self.end), ..self }
    }
}

impl Entry {
    /// A key that stands where its value does.
    fn new(key: &str, value: Node) -> Self {
        Self { key: key.to_owned(), key_span: value.span, value }
    }
}
