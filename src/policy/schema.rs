//! Holds a document against the JSON Schema of its kind, and names every fault at once.
//!
//! The schemas are generated from the types that files are read into, so a new field needs nothing
//! here. `serde` alone would stop at the first fault and not know where it stands.

use schemars::JsonSchema;
use serde_json::{Map, Value};

use crate::controls::Standard;

/// The format of a string that names a level and version, `restricted:v1.30`.
pub(super) const STANDARD_FORMAT: &str = "pod-security-standard";

/// A fault of a value: the path to it, whether the key rather than the value is at fault, and why.
pub(super) struct Mismatch {
    pub(super) path: Vec<PathStep>,
    pub(super) message: String,
}

/// One step of a path through a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum PathStep {
    /// A member of a mapping.
    Key(String),
    /// An item of a list.
    Index(usize),
}

/// The JSON Schema of a type.
pub(super) fn of<T: JsonSchema>() -> Value {
    schemars::schema_for!(T).to_value()
}

/// The JSON Schema of a kind of policy file, for editors.
#[must_use]
pub fn json_schema(kind: super::Kind) -> Value {
    kind.schema()
}

/// Compares a value with a schema. What is wrong is reported, and taken out of the value, so that the
/// rest can be read and judged in the same go.
pub(super) fn check(root: &Value, value: &mut Value) -> Vec<Mismatch> {
    let mut walk = Walk { root, path: Vec::new(), mismatches: Vec::new() };
    walk.value(root, value);
    walk.mismatches
}

struct Walk<'s> {
    root: &'s Value,
    path: Vec<PathStep>,
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
                let wanted: Vec<&str> = names.iter().copied().filter(|name| *name != "null").collect();
                self.report(format!("expected {}, found {}", wanted.join(" or "), describe(value)));
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
            let schema = known.or(others.filter(|others| others.is_object()));
            self.path.push(PathStep::Key(key.clone()));
            let stays = match (schema, members.get_mut(&key)) {
                (Some(schema), Some(value)) => self.value(schema, value),
                _ if others == Some(&Value::Bool(false)) => {
                    let names = properties.into_iter().flat_map(Map::keys).map(String::as_str);
                    self.report(format!("unknown key \"{key}\"{}", suggestion(&key, names)));
                    false
                }
                _ => true,
            };
            self.path.pop();
            if !stays {
                members.remove(&key);
            }
        }
        self.require(schema, members)
    }

    /// Whether every required member is there, or was and has been reported.
    fn require(&mut self, schema: &'s Value, members: &Map<String, Value>) -> bool {
        let required = schema.get("required").and_then(Value::as_array).into_iter().flatten();
        for key in required.filter_map(Value::as_str) {
            let is_reported = self.mismatches.iter().any(|mismatch| {
                mismatch
                    .path
                    .strip_prefix(self.path.as_slice())
                    .and_then(<[PathStep]>::first)
                    .is_some_and(|step| *step == PathStep::Key(key.to_owned()))
            });
            if !members.contains_key(key) && !is_reported {
                self.report(format!("the key \"{key}\" is missing"));
            }
        }
        true
    }

    fn array(&mut self, schema: &'s Value, items: &mut Vec<Value>) -> bool {
        let least = schema.get("minItems").and_then(Value::as_u64).unwrap_or_default();
        if (items.len() as u64) < least {
            self.report("the list is empty".to_owned());
            return false;
        }
        let Some(of_items) = schema.get("items") else {
            return true;
        };
        let mut index = 0;
        items.retain_mut(|item| {
            self.path.push(PathStep::Index(index));
            index += 1;
            let stays = self.value(of_items, item);
            self.path.pop();
            stays
        });
        true
    }

    fn text(&mut self, schema: &Value, text: &str) -> bool {
        if schema.get("format").is_some_and(|format| format == STANDARD_FORMAT) {
            if let Err(error) = text.parse::<Standard>() {
                let levels = crate::controls::Level::ALL.map(crate::controls::Level::name);
                let level = text.split(':').next().unwrap_or_default();
                self.report(format!("{error}{}", suggestion(level, levels)));
                return false;
            }
        }
        let least = schema.get("minLength").and_then(Value::as_u64).unwrap_or_default();
        if (text.len() as u64) < least {
            self.report("must not be empty".to_owned());
            return false;
        }
        true
    }

    fn one_of(&mut self, words: &[&str], value: &Value) -> bool {
        let found = value.as_str().unwrap_or_default();
        if words.contains(&found) {
            return true;
        }
        let described = if value.is_string() { format!("\"{found}\"") } else { describe(value) };
        let suggestion = suggestion(found, words.iter().copied());
        self.report(format!("expected {}, found {described}{suggestion}", words.join(", ")));
        false
    }

    fn report(&mut self, message: String) {
        self.mismatches.push(Mismatch { path: self.path.clone(), message });
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
    match names {
        Value::Array(names) => names.iter().filter_map(Value::as_str).collect(),
        other => other.as_str().into_iter().collect(),
    }
}

fn type_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

fn describe(value: &Value) -> String {
    match value {
        Value::Null => "nothing".to_owned(),
        Value::Bool(_) | Value::Number(_) => value.to_string(),
        Value::String(_) | Value::Array(_) | Value::Object(_) => {
            format!("a value of type {}", type_of(value))
        }
    }
}

/// `, did you mean "x"?`, if one of the words is near, and else the words there are.
pub(super) fn suggestion<'w>(found: &str, words: impl IntoIterator<Item = &'w str>) -> String {
    let words: Vec<&str> = words.into_iter().collect();
    let distance = |word: &str| strsim::damerau_levenshtein(&found.to_lowercase(), &word.to_lowercase());
    let nearest = words.iter().copied().min_by_key(|word| distance(word));
    match nearest {
        Some(word) if distance(word) <= word.len().div_ceil(3) => format!(", did you mean \"{word}\"?"),
        _ => String::new(),
    }
}
