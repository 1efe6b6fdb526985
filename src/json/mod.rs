//! A strict JSON reader that borrows: one pass, no tree, no copy of a string without escapes.
//!
//! A review is hostile input on the way to a security decision, so this reader refuses what other
//! readers pass over even in the parts that nobody asks for: a repeated key, a lone surrogate, a
//! depth over [`MAX_DEPTH`], more than [`MAX_ELEMENTS`] members and items. `serde_json` cannot be
//! told to do that while it skips, and a scan before it would cost more than the reading; a test
//! holds the two to the same answer on everything else.
//!
//! The caller pulls: [`Reader::object`] and [`Reader::array`] call back for each member or item,
//! and the callback must read the value, if only with [`Reader::skip`]. An absent thing may be
//! written `null` everywhere, as Kubernetes reads it.

mod error;
mod keys;
mod scan;
mod string;

use std::borrow::Cow;

pub use error::{Error, ErrorKind, Result};
use error::{Step, fault, printable};
use keys::{Key, ManyKeys};

/// Deepest nesting that is read. Real pods reach 14; Go's encoder has no limit, our stack does.
pub const MAX_DEPTH: usize = 64;
/// Most members and items in one text. A review of 8 MiB as an API server writes it holds fewer.
pub const MAX_ELEMENTS: usize = 200_000;
/// Longest string, in bytes. etcd takes no object over 1.5 MiB.
pub const MAX_STRING: usize = 1 << 20;

/// Room for the keys of the objects that are open at a time, of a usual pod.
const OPEN_KEYS: usize = 96;

/// A place in a JSON text, moving forward.
#[derive(Debug)]
pub struct Reader<'a> {
    text: &'a str,
    at: usize,
    depth: usize,
    elements: usize,
    refuses_misspelt_case: bool,
    /// The keys of the objects that are open, outermost first.
    keys: Vec<Key>,
    /// Those of the open objects that have many.
    many_keys: Vec<ManyKeys<'a>>,
}

impl<'a> Reader<'a> {
    /// A reader at the start of `bytes`.
    ///
    /// # Errors
    /// When they are not UTF-8; the offset is the first byte that is not.
    pub fn new(bytes: &'a [u8]) -> Result<Self> {
        match std::str::from_utf8(bytes) {
            Ok(text) => Ok(Self::over(text)),
            Err(error) => Err(fault(ErrorKind::Syntax, "not UTF-8", error.valid_up_to())),
        }
    }

    /// A reader at the start of the part of `bytes` that is UTF-8: for what can still be learnt of a
    /// text that was cut off or is broken further on.
    #[must_use]
    pub fn of_valid_part(bytes: &'a [u8]) -> Self {
        let text = match std::str::from_utf8(bytes) {
            Ok(text) => text,
            Err(error) => bytes
                .get(..error.valid_up_to())
                .and_then(|valid| std::str::from_utf8(valid).ok())
                .unwrap_or_default(),
        };
        Self::over(text)
    }

    /// A reader at the start of `text`.
    #[must_use]
    pub fn over(text: &'a str) -> Self {
        Self { keys: Vec::with_capacity(OPEN_KEYS), ..Self::of_part(text) }
    }

    /// A reader of a part of a text, which has few keys or none.
    fn of_part(text: &'a str) -> Self {
        Self {
            text,
            at: 0,
            depth: 0,
            elements: 0,
            refuses_misspelt_case: false,
            keys: Vec::new(),
            many_keys: Vec::new(),
        }
    }

    /// The same reader, which refuses a key that differs from a known one in case only. Kubernetes
    /// passes over `hostnetwork`, and whoever wrote it meant `hostNetwork`.
    #[must_use]
    pub fn refusing_misspelt_case(self) -> Self {
        Self { refuses_misspelt_case: true, ..self }
    }

    /// The byte at which the next thing is read.
    #[must_use]
    pub fn offset(&self) -> usize {
        self.at
    }

