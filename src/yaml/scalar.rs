//! What a scalar means: go-yaml v2 `resolve.go` at v2.4.4.
//!
//! Timestamps stay text in JSON and need no rule: nothing that reads as one reads as a number.

use crate::yaml::node::Value;

/// What an explicit tag makes of a scalar.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Tag {
    Str,
    Int,
    Float,
    Bool,
    Null,
}

impl Tag {
    /// Reads a tag, or its part behind `tag:yaml.org,2002:` if it starts so. Tags that go-yaml does
    /// not know make text; those it knows but has no JSON for are `None`.
    pub(super) fn parse(core: Option<&str>) -> Option<Self> {
        match core {
            Some("int") => Some(Self::Int),
            Some("float") => Some(Self::Float),
            Some("bool") => Some(Self::Bool),
            Some("null") => Some(Self::Null),
            Some("binary" | "merge" | "timestamp") => None,
            Some(_) | None => Some(Self::Str),
        }
    }
}

/// The value of a scalar under an explicit tag, or `None` if the text is not of that type.
pub(super) fn resolve_tagged(tag: Tag, text: &str) -> Option<Value> {
    if tag == Tag::Str {
        return Some(Value::String(text.to_owned()));
    }
    match (tag, resolve(text)) {
        (Tag::Int, value @ Value::Int(_))
        | (Tag::Float, value @ Value::Float(_))
        | (Tag::Bool, value @ Value::Bool(_))
        | (Tag::Null, value @ Value::Null) => Some(value),
        // go-yaml widens no integer here that needs an unsigned type.
        (Tag::Float, Value::Int(value)) => i64::try_from(value).ok().map(|value| Value::Float(value as f64)),
        _ => None,
    }
}

/// The value of a plain scalar, which is one without quotes or tag.
pub(super) fn resolve(text: &str) -> Value {
    word(text).or_else(|| number(text)).unwrap_or_else(|| Value::String(text.to_owned()))
}

/// Whether a plain scalar is sure to be text.
pub(super) fn is_text(text: &str) -> bool {
    word(text).is_none() && !matches!(text.bytes().next(), Some(b'.' | b'0'..=b'9' | b'+' | b'-'))
}

/// The value of a word that stands for one.
fn word(text: &str) -> Option<Value> {
    Some(match text {
        "" | "~" | "null" | "Null" | "NULL" => Value::Null,
        "y" | "Y" | "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => {
            Value::Bool(true)
        }
        "n" | "N" | "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => {
            Value::Bool(false)
        }
        ".nan" | ".NaN" | ".NAN" => Value::Float(f64::NAN),
        ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" => Value::Float(f64::INFINITY),
        "-.inf" | "-.Inf" | "-.INF" => Value::Float(f64::NEG_INFINITY),
        _ => return None,
    })
}

fn number(text: &str) -> Option<Value> {
    match text.bytes().next()? {
        b'.' => float(&without_separators(text)?),
        b'0'..=b'9' | b'+' | b'-' => {
            let plain = text.replace('_', "");
            integer(&plain).or_else(|| float(&plain)).or_else(|| signed_binary(&plain))
        }
        _ => None,
    }
}

/// Drops underscores as `strconv.ParseFloat` does, which wants a digit on either side of each. What
/// starts with a digit or a sign go-yaml strips beforehand, wherever they stand.
fn without_separators(text: &str) -> Option<String> {
    let groups: Vec<&str> = text.split('_').collect();
    let digits_meet = groups.windows(2).all(|pair| {
        let [before, behind] = pair else { return false };
        before.ends_with(|last: char| last.is_ascii_digit())
            && behind.starts_with(|first: char| first.is_ascii_digit())
    });
    digits_meet.then(|| groups.concat())
}

/// Go's `strconv.ParseInt` and then `ParseUint`, with base 0.
fn integer(text: &str) -> Option<Value> {
    let (sign, digits) = split_sign(text);
    let (radix, digits) = match digits.get(..2) {
        Some("0b" | "0B") => (2, digits.get(2..)?),
        Some("0o" | "0O") => (8, digits.get(2..)?),
        Some("0x" | "0X") => (16, digits.get(2..)?),
        _ if digits.starts_with('0') => (8, digits),
        _ => (10, digits),
    };
    magnitude(sign, digits, radix)
}

/// go-yaml tries binary a second time without its prefix, which lets a sign stand behind it.
fn signed_binary(text: &str) -> Option<Value> {
    let (sign, digits) = split_sign(text.strip_prefix("0b")?);
    magnitude(Some(sign?), digits, 2)
}

fn split_sign(text: &str) -> (Option<char>, &str) {
    match text.chars().next() {
        Some(sign @ ('+' | '-')) => (Some(sign), text.get(1..).unwrap_or_default()),
        _ => (None, text),
    }
}

