//! One document of a policy file → a policy, or every fault in it.
//!
//! First the schema: what does not fit is reported and taken out. What is left is decoded and checked for sense, so
//! that every fault is reported in one go.

use serde_json::Value;

use crate::path::Path;
use crate::policy::built_in::is_built_in;
use crate::policy::configuration;
use crate::policy::document::{DocumentReader, path};
use crate::policy::foreign;
use crate::policy::kind::{API_VERSION, PolicyKind};
use crate::policy::policies::Policies;
use crate::policy::schema::{self, describe};
use crate::yaml;

/// Reads a document of `file`.
pub(super) fn read(file: &str, document: &yaml::Document, policies: &mut Policies) {
    let mut reader = DocumentReader::new(file, document, policies);
    reader.object();
    reader.finish();
}

impl DocumentReader<'_> {
    fn object(&mut self) {
        let mut object: Value = match serde_json::from_slice(&self.document.root.to_json()) {
            Ok(object) => object,
            Err(error) => return self.fault(&Path::root(), error.to_string()),
        };
        if configuration::is_meant(&object) {
            self.pod_security(object);
            return self.check_not_mixed();
        }
        if let Some((path, what)) = foreign::advice(&object) {
            return self.fault(&path, what);
        }
        let Some(kind) = self.kind(&mut object) else { return };
        for mismatch in schema::check(&self.policies.schema(kind), &mut object) {
            self.mismatch(mismatch);
        }
        match kind {
            PolicyKind::SecurityPolicy => {
                let is_built_in = is_built_in(&object);
                if let Some(object) = self.decode(object) {
                    self.security(object, is_built_in);
                    self.check_not_mixed();
                }
            }
            PolicyKind::IdentityPolicy => {
                if let Some(object) = self.decode(object) {
                    self.identity(object);
                }
            }
            PolicyKind::AzureMachineLearning => {
                if let Some(object) = self.decode(object) {
                    self.azure_ml(object);
                }
            }
        }
    }

    /// The kind of the object, if it is one of ours.
    fn kind(&mut self, object: &mut Value) -> Option<PolicyKind> {
        let Value::Object(members) = object else {
            self.fault(&Path::root(), format!("expected a policy, found {}", describe(object)));
            return None;
        };
        let is_kind = |kind: &PolicyKind| members.get("kind").is_some_and(|found| found == kind.name());
        let kind = PolicyKind::ALL.into_iter().find(is_kind);
        let names = kind.map_or(PolicyKind::ALL.map(PolicyKind::name).to_vec(), |kind| vec![kind.name()]);
        for (key, words) in [("apiVersion", &[API_VERSION][..]), ("kind", &names)] {
            self.check_word(key, members.get(key), words);
        }
        members.insert("apiVersion".to_owned(), API_VERSION.into());
        members.insert("kind".to_owned(), kind?.name().into());
        kind
    }

    /// Refuses SecurityPolicies beside a PodSecurityConfiguration: with it the answers are Kubernetes' own.
    fn check_not_mixed(&mut self) {
        let set = &self.policies.set;
        if set.pod_security.is_some() && !set.security.is_empty() {
            let message = "a PodSecurityConfiguration and SecurityPolicies cannot hold together: with the former \
                           every answer is that of Kubernetes' own Pod Security Admission. Leave one out";
            self.fault(&path("kind"), message);
        }
    }
}
