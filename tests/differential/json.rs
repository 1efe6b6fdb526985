//! The JSON reader against `serde_json`, and against the decoder of Kubernetes: all agree on the value, or ours refuses it
//! for one of a few reasons, which the text must show.
//!
//! Kubernetes is asked through `json-oracle`, which `tests/upstream/build` makes. `PODGATE_DIFFERENTIAL_JSON` asks for a
//! longer run and `PODGATE_DIFFERENTIAL_SEED` for other texts.

use std::collections::BTreeMap;
use std::sync::mpsc::sync_channel;
use std::thread;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use podgate::json::{ErrorKind, JsonError, MAX_DEPTH, MAX_SKIPPED_DEPTH, Reader, Result};
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use crate::json_shape::{JsonShape, is_only_theirs};
use crate::oracle::Oracle;
use crate::random::Random;
use crate::{given, json_text, left_out};

/// As many as fit into a minute of a test run.
const CASES: u64 = 100_000;
const SEED: u64 = 20_261_129;

/// What Kubernetes makes of a text.
#[derive(Debug, Deserialize)]
struct Theirs {
    /// Its text: it may be deeper than `serde_json` reads.
    value: Box<RawValue>,
    error: Option<String>,
}

/// What our reader makes of a text.
struct Ours {
    /// Every value in it, asked for one by one.
    read: Result<Value>,
    /// All of it passed over.
    skipped: Result<()>,
}

impl Ours {
    fn of(text: &[u8]) -> Self {
        let read = Reader::new(text).and_then(|mut reader| {
            let value = rebuild(text, &mut reader)?;
            reader.end().map(|()| value)
        });
        let skipped = Reader::new(text).and_then(|mut reader| {
            reader.skip()?;
            reader.end()
        });
        Self { read, skipped }
    }
}

/// Why ours refuses what another reader takes, or the other way round. There are no other reasons.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Difference {
    /// Two members of an object that is read have the same key. The others take the last one.
    Repeated,
    /// Deeper than is read, or than is skipped. `serde_json` gives up at 128.
    Depth,
    /// Not UTF-8, or half a surrogate pair. Kubernetes replaces it by a character of its own.
    NotUnicode,
    /// A number that no 64-bit float holds: ours does not look at the value of a number until it is asked for.
    Number,
}

#[test]
fn what_is_read_is_what_other_readers_read() {
    let wanted_by = "the comparison with Kubernetes' decoder of JSON";
    let oracle = Oracle::start(wanted_by, "json-oracle");
    let cases = given("PODGATE_DIFFERENTIAL_JSON").unwrap_or(CASES);
    let seed = given("PODGATE_DIFFERENTIAL_SEED").unwrap_or(SEED);
    let mut tally = BTreeMap::new();
    if let Some(Oracle { mut questions, mut answers, child: _child }) = oracle {
        thread::scope(|scope| {
            let (sender, receiver) = sync_channel(256);
            scope.spawn(move || {
                for index in 0..cases {
                    let text = json_text::any(&mut Random::of(seed, index));
                    questions.ask(&json!({ "text": BASE64.encode(&text) }).to_string());
                    if sender.send(text).is_err() {
                        return;
                    }
                }
            });
            for (index, text) in receiver.iter().enumerate() {
                let ours = compare(&text, (seed, index as u64), &mut tally);
                let theirs: Theirs = answers.next();
                if let Err(wrong) = agrees(&ours, &theirs, &text) {
                    panic!("seed {seed}, text {index}: {wrong}\n{}", shown(&text));
                }
            }
        });
    } else {
        for index in 0..cases {
            compare(&json_text::any(&mut Random::of(seed, index)), (seed, index), &mut tally);
        }
    }
    left_out::say(&format!("compared with other readers of JSON: {cases} texts (seed {seed}): {tally:?}"));
    // A few for a look need not show everything.
    if cases >= CASES {
        for what in ["read by all", "refused by all", "Repeated", "Depth", "Number"] {
            assert!(tally.get(what).is_some_and(|count| *count > 10), "nothing was {what}: {tally:?}");
        }
    }
}

/// Compares ours with `serde_json`, and the two ways of ours with each other.
fn compare(text: &[u8], (seed, index): (u64, u64), tally: &mut BTreeMap<String, u64>) -> Ours {
    let ours = Ours::of(text);
    let kind = agree(&ours, text)
        .unwrap_or_else(|wrong| panic!("seed {seed}, text {index}: {wrong}\n{}", shown(text)));
    *tally.entry(kind).or_default() += 1;
    ours
}

