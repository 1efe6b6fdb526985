//! The table of custom resources that carry pods. `docs/kinds.md` is made from it.
//!
//! What operators make of their kinds was read in the schemas of their CustomResourceDefinitions, in their samples and,
//! where it says so, in their source, as of mid-2026.

mod pipelines;
mod platforms;
mod rows;
mod serving;
mod training;

use crate::workload::kind::{Kind, Kinds};

/// Every row.
static TABLE: &[&[Kind]] = &[training::KINDS, serving::KINDS, pipelines::KINDS, platforms::KINDS];

impl Kinds {
    /// The kinds of the table, and these, which go first.
    #[must_use]
    pub fn with(added: Vec<Kind>) -> Self {
        Self { table: TABLE, added }
    }
}

impl Default for Kinds {
    fn default() -> Self {
        Self::with(Vec::new())
    }
}
