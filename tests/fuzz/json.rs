//! The JSON reader against `serde_json`: the same texts, the same values.
//!
//! What only `serde_json` accepts must be refused for one of the reasons that our reader has and it has not, and
//! the text must show it: a key that comes twice in what is read, or too great a depth.

use podgate::json::{ErrorKind, MAX_DEPTH, MAX_ELEMENTS, MAX_STRING, Reader, Result};
use serde_json::{Map, Value};

use super::json_shape::{JsonShape, is_only_theirs};

/// The keys of open objects, each with what it takes to find it again.
const MEMORY_TIMES: usize = 32;

pub fn check(text: &[u8]) {
    let skipped = super::within_memory(MEMORY_TIMES, text, || skip(text));
    let rebuilt = Reader::new(text).and_then(|mut reader| {
        let value = rebuild(text, &mut reader)?;
        reader.end().map(|()| value)
    });
    let theirs = serde_json::from_slice::<Value>(text);
    match (&skipped, &rebuilt) {
        (Ok(()), Ok(_)) => {}
        // What nobody asks for may be read over to a greater depth than what is read.
        (_, Err(error)) if error.kind() == ErrorKind::Syntax && may_be_too_deep(text) => {}
        // Nor does anybody learn of its keys, or of which of two faults comes first.
        (_, Err(error)) if error.kind() == ErrorKind::Repeated => {}
        (Err(one), Err(other)) => {
            assert_eq!(one.to_string(), other.to_string(), "the two ways of reading differ")
        }
        (one, other) => panic!("read over it is {one:?}, read it is {other:?}"),
    }
    match (rebuilt, theirs) {
        (Ok(ours), Ok(theirs)) => assert_eq!(ours, theirs),
        (Ok(_), Err(error)) => assert!(is_only_theirs(&error.to_string()), "only we accept it: {error}"),
        (Err(error), Ok(_)) => assert!(is_strictness(text, error.kind()), "only we refuse it: {error}"),
        (Err(_), Err(_)) => {}
    }
}

fn skip(text: &[u8]) -> Result<()> {
    let mut reader = Reader::new(text)?;
    reader.skip()?;
    reader.end()
}

/// Whether there are brackets enough to nest too deep, in a text that need not be JSON.
fn may_be_too_deep(text: &[u8]) -> bool {
    text.iter().filter(|byte| b"[{".contains(byte)).count() > MAX_DEPTH
}

/// Whether a text that is JSON has what our reader refuses it for.
fn is_strictness(text: &[u8], kind: ErrorKind) -> bool {
    let shape = JsonShape::of(text);
    match kind {
        ErrorKind::Repeated => shape.repeats,
        ErrorKind::Syntax => shape.depth > MAX_DEPTH || shape.repeats,
        ErrorKind::Limit => text.len() > MAX_ELEMENTS.min(MAX_STRING),
        ErrorKind::Type => false,
    }
}

/// Reads a value with everything but [`Reader::skip`], as far as there is another way.
fn rebuild(text: &[u8], reader: &mut Reader<'_>) -> Result<Value> {
    let rest = text.get(reader.offset()..).unwrap_or_default();
    Ok(match rest.iter().find(|byte| !b" \n\t\r".contains(byte)) {
        Some(b'{') => {
            let mut members = Map::new();
            reader.object(|reader, key| {
                let value = rebuild(text, reader)?;
                members.insert(key.to_string(), value);
                Ok(())
            })?;
            members.into()
        }
        Some(b'[') => {
            let mut items = Vec::new();
            reader.array(|reader, _| {
                items.push(rebuild(text, reader)?);
                Ok(())
            })?;
            items.into()
        }
        Some(b'"') => reader.string()?.into(),
        // A number may be one that `serde_json` has no value for.
        _ => serde_json::from_str(reader.skip()?).unwrap_or_default(),
    })
}
