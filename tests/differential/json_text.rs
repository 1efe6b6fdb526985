//! Texts to read as JSON: reviews as an API server writes them and as nobody should, and both with something changed.
//!
//! Our reader looks at 64 bytes at a time, and four kilobytes ahead. So texts are moved and strings are made to end around
//! such borders, with escapes, rows of backslashes and characters of several bytes across them.

use crate::random::Random;

/// A review as an API server sends it.
const REAL: &str = include_str!("../../benches/payloads/one-container.json");

const KEYS: [&str; 28] = [
    "request",
    "object",
    "oldObject",
    "uid",
    "kind",
    "metadata",
    "name",
    "labels",
    "annotations",
    "managedFields",
    "f:metadata",
    "spec",
    "containers",
    "securityContext",
    "privileged",
    "env",
    "",
    "a",
    "requ\\u0065st",
    "\\u0075id",
    "k:{\\\"name\\\":\\\"c\\\"}",
    "k:{\\u0022name\\\":\\\"c\\\"}",
    "a/b~c",
    "é",
    "\\u00e9",
    "fifteen letters",
    "sixteen letters.",
    "sixteen \\u006cetters.",
];

/// What strings are made of, beside letters and rows of backslashes.
const PIECES: [&str; 22] = [
    "x",
    "\\\"",
    "\\\"",
    "\\\\",
    "\\n",
    "\\t",
    "\\/",
    "\\b\\f\\r",
    "\\u0041",
    "\\u001F",
    "\\u0000",
    "\\uFFFF",
    "\\ud83d\\ude00",
    "é",
    "€",
    "😀",
    "\u{7f}",
    "{\\\"a\\\":[1,2]}",
    "{}[]:,",
    "//",
    "\u{2028}",
    "true",
];

/// What no string may hold.
const BAD: [&str; 12] = [
    "\\ud83d",
    "\\ude00",
    "\\ud83d\\u0041",
    "\\ud83dx",
    "\\u12",
    "\\u12g4",
    "\\x",
    "\\'",
    "\u{1}",
    "\n",
    "\0",
    "\\U0041",
];

const SCALARS: [&str; 20] = [
    "null",
    "true",
    "false",
    "0",
    "-0",
    "7",
    "42",
    "8080",
    "-1",
    "9223372036854775807",
    "-9223372036854775808",
    "9223372036854775808",
    "1.5",
    "-1.5e3",
    "1E+2",
    "2e-3",
    "{}",
    "[]",
    "{ }",
    "\"\"",
];

/// What is put somewhere into a text.
const INSERTED: [&[u8]; 40] = [
    b"\"",
    b"\\",
    b"{",
    b"}",
    b"[",
    b"]",
    b",",
    b":",
    b" ",
    b"\n",
    b"\t",
    b"\r",
    b"\0",
    b"\x01",
    b"\x0b",
    b"\x1f",
    b"\x7f",
    b"\x80",
    b"\xff",
    b"\xc0\xaf",
    b"\xed\xa0\x80",
    b"\xe2\x82",
    b"\xf4\x90\x80\x80",
    b"\xef\xbb\xbf",
    b"\xc2\xa0",
    b"0",
    b"01",
    b"-",
    b".",
    b"1e999",
    b"NaN",
    b"nul",
    b"truefalse",
    b"\\\"",
    b"\\\\",
    b"\\u",
    b"\":{},\"",
    b"/*x*/",
    b"'",
    b"\"a\":1,",
];

/// A text, the same for the same chance.
pub(crate) fn any(random: &mut Random) -> Vec<u8> {
    let mut text = match random.below(16) {
        0 => REAL.as_bytes().to_vec(),
        1 => deep(random),
        2..=6 => review(random).into_bytes(),
        _ => {
            let mut text = String::new();
            push_value(random, &mut text, 5);
            text.into_bytes()
        }
    };
    if random.percent(30) {
        let padding = random.below(130);
        text.splice(0..0, std::iter::repeat_n(b' ', padding));
    }
    for _ in 0..[0, 0, 1, 1, 1, 2, 3][random.below(7)] {
        change(random, &mut text);
    }
    text
}