fn magnitude(sign: Option<char>, digits: &str, radix: u32) -> Option<Value> {
    // A second sign would be taken by `from_str_radix`.
    if !digits.starts_with(|first: char| first.is_ascii_alphanumeric()) {
        return None;
    }
    let magnitude = i128::from(u64::from_str_radix(digits, radix).ok()?);
    let value = if sign == Some('-') { -magnitude } else { magnitude };
    // Only without a sign does Go fall back on the unsigned type.
    (sign.is_none() || i64::try_from(value).is_ok()).then_some(Value::Int(value))
}

/// A decimal float; one too large for the type stays text, as in go-yaml.
fn float(text: &str) -> Option<Value> {
    let decimal = |byte: u8| byte.is_ascii_digit() || matches!(byte, b'.' | b'e' | b'E' | b'+' | b'-');
    if !text.bytes().all(decimal) {
        return None;
    }
    text.parse().ok().filter(|value: &f64| value.is_finite()).map(Value::Float)
}

/// The text of a scalar as a JSON key, or `None` if sigs.k8s.io/yaml takes no such key.
pub(super) fn key(value: Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text),
        Value::Bool(value) => Some(value.to_string()),
        Value::Int(value) => i64::try_from(value).ok().map(|value| value.to_string()),
        Value::Float(value) => Some(float_key(value)),
        Value::Null | Value::Sequence(_) | Value::Mapping(_) => None,
    }
}

/// Go's `strconv.FormatFloat(value, 'g', -1, 32)`, with infinity as YAML writes it.
fn float_key(value: f64) -> String {
    let narrow = value as f32;
    if narrow.is_nan() {
        return ".nan".to_owned();
    }
    if narrow.is_infinite() {
        return if narrow > 0.0 { ".inf" } else { "-.inf" }.to_owned();
    }
    let scientific = format!("{narrow:e}");
    let Some((digits, exponent)) = scientific.split_once('e') else {
        return scientific;
    };
    let (sign, exponent) = exponent.strip_prefix('-').map_or(('+', exponent), |exponent| ('-', exponent));
    match (sign, exponent.parse::<u32>().unwrap_or(0)) {
        ('+', 0..6) | ('-', 0..=4) => narrow.to_string(),
        (sign, exponent) => format!("{digits}e{sign}{exponent:02}"),
    }
}

#[cfg(test)]
mod tests {
    use crate::yaml;

    // What sigs.k8s.io/yaml v1.6.0 over go.yaml.in/yaml v2.4.4 answers for `a: <spelling>`.

