//! Values as YAML: in a line where they fit, else a line for each member or item.

use serde_json::{Map, Value};

/// Longest line.
const WIDTH: usize = 120;
/// Words that YAML 1.1 reads as something else than text.
const NOT_TEXT: [&str; 14] =
    ["y", "n", "yes", "no", "on", "off", "true", "false", "null", "nan", "inf", "none", "void", "nil"];

/// Members that people write first.
const FIRST: [&str; 10] =
    ["apiGroups", "kind", "name", "min", "max", "prefix", "allowed", "ranges", "requiredDrop", "resources"];

/// `key: value`, each line behind this many spaces.
pub(super) fn member(key: &str, value: &Value, indent: usize) -> String {
    let line = format!("{:indent$}{}: {}\n", "", text(key), flow(value));
    if line.len() <= WIDTH {
        return line;
    }
    match value {
        Value::Object(members) if !members.is_empty() => {
            let members: String =
                in_order(members).map(|(key, value)| member(key, value, indent + 2)).collect();
            format!("{:indent$}{}:\n{members}", "", text(key))
        }
        Value::Array(items) if !items.is_empty() => {
            let items: String = items.iter().map(|value| item(value, indent + 2)).collect();
            format!("{:indent$}{}:\n{items}", "", text(key))
        }
        Value::Null
        | Value::Bool(_)
        | Value::Number(_)
        | Value::String(_)
        | Value::Array(_)
        | Value::Object(_) => line,
    }
}

/// `- value`, each line behind this many spaces.
fn item(value: &Value, indent: usize) -> String {
    let line = format!("{:indent$}- {}\n", "", flow(value));
    match value {
        Value::Object(members) if line.len() > WIDTH && !members.is_empty() => {
            let members: String =
                in_order(members).map(|(key, value)| member(key, value, indent + 2)).collect();
            format!("{:indent$}- {}", "", members.trim_start())
        }
        Value::Null
        | Value::Bool(_)
        | Value::Number(_)
        | Value::String(_)
        | Value::Array(_)
        | Value::Object(_) => line,
    }
}

/// The members in the order in which people write them, then in that of the alphabet.
fn in_order(members: &Map<String, Value>) -> impl Iterator<Item = (&String, &Value)> {
    let mut members: Vec<(&String, &Value)> = members.iter().collect();
    members.sort_by_key(|(key, _)| FIRST.iter().position(|first| first == key).unwrap_or(FIRST.len()));
    members.into_iter()
}

/// A value in one line.
pub(super) fn flow(value: &Value) -> String {
    match value {
        Value::Object(members) => {
            let members = in_order(members).map(|(key, value)| format!("{}: {}", text(key), flow(value)));
            format!("{{{}}}", members.collect::<Vec<_>>().join(", "))
        }
        Value::Array(items) => format!("[{}]", items.iter().map(flow).collect::<Vec<_>>().join(", ")),
        Value::String(value) => text(value),
        Value::Null | Value::Bool(_) | Value::Number(_) => value.to_string(),
    }
}

/// A text, in quotes unless every reader takes it for one without.
fn text(value: &str) -> String {
    let is_inner = |byte: u8| byte.is_ascii_alphanumeric() || b"_-./".contains(&byte);
    let is_plain = value.starts_with(|first: char| first.is_ascii_alphabetic() || first == '/')
        && value.bytes().all(is_inner)
        && !NOT_TEXT.contains(&value.to_ascii_lowercase().as_str());
    if is_plain { value.to_owned() } else { Value::from(value).to_string() }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_written_is_read_again() {
        for value in [
            json!({}),
            json!([]),
            json!({"allowed": ["yes", "NET_ADMIN", "*", "", "1", "a b", "a: b", "#", "s0:c1,c2", "-", "~", "é\n\"'\\"]}),
            json!({"ranges": [{"min": 0, "max": 2147483647}], "fillIn": true, "default": null}),
            json!({"a": [{"b": vec!["persistentVolumeClaim"; 9], "min": [1], "c": {"d": [{}]}}], "e": {"f": []}}),
            json!({"prefix": "/var/log", "long": vec!["persistentVolumeClaim"; 20]}),
        ] {
            let written = member("key", &value, 4);
            let documents = crate::yaml::read(&written);
            let [Ok(document)] = documents.as_slice() else { panic!("{written}: {documents:?}") };
            let read: Value = serde_json::from_slice(&document.root.to_json()).expect("JSON");
            assert_eq!(read, json!({ "key": value }), "{written}");
            assert!(written.lines().all(|line| line.len() <= WIDTH), "{written}");
        }
    }
}