fn agree(ours: &Ours, text: &[u8]) -> std::result::Result<String, String> {
    let theirs = serde_json::from_slice::<Value>(text);
    match (&ours.read, &ours.skipped) {
        (Ok(_), Ok(())) => {}
        (Err(one), Err(other)) if one.to_string() == other.to_string() => {}
        // What is passed over may be deeper and say a key twice; what else is wrong with it may come before or after.
        (Err(error), _) if matches!(why(error, text), Some(Difference::Repeated | Difference::Depth)) => {}
        (one, other) => return Err(format!("read it is {one:?}, passed over it is {other:?}")),
    }
    match (&ours.skipped, &theirs) {
        (Ok(()), Ok(_)) | (Err(_), Err(_)) => {}
        (Ok(()), Err(error)) if is_only_theirs(&error.to_string()) => {}
        (Err(error), Ok(_)) if why(error, text) == Some(Difference::Depth) => {}
        (one, other) => return Err(format!("passed over it is {one:?}, to serde_json {other:?}")),
    }
    match (&ours.read, theirs) {
        (Ok(ours), Ok(theirs)) if is_same(ours, &theirs) => Ok("read by all".to_owned()),
        (Err(_), Err(_)) => Ok("refused by all".to_owned()),
        (Ok(_), Err(error)) if is_only_theirs(&error.to_string()) => Ok(format!("{:?}", Difference::Number)),
        (Err(error), Ok(_)) => match why(error, text) {
            Some(difference) => Ok(format!("{difference:?}")),
            None => Err(format!("only we refuse it: {error}")),
        },
        (one, other) => Err(format!("to us it is {one:?}, to serde_json {other:?}")),
    }
}

/// Whether ours and Kubernetes agree, or ours refuses a text for one of its reasons.
fn agrees(ours: &Ours, theirs: &Theirs, text: &[u8]) -> std::result::Result<(), String> {
    match (&ours.read, &theirs.error) {
        (Ok(ours), None) if is_same(ours, &serde_json::from_str(theirs.value.get()).unwrap()) => Ok(()),
        (Err(_), Some(_)) => Ok(()),
        (Ok(_), Some(error)) if error.contains("cannot unmarshal number") => Ok(()),
        (Err(error), None) if why(error, text).is_some() => Ok(()),
        (one, _) => Err(format!("to us it is {one:?}, to Kubernetes {theirs:?}")),
    }?;
    match (&ours.skipped, &theirs.error) {
        (Ok(()), None) | (Err(_), Some(_)) => Ok(()),
        (Ok(()), Some(error)) if error.contains("cannot unmarshal number") => Ok(()),
        (Err(error), None) if why(error, text) == Some(Difference::NotUnicode) => Ok(()),
        (one, _) => Err(format!("passed over it is {one:?}, to Kubernetes {theirs:?}")),
    }
}

/// The reason for which ours may refuse a text that others take, if the text shows it.
fn why(error: &JsonError, text: &[u8]) -> Option<Difference> {
    let message = error.to_string();
    let brackets = text.iter().filter(|byte| b"[{".contains(byte)).count();
    let (difference, is_shown) = if error.kind() == ErrorKind::Repeated {
        (Difference::Repeated, JsonShape::of(text).repeats)
    } else if message.contains(&format!("nested more than {MAX_DEPTH} levels deep")) {
        (Difference::Depth, brackets > MAX_DEPTH)
    } else if message.contains(&format!("nested more than {MAX_SKIPPED_DEPTH} levels deep")) {
        (Difference::Depth, brackets > MAX_SKIPPED_DEPTH)
    } else if message.contains("not UTF-8") {
        (Difference::NotUnicode, std::str::from_utf8(text).is_err())
    } else if message.contains("half a surrogate pair") {
        (Difference::NotUnicode, text.windows(3).any(|three| matches!(three, b"\\ud" | b"\\uD")))
    } else {
        return None;
    };
    is_shown.then_some(difference)
}

/// Whether two values are equal, numbers by what they are worth: Kubernetes has no unsigned ones, and no `-0`.
fn is_same(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Object(one), Value::Object(other)) => {
            one.len() == other.len()
                && one.iter().all(|(key, value)| other.get(key).is_some_and(|found| is_same(value, found)))
        }
        (Value::Array(one), Value::Array(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| is_same(one, other))
        }
        (Value::Number(one), Value::Number(other)) => {
            if let (Some(one), Some(other)) = (one.as_i64(), other.as_i64()) {
                return one == other;
            }
            // No fraction is ever asked of our reader, and `serde_json` is not exact in the last digit.
            let [one, other] = [one, other].map(|number| number.as_f64().unwrap());
            one == other || (one / other - 1.0).abs() < 1e-15
        }
        (one, other) => one == other,
    }
}

fn shown(text: &[u8]) -> String {
    String::from_utf8_lossy(text).into_owned()
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
        Some(b't' | b'f') => reader.boolean()?.into(),
        Some(b'-' | b'0'..=b'9') => match reader.attempt(Reader::integer)? {
            Ok(number) => number.into(),
            // A fraction, or a number that `serde_json` may have no value for.
            Err(error) => serde_json::from_str(number_at(text, error.offset())).unwrap_or_default(),
        },
        _ => {
            reader.skip()?;
            Value::Null
        }
    })
}

fn number_at(text: &[u8], at: usize) -> &str {
    let rest = &text[at..];
    let end = rest.iter().position(|byte| !b"+-.eE0123456789".contains(byte)).unwrap_or(rest.len());
    std::str::from_utf8(&rest[..end]).unwrap()
}
