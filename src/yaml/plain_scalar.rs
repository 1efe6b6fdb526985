//! Text without quotes: go-yaml v2 `yaml_parser_scan_plain_scalar`.

use std::borrow::Cow;

use crate::yaml::cursor::{Cursor, Mark, find_any};
use crate::yaml::error::shown;
use crate::yaml::lexeme::SyntaxError;
use crate::yaml::quoted_scalar::fold;

/// A plain scalar that was read.
pub(super) struct PlainScalar<'t> {
    pub(super) text: Cow<'t, str>,
    pub(super) end: Mark,
    /// Whether a line ended behind it.
    pub(super) ends_line: bool,
}

/// Reads the scalar that begins here. In a block its further lines stand at `indent` at least.
pub(super) fn read<'t>(
    cursor: &mut Cursor<'t>,
    indent: usize,
    is_in_flow: bool,
) -> Result<PlainScalar<'t>, SyntaxError> {
    let start = cursor.mark();
    let mut end = start;
    let mut folded: Option<String> = None;
    let mut breaks = 0;
    while cursor.document_indicator().is_none() && !cursor.is(b'#') {
        let from = cursor.mark();
        if is_in_flow {
            pass_word(cursor)?
        } else {
            pass_line(cursor)
        }
        if cursor.mark().byte != from.byte {
            if breaks > 0 {
                fold(folded.get_or_insert_with(|| cursor.between(start, end).to_owned()), breaks);
            } else if let Some(text) = &mut folded {
                text.push_str(cursor.between(end, from));
            }
            if let Some(text) = &mut folded {
                text.push_str(cursor.since(from));
            }
            (end, breaks) = (cursor.mark(), 0);
        }
        if !cursor.is_space_or_end(0) || cursor.byte(0).is_none() {
            break;
        }
        breaks += skip_space(cursor, start, indent, breaks > 0)?;
        if !is_in_flow && cursor.column() < indent {
            break;
        }
    }
    let text = folded.map_or_else(|| Cow::Borrowed(cursor.between(start, end)), Cow::Owned);
    Ok(PlainScalar { text, end, ends_line: breaks > 0 })
}

/// Passes the words of a line in a block, up to the white space behind the last of them.
fn pass_line(cursor: &mut Cursor<'_>) {
    let bytes = cursor.rest().as_bytes();
    let byte = |at: usize| bytes.get(at).copied();
    let mut at = 0;
    loop {
        at = find_any(bytes, at, [b'\n', b'\r', b':', b'#']);
        let ends = match byte(at) {
            Some(b':') => matches!(byte(at + 1), None | Some(b' ' | b'\t' | b'\n' | b'\r')),
            Some(b'#') => at.checked_sub(1).and_then(byte).is_some_and(is_blank),
            Some(_) | None => true,
        };
        if ends {
            break;
        }
        at += 1;
    }
    let blanks = bytes.get(..at).unwrap_or_default().iter().rev().take_while(|byte| is_blank(**byte)).count();
    cursor.skip_bytes(at - blanks);
}

fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

/// Passes a word within brackets.
fn pass_word(cursor: &mut Cursor<'_>) -> Result<(), SyntaxError> {
    while !cursor.is_space_or_end(0) && !ends_in_flow(cursor)? {
        cursor.skip();
    }
    Ok(())
}

/// Whether a character that is no white space ends the scalar within brackets.
fn ends_in_flow(cursor: &Cursor<'_>) -> Result<bool, SyntaxError> {
    match cursor.byte(0) {
        Some(b':') if cursor.is_space_or_end(1) => Ok(true),
        Some(b':') if matches!(cursor.byte(1), Some(b',' | b'[' | b']' | b'{' | b'}')) => {
            Err(ambiguous(cursor))
        }
        Some(b'?') => Err(ambiguous(cursor)),
        Some(b',' | b'[' | b']' | b'{' | b'}') => Ok(true),
        _ => Ok(false),
    }
}

/// Within brackets go-yaml takes a `?`, or a `:` at the start, for an indicator even with no space
/// behind it, and a `:` for text even with a bracket or comma behind it. YAML 1.2 has it the other
/// way.
pub(super) fn ambiguous(cursor: &Cursor<'_>) -> SyntaxError {
    let word = cursor.word();
    let word = word
        .get(1..)
        .and_then(|rest| rest.find([',', '[', ']', '{', '}']))
        .map_or(word, |end| word.get(..=end).unwrap_or_default());
    let message = format!("`{}` is read differently by kubectl and others; quote it", shown(word));
    SyntaxError::at(cursor.mark(), message)
}

/// Passes white space and returns how many lines ended in it.
fn skip_space(
    cursor: &mut Cursor<'_>,
    start: Mark,
    indent: usize,
    mut is_line_start: bool,
) -> Result<usize, SyntaxError> {
    let mut breaks = 0;
    while cursor.is_blank() || cursor.is_break() {
        if cursor.skip_line_end() {
            breaks += 1;
            is_line_start = true;
        } else if is_line_start && cursor.is(b'\t') && cursor.column() < indent {
            let message = "a tab indents a further line of this text; use spaces";
            return Err(SyntaxError::at(start, message));
        } else {
            cursor.skip();
        }
    }
    Ok(breaks)
}
