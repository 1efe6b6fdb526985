//! The policies of all files, or every fault of all files.

use crate::policy::PolicySet;
use crate::policy::error::PolicyError;

/// Policies as files are read, one after the other.
#[derive(Debug)]
pub struct Policies {
    pub(super) set: PolicySet,
    pub(super) faults: Vec<PolicyError>,
    pub(super) warnings: Vec<PolicyError>,
}

impl Policies {
    /// No policy yet. None may reach the `reserved` namespaces.
    #[must_use]
    pub fn new(reserved: Vec<String>) -> Self {
        Self { set: PolicySet { reserved, ..PolicySet::default() }, faults: Vec::new(), warnings: Vec::new() }
    }

    /// What is legal and hardly meant: rules of several policies that refuse each other's pods.
    #[must_use]
    pub fn warnings(&self) -> &[PolicyError] {
        &self.warnings
    }

    /// The policies, once all files are read.
    ///
    /// # Errors
    /// Every fault of every file.
    pub fn finish(self) -> Result<PolicySet, Vec<PolicyError>> {
        if self.faults.is_empty() { Ok(self.set) } else { Err(self.faults) }
    }
}
