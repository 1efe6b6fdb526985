//! Text behind `|` or `>`: go-yaml v2 `yaml_parser_scan_block_scalar`.

use crate::yaml::cursor::{Cursor, Mark};
use crate::yaml::lexeme::SyntaxError;

/// A block scalar that was read.
pub(super) struct BlockScalar {
    pub(super) text: String,
    /// Where its content begins.
    pub(super) start: Mark,
}

/// What stands behind `|` or `>`.
struct Header {
    is_literal: bool,
    chomping: Chomping,
    /// By how much it says that the lines are indented.
    increment: Option<usize>,
}

/// What becomes of the line ends at the end.
#[derive(PartialEq)]
enum Chomping {
    Clip,
    Keep,
    Strip,
}

/// Reads the scalar that begins here, within a block that is indented by `parent`.
pub(super) fn read(cursor: &mut Cursor<'_>, parent: Option<usize>) -> Result<BlockScalar, SyntaxError> {
    let start = cursor.mark();
    let header = read_header(cursor)?;
    let least = parent.map_or(1, |parent| parent + 1);
    let mut breaks = String::new();
    let given = header.increment.map(|increment| parent.unwrap_or_default() + increment);
    let indent = read_breaks(cursor, given, start, &mut breaks)?.max(if given.is_some() { 0 } else { least });
    let content = cursor.mark();
    let mut scalar = BlockScalar { text: String::new(), start };
    let mut line_end = false;
    let mut was_blank = false;
    while cursor.column() == indent && cursor.byte(0).is_some() {
        scalar.start = content;
        let is_folded = !header.is_literal && line_end && !was_blank && !cursor.is_blank();
        if is_folded && breaks.is_empty() {
            scalar.text.push(' ');
        } else if line_end && !is_folded {
            scalar.text.push('\n');
        }
        scalar.text.push_str(&breaks);
        breaks.clear();
        was_blank = cursor.is_blank();
        let line = cursor.mark();
        cursor.skip_line();
        scalar.text.push_str(cursor.since(line));
        line_end = cursor.skip_line_end();
        read_breaks(cursor, Some(indent), start, &mut breaks)?;
    }
    if line_end && header.chomping != Chomping::Strip {
        scalar.text.push('\n');
    }
    if header.chomping == Chomping::Keep {
        scalar.text.push_str(&breaks);
    }
    Ok(scalar)
}

fn read_header(cursor: &mut Cursor<'_>) -> Result<Header, SyntaxError> {
    let start = cursor.mark();
    let mut header = Header { is_literal: cursor.is(b'|'), chomping: Chomping::Clip, increment: None };
    cursor.skip();
    let is_chomped = read_chomping(cursor, &mut header);
    if let Some(digit @ b'0'..=b'9') = cursor.byte(0) {
        if digit == b'0' {
            return Err(SyntaxError::at(start, "a block of text cannot be indented by 0"));
        }
        header.increment = Some(usize::from(digit - b'0'));
        cursor.skip();
    }
    if !is_chomped {
        read_chomping(cursor, &mut header);
    }
    cursor.skip_blanks();
    cursor.skip_comment();
    if !cursor.is_break_or_end() {
        return Err(SyntaxError::at(start, "the text of a block begins on the line behind `|` or `>`"));
    }
    cursor.skip_line_end();
    Ok(header)
}

/// Reads `+` or `-`; whether one was there.
fn read_chomping(cursor: &mut Cursor<'_>, header: &mut Header) -> bool {
    header.chomping = match cursor.byte(0) {
        Some(b'+') => Chomping::Keep,
        Some(b'-') => Chomping::Strip,
        _ => return false,
    };
    cursor.skip();
    true
}

/// Passes empty lines and the indentation of the next; without a given one returns the widest.
fn read_breaks(
    cursor: &mut Cursor<'_>,
    indent: Option<usize>,
    start: Mark,
    breaks: &mut String,
) -> Result<usize, SyntaxError> {
    let mut widest = 0;
    loop {
        let is_within = |cursor: &Cursor<'_>| indent.is_none_or(|indent| cursor.column() < indent);
        while is_within(cursor) && cursor.is(b' ') {
            cursor.skip();
        }
        widest = widest.max(cursor.column());
        if is_within(cursor) && cursor.is(b'\t') {
            return Err(SyntaxError::at(start, "a tab indents a line of this block of text; use spaces"));
        }
        if !cursor.skip_line_end() {
            return Ok(indent.unwrap_or(widest));
        }
        breaks.push('\n');
    }
}