    const TRUE: &str = "y Y yes Yes YES on On ON true True TRUE";
    const FALSE: &str = "n N no No NO off Off OFF false False FALSE";
    const NULL: &str = "~ null Null NULL";
    const NUMBERS: &str = "
        0=0 1=1 -1=-1 +1=1 -0=0 +0=0 00=0 007=7 0777=511 -0777=-511 +0777=511 08=8 09=9 -08=-8
        0o17=15 0O17=15 -0o17=-15 0x1F=31 0X1F=31 0xff=255 -0xff=-255 +0xff=255 0b0=0 0b1=1
        0b101=5 0B101=5 -0b101=-5 +0b101=5 0b-1=-1 0b+1=1 0b-101=-5 +0b1=1 0_0=0 1_000=1000
        1__000=1000 1_=1 -_1=-1 +_1=1 0x_1F=31 0x1_F=31 0_7=7 0b_1=1 0b1_0=2 1_0.5=10.5 1_0e1=100
        .5_0=0.5 -.5_0=-0.5 1.5_0=1.5 0o_7=7 9223372036854775807=9223372036854775807
        9223372036854775808=9223372036854775808 18446744073709551615=18446744073709551615
        18446744073709551616=18446744073709552000 -9223372036854775808=-9223372036854775808
        -9223372036854775809=-9223372036854776000 +9223372036854775808=9223372036854776000
        +9223372036854775807=9223372036854775807 0xFFFFFFFFFFFFFFFF=18446744073709551615
        0x8000000000000000=9223372036854775808 -0x8000000000000000=-9223372036854775808
        0b1111111111111111111111111111111111111111111111111111111111111111=18446744073709551615
        01777777777777777777777=18446744073709551615 99999999999999999999999999=1e+26 1.0=1 1.=1
        .5=0.5 -.5=-0.5 +.5=0.5 0.5=0.5 1.5=1.5 -1.5=-1.5 1e3=1000 1E3=1000 1e+3=1000 1e-3=0.001
        1.5e3=1500 1.e3=1000 .5e3=500 .5e-3=0.0005 1e-400=0 1e308=1e+308 1e21=1e+21
        1e20=100000000000000000000 1e22=1e+22 1.5e21=1.5e+21
        123456789012345678901234567890=1.2345678901234568e+29 1e-5=0.00001 1e-6=0.000001 1e-7=1e-7
        1.5e-7=1.5e-7 0.000001=0.000001 0.0000001=1e-7 0.1=0.1 3.14=3.14 100.0=100
        1000000.0=1000000 123456.7=123456.7 1234567.5=1234567.5 1e5=100000 1e6=1000000 -0.0=-0
        0.0=0 +0.0=0 00.5=0.5 08.5=8.5 1.10=1.1 3.10=3.1 2.50=2.5 12e03=12000 1e1_0=10000000000
        1_e3=1000 0.1_e2=10 1.19=1.19 1.20=1.2 0xdeadbeef=3735928559
        12345678901234567890=12345678901234567890 0123=83 0123456789=123456789 -0123=-83 1e0=1
        1E0=1 1e00=1 1e01=10 0e0=0 -0e0=-0 0.0e0=0 9007199254740993=9007199254740993
        9007199254740993.0=9007199254740992 0.30000000000000004=0.30000000000000004
        1.7976931348623157e308=1.7976931348623157e+308 4.9e-324=5e-324 2e-324=0 5e-324=5e-324
        16777217.0=16777217 16777217.5=16777217.5 3.4e38=3.4e+38 3.5e38=3.5e+38 -3.5e38=-3.5e+38
        1e10=10000000000 12345678.9=12345678.9 0.0001=0.0001 0.00001=0.00001 0.00012345=0.00012345
        -1e-5=-0.00001 999999.5=999999.5 9999999.5=9999999.5 -00=0 0000=0 1_2_3=123 0b__1=1
        0x__f=15 0X_F=15 +.5e-3=0.0005 -1e-7=-1e-7 6.02e23=6.02e+23 1e15=1000000000000000
        1e16=10000000000000000 123e4=1230000 0.1e1=1 100e-2=1 1E+2=100 00.0=0 0e5=0 -1.0=-1 2.0=2
        4.0e0=4 +1.0=1 0x7FFFFFFFFFFFFFFF=9223372036854775807 -0b11=-3 -0o10=-8 0o777=511 0444=292
        0644=420 0400=256 420=420 65534=65534 1000=1000 .0=0 0.=0 -0.=-0 5.0e-324=5e-324
        1.0e+21=1e+21 0b-0=0 0b+11=3 -0x0=0 +0b0=0 10e-1=1";
    const TEXT: &str = "
        yEs nO oN oFF tRUE fALSE nULL nil none None 0o8 0x 0xg 0b 0b2 -0b-1 0B-1 _1
        -0x8000000000000001 1e 1e+ e1 1e400 -1e400 1.2.3 1.2.3.4 1,000 .iNf +.nan -.nan inf nan
        Infinity NaN infinity +inf -inf . .. ... + -- +- .e5 ._5 2001-01-01 2001-1-1
        2001-12-14T21:59:43.10-05:00 2001-12-14t21:59:43.10-05:00 2001-12-14 1:2:3 12:30:45 1:20
        190:20:30 60:00 0x1p4 0x1.8p1 = foo foo-bar 10Gi 100m 1k 0.5Gi 1Ki 5e 5E 5Ei 1e3m v1
        a:b http://x/y a#b -a :a a,b b} deadbeef 0o 0o- 0x-1 0x+1 -0x 0o+7 ٣ １ 1́ é 日本 1é yes! y1
        on1 nO1 TRUE1 True. true_ _true +true -true -yes ~~ ~a null_ 0b102 0b1e1 1b 1B 0xG0 +-1
        -+1 1- 1+ 1e1e1 1..2 1.e .e1 +.e1 +. -. 1e1. 1.7976931348623159e308 0x10000000000000000
        yes_ Y_";

    /// Keys that come out other than the number itself does.
    const KEYS: &str = "
        18446744073709551616=1.8446744e+19 -9223372036854775809=-9.223372e+18
        +9223372036854775808=9.223372e+18 1e308=.inf 1e20=1e+20
        123456789012345678901234567890=1.2345679e+29 1e-5=1e-05 1e-6=1e-06 1e-7=1e-07
        1.5e-7=1.5e-07 0.000001=1e-06 0.0000001=1e-07 1000000.0=1e+06 1234567.5=1.2345675e+06
        1e6=1e+06 1e1_0=1e+10 0123456789=1.2345679e+08 9007199254740993.0=9.007199e+15
        0.30000000000000004=0.3 1.7976931348623157e308=.inf 4.9e-324=0 5e-324=0
        16777217.0=1.6777216e+07 16777217.5=1.6777218e+07 3.5e38=.inf -3.5e38=-.inf 1e10=1e+10
        12345678.9=1.2345679e+07 0.00001=1e-05 -1e-5=-1e-05 9999999.5=1e+07 -1e-7=-1e-07
        1e15=1e+15 1e16=1e+16 123e4=1.23e+06 5.0e-324=0";

