//! Checks a document against the JSON Schema of its kind, and reports every fault at once.
//!
//! The schemas are generated from the types that files are read into, so a new field needs nothing
//! here. `serde` alone would stop at the first fault and not know where it stands.

use schemars::JsonSchema;
use serde_json::{Map, Value};

use crate::controls::{Level, Standard, StandardError};
use crate::path::{Path, Step};
use crate::text::{either, nearest, not_ascii};

/// The format of a string that names a level and version, `restricted:v1.30`.
pub(super) const STANDARD_FORMAT: &str = "pod-security-standard";

/// Most words that are listed to choose from, where a near one can be named instead.
const MOST_WORDS: usize = 8;
/// How many words are named of so many.
const NAMED_WORDS: usize = 3;
/// Shortest beginning of a word that is taken for it.
const SHORTEST_START: usize = 3;
/// What kubectl and people call some words for short.
const SHORT_NAMES: [(&str, &str); 9] = [
    ("cm", "configMap"),
    ("downward", "downwardAPI"),
    ("ebs", "awsElasticBlockStore"),
    ("gcepd", "gcePersistentDisk"),
    ("oci", "image"),
    ("pv", "persistentVolumeClaim"),
    ("pvc", "persistentVolumeClaim"),
    ("pvcs", "persistentVolumeClaim"),
    ("tmpfs", "emptyDir"),
];
/// Longest text that a message repeats.
const LONGEST_QUOTED: usize = 63;

/// A fault of a value.
pub(crate) struct Mismatch {
    /// What it is about.
    pub(crate) path: Path<'static>,
    /// Where it shows.
    pub(crate) at: At,
    /// What is wrong.
    pub(crate) message: String,
}

/// Where a fault shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum At {
    /// In the value.
    Value,
    /// In its key.
    Key,
    /// In what should hold it.
    Parent,
}

/// The JSON Schema of a type.
pub(crate) fn of<T: JsonSchema>() -> Value {
    schemars::schema_for!(T).to_value()
}

/// Compares a value with a schema. What is wrong is reported and taken out of the value, or replaced by
/// something harmless where it cannot be left out, so that the rest can be read and judged in the same go.
pub(crate) fn check(root: &Value, value: &mut Value) -> Vec<Mismatch> {
    let mut walk = Walk { root, path: Path::root(), mismatches: Vec::new() };
    walk.value(root, value);
    walk.mismatches
}

struct Walk<'s> {
    root: &'s Value,
    path: Path<'static>,
    mismatches: Vec<Mismatch>,
}

impl<'s> Walk<'s> {
    /// Whether the value may stay.
    fn value(&mut self, schema: &'s Value, value: &mut Value) -> bool {
        let schema = self.resolve(schema, value);
        if let Some(words) = enumeration(schema) {
            return self.one_of(&words, value);
        }
        match schema.get("type").map(type_names).unwrap_or_default().as_slice() {
            [] => true,
            names if names.contains(&type_of(value)) => match value {
                Value::Object(members) => self.object(schema, members),
                Value::Array(items) => self.array(schema, items),
                Value::String(text) => self.text(schema, text),
                Value::Null | Value::Bool(_) | Value::Number(_) => true,
            },
            names => {
                let wanted = names.iter().copied().filter(|name| *name != "null").map(named_type);
                let wanted = either(&wanted.collect::<Vec<_>>());
                self.report(At::Value, format!("expected {wanted}, found {}", describe(value)));
                false
            }
        }
    }

