//! What the reader accepts and refuses, and `serde_json` as its oracle.

use crate::json::*;
use proptest::prelude::*;

fn skip(text: &str) -> Result<()> {
    let mut reader = Reader::new(text.as_bytes())?;
    reader.skip()?;
    reader.end()
}

fn message(text: &str) -> String {
    skip(text).expect_err(text).to_string()
}

#[test]
fn refuses_what_other_readers_pass_over() {
    for (text, expected) in [
        (r#"["\ud800"]"#, "[0]: half a surrogate pair in a string (byte 8)"),
        (r#"{"\udc00":1}"#, "half a surrogate pair in a string (byte 8)"),
        (r#"["\ud83dA"]"#, "[0]: half a surrogate pair in a string (byte 8)"),
        ("{\"a\":1} {}", "something follows the end of the JSON text (byte 8)"),
        ("[01]", "[0]: not a number as JSON writes it (byte 2)"),
        ("[0x10]", "[0]: not a number as JSON writes it (byte 2)"),
        ("[NaN]", "[0]: expected a value, found something that is not JSON (byte 1)"),
        ("[1,]", "[1]: expected a value, found something that is not JSON (byte 3)"),
        ("\u{feff}{}", "expected a value, found something that is not JSON (byte 0)"),
        ("\"a\u{1}\"", "a control character in a string (byte 2)"),
        ("{\"a\":tru", "a: a word that JSON does not have (byte 5)"),
        ("", "expected a value, found the end of the text (byte 0)"),
    ] {
        assert_eq!(message(text), expected, "{text}");
    }
}

#[test]
fn refuses_bytes_that_are_not_utf8() {
    let error = Reader::new(b"{\"a\xff\":1}").expect_err("0xff");
    assert_eq!((error.kind(), error.offset()), (ErrorKind::Syntax, 3));
}

#[test]
fn depth_and_elements_and_strings_are_bounded() {
    let nested = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
    for depth in [MAX_DEPTH, MAX_DEPTH + 1, MAX_SKIPPED_DEPTH] {
        assert!(skip(&nested(depth)).is_ok(), "{depth}");
    }
    for depth in [MAX_SKIPPED_DEPTH + 1, 1_000_000] {
        assert!(message(&nested(depth)).contains("nested more than 10000 levels deep"), "{depth}");
    }
    assert!(rebuild(&mut Reader::over(&nested(MAX_DEPTH))).is_ok());
    let error = rebuild(&mut Reader::over(&nested(MAX_DEPTH + 1))).expect_err("what is read has a stack");
    assert!(error.to_string().contains("nested more than 64 levels deep"), "{error}");

    let items = |count: usize| format!("[{}0]", "0,".repeat(count - 1));
    assert!(skip(&items(MAX_ELEMENTS)).is_ok());
    let error = skip(&items(MAX_ELEMENTS + 1)).expect_err("one more");
    assert_eq!(error.kind(), ErrorKind::Limit);

    assert!(skip(&format!("\"{}\"", "a".repeat(MAX_STRING))).is_ok());
    let error = skip(&format!("\"{}\"", "a".repeat(MAX_STRING + 1))).expect_err("one more");
    assert_eq!(error.kind(), ErrorKind::Limit);
}

/// Why the objects of a text cannot be read, of which every key is asked for: the same whether it is a part or not.
fn reading(text: &str) -> std::result::Result<(), String> {
    let read = |mut reader: Reader<'_>| rebuild(&mut reader).map(drop).map_err(|error| error.to_string());
    let whole = read(Reader::over(text));
    assert_eq!(read(Reader::over_part(text)), whole, "{text}");
    whole
}

#[test]
fn a_key_comes_once_in_what_is_read() {
    for (text, expected) in [
        (r#"{"a":1,"b":{"x":1,"\u0078":2}}"#, "b.x: the key comes twice (byte 18)"),
        (r#"{"a\"":1,"a\u0022":2}"#, "a\": the key comes twice (byte 9)"),
        (r#"{"k":[{"":1,"":2}]}"#, "k[0].: the key comes twice (byte 12)"),
    ] {
        assert_eq!(reading(text), Err(expected.to_owned()), "{text}");
        assert!(skip(text).is_ok(), "nobody reads it: {text}");
    }
}

#[test]
fn a_repeated_key_is_found_among_any_number() {
    for count in [1, 2, 20, 23, 24, 25, 26, 100] {
        for width in [1, 15, 16, 30, 63, 64, 65] {
            let object = |last: usize| {
                let keys: Vec<_> =
                    (0..count).chain([last]).map(|key| format!("\"{key:0width$}\":{{\"0\":0}}")).collect();
                format!("[{{{}}},{{}}]", keys.join(","))
            };
            assert_eq!(reading(&object(count)), Ok(()));
            for last in 0..count {
                let error = reading(&object(last)).expect_err("twice");
                assert!(error.contains("comes twice"), "{last} of {count}: {error}");
            }
        }
    }
}

#[test]
fn keys_that_differ_are_no_repetition() {
    for text in [
        r#"{"":1,"\u0000":2,"\u0000\u0000":3,"\u0001":4}"#,
        r#"{"a":1,"\u0000a":2,"a\u0000":3}"#,
        r#"{"\n":1,"n":2,"\\n":3,"\\u000a":4}"#,
        r#"{"sixteen letters.":1,"sixteen letters!":2,"seventeen letters":3}"#,
    ] {
        assert_eq!(reading(text), Ok(()), "{text}");
    }
    assert!(reading(r#"{"\u0001":1,"\u0001":2}"#).is_err());
}

#[test]
fn keys_past_the_limit_are_not_read() {
    let members: Vec<_> = (0..MAX_ELEMENTS + 50_000).map(|key| format!("\"{key}\":0")).collect();
    let text = format!("{{{}}}", members.join(","));
    let mut count = 0;
    let mut reader = Reader::over(&text);
    let read = reader.object(|reader, _| {
        count += 1;
        reader.skip().map(drop)
    });
    assert_eq!((read.expect_err("too many").kind(), count), (ErrorKind::Limit, MAX_ELEMENTS));
}

/// What is deeper than anything that is read is checked like all else.
#[test]
fn deep_parts_are_checked() {
    let within = |inner: &str, depth: usize| {
        let (open, close): (Vec<&str>, Vec<&str>) = (0..depth)
            .map(|level| if level % 3 == 0 { ("[0,", ",1]") } else { ("{\"a\":7,\"b\":", "}") })
            .unzip();
        format!("{}{inner}{}", open.concat(), close.into_iter().rev().collect::<String>())
    };
    for depth in [MAX_DEPTH - 1, MAX_DEPTH, MAX_DEPTH + 1, 1_000, 9_000] {
        for inner in [
            "{}",
            "[]",
            "[ ]",
            "{ }",
            "\"x\"",
            "{\"a\":{\"a\":{\"a\":1},\"b\":1}}",
            "[1 , [2] , {\"a\" : {}}]",
            "{\"a\":1,\"b\":{},\"a\":2}",
            "{\"a\":{\"x\":[{}]},\"\\u0061\":2}",
        ] {
            assert!(skip(&within(inner, depth)).is_ok(), "{inner} at {depth}");
        }
        for inner in ["[1,]", "{,}", "{\"a\" 1}", "[1 2]", "{\"a\":1]", "[\"\\ud800\"]", "[01]"] {
            assert!(skip(&within(inner, depth)).is_err(), "{inner} at {depth}");
        }
        let whole = within("{}", depth);
        for cut in [1, 5, whole.len() / 2, whole.len() - 1] {
            assert!(skip(&whole[..cut]).is_err(), "{cut} of {depth}");
        }
    }
    let deep = within(&format!("[{}0]", "0,".repeat(MAX_ELEMENTS)), 1_000);
    assert_eq!(skip(&deep).expect_err("too many").kind(), ErrorKind::Limit);
}

#[test]
fn siblings_may_share_keys() {
    assert!(skip(r#"[{"a":{"a":1},"b":{"a":1}},{"a":1}]"#).is_ok());
}

#[test]
fn numbers_are_of_their_type() {
    let integer = |text| Reader::over(text).integer().map_err(|error| error.to_string());
    assert_eq!(integer("-9223372036854775808"), Ok(Some(i64::MIN)));
    assert_eq!(integer("null"), Ok(None));
    assert_eq!(integer("-0"), Ok(Some(0)));
    for text in ["1.0", "1e3", "9223372036854775808", "18446744073709551617"] {
        assert_eq!(integer(text), Err("expected a whole number of 64 bits (byte 0)".into()), "{text}");
    }
    assert_eq!(integer("\"0\""), Err("expected a whole number, found a string (byte 0)".into()));
    assert!(Reader::over("2147483648").integer32().is_err());
}

#[test]
fn a_key_of_another_case_is_refused() {
    let text = r#"{"hostnetwork":true}"#;
    let mut reader = Reader::over(text);
    assert!(members!(reader, { "hostNetwork" => reader.boolean()? }).is_ok());
    let mut reader = Reader::over(text).refusing_misspelt_case();
    let error = members!(reader, { "hostNetwork" => reader.boolean()? }).expect_err("case");
    assert_eq!(error.to_string(), "hostnetwork: unknown field, did you mean hostNetwork? (byte 15)");
}

/// Rebuilds the value with our reader, to compare it with what `serde_json` reads.
fn rebuild(reader: &mut Reader<'_>) -> Result<serde_json::Value> {
    use serde_json::Value;
    Ok(match reader.next_byte() {
        Some(b'{') => {
            let mut map = serde_json::Map::new();
            reader.object(|reader, key| {
                let value = rebuild(reader)?;
                map.insert(key.to_string(), value);
                Ok(())
            })?;
            Value::Object(map)
        }
        Some(b'[') => {
            let mut items = Vec::new();
            reader.array(|reader, _| {
                items.push(rebuild(reader)?);
                Ok(())
            })?;
            Value::Array(items)
        }
        Some(b'"') => Value::String(reader.string()?.into_owned()),
        Some(b't' | b'f') => Value::Bool(reader.boolean()?.unwrap_or_default()),
        _ => {
            let text = reader.skip()?;
            serde_json::from_str(text).map_err(|_| reader.syntax("not a scalar"))?
        }
    })
}

/// Any JSON value.
pub(super) fn json() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<i64>().prop_map(Into::into),
        any::<i32>().prop_map(|n| (f64::from(n) / 8.0).into()),
        any::<String>().prop_map(Into::into),
    ];
    leaf.prop_recursive(6, 64, 8, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..8).prop_map(Into::into),
            prop::collection::btree_map(any::<String>(), inner, 0..8)
                .prop_map(|map| serde_json::Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn reads_what_serde_json_writes(value in json(), pretty in any::<bool>()) {
        let text = if pretty { serde_json::to_string_pretty(&value) } else { serde_json::to_string(&value) };
        let text = text.expect("a value has a text");
        let mut reader = Reader::over(&text);
        prop_assert_eq!(rebuild(&mut reader).map_err(|error| error.to_string()), Ok(value));
        prop_assert!(reader.end().is_ok());
        prop_assert!(skip(&text).is_ok());
    }

    /// A text with one byte changed: we accept nothing that `serde_json` refuses, and read the same.
    #[test]
    fn accepts_nothing_that_serde_json_refuses(
        value in json(), at in any::<prop::sample::Index>(), byte in any::<u8>(), cut in any::<bool>(),
    ) {
        let mut bytes = serde_json::to_vec(&value).expect("a value has a text");
        let at = at.index(bytes.len());
        if cut { bytes.truncate(at) } else { bytes[at] = byte }
        let ours = Reader::new(&bytes).and_then(|mut reader| {
            let value = rebuild(&mut reader)?;
            reader.end().map(|()| value)
        });
        if let Ok(ours) = ours {
            let theirs: serde_json::Value = serde_json::from_slice(&bytes)
                .map_err(|error| TestCaseError::fail(format!("only we accept it: {error}")))?;
            prop_assert_eq!(ours, theirs);
        }
    }

    #[test]
    fn random_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        if let Ok(mut reader) = Reader::new(&bytes) {
            let _ = reader.skip();
        }
    }
}
