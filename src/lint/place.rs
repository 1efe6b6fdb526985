//! Where in the text a path of the object is, and what stands there.

use crate::json::JsonError;
use crate::path::{Path, Step};
use crate::text::printable;
use crate::yaml::{Node, Span, Value, YamlError};

/// Longest text of a file that is shown in a message, in characters.
const LONGEST_SHOWN: usize = 32;

/// What may hold a secret, and is not shown.
const HIDDEN: [&str; 6] = ["env", "args", "command", "data", "stringData", "binaryData"];

/// A fault at a path.
pub(super) fn fault(node: &Node, path: &Path<'_>, message: &str) -> YamlError {
    at(node.locate(path).span, message)
}

/// An error of the JSON reader, at its field in the file, whose text is given.
pub(super) fn of_error(node: &Node, text: &str, error: &JsonError) -> YamlError {
    let message = error.to_string();
    // The offset is in the JSON that was made of the node, which nobody sees.
    let offset = format!(" (byte {})", error.offset());
    let message = message.strip_suffix(&offset).unwrap_or(&message);
    let path = error.path();
    let located = node.locate(&path);
    let expected = message.rsplit_once(", found ").map_or(message, |(expected, _)| expected);
    match found(located.node, text)
        .filter(|_| located.exact && expected.contains("expected ") && !is_hidden(&path))
    {
        Some(found) => {
            let advice = advice(located.node, text, expected);
            at(located.span, &format!("{expected}, found {found}{advice}"))
        }
        None => at(located.span, message),
    }
}

fn at(span: Span, message: &str) -> YamlError {
    YamlError { line: span.line, column: span.column, message: message.to_owned() }
}

fn is_hidden(path: &[Step<'_>]) -> bool {
    path.iter().filter_map(Step::as_key).any(|key| HIDDEN.contains(&key))
}

/// A scalar as it is written, and what YAML makes of it; `None` for what is no scalar or of no use to show.
fn found(node: &Node, text: &str) -> Option<String> {
    let written = text.get(node.span.start..node.span.end)?;
    let shown = printable(written.lines().next().unwrap_or_default(), LONGEST_SHOWN);
    match &node.value {
        Value::Null if written.is_empty() => Some("nothing, which YAML reads as null".to_owned()),
        Value::Null => Some(format!("{shown}, which YAML reads as null")),
        Value::Bool(value) if value.to_string() == written => Some(format!("the boolean {value}")),
        Value::Bool(value) => Some(format!("{shown}, which YAML reads as {value}")),
        Value::Int(_) | Value::Float(_) => {
            let value = String::from_utf8(node.to_json()).ok()?;
            let is_same = value == written;
            Some(if is_same {
                format!("the number {value}")
            } else {
                format!("{shown}, which YAML reads as the number {value}")
            })
        }
        Value::String(value) => {
            let value = printable(value, LONGEST_SHOWN);
            Some(format!(
                "the string {}",
                if is_quoted(written) { format!("\"{value}\"") } else { value.to_string() }
            ))
        }
        Value::Sequence(_) | Value::Mapping(_) => None,
    }
}

/// What to do about a scalar of the wrong type.
fn advice(node: &Node, text: &str, expected: &str) -> &'static str {
    let written = text.get(node.span.start..node.span.end).unwrap_or_default();
    let wants = |what: &str| expected.ends_with(&format!("expected {what}"));
    match &node.value {
        Value::Bool(_) | Value::Int(_) | Value::Float(_) if wants("a string") => ": quote it",
        Value::Bool(_) | Value::Int(_) | Value::Float(_) | Value::String(_) if wants("an array") => {
            ": write a list, as [a, b]"
        }
        Value::String(value) if is_quoted(written) => {
            let meant = unquoted(value);
            let is_boolean = wants("true or false") && matches!(meant, Some(Value::Bool(_)));
            let is_number =
                expected.contains("expected a whole number") && matches!(meant, Some(Value::Int(_)));
            if is_boolean || is_number { ": remove the quotes" } else { "" }
        }
        Value::Null
        | Value::Bool(_)
        | Value::Int(_)
        | Value::Float(_)
        | Value::String(_)
        | Value::Sequence(_)
        | Value::Mapping(_) => "",
    }
}

fn is_quoted(written: &str) -> bool {
    written.starts_with(['"', '\''])
}

/// What a text would be without its quotes.
fn unquoted(text: &str) -> Option<Value> {
    let is_word = text.len() <= LONGEST_SHOWN
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-_.~".contains(&byte));
    let document = is_word.then(|| crate::yaml::read(text).pop())??.ok()?;
    Some(document.root.value)
}