    /// The text from an offset to the byte at which the next thing is read.
    #[must_use]
    pub fn text_since(&self, offset: usize) -> &'a str {
        self.text.get(offset..self.at).unwrap_or_default()
    }

    /// Checks that nothing but white space follows.
    ///
    /// # Errors
    /// When something does.
    pub fn end(&mut self) -> Result<()> {
        match self.next_byte() {
            None => Ok(()),
            Some(_) => Err(self.syntax("something follows the end of the JSON text")),
        }
    }

    /// Reads an object: `member` is called with each key, in order, and must read its value.
    /// `Ok(false)` means that it was `null`.
    ///
    /// # Errors
    /// When it is neither, when a key comes twice, or what `member` returns.
    pub fn object(&mut self, mut member: impl FnMut(&mut Self, &Cow<'a, str>) -> Result<()>) -> Result<bool> {
        if self.null()? {
            return Ok(false);
        }
        self.open(b'{', "an object")?;
        if self.next_byte() == Some(b'}') {
            self.close();
            return Ok(true);
        }
        let mut seen = self.nothing_seen();
        loop {
            let key = self.key(&mut seen)?;
            let key = self.text_of(key)?;
            if let Err(error) = member(self, &key) {
                return Err(error.inside(Step::Member(printable(&key))));
            }
            if !self.another(b'}')? {
                self.forget(seen);
                return Ok(true);
            }
        }
    }

    /// Reads an array: `item` is called with each index, in order, and must read the item.
    /// `null` is an empty array.
    ///
    /// # Errors
    /// When it is neither, or what `item` returns.
    pub fn array(&mut self, mut item: impl FnMut(&mut Self, usize) -> Result<()>) -> Result<()> {
        if self.null()? {
            return Ok(());
        }
        self.open(b'[', "an array")?;
        if self.next_byte() == Some(b']') {
            self.close();
            return Ok(());
        }
        for index in 0.. {
            self.count()?;
            item(self, index).map_err(|error| error.inside(Step::Item(index)))?;
            if !self.another(b']')? {
                break;
            }
        }
        Ok(())
    }

    /// Reads a string; `null` is the empty one, as in Go.
    ///
    /// # Errors
    /// When it is neither, or holds what no string may (control characters, lone surrogates).
    pub fn string(&mut self) -> Result<Cow<'a, str>> {
        match self.next_byte() {
            Some(b'"') => self.quoted(),
            _ if self.null()? => Ok(Cow::Borrowed("")),
            _ => Err(self.expected("a string")),
        }
    }

    /// Reads a string that may be absent; `null` is `None`.
    ///
    /// # Errors
    /// As [`Reader::string`].
    pub fn optional_string(&mut self) -> Result<Option<Cow<'a, str>>> {
        if self.null()? { Ok(None) } else { self.string().map(Some) }
    }

    /// Reads a boolean; `null` is `None`.
    ///
    /// # Errors
    /// When it is neither.
    pub fn boolean(&mut self) -> Result<Option<bool>> {
        match self.next_byte() {
            Some(b't') => self.literal("true").map(|()| Some(true)),
            Some(b'f') => self.literal("false").map(|()| Some(false)),
            _ if self.null()? => Ok(None),
            _ => Err(self.expected("true or false")),
        }
    }

    /// Reads a whole number of 64 bits; `null` is `None`. A fraction or an exponent is refused, as
    /// Go refuses it in an integer field.
    ///
    /// # Errors
    /// When it is neither, or does not fit.
    pub fn integer(&mut self) -> Result<Option<i64>> {
        match self.next_byte() {
            Some(b'-' | b'0'..=b'9') => {}
            _ if self.null()? => return Ok(None),
            _ => return Err(self.expected("a whole number")),
        }
        let start = self.at;
        self.skip_number()?;
        match self.text.get(start..self.at).map(str::parse) {
            Some(Ok(number)) => Ok(Some(number)),
            _ => Err(fault(ErrorKind::Type, "expected a whole number of 64 bits", start)),
        }
    }

    /// Reads a whole number of 32 bits; `null` is `None`.
    ///
    /// # Errors
    /// As [`Reader::integer`].
    pub fn integer32(&mut self) -> Result<Option<i32>> {
        let start = self.at;
        self.integer()?
            .map(i32::try_from)
            .transpose()
            .map_err(|_| fault(ErrorKind::Type, "expected a whole number of 32 bits", start))
    }

    /// Reads a value as a text of its own: it may have as many members and items as a whole text. For lists of
    /// things of which each alone is bounded.
    ///
    /// # Errors
    /// What `read` returns.
    pub fn apart<T>(&mut self, read: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        let before = std::mem::take(&mut self.elements);
        let value = read(self)?;
        self.elements = before;
        Ok(value)
    }

    /// Reads a value, or reads over it if it is of another type than `read` expects: `Ok(Err)` says how.
    ///
    /// # Errors
    /// When it is not JSON, or over a limit.
    pub fn attempt<T>(
        &mut self,
        read: impl FnOnce(&mut Self) -> Result<T>,
    ) -> Result<std::result::Result<T, Error>> {
        let (at, depth, keys, many) = (self.at, self.depth, self.keys.len(), self.many_keys.len());
        match read(self) {
            Ok(value) => Ok(Ok(value)),
            Err(error) if error.kind() == ErrorKind::Type => {
                (self.at, self.depth) = (at, depth);
                self.keys.truncate(keys);
                self.many_keys.truncate(many);
                self.skip_value()?;
                Ok(Err(error))
            }
            Err(error) => Err(error),
        }
    }

    /// Reads over any value, and returns its text. It is checked like every other.
    ///
    /// # Errors
    /// When it is not JSON or over a limit.
    pub fn skip(&mut self) -> Result<&'a str> {
        self.next_byte();
        let start = self.at;
        self.skip_value()?;
        Ok(self.text.get(start..self.at).unwrap_or_default())
    }

    /// Reads over the value of a key that is none of those its object has, the `known`.
    ///
    /// # Errors
    /// As [`Reader::skip`], and as [`Reader::refusing_misspelt_case`] says.
    pub fn skip_unknown(&mut self, key: &str, known: &[&str]) -> Result<()> {
        let misspelt = |name: &&&str| name.eq_ignore_ascii_case(key);
        if let Some(meant) = known.iter().find(misspelt).filter(|_| self.refuses_misspelt_case) {
            return Err(self.typed(format!("unknown field, did you mean {meant}?")));
        }
        self.skip().map(drop)
    }

    /// Reads `null` if it stands here.
    ///
    /// # Errors
    /// When something else begins like it.
    pub fn null(&mut self) -> Result<bool> {
        if self.next_byte() == Some(b'n') {
            return self.literal("null").map(|()| true);
        }
        Ok(false)
    }

    #[inline]
    fn skip_value(&mut self) -> Result<()> {
        match self.next_byte() {
            Some(b'"') => self.skip_string().map(drop),
            Some(b'{') => self.skip_object(),
            Some(b'[') => self.skip_array(),
            Some(b't') => self.literal("true"),
            Some(b'f') => self.literal("false"),
            Some(b'n') => self.literal("null"),
            Some(b'-' | b'0'..=b'9') => self.skip_number(),
            _ => Err(self.expected("a value")),
        }
    }

    /// As [`Reader::object`], for an object that nobody asks for.
    fn skip_object(&mut self) -> Result<()> {
        self.open(b'{', "an object")?;
        if self.next_byte() == Some(b'}') {
            self.close();
            return Ok(());
        }
        let mut seen = self.nothing_seen();
        loop {
            let key = self.key(&mut seen)?;
            if let Err(error) = self.skip_value() {
                let name = self.text_of(key)?;
                return Err(error.inside(Step::Member(printable(&name))));
            }
            if !self.another(b'}')? {
                self.forget(seen);
                return Ok(());
            }
        }
    }

    fn skip_array(&mut self) -> Result<()> {
        self.array(|reader, _| reader.skip_value())
    }

    /// The byte that is next after any white space.
    #[inline]
    fn next_byte(&mut self) -> Option<u8> {
        match self.byte() {
            Some(byte) if byte > b' ' => Some(byte),
            _ => self.next_after_white_space(),
        }
    }

    /// An API server writes none.
    #[cold]
    fn next_after_white_space(&mut self) -> Option<u8> {
        loop {
            let byte = self.byte();
            match byte {
                Some(b' ' | b'\n' | b'\t' | b'\r') => self.at += 1,
                _ => return byte,
            }
        }
    }

    #[inline]
    fn open(&mut self, bracket: u8, what: &str) -> Result<()> {
        if self.next_byte() != Some(bracket) {
            return Err(self.expected(what));
        }
        if self.depth == MAX_DEPTH {
            return Err(self.fault(ErrorKind::Syntax, format!("nested more than {MAX_DEPTH} levels deep")));
        }
        self.depth += 1;
        self.at += 1;
        Ok(())
    }

    fn close(&mut self) {
        self.depth -= 1;
        self.at += 1;
    }

    /// After a member or item: whether another follows, or else the closing `bracket`, which is read.
    #[inline]
    fn another(&mut self, bracket: u8) -> Result<bool> {
        match self.next_byte() {
            Some(b',') => {
                self.at += 1;
                Ok(true)
            }
            Some(byte) if byte == bracket => {
                self.close();
                Ok(false)
            }
            _ => Err(self.syntax(&format!("expected , or {}", char::from(bracket)))),
        }
    }

    #[inline]
    fn count(&mut self) -> Result<()> {
        self.elements += 1;
        if self.elements > MAX_ELEMENTS {
            return Err(
                self.fault(ErrorKind::Limit, format!("more than {MAX_ELEMENTS} members and items in all"))
            );
        }
        Ok(())
    }

    fn skip_number(&mut self) -> Result<()> {
        if self.byte() == Some(b'-') {
            self.at += 1;
        }
        if self.byte() == Some(b'0') {
            self.at += 1;
        } else {
            self.digits()?;
        }
        if self.byte() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        if matches!(self.byte(), Some(b'e' | b'E')) {
            self.at += 1;
            if matches!(self.byte(), Some(b'+' | b'-')) {
                self.at += 1;
            }
            self.digits()?;
        }
        match self.byte() {
            Some(b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' | b'.' | b'+' | b'-' | b'_') => {
                Err(self.syntax("not a number as JSON writes it"))
            }
            _ => Ok(()),
        }
    }

    fn digits(&mut self) -> Result<()> {
        if !matches!(self.byte(), Some(b'0'..=b'9')) {
            return Err(self.syntax("expected a digit"));
        }
        while matches!(self.byte(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
        Ok(())
    }

    fn literal(&mut self, word: &str) -> Result<()> {
        if self.text.as_bytes().get(self.at..).is_some_and(|rest| rest.starts_with(word.as_bytes())) {
            self.at += word.len();
            return Ok(());
        }
        Err(self.syntax("a word that JSON does not have"))
    }

    #[inline]
    fn byte(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn expected(&mut self, what: &str) -> Error {
        let found = match self.next_byte() {
            Some(b'{') => "an object",
            Some(b'[') => "an array",
            Some(b'"') => "a string",
            Some(b't' | b'f') => "a boolean",
            Some(b'n') => "null",
            Some(b'-' | b'0'..=b'9') => "a number",
            Some(_) => return self.syntax(&format!("expected {what}, found something that is not JSON")),
            None => return self.syntax(&format!("expected {what}, found the end of the text")),
        };
        self.typed(format!("expected {what}, found {found}"))
    }

    /// An error of the caller's own, at this place: JSON that is of the wrong type for its field.
    #[must_use]
    pub fn typed(&self, message: impl Into<String>) -> Error {
        self.fault(ErrorKind::Type, message)
    }

    /// An error of the caller's own, at this place: more of something than is read.
    #[must_use]
    pub fn limit(&self, message: impl Into<String>) -> Error {
        self.fault(ErrorKind::Limit, message)
    }

    fn syntax(&self, message: &str) -> Error {
        self.fault(ErrorKind::Syntax, message)
    }

    fn fault(&self, kind: ErrorKind, message: impl Into<String>) -> Error {
        fault(kind, message, self.at)
    }
}

/// Reads an object member by member: each named key with its expression, every other key over.
///
/// A macro, so that the names stand once: [`Reader::skip_unknown`] needs them as a list.
macro_rules! members {
    ($reader:ident, { $($name:literal => $read:expr),+ $(,)? }) => {
        $reader.object(|$reader, key| {
            match key.as_ref() {
                $($name => { $read; })+
                _ => $reader.skip_unknown(key, &[$($name),+])?,
            }
            Ok(())
        })
    };
}
pub(crate) use members;

#[cfg(test)]
mod tests {
    use super::*;
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
            (r#"{"a":1,"b":{"x":1,"\u0078":2}}"#, "b.x: the key comes twice (byte 18)"),
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
        assert!(skip(&nested(MAX_DEPTH)).is_ok());
        assert!(message(&nested(MAX_DEPTH + 1)).contains("nested more than 64 levels deep"));
        assert!(message(&nested(1_000_000)).contains("nested more than 64 levels deep"));

        let items = |count: usize| format!("[{}0]", "0,".repeat(count - 1));
        assert!(skip(&items(MAX_ELEMENTS)).is_ok());
        let error = skip(&items(MAX_ELEMENTS + 1)).expect_err("one more");
        assert_eq!(error.kind(), ErrorKind::Limit);

        assert!(skip(&format!("\"{}\"", "a".repeat(MAX_STRING))).is_ok());
        let error = skip(&format!("\"{}\"", "a".repeat(MAX_STRING + 1))).expect_err("one more");
        assert_eq!(error.kind(), ErrorKind::Limit);
    }

    #[test]
    fn finds_a_repeated_key_among_many() {
        let object = |last: usize| {
            let keys: Vec<String> = (0..100).map(|n| format!("\"k{n}\":0")).collect();
            format!("{{{},\"k{last}\":0}}", keys.join(","))
        };
        assert!(skip(&object(100)).is_ok());
        for last in [0, 23, 24, 25, 99] {
            assert!(message(&object(last)).contains("comes twice"), "{last}");
        }
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

    fn json() -> impl Strategy<Value = serde_json::Value> {
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
}