    /// The JSON of a text with a single document, or what is wrong with it.
    fn json(text: &str) -> String {
        match yaml::read(text).as_slice() {
            [Ok(document)] => String::from_utf8(document.root.to_json()).unwrap(),
            [Err(fault)] => fault.message.clone(),
            documents => panic!("{text:?} holds {documents:?}"),
        }
    }

    fn check(spelling: &str, value: &str) {
        assert_eq!(json(&format!("a: {spelling}")), format!(r#"{{"a":{value}}}"#), "{spelling}");
        assert_eq!(json(&format!("- {spelling} # c")), format!("[{value}]"), "{spelling}");
        assert_eq!(json(&format!("a: '{spelling}'")), format!(r#"{{"a":"{spelling}"}}"#), "{spelling}");
        assert_eq!(json(&format!("a: !!str {spelling}")), format!(r#"{{"a":"{spelling}"}}"#), "{spelling}");
    }

    #[test]
    fn words() {
        for (value, spellings) in [("true", TRUE), ("false", FALSE), ("null", NULL)] {
            for spelling in spellings.split_whitespace() {
                check(spelling, value);
            }
        }
        assert_eq!(json("a:"), r#"{"a":null}"#);
        assert_eq!(json("a: ''"), r#"{"a":""}"#);
    }

    #[test]
    fn numbers() {
        for (spelling, value) in NUMBERS.split_whitespace().filter_map(|pair| pair.split_once('=')) {
            check(spelling, value);
        }
    }

    #[test]
    fn text() {
        for spelling in TEXT.split_whitespace() {
            check(spelling, &format!(r#""{spelling}""#));
        }
    }

    #[test]
    fn keys() {
        for (spelling, key) in KEYS.split_whitespace().filter_map(|pair| pair.split_once('=')) {
            assert_eq!(json(&format!("{spelling}: v")), format!(r#"{{"{key}":"v"}}"#), "{spelling}");
        }
        assert_eq!(json("{yes: a, 0x10: b, 1.0: c, n: d}"), r#"{"true":"a","16":"b","1":"c","false":"d"}"#);
    }

    #[test]
    fn refused_keys() {
        for spelling in ["~", "null", "", "18446744073709551615", "9223372036854775808"] {
            let message = json(&format!("? {spelling}\n: v"));
            assert_eq!(message, "this cannot be a key; quote it to make it text", "{spelling}");
        }
        for spelling in ["[a]", "{a: b}"] {
            assert_eq!(
                json(&format!("? {spelling}\n: v")),
                "a list or mapping cannot be a key",
                "{spelling}"
            );
        }
    }

    #[test]
    fn numbers_without_json() {
        for spelling in [".inf", "-.Inf", "+.INF", ".nan", ".NaN", "!!float .inf"] {
            let message = json(&format!("a: {spelling}"));
            assert!(message.ends_with("has no form in JSON; write a finite number or quote it"), "{message}");
        }
    }

    #[test]
    fn tags() {
        let table = [
            ("!!int '3'", "3"),
            ("!!int 0o17", "15"),
            ("!!float 3", "3"),
            ("!!float '1e3'", "1000"),
            ("!!bool 'yes'", "true"),
            ("!!null ''", "null"),
            ("!!null", "null"),
            ("!!str", r#""""#),
            ("!!str 0777", r#""0777""#),
            ("!<tag:yaml.org,2002:int> '3'", "3"),
            ("! true", r#""true""#),
            ("!custom true", r#""true""#),
            ("!!set {a: b}", r#"{"a":"b"}"#),
            ("!custom [yes]", "[true]"),
        ];
        for (text, value) in table {
            assert_eq!(json(&format!("a: {text}")), format!(r#"{{"a":{value}}}"#), "{text}");
        }
    }

    #[test]
    fn refused_tags() {
        for text in
            ["!!int yes", "!!int 1.5", "!!bool 1", "!!null 0", "!!float 18446744073709551615", "!!int ''"]
        {
            let message = json(&format!("a: {text}"));
            assert!(message.ends_with("is not of the type its tag says"), "{text}: {message}");
        }
        for text in ["!!binary aGk=", "!!timestamp 2001-01-01", "!!merge x"] {
            let message = json(&format!("a: {text}"));
            assert!(message.ends_with("has no use in a manifest; write the plain text"), "{text}: {message}");
        }
    }
}