#[cfg(test)]
mod tests {
    use crate::json::Reader;
    use crate::pod::Pod;
    use crate::yaml;

    use super::*;

    /// The message for the first field of the wrong type in a pod, without its path.
    fn message(text: &str) -> String {
        let document = yaml::read(text).remove(0).expect(text);
        let json = document.root.to_json();
        let error = Pod::read(&mut Reader::new(&json).expect("UTF-8")).expect_err(text);
        let message = of_error(&document.root, text, &error).message;
        message.split_once(": ").map_or(message.clone(), |(_, message)| message.to_owned())
    }

    #[test]
    fn an_error_stands_where_its_field_does() {
        let long = format!("{}: 1", "x".repeat(600));
        for (label, written, message) in [
            ("a.b/c: 1", "1", "metadata.labels[a.b/c]: expected a string, found the number 1: quote it"),
            ("'e[0]': 2", "2", "metadata.labels.e[0]: expected a string, found the number 2: quote it"),
            ("'': 3", "3", "metadata.labels.: expected a string, found the number 3: quote it"),
            (
                "\"\u{e9}\\n\": 4",
                "4",
                "metadata.labels.\\u{e9}\\u{a}: expected a string, found the number 4: quote it",
            ),
            ("a: [x]", "a", "metadata.labels.a: expected a string, found an array"),
            // A key that is too long for Kubernetes is not looked for.
            (
                &long,
                "labels",
                &format!("metadata.labels[{}...]: expected a string, found a number", "x".repeat(64)),
            ),
        ] {
            let text = format!("metadata:\n  labels:\n    {label}\n");
            let document = yaml::read(&text).remove(0).expect("a document");
            let json = document.root.to_json();
            let error = Pod::read(&mut Reader::new(&json).expect("UTF-8")).expect_err(label);
            let span = document.root.locate(&error.path()).span;
            assert_eq!(&text[span.start..span.end], written, "{label}");
            assert_eq!(of_error(&document.root, &text, &error).message, message);
        }
    }

    #[test]
    fn what_yaml_makes_of_a_word_is_said() {
        for (written, expected) in [
            ("y", "found y, which YAML reads as true: quote it"),
            ("NO", "found NO, which YAML reads as false: quote it"),
            ("on", "found on, which YAML reads as true: quote it"),
            ("true", "found the boolean true: quote it"),
            ("1.10", "found 1.10, which YAML reads as the number 1.1: quote it"),
            ("010", "found 010, which YAML reads as the number 8: quote it"),
            ("1_000", "found 1_000, which YAML reads as the number 1000: quote it"),
            ("1e3", "found 1e3, which YAML reads as the number 1000: quote it"),
            ("80", "found the number 80: quote it"),
            ("!!bool 'y'", "found 'y', which YAML reads as true: quote it"),
        ] {
            let text = format!("metadata: {{labels: {{a: {written}}}}}");
            assert_eq!(message(&text), format!("expected a string, {expected}"), "{written}");
        }
    }

    #[test]
    fn quotes_that_do_not_belong_are_named() {
        for (field, expected) in [
            ("hostPID: 'true'", "expected true or false, found the string \"true\": remove the quotes"),
            ("hostPID: \"yes\"", "expected true or false, found the string \"yes\": remove the quotes"),
            ("hostPID: 'maybe'", "expected true or false, found the string \"maybe\""),
            ("hostPID: ture", "expected true or false, found the string ture"),
            ("hostPID: 1", "expected true or false, found the number 1"),
            ("hostPID: |\n    true", "expected true or false, found the string true\\u{a}"),
            ("hostPID: '\u{f6}'", "expected true or false, found the string \"\\u{f6}\""),
            (
                "securityContext: {runAsUser: '0'}",
                "expected a whole number, found the string \"0\": remove the quotes",
            ),
            ("securityContext: {runAsUser: 1.5}", "expected a whole number of 64 bits, found the number 1.5"),
            (
                "securityContext: {runAsUser: yes}",
                "expected a whole number, found yes, which YAML reads as true",
            ),
            (
                "containers: [{securityContext: {capabilities: {drop: ALL}}}]",
                "expected an array, found the string ALL: write a list, as [a, b]",
            ),
            ("containers: {name: a}", "expected an array, found an object"),
        ] {
            assert_eq!(message(&format!("spec:\n  {field}\n")), expected, "{field}");
        }
        let long = format!("spec: {{hostPID: {}}}", "x".repeat(1000));
        assert_eq!(message(&long), format!("expected true or false, found the string {}...", "x".repeat(32)));
    }
}