    /// Follows references, and chooses between a type and `null`.
    fn resolve(&self, schema: &'s Value, value: &Value) -> &'s Value {
        if let Some(name) = schema.get("$ref").and_then(Value::as_str) {
            let target = self.root.pointer(name.trim_start_matches('#'));
            return target.map_or(schema, |target| self.resolve(target, value));
        }
        let is_null = |schema: &Value| schema.get("type").is_some_and(|name| name == "null");
        let choices = schema.get("anyOf").and_then(Value::as_array);
        match choices.and_then(|choices| choices.iter().find(|choice| is_null(choice) == value.is_null())) {
            Some(choice) => self.resolve(choice, value),
            None => schema,
        }
    }

    fn object(&mut self, schema: &'s Value, members: &mut Map<String, Value>) -> bool {
        let properties = schema.get("properties").and_then(Value::as_object);
        let others = schema.get("additionalProperties");
        let keys: Vec<String> = members.keys().cloned().collect();
        for key in keys {
            let known = properties.and_then(|properties| properties.get(&key));
            let of_value = known.or(others.filter(|others| others.is_object()));
            self.path.push(key.clone());
            let stays = match (of_value, members.get_mut(&key)) {
                (Some(of_value), Some(value)) => self.value(of_value, value),
                _ if others == Some(&Value::Bool(false)) => {
                    let names = properties.into_iter().flat_map(Map::keys).map(String::as_str);
                    let parent = self.path.steps().split_last().map_or(&[][..], |(_, parent)| parent);
                    let message = unknown_key(&key, &names.collect::<Vec<_>>(), &where_listed(parent));
                    self.report(At::Key, message);
                    false
                }
                _ => true,
            };
            self.path.pop();
            match of_value.filter(|_| required(schema).any(|required| required == key)) {
                _ if stays => {}
                Some(of_value) => drop(members.insert(key, self.harmless(of_value))),
                None => drop(members.remove(&key)),
            }
        }
        self.require(schema, members);
        true
    }

    /// Adds the required members that are missing, and reports them.
    fn require(&mut self, schema: &'s Value, members: &mut Map<String, Value>) {
        for key in required(schema) {
            if members.contains_key(key) {
                continue;
            }
            self.path.push(key.to_owned());
            self.report(At::Parent, format!("the key \"{key}\" is missing"));
            self.path.pop();
            let of_value = schema.get("properties").and_then(|properties| properties.get(key));
            members.insert(key.to_owned(), of_value.map_or(Value::Null, |of_value| self.harmless(of_value)));
        }
    }

    fn array(&mut self, schema: &'s Value, items: &mut [Value]) -> bool {
        let least = schema.get("minItems").and_then(Value::as_u64).unwrap_or_default();
        if (items.len() as u64) < least {
            self.report(At::Value, "the list is empty".to_owned());
            return false;
        }
        let Some(of_items) = schema.get("items") else {
            return true;
        };
        for (index, item) in items.iter_mut().enumerate() {
            self.path.push(index);
            if !self.value(of_items, item) {
                *item = self.harmless(of_items);
            }
            self.path.pop();
        }
        true
    }

    fn text(&mut self, schema: &Value, text: &str) -> bool {
        let is_standard = schema.get("format").is_some_and(|format| format == STANDARD_FORMAT);
        if let Some(error) = text.parse::<Standard>().err().filter(|_| is_standard) {
            let nearest = match &error {
                StandardError::Level(level) => suggestion(level, Level::ALL.map(Level::name)),
                StandardError::Version(_) => String::new(),
            };
            self.report(At::Value, format!("{error}{nearest}"));
            return false;
        }
        let least = schema.get("minLength").and_then(Value::as_u64).unwrap_or_default();
        if (text.len() as u64) < least {
            self.report(At::Value, "must not be empty".to_owned());
            return false;
        }
        true
    }

    fn one_of(&mut self, words: &[&str], value: &mut Value) -> bool {
        if let Some(word) = words.iter().find(|word| means(word, value)) {
            *value = Value::from(*word);
            return true;
        }
        let text = value.as_str().unwrap_or_default();
        let nearest = suggestion(text, words.iter().copied());
        let found = describe(value);
        let message = match (words.len() > MOST_WORDS, nearest.as_str()) {
            (false, nearest) => format!("expected {}, found {found}{nearest}", either(words)),
            (true, "") => {
                let listed = where_listed(self.path.steps());
                format!("expected {} or another, found {found}; {listed}", nearest_few(text, words))
            }
            (true, nearest) => format!("no such word {found}{nearest}"),
        };
        self.report(At::Value, message);
        false
    }

    /// A value that fits the schema, in place of one that does not.
    fn harmless(&self, schema: &Value) -> Value {
        let schema = self.resolve(schema, &Value::Bool(false));
        if let Some(word) = enumeration(schema).and_then(|words| words.first().copied()) {
            return word.into();
        }
        match schema.get("type").map(type_names).unwrap_or_default().first().copied() {
            Some("string") => Value::String(String::new()),
            Some("array") => Value::Array(Vec::new()),
            Some("object") => {
                let properties = schema.get("properties");
                let of_value = |key: &str| properties.and_then(|properties| properties.get(key));
                let member = |key: &str| Some((key.to_owned(), self.harmless(of_value(key)?)));
                required(schema).filter_map(member).collect::<Map<_, _>>().into()
            }
            Some("boolean") => false.into(),
            Some("integer" | "number") => 0.into(),
            _ => Value::Null,
        }
    }

    fn report(&mut self, at: At, message: String) {
        self.mismatches.push(Mismatch { path: self.path.clone(), at, message });
    }
}

/// The members that a schema asks for.
fn required(schema: &Value) -> impl Iterator<Item = &str> {
    schema.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str)
}

