//! A place in a text that only moves forward, and the characters there.
//!
//! A column counts characters. The cursor keeps the byte that column 0 would have if every character before it were one
//! byte long, so that passing a byte of ASCII is one addition.
//!
//! What ends a line for kubectl alone (U+0085, U+2028, U+2029) is refused before, see `part.rs`.

use wide::u8x16;

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
    byte: usize,
    line: usize,
    /// The byte less the column.
    origin: usize,
}

impl<'t> Cursor<'t> {
    pub(super) fn new(text: &'t str) -> Self {
        Self { text, byte: 0, line: 1, origin: 0 }
    }

    pub(super) fn mark(&self) -> Mark {
        Mark { byte: self.byte, line: self.line, column: self.column() }
    }

    pub(super) fn column(&self) -> usize {
        self.byte - self.origin
    }

    /// The byte so many bytes ahead.
    pub(super) fn byte(&self, ahead: usize) -> Option<u8> {
        self.text.as_bytes().get(self.byte + ahead).copied()
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
        if self.byte != self.origin {
            return None;
        }
        let first = self.byte(0)?;
        let is_mark = matches!(first, b'-' | b'.')
            && (1..3).all(|ahead| self.byte(ahead) == Some(first))
            && self.is_space_or_end(3);
        is_mark.then_some(first)
    }

    /// Passes a character that does not end a line.
    pub(super) fn skip(&mut self) {
        match self.byte(0) {
            Some(byte) if byte.is_ascii() => self.byte += 1,
            Some(_) => {
                let width = self.rest().chars().next().map_or(0, char::len_utf8);
                self.skip_bytes(width);
            }
            None => {}
        }
    }

    /// Passes a number of characters that do not end a line.
    pub(super) fn skip_many(&mut self, count: usize) {
        (0..count).for_each(|_| self.skip());
    }

    /// Passes a number of bytes of whole characters, none of which ends a line.
    pub(super) fn skip_bytes(&mut self, count: usize) {
        let end = (self.byte + count).min(self.text.len());
        let passed = self.text.as_bytes().get(self.byte..end).unwrap_or_default();
        self.origin += passed.iter().filter(|byte| is_continuation(**byte)).count();
        self.byte = end;
    }

    /// Passes characters within the line, as long as they are wanted.
    pub(super) fn skip_while(&mut self, is_wanted: impl Fn(u8) -> bool) {
        while self.byte(0).is_some_and(|byte| !matches!(byte, b'\n' | b'\r') && is_wanted(byte)) {
            self.skip();
        }
    }

    pub(super) fn skip_blanks(&mut self) {
        while self.is_blank() {
            self.byte += 1;
        }
    }

    pub(super) fn skip_spaces(&mut self) {
        while self.is(b' ') {
            self.byte += 1;
        }
    }

    /// Passes the rest of the line.
    pub(super) fn skip_line(&mut self) {
        let rest = self.text.as_bytes().get(self.byte..).unwrap_or_default();
        self.skip_bytes(find_any(rest, 0, [b'\n', b'\r', b'\n', b'\r']));
    }

    /// Passes a comment, if one begins here.
    pub(super) fn skip_comment(&mut self) {
        if self.is(b'#') {
            self.skip_line();
        }
    }

    /// Passes the end of a line, and returns whether there was one.
    pub(super) fn skip_line_end(&mut self) -> bool {
        let width = match (self.byte(0), self.byte(1)) {
            (Some(b'\r'), Some(b'\n')) => 2,
            (Some(b'\n' | b'\r'), _) => 1,
            _ => return false,
        };
        self.byte += width;
        self.line += 1;
        self.origin = self.byte;
        true
    }

    /// What follows.
    pub(super) fn rest(&self) -> &'t str {
        self.text.get(self.byte..).unwrap_or_default()
    }

    pub(super) fn between(&self, from: Mark, to: Mark) -> &'t str {
        self.text.get(from.byte..to.byte).unwrap_or_default()
    }

    /// What was passed since a mark.
    pub(super) fn since(&self, from: Mark) -> &'t str {
        self.text.get(from.byte..self.byte).unwrap_or_default()
    }

    /// The text before.
    pub(super) fn before(&self) -> &'t str {
        self.text.get(..self.byte).unwrap_or_default()
    }

    /// The characters from here to the next white space.
    pub(super) fn word(&self) -> &'t str {
        self.rest().split([' ', '\t', '\n', '\r']).next().unwrap_or_default()
    }
}

/// Where the first of some bytes is, from a place on; the length where there is none.
pub(super) fn find_any(bytes: &[u8], mut from: usize, wanted: [u8; 4]) -> usize {
    while let Some(chunk) = bytes.get(from..).and_then(|rest| rest.first_chunk::<16>()) {
        let chunk = u8x16::new(*chunk);
        let [one, two, three, four] = wanted.map(|byte| chunk.simd_eq(u8x16::splat(byte)));
        let found = (one | two | three | four).to_bitmask();
        if found != 0 {
            return from + found.trailing_zeros() as usize;
        }
        from += 16;
    }
    let rest = bytes.get(from..).unwrap_or_default();
    rest.iter().position(|byte| wanted.contains(byte)).map_or(bytes.len(), |at| from + at)
}

fn is_continuation(byte: u8) -> bool {
    byte & 0xc0 == 0x80
}
