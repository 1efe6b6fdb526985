//! Policy files: YAML as it is written → policies, or every fault with its line and column.

use crate::policy::error::PolicyError;
use crate::policy::object;
use crate::policy::policies::Policies;
use crate::yaml;

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
            Err(fault) => {
                policies.faults.push(PolicyError::new(file, fault.line, fault.column, fault.message));
            }
        }
    }
}
