//! YAML as kubectl reads it, with places.
//!
//! Kubernetes reads YAML with sigs.k8s.io/yaml over go.yaml.in/yaml v2, which is YAML 1.1 with its
//! own scalar rules: `privileged: yes` is true and `runAsUser: 0b0` is root. A reader that takes
//! either for a string lets through what the cluster then runs, so the rules here are those of
//! go-yaml v2.4.4 and sigs.k8s.io/yaml v1.6.0, which Kubernetes 1.37 is built with.
//!
//! The scanner and the grammar are go-yaml's, too, since parsers of YAML 1.2 refuse what kubectl
//! takes. Text that the two versions take apart differently is refused, as whoever reads it may think
//! of the other: line separators that only YAML 1.1 knows, and tags, anchors and unquoted words in
//! brackets that end elsewhere. Duplicate keys are refused too; of those kubectl quietly takes the
//! last. So is text behind the end of a document, which kubectl does not look at.
//!
//! Wider than kubectl on purpose, as more is judged that way and nothing less: content on the line
//! of a `---`, directives, documents behind a `...`, and JSON in every document.

mod access;
mod block_scalar;
mod build;
mod cursor;
mod error;
mod flow_grammar;
mod grammar;
mod json;
mod lexeme;
mod node;
mod outline;
mod part;
mod plain_scalar;
mod property;
mod quoted_scalar;
mod scalar;
mod scanner;
mod sound;
mod stream;
#[cfg(test)]
mod tests;

pub use error::YamlError;
pub use node::{Document, Entry, Located, Node, ReadDocument, Span, Value};
pub use outline::Stated;
pub use part::has_template;

/// The extensions of the files that are searched for in folders.
pub const FILE_EXTENSIONS: [&str; 3] = ["yaml", "yml", "json"];

/// Reads every document of a stream, leaving out those with nothing but comments.
///
/// As for kubectl a line that starts with `---` divides documents whatever it stands in, so a
/// fault is one document's and the next is read from its own start.
pub fn read(text: &str) -> Vec<Result<Document, YamlError>> {
    let mut documents = Vec::new();
    let keep = |read: Result<ReadDocument<'_>, YamlError>| match read {
        Ok(ReadDocument::Document(document)) => documents.push(Ok(document)),
        Ok(ReadDocument::Unwanted { .. }) => {}
        Err(fault) => documents.push(Err(fault)),
    };
    read_each(text, |_| true, keep);
    documents
}

/// Reads a stream as [`read`] does, and hands on each document when it is read.
///
/// A document that says what it is and is not wanted is checked as any other, but no tree is made of it.
pub fn read_each(
    text: &str,
    is_wanted: impl Fn(&Stated<'_>) -> bool,
    mut each: impl FnMut(Result<ReadDocument<'_>, YamlError>),
) {
    stream::read(text, &is_wanted, &mut each);
}