/// A review with something in it that is not read.
fn review(random: &mut Random) -> String {
    let mut text =
        String::from(r#"{"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1","request":{"uid":"u","#);
    push_members(random, &mut text, 3);
    text.push_str(r#""resource":{"group":"","version":"v1","resource":"pods"},"operation":"CREATE","object":{"metadata":{"#);
    push_members(random, &mut text, 4);
    text.push_str(r#""name":"p"},"spec":{"#);
    push_members(random, &mut text, 4);
    text.push_str(r#""containers":[{"#);
    push_members(random, &mut text, 3);
    text.push_str(r#""name":"c"}]}},"oldObject":null}}"#);
    text
}

/// Brackets in brackets: as deep as is read, as is skipped, and deeper.
fn deep(random: &mut Random) -> Vec<u8> {
    let depth = match random.below(12) {
        0 => 9_990 + random.below(20),
        1 => random.below(12_000),
        _ => 55 + random.below(20),
    };
    let mut text = String::new();
    let mut closing = Vec::new();
    for _ in 0..depth {
        let is_object = random.percent(50);
        text.push_str(if is_object { "{\"a\":" } else { "[" });
        closing.push(if is_object { '}' } else { ']' });
    }
    push_value(random, &mut text, 1);
    text.extend(closing.into_iter().rev());
    text.into_bytes()
}

fn push_one(random: &mut Random, text: &mut String, pieces: &[&str]) {
    text.push_str(random.pick::<&str>(pieces));
}

fn push_value(random: &mut Random, text: &mut String, depth: usize) {
    match random.below(if depth == 0 { 5 } else { 10 }) {
        0..=2 => push_one(random, text, &SCALARS),
        3..=4 => push_string(random, text),
        5..=7 => {
            text.push('{');
            for index in 0..random.below(6) {
                push_comma(random, text, index);
                push_member(random, text, depth);
            }
            text.push('}');
        }
        _ => {
            text.push('[');
            for index in 0..random.below(5) {
                push_comma(random, text, index);
                push_value(random, text, depth - 1);
            }
            text.push(']');
        }
    }
}

fn push_comma(random: &mut Random, text: &mut String, index: usize) {
    if index > 0 {
        text.push(',');
    }
    push_space(random, text);
}

fn push_space(random: &mut Random, text: &mut String) {
    if random.below(200) == 0 {
        push_one(random, text, &[" ", "\n", "\t", "\r\n", "    "]);
    }
}

fn push_member(random: &mut Random, text: &mut String, depth: usize) {
    match random.below(4) {
        0 => push_string(random, text),
        1 => text.push_str(&format!("\"{}{}\"", random.pick(&KEYS), random.below(30))),
        _ => text.push_str(&format!("\"{}\"", random.pick(&KEYS))),
    }
    push_space(random, text);
    text.push(':');
    push_space(random, text);
    // Most of managed fields.
    if random.percent(30) {
        text.push_str("{}")
    } else {
        push_value(random, text, depth - 1)
    }
    push_space(random, text);
}

fn push_members(random: &mut Random, text: &mut String, depth: usize) {
    for _ in 0..random.below(4) {
        push_member(random, text, depth);
        text.push(',');
    }
}

fn push_string(random: &mut Random, text: &mut String) {
    text.push('"');
    for _ in 0..random.below(5) {
        match random.below(12) {
            0 => text.push_str(&"a".repeat(60 + random.below(10))),
            1 => text.push_str(&"\\\\".repeat(random.below(70))),
            2 => text.push_str(&"\\\"".repeat(random.below(40))),
            // Up to the next border, or nearly.
            3 => text.push_str(&"b".repeat((64 - text.len() % 64) + random.below(3))),
            4 if random.below(40) == 0 => text.push_str(&"c".repeat(4000 + random.below(200))),
            5 if random.below(30) == 0 => push_one(random, text, &BAD),
            6..=8 => text.push_str(&"d".repeat(random.below(20))),
            _ => push_one(random, text, &PIECES),
        }
    }
    text.push('"');
}

/// A place in a text, rather often around the border of a block.
fn place(random: &mut Random, text: &[u8]) -> usize {
    let at = random.below(text.len() + 1);
    if random.percent(30) { (at / 64 * 64 + 62 + random.below(4)).min(text.len()) } else { at }
}

/// A part of a text that is not too long.
fn part(random: &mut Random, text: &[u8]) -> std::ops::Range<usize> {
    let start = place(random, text);
    start..(start + random.below(80)).min(text.len())
}

fn change(random: &mut Random, text: &mut Vec<u8>) {
    let at = place(random, text);
    match random.below(12) {
        0 => text.truncate(at),
        1..=3 => drop(text.splice(at..at, random.pick(&INSERTED).iter().copied())),
        4..=5 => {
            let end = (at + 1).min(text.len());
            drop(text.splice(at..end, random.pick(&INSERTED).iter().copied()));
        }
        6 => drop(text.splice(at..at, std::iter::repeat_n(b'\\', 1 + random.below(70)))),
        7 => drop(text.drain(part(random, text))),
        8 => {
            // Said twice, there or elsewhere.
            let again = text[part(random, text)].to_vec();
            drop(text.splice(at..at, again));
        }
        9 => {
            // Moved.
            let moved: Vec<u8> = text.drain(part(random, text)).collect();
            let at = place(random, text);
            drop(text.splice(at..at, moved));
        }
        10 if at < text.len() => text[at] ^= 1 << random.below(8),
        _ => repeat_member(random, text),
    }
}

/// Repeats a member, or the key of one with the value of another.
fn repeat_member(random: &mut Random, text: &mut Vec<u8>) {
    let commas: Vec<usize> = (0..text.len()).filter(|at| text[*at] == b',').collect();
    if commas.len() < 2 {
        return;
    }
    let first = random.below(commas.len() - 1);
    let member = text[commas[first]..commas[first + 1]].to_vec();
    let at = if random.percent(70) { commas[first] } else { *random.pick(&commas) };
    drop(text.splice(at..at, member));
}
