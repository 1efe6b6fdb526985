//! The policies of all files, or every fault of all files.

use std::collections::HashMap;
use std::sync::Arc;

use crate::policy::PolicySet;
use crate::policy::error::PolicyError;

/// Policies as files are read, one after the other.
#[derive(Debug)]
pub struct Policies {
    pub(super) set: PolicySet,
    pub(super) faults: Vec<PolicyError>,
    pub(super) warnings: Vec<PolicyError>,
    pub(super) places: ExceptionPlaces,
}

/// Where exceptions are written, by their names: `policies/ml.yaml:9:5`.
pub type ExceptionPlaces = HashMap<Arc<str>, String>;

impl Policies {
    /// No policy yet. None may reach the `reserved` namespaces.
    #[must_use]
    pub fn new(reserved: Vec<String>) -> Self {
        Self {
            set: PolicySet { reserved, ..PolicySet::default() },
            faults: Vec::new(),
            warnings: Vec::new(),
            places: ExceptionPlaces::new(),
        }
    }

    /// What is legal and hardly meant: rules of several policies that refuse each other's pods.
    #[must_use]
    pub fn warnings(&self) -> &[PolicyError] {
        &self.warnings
    }

    /// Where each exception is written.
    #[must_use]
    pub fn exception_places(&self) -> &ExceptionPlaces {
        &self.places
    }

    /// The policies, once all files are read.
    ///
    /// # Errors
    /// Every fault of every file.
    pub fn finish(self) -> Result<PolicySet, Vec<PolicyError>> {
        if self.faults.is_empty() { Ok(self.set) } else { Err(self.faults) }
    }
}
