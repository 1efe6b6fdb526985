//! Anchors, tags and directives: go-yaml v2, less what YAML 1.2 takes apart differently.

use crate::yaml::cursor::Cursor;
use crate::yaml::error::shown;
use crate::yaml::lexeme::{LexemeKind, SyntaxError};

/// Reads the name behind `&` or `*`. go-yaml ends a name where YAML 1.2 reads on, so only names that
/// both end alike are let in.
pub(super) fn read_name<'t>(cursor: &mut Cursor<'t>) -> Result<&'t str, SyntaxError> {
    let mark = cursor.mark();
    cursor.skip();
    let (start, word) = (cursor.mark(), cursor.word());
    cursor.skip_while(is_name);
    let name = cursor.since(start);
    let is_ended = cursor.is_space_or_end(0) || matches!(cursor.byte(0), Some(b',' | b']' | b'}'));
    if name.is_empty() || !is_ended {
        let message = format!("the anchor name `{}` may hold letters, digits, `-` and `_` only", shown(word));
        return Err(SyntaxError::at(mark, message));
    }
    Ok(name)
}

/// Reads a tag.
pub(super) fn read_tag<'t>(cursor: &mut Cursor<'t>) -> Result<LexemeKind<'t>, SyntaxError> {
    let (mark, word) = (cursor.mark(), cursor.word());
    if let Some(name) = word.strip_prefix("!<tag:yaml.org,2002:").and_then(|name| name.strip_suffix('>'))
        && name.bytes().all(is_name)
    {
        cursor.skip_many(word.len());
        let suffix = word.get(2..word.len() - 1).unwrap_or_default();
        return Ok(LexemeKind::Tag { handle: "", suffix });
    }
    // go-yaml takes more characters into a tag than YAML 1.2 does, brackets and commas among them.
    if !word.bytes().all(|byte| is_name(byte) || b".:/!".contains(&byte)) {
        let message =
            format!("the tag `{}` is read differently by kubectl and others; leave it out", shown(word));
        return Err(SyntaxError::at(mark, message));
    }
    cursor.skip_many(word.len());
    let (handle, suffix) = match word.get(1..).and_then(|rest| rest.split_once('!')) {
        Some((name, _)) if name.bytes().all(is_name) => word.split_at(name.len() + 2),
        _ => word.split_at(1),
    };
    match (handle, suffix) {
        ("!", "") => Ok(LexemeKind::Tag { handle: "", suffix: "!" }),
        (_, "") => {
            Err(SyntaxError::at(mark, format!("the tag `{}` lacks its name; leave it out", shown(word))))
        }
        (handle, suffix) => Ok(LexemeKind::Tag { handle, suffix }),
    }
}

/// Reads a directive, to the end of its line.
pub(super) fn read_directive<'t>(cursor: &mut Cursor<'t>) -> Result<LexemeKind<'t>, SyntaxError> {
    let mark = cursor.mark();
    let start = cursor.mark();
    cursor.skip_while(|byte| byte != b'#');
    let mut words = cursor.since(start).split_whitespace();
    cursor.skip_comment();
    match (words.next(), words.next(), words.next(), words.next()) {
        // kubectl knows 1.1 alone, and reads it as the rules here do.
        (Some("%YAML"), Some("1.1" | "1.2"), None, None) => Ok(LexemeKind::VersionDirective),
        (Some("%TAG"), Some(handle), Some(prefix), None) if is_handle(handle) => {
            Ok(LexemeKind::TagDirective { handle, prefix })
        }
        _ => Err(SyntaxError::at(mark, "this directive is not one that kubectl knows; remove it")),
    }
}

/// `!`, `!!` or `!name!`.
fn is_handle(text: &str) -> bool {
    let name = text.strip_prefix('!').map(|name| name.strip_suffix('!').unwrap_or(name));
    text == "!" || text.ends_with('!') && name.is_some_and(|name| name.bytes().all(is_name))
}

fn is_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')
}
