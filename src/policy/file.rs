//! Policy files: YAML as it is written → policies, or every fault with its line and column.

use crate::policy::error::PolicyError;
use crate::policy::object;
use crate::policy::policies::Policies;
use crate::text::look_alikes;
use crate::yaml::{self, YamlError};

/// Reads a document that was parsed already, of a file that errors call `file`, and returns what is wrong with it.
pub fn read_document(file: &str, document: &yaml::Document, policies: &mut Policies) -> Vec<PolicyError> {
    let known = policies.faults.len();
    object::read(file, document, policies);
    policies.faults.split_off(known)
}

/// Reads one file, `text`, which errors call `file`.
pub fn read_file(file: &str, text: &str, policies: &mut Policies) {
    let documents = yaml::read(text);
    if documents.is_empty() {
        policies.faults.push(PolicyError::new(file, 1, 1, "holds no policy"));
    }
    for document in documents {
        match document {
            Ok(document) => object::read(file, &document, policies),
            Err(fault) => policies.faults.push(yaml_fault(file, text, &fault)),
        }
    }
}

/// What is wrong with a document of `text` that is no YAML.
pub(crate) fn yaml_fault(file: &str, text: &str, fault: &YamlError) -> PolicyError {
    let message = format!("{}{}", fault.message, look_alikes_before(text, fault.line));
    PolicyError::new(file, fault.line, fault.column, message)
}

/// How many lines before a fault of YAML may be its cause.
const LINES_BEFORE: usize = 2;

/// The characters in or right before a line that YAML does not take for what they look like.
fn look_alikes_before(text: &str, line: usize) -> String {
    let first = line.saturating_sub(LINES_BEFORE + 1);
    let lines = text.lines().enumerate().skip(first).take(line.saturating_sub(first));
    let told =
        lines.filter_map(|(index, text)| Some(format!("; line {} has {}", index + 1, look_alikes(text)?)));
    told.last().unwrap_or_default()
}
