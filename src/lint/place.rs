//! Where in the text a path of the object is.

use crate::json::JsonError;
use crate::path::Path;
use crate::yaml::{Node, Span, YamlError};

/// A fault at a path.
pub(super) fn fault(node: &Node, path: &Path<'_>, message: &str) -> YamlError {
    at(node.locate(path).span, message)
}

/// An error of the JSON reader, at its field in the file.
pub(super) fn of_error(node: &Node, error: &JsonError) -> YamlError {
    let message = error.to_string();
    // The offset is in the JSON that was made of the node, which nobody sees.
    let offset = format!(" (byte {})", error.offset());
    let message = message.strip_suffix(&offset).unwrap_or(&message);
    at(node.locate(&error.path()).span, message)
}

fn at(span: Span, message: &str) -> YamlError {
    YamlError { line: span.line, column: span.column, message: message.to_owned() }
}

#[cfg(test)]
mod tests {
    use crate::json::Reader;
    use crate::pod::Pod;
    use crate::yaml;

    use super::*;

    #[test]
    fn an_error_stands_where_its_field_does() {
        let long = format!("{}: 1", "x".repeat(600));
        for (label, written, message) in [
            ("a.b/c: 1", "1", "metadata.labels[a.b/c]: expected a string, found a number"),
            ("'e[0]': 2", "2", "metadata.labels.e[0]: expected a string, found a number"),
            ("'': 3", "3", "metadata.labels.: expected a string, found a number"),
            ("\"\u{e9}\\n\": 4", "4", "metadata.labels.\\u{e9}\\u{a}: expected a string, found a number"),
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
            assert_eq!(of_error(&document.root, &error).message, message);
        }
    }
}
