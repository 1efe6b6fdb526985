//! Text in quotes: go-yaml v2 `yaml_parser_scan_flow_scalar`.
//!
//! Its further lines may begin at any column, as for kubectl; YAML 1.2 wants them indented.

use std::borrow::Cow;

use crate::yaml::cursor::{Cursor, Mark, find_any};
use crate::yaml::lexeme::{Notation, SyntaxError};

/// Reads the text in the quotes that begin here.
pub(super) fn read<'t>(cursor: &mut Cursor<'t>, notation: Notation) -> Result<Cow<'t, str>, SyntaxError> {
    let start = cursor.mark();
    let quote = if cursor.is(b'\'') { '\'' } else { '"' };
    cursor.skip();
    if let Some(text) = plain_content(cursor, quote) {
        return Ok(Cow::Borrowed(text));
    }
    let mut text = String::new();
    loop {
        if cursor.document_indicator().is_some() {
            return Err(SyntaxError::at(start, "a document ends within these quotes"));
        }
        if cursor.byte(0).is_none() {
            return Err(SyntaxError::at(start, format!("unclosed quote {quote}")));
        }
        let is_escaped_break = read_line(cursor, &mut text, start, (quote, notation))?;
        if cursor.is(quote as u8) {
            cursor.skip();
            return Ok(Cow::Owned(text));
        }
        read_space(cursor, &mut text, is_escaped_break);
    }
}

/// The bytes that are not text of their own within quotes.
fn marks(quote: char) -> [u8; 4] {
    let quote = quote as u8;
    [quote, b'\n', b'\r', if quote == b'"' { b'\\' } else { quote }]
}

/// What is in the quotes, if nothing in it is escaped or on another line; the quote behind it is passed.
fn plain_content<'t>(cursor: &mut Cursor<'t>, quote: char) -> Option<&'t str> {
    let rest = cursor.rest();
    let end = find_any(rest.as_bytes(), 0, marks(quote));
    let (text, behind) = rest.split_at_checked(end)?;
    let behind = behind.strip_prefix(quote)?;
    if quote == '\'' && behind.starts_with(quote) {
        return None;
    }
    cursor.skip_bytes(text.len() + 1);
    Some(text)
}

/// Adds the text up to the end of the line or of the quotes; whether the last was an escaped line break.
fn read_line(
    cursor: &mut Cursor<'_>,
    text: &mut String,
    start: Mark,
    (quote, notation): (char, Notation),
) -> Result<bool, SyntaxError> {
    let marks = marks(quote);
    loop {
        let rest = cursor.rest();
        let end = find_any(rest.as_bytes(), 0, marks);
        let run = rest.get(..end).unwrap_or_default();
        let next = rest.as_bytes().get(end);
        if matches!(next, Some(b'\n' | b'\r')) {
            // Blanks before the end of a line belong to what is folded.
            let run = run.trim_end_matches([' ', '\t']);
            text.push_str(run);
            cursor.skip_bytes(run.len());
            return Ok(false);
        }
        text.push_str(run);
        cursor.skip_bytes(run.len());
        match (next, cursor.byte(1)) {
            (Some(b'\''), Some(b'\'')) if quote == '\'' => {
                text.push('\'');
                cursor.skip_many(2);
            }
            (Some(b'\\'), Some(b'\n' | b'\r')) => {
                cursor.skip();
                cursor.skip_line_end();
                return Ok(true);
            }
            (Some(b'\\'), _) => text.push(escaped(cursor, start, notation)?),
            _ => return Ok(false),
        }
    }
}

/// Adds the white space up to the next word: as it is, or folded where lines end in it.
fn read_space(cursor: &mut Cursor<'_>, text: &mut String, is_escaped_break: bool) {
    let from = cursor.mark();
    let mut blanks_end = from;
    let mut breaks = 0;
    while cursor.is_blank() || cursor.is_break() {
        if cursor.skip_line_end() {
            breaks += 1;
        } else {
            cursor.skip();
            blanks_end = cursor.mark();
        }
    }
    if is_escaped_break {
        // The line break that was escaped stands for nothing, each one behind it for itself.
        text.extend(std::iter::repeat_n('\n', breaks));
    } else if breaks == 0 {
        text.push_str(cursor.between(from, blanks_end));
    } else {
        fold(text, breaks);
    }
}

/// Adds what a number of line breaks comes to within a scalar: a space, or one line break fewer.
pub(super) fn fold(text: &mut String, breaks: usize) {
    if breaks == 1 {
        text.push(' ');
    } else {
        text.extend(std::iter::repeat_n('\n', breaks - 1));
    }
}

/// Reads what a backslash stands in front of.
fn escaped(cursor: &mut Cursor<'_>, start: Mark, notation: Notation) -> Result<char, SyntaxError> {
    let code = match cursor.byte(1) {
        Some(b'x') => 2,
        Some(b'u') => 4,
        Some(b'U') => 8,
        byte => {
            let Some(character) = byte.and_then(short_escape) else {
                let message =
                    "unknown escape in double quotes; write a backslash as `\\\\`, or use single quotes";
                return Err(SyntaxError::at(cursor.mark(), message));
            };
            cursor.skip_many(2);
            return Ok(character);
        }
    };
    let mark = cursor.mark();
    let first = hexadecimal(cursor, code, start)?;
    // JSON writes a character beyond U+FFFF as two.
    let is_pair = notation == Notation::Json && (0xd800..0xdc00).contains(&first);
    let value = if is_pair && cursor.rest().starts_with("\\u") {
        let second = hexadecimal(cursor, code, start)?;
        0x10000 + ((first - 0xd800) << 10) + (second.wrapping_sub(0xdc00) & 0x3ff)
    } else {
        first
    };
    char::from_u32(value)
        .ok_or_else(|| SyntaxError::at(mark, "this escape is no character of Unicode; remove it"))
}

/// Reads the digits behind an escape's letter.
fn hexadecimal(cursor: &mut Cursor<'_>, digits: usize, start: Mark) -> Result<u32, SyntaxError> {
    cursor.skip_many(2);
    let written =
        cursor.rest().get(..digits).filter(|text| text.bytes().all(|byte| byte.is_ascii_hexdigit()));
    let Some(value) = written.and_then(|text| u32::from_str_radix(text, 16).ok()) else {
        return Err(SyntaxError::at(start, "an escape in these quotes lacks hexadecimal digits"));
    };
    cursor.skip_many(digits);
    Ok(value)
}

fn short_escape(letter: u8) -> Option<char> {
    Some(match letter {
        b'0' => '\0',
        b'a' => '\u{7}',
        b'b' => '\u{8}',
        b't' | b'\t' => '\t',
        b'n' => '\n',
        b'v' => '\u{b}',
        b'f' => '\u{c}',
        b'r' => '\r',
        b'e' => '\u{1b}',
        // Not go-yaml's, but JSON's.
        b'/' => '/',
        b' ' | b'"' | b'\'' | b'\\' => char::from(letter),
        b'N' => '\u{85}',
        b'_' => '\u{a0}',
        b'L' => '\u{2028}',
        b'P' => '\u{2029}',
        _ => return None,
    })
}
