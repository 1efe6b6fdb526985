//! The policies of all files, or every fault of all files.

use std::collections::HashMap;
use std::sync::Arc;

use serde_json::Value;

use crate::policy::PolicySet;
use crate::policy::error::PolicyError;
use crate::policy::kind::PolicyKind;
use crate::policy::shared::SharedParts;

/// Policies as files are read, one after the other.
#[derive(Debug)]
pub struct Policies {
    pub(super) set: PolicySet,
    pub(super) faults: Vec<PolicyError>,
    pub(super) warnings: Vec<PolicyError>,
    pub(super) shared: SharedParts,
    /// The schema of each kind that was read: it takes longer to make than a policy to read.
    schemas: Vec<(PolicyKind, Arc<Value>)>,
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
            shared: SharedParts::default(),
            schemas: Vec::new(),
            places: ExceptionPlaces::new(),
        }
    }

    /// The JSON Schema of a kind.
    pub(super) fn schema(&mut self, kind: PolicyKind) -> Arc<Value> {
        if let Some((_, schema)) = self.schemas.iter().find(|(known, _)| *known == kind) {
            return Arc::clone(schema);
        }
        let schema = Arc::new(kind.json_schema());
        self.schemas.push((kind, Arc::clone(&schema)));
        schema
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
        let Self { mut set, faults, .. } = self;
        set.security.shrink_to_fit();
        set.identity.shrink_to_fit();
        if faults.is_empty() { Ok(set) } else { Err(faults) }
    }
}
