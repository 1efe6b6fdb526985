//! Policy files: YAML as it is written → policies, or every fault with its line and column.

use std::fmt;

use serde_json::Value;

use crate::policy::PolicySet;
use crate::policy::object::ObjectReader;
use crate::policy::schema;
use crate::policy::written::{IdentitySpec, Object, SecuritySpec};
use crate::yaml;

pub(super) const API_VERSION: &str = "podgate.dev/v1alpha1";

/// The kinds of object that a policy file holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// What pods may do: [`SecurityPolicy`](crate::policy::SecurityPolicy).
    SecurityPolicy,
    /// Which identity they get: [`IdentityPolicy`](crate::policy::IdentityPolicy).
    IdentityPolicy,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 2] = [Self::SecurityPolicy, Self::IdentityPolicy];

    /// Its name, as in `kind`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::SecurityPolicy => "SecurityPolicy",
            Self::IdentityPolicy => "IdentityPolicy",
        }
    }

    pub(super) fn schema(self) -> Value {
        match self {
            Self::SecurityPolicy => schema::of::<Object<SecuritySpec>>(),
            Self::IdentityPolicy => schema::of::<Object<IdentitySpec>>(),
        }
    }
}

/// A fault in a policy file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The file, as it was named.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
    /// The column, from 1, in characters.
    pub column: usize,
    /// What is wrong, and what to do.
    pub message: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}: {}", self.file, self.line, self.column, self.message)
    }
}

/// Policies as files are read, one after the other.
#[derive(Debug)]
pub struct Policies {
    pub(super) set: PolicySet,
    pub(super) faults: Vec<Fault>,
}

impl Policies {
    /// No policy yet. None may reach the `reserved` namespaces.
    #[must_use]
    pub fn new(reserved: Vec<String>) -> Self {
        Self { set: PolicySet { reserved, ..PolicySet::default() }, faults: Vec::new() }
    }

    /// The policies, once all files are read.
    ///
    /// # Errors
    /// Every fault of every file.
    pub fn finish(self) -> Result<PolicySet, Vec<Fault>> {
        if self.faults.is_empty() { Ok(self.set) } else { Err(self.faults) }
    }
}

/// Reads one file, `text`, which errors call `file`.
pub fn read_file(file: &str, text: &str, policies: &mut Policies) {
    let documents = yaml::read(text);
    if documents.is_empty() {
        policies.faults.push(fault_at(file, 1, 1, "holds no policy"));
    }
    for document in documents {
        match document {
            Ok(document) => ObjectReader::new(file, &document, policies).read(),
            Err(fault) => policies.faults.push(fault_at(file, fault.line, fault.column, fault.message)),
        }
    }
}

pub(super) fn fault_at(file: &str, line: usize, column: usize, message: impl Into<String>) -> Fault {
    Fault { file: file.to_owned(), line, column, message: one_line(&message.into()) }
}

/// What was found may stand in a message, and a fault is one line wherever it is shown.
fn one_line(message: &str) -> String {
    let mut line = String::with_capacity(message.len());
    for character in message.chars() {
        if character.is_control() {
            line.extend(character.escape_default());
        } else {
            line.push(character);
        }
    }
    line
}
