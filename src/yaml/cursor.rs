//! A place in a text that only moves forward, and the characters there.
//!
//! What ends a line for kubectl alone (U+0085, U+2028, U+2029) is refused before, see `part.rs`.

/// A place in a text, from its start on.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Mark {
    pub(super) byte: usize,
    /// Counted from 1.
    pub(super) line: usize,
    /// Counted from 0 in characters.
    pub(super) column: usize,
}

/// Reads a text character by character. Past its end there is `None`.
#[derive(Debug)]
pub(super) struct Cursor<'t> {
    text: &'t str,
    mark: Mark,
}

impl<'t> Cursor<'t> {
    pub(super) fn new(text: &'t str) -> Self {
        Self { text, mark: Mark { byte: 0, line: 1, column: 0 } }
    }

    pub(super) fn mark(&self) -> Mark {
        self.mark
    }

    /// The byte so many bytes ahead.
    pub(super) fn byte(&self, ahead: usize) -> Option<u8> {
        self.text.as_bytes().get(self.mark.byte + ahead).copied()
    }

    pub(super) fn is(&self, byte: u8) -> bool {
        self.byte(0) == Some(byte)
    }

    /// Whether there is a space or a tab.
    pub(super) fn is_blank(&self) -> bool {
        matches!(self.byte(0), Some(b' ' | b'\t'))
    }

    pub(super) fn is_break(&self) -> bool {
        matches!(self.byte(0), Some(b'\n' | b'\r'))
    }

    pub(super) fn is_break_or_end(&self) -> bool {
        matches!(self.byte(0), None | Some(b'\n' | b'\r'))
    }

    /// Whether a word would end so many bytes ahead: at white space or the end of the text.
    pub(super) fn is_space_or_end(&self, ahead: usize) -> bool {
        matches!(self.byte(ahead), None | Some(b' ' | b'\t' | b'\n' | b'\r'))
    }

    /// The mark of a document that stands here alone at the start of a line: `---` or `...`.
    pub(super) fn document_indicator(&self) -> Option<u8> {
        let first = self.byte(0)?;
        let is_mark = matches!(first, b'-' | b'.')
            && self.mark.column == 0
            && (1..3).all(|ahead| self.byte(ahead) == Some(first))
            && self.is_space_or_end(3);
        is_mark.then_some(first)
    }

    /// Passes a character that does not end a line.
    pub(super) fn skip(&mut self) {
        if let Some(character) = self.rest().chars().next() {
            self.mark.byte += character.len_utf8();
            self.mark.column += 1;
        }
    }

    /// Passes a number of characters that do not end a line.
    pub(super) fn skip_many(&mut self, count: usize) {
        (0..count).for_each(|_| self.skip());
    }

    /// Passes characters within the line, as long as they are wanted.
    pub(super) fn skip_while(&mut self, is_wanted: impl Fn(u8) -> bool) {
        while self.byte(0).is_some_and(|byte| !matches!(byte, b'\n' | b'\r') && is_wanted(byte)) {
            self.skip();
        }
    }

    pub(super) fn skip_blanks(&mut self) {
        self.skip_while(|byte| matches!(byte, b' ' | b'\t'));
    }

    /// Passes a comment, if one begins here.
    pub(super) fn skip_comment(&mut self) {
        if self.is(b'#') {
            self.skip_while(|_| true);
        }
    }

    /// Passes the end of a line, and returns whether there was one.
    pub(super) fn skip_line_end(&mut self) -> bool {
        let width = match (self.byte(0), self.byte(1)) {
            (Some(b'\r'), Some(b'\n')) => 2,
            (Some(b'\n' | b'\r'), _) => 1,
            _ => return false,
        };
        self.mark = Mark { byte: self.mark.byte + width, line: self.mark.line + 1, column: 0 };
        true
    }

    /// What follows.
    pub(super) fn rest(&self) -> &'t str {
        self.text.get(self.mark.byte..).unwrap_or_default()
    }

    pub(super) fn between(&self, from: Mark, to: Mark) -> &'t str {
        self.text.get(from.byte..to.byte).unwrap_or_default()
    }

    /// What was passed since a mark.
    pub(super) fn since(&self, from: Mark) -> &'t str {
        self.between(from, self.mark)
    }

    /// The text before.
    pub(super) fn before(&self) -> &'t str {
        self.text.get(..self.mark.byte).unwrap_or_default()
    }

    /// The characters from here to the next white space.
    pub(super) fn word(&self) -> &'t str {
        self.rest().split([' ', '\t', '\n', '\r']).next().unwrap_or_default()
    }
}