/// Whether a value is this word. YAML reads an unquoted `Off` as `false`.
fn means(word: &str, value: &Value) -> bool {
    match value {
        Value::String(text) => text == word,
        Value::Bool(value) => word.eq_ignore_ascii_case(if *value { "on" } else { "off" }),
        Value::Null | Value::Number(_) | Value::Array(_) | Value::Object(_) => false,
    }
}

fn unknown_key(key: &str, names: &[&str], listed: &str) -> String {
    let found = format!("unknown key \"{key}\"{}", not_ascii(key));
    let nearest = suggestion(key, names.iter().copied());
    if !nearest.is_empty() {
        format!("{found}{nearest}")
    } else if names.len() > MOST_WORDS {
        format!("{found}, expected {} or another; {listed}", nearest_few(key, names))
    } else {
        format!("{found}, expected {}", either(names))
    }
}

/// The words that are nearest to one of which nothing is near.
fn nearest_few(found: &str, words: &[&str]) -> String {
    let start: String = found.to_lowercase().chars().take(LONGEST_QUOTED).collect();
    let mut words = words.to_vec();
    words.sort_by_cached_key(|word| strsim::damerau_levenshtein(&start, &word.to_lowercase()));
    words.truncate(NAMED_WORDS);
    words.join(", ")
}

/// What lists all words of a place, in which they are too many for a message.
fn where_listed(path: &[Step<'_>]) -> String {
    let keys: Vec<&str> = path.iter().filter_map(Step::as_key).collect();
    match *keys.as_slice() {
        ["spec", "controls", control, ..] => format!("podgate explain {control} lists them all"),
        ["spec", "controls"] | ["spec", "standard", "except"] | ["spec", "exceptions", "controls"] => {
            "podgate explain lists them all".to_owned()
        }
        _ => "docs/policies.md lists them all".to_owned(),
    }
}

/// The words of an enumeration, however the schema writes it.
fn enumeration(schema: &Value) -> Option<Vec<&str>> {
    if let Some(word) = schema.get("const").and_then(Value::as_str) {
        return Some(vec![word]);
    }
    if let Some(words) = schema.get("enum").and_then(Value::as_array) {
        return words.iter().map(Value::as_str).collect();
    }
    let choices = schema.get("oneOf").and_then(Value::as_array)?;
    let words: Option<Vec<Vec<&str>>> = choices.iter().map(enumeration).collect();
    words.map(|words| words.concat())
}

fn type_names(names: &Value) -> Vec<&str> {
    match names.as_array() {
        Some(names) => names.iter().filter_map(Value::as_str).collect(),
        None => names.as_str().into_iter().collect(),
    }
}

fn type_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

/// A type as a sentence has it.
fn named_type(name: &str) -> &str {
    match name {
        "boolean" => "true or false",
        "integer" => "a whole number",
        "string" => "a string",
        "array" => "a list",
        "object" => "a mapping",
        name => name,
    }
}

/// What was found, as a sentence has it: itself if it is short.
pub(crate) fn describe(value: &Value) -> String {
    match value {
        Value::Null => "nothing".to_owned(),
        Value::Bool(_) | Value::Number(_) => value.to_string(),
        Value::String(text) if text.len() <= LONGEST_QUOTED && !text.contains(char::is_control) => {
            format!("\"{text}\"{}", not_ascii(text))
        }
        Value::String(_) | Value::Array(_) | Value::Object(_) => named_type(type_of(value)).to_owned(),
    }
}

/// `, did you mean "x"?`, if one of the words is near, is called so for short, or alone begins so.
pub(crate) fn suggestion<'w>(found: &str, words: impl IntoIterator<Item = &'w str>) -> String {
    let words: Vec<&str> = words.into_iter().collect();
    let start = found.to_lowercase();
    let of_short_name = || {
        let (_, meant) = SHORT_NAMES.iter().find(|(short, _)| *short == start)?;
        words.iter().find(|word| *word == meant).copied()
    };
    let of_start = || {
        let mut starting = words.iter().filter(|word| word.to_lowercase().starts_with(&start));
        let first = starting.next().filter(|_| start.len() >= SHORTEST_START)?;
        starting.next().is_none().then_some(*first)
    };
    let meant = of_short_name().or_else(of_start).or_else(|| nearest(found, words.iter().copied()));
    meant.map_or(String::new(), |word| format!(", did you mean \"{word}\"?"))
}
