//! Policy files: YAML as it is written → policies, or every fault with its line and column.

use crate::policy::error::PolicyError;
use crate::policy::object;
use crate::policy::policies::Policies;
use crate::yaml;

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
