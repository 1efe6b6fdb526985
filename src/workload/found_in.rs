//! Where a value is that an object takes from another one.

use serde::Serialize;

use crate::text::{Printable, one_line};
use crate::workload::references::Referent;

/// The object that a value comes from.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
pub struct FoundIn {
    /// Its kind.
    pub kind: String,
    /// Its name.
    pub name: String,
    /// The file that it is in.
    pub file: String,
}

impl FoundIn {
    /// That of what is in an object that is referred to.
    #[must_use]
    pub fn new(referent: &Referent) -> Self {
        let Referent { kind, name, file, .. } = referent;
        Self { kind: kind.clone(), name: name.clone(), file: file.clone() }
    }

    /// `from ServingRuntime vllm, runtimes.yaml:12`
    #[must_use]
    pub fn text(&self, line: usize) -> String {
        let Self { kind, name, file } = self;
        format!("from {} {}, {}:{line}", Printable(kind), Printable(name), one_line(file))
    }
}
