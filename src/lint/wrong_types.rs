//! Every field of an object that is of the wrong type, where the reader stops at the first.
//!
//! What an error is about is taken out of the object, and the rest is read again, as often as it takes.

use crate::json::{ErrorKind, JsonError};
use crate::lint::place;
use crate::path::Step;
use crate::yaml::{Node, Value, YamlError};

/// Most errors of one object that are reported: past this nobody reads on.
const MOST_REPORTED: usize = 32;
/// Most that are counted.
const MOST_COUNTED: usize = 256;
/// Most bytes of JSON that are read for one object, in all.
const MOST_BYTES: usize = 64 << 20;

/// All errors that `read` meets in the JSON of a node; `text` is that of the file.
pub(super) fn all<T>(
    node: &Node,
    text: &str,
    read: impl Fn(&[u8]) -> Result<T, JsonError>,
) -> Vec<YamlError> {
    let mut rest = node.clone();
    let mut errors = Vec::new();
    let mut more = 0;
    let mut bytes = 0;
    let mut is_whole = false;
    while !is_whole {
        let json = rest.to_json();
        let Err(error) = read(&json) else {
            is_whole = true;
            continue;
        };
        if errors.len() < MOST_REPORTED {
            errors.push(place::of_error(node, text, &error));
        } else {
            more += 1;
        }
        bytes += json.len();
        let is_last = errors.len() + more >= MOST_COUNTED || bytes > MOST_BYTES;
        if is_last || error.kind() != ErrorKind::Type || !take_out(&mut rest, &error.path()) {
            break;
        }
    }
    if let Some(last) = errors.last_mut().filter(|_| more > 0) {
        let least = if is_whole { "" } else { "at least " };
        last.message.push_str(&format!(" (and {least}{more} more in this object)"));
    }
    errors
}

/// Takes out what a path leads to: a key with its value, or the value of an item. Whether there was something.
fn take_out(node: &mut Node, path: &[Step<'_>]) -> bool {
    let Some((step, rest)) = path.split_first() else { return false };
    match (&mut node.value, step) {
        (Value::Mapping(entries), Step::Key(key)) => {
            let Some(place) = entries.iter().position(|entry| entry.key == *key) else { return false };
            if rest.is_empty() {
                entries.remove(place);
                return true;
            }
            entries.get_mut(place).is_some_and(|entry| take_out(&mut entry.value, rest))
        }
        (Value::Sequence(items), Step::Index(index)) => {
            let Some(item) = items.get_mut(*index) else { return false };
            if rest.is_empty() {
                let was_set = item.value != Value::Null;
                item.value = Value::Null;
                return was_set;
            }
            take_out(item, rest)
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use crate::json::Reader;
    use crate::pod::Pod;
    use crate::yaml;

    use super::*;

    fn messages(text: &str) -> Vec<String> {
        let document = yaml::read(text).remove(0).expect(text);
        let errors = all(&document.root, text, |json| {
            let mut reader = Reader::new(json)?.refusing_misspelt_case();
            Pod::read(&mut reader).map(drop)
        });
        errors.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn each_error_has_its_place() {
        let text = "\
metadata:
  labels: {a: yes, b: ok, c: 1}
spec:
  hostPID: 'true'
  hostnetwork: true
  containers:
  - securityContext: {runAsUser: '0', privileged: 1}
  - 5
  - name: 7
  volumes: none
";
        assert_eq!(
            messages(text),
            [
                "line 2, column 15: metadata.labels.a: expected a string, found yes, which YAML reads as true: quote it",
                "line 2, column 30: metadata.labels.c: expected a string, found the number 1: quote it",
                "line 4, column 12: spec.hostPID: expected true or false, found the string \"true\": remove the quotes",
                "line 5, column 16: spec.hostnetwork: unknown field, did you mean hostNetwork?",
                "line 7, column 34: spec.containers[0].securityContext.runAsUser: expected a whole number, found the \
                 string \"0\": remove the quotes",
                "line 7, column 51: spec.containers[0].securityContext.privileged: expected true or false, found the \
                 number 1",
                "line 8, column 5: spec.containers[1]: expected an object, found the number 5",
                "line 9, column 11: spec.containers[2].name: expected a string, found the number 7: quote it",
                "line 10, column 12: spec.volumes: expected an array, found the string none: write a list, as [a, b]",
            ]
        );
        assert_eq!(messages("[a]"), ["line 1, column 2: expected an object, found an array"]);
    }

    #[test]
    fn many_errors_are_counted() {
        let labels = |count: usize| (0..count).map(|label| format!("  l{label}: 1\n")).collect::<String>();
        let of = |count: usize| messages(&format!("metadata:\n labels:\n{}", labels(count)));
        assert_eq!(of(32).len(), 32);
        assert!(!of(32)[31].contains("more"));
        assert!(of(40)[31].ends_with("(and 8 more in this object)"));
        assert!(of(1000)[31].ends_with("(and at least 224 more in this object)"));
    }
}
