//! An object of the kind AzureMachineLearning: its shape, and whether it makes sense.

use serde::Deserialize;

use crate::path::Path;
use crate::policy::azure_ml::{AzureMachineLearning, AzureMlCompute};
use crate::policy::common::is_name;
use crate::policy::document::{DocumentReader, path};
use crate::policy::selector::is_namespace;
use crate::policy::written::Object;
use crate::text::not_ascii;

/// The namespaces of an installation of Azure Machine Learning, whose pods are left alone by identities.
#[derive(Debug, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct AzureMlSpec {
    /// The namespaces of the extension itself: none of their pods is touched.
    #[serde(default)]
    #[schemars(length(min = 1))]
    pub(super) system_namespaces: Option<Vec<String>>,
    /// The namespaces that it runs jobs and endpoints in, and which pods there are its own.
    #[serde(default)]
    #[schemars(length(min = 1))]
    pub(super) compute: Option<Vec<AzureMlCompute>>,
    /// Whether a pod of a compute gets workload identity if its label asks for it. The SDKs then use that instead of the
    /// identity that Azure Machine Learning gives it (`MSI_ENDPOINT`).
    #[serde(default)]
    pub(super) allow_workload_identity: bool,
}

impl DocumentReader<'_> {
    pub(super) fn azure_ml(&mut self, object: Object<AzureMlSpec>) {
        let Object { metadata, spec, .. } = object;
        let is_taken = self.policies.set.azure_ml.iter().any(|registered| registered.name == metadata.name);
        self.check_name(&metadata.name, is_taken);
        let AzureMlSpec { system_namespaces, compute, allow_workload_identity } = spec;
        let system_namespaces = system_namespaces.unwrap_or_default();
        let compute = compute.unwrap_or_default();
        if system_namespaces.is_empty() && compute.is_empty() && self.is_in_order() {
            self.fault(&path("spec"), "registers nothing: give it systemNamespaces or compute");
        }
        for (index, name) in system_namespaces.iter().enumerate() {
            let at = path("spec.systemNamespaces").index(index);
            self.check_namespace(&at, name);
            if system_namespaces.iter().take(index).any(|other| other == name) {
                self.fault(&at, "is listed twice: leave it out once");
            }
        }
        for (index, one) in compute.iter().enumerate() {
            self.check_compute(index, one, &system_namespaces);
            if compute.iter().take(index).any(|other| other.namespace == one.namespace) {
                let at = path("spec.compute").index(index).key("namespace");
                self.fault(&at, "is registered twice: write its service accounts and creators in one entry");
            }
        }
        self.policies.set.azure_ml.push(AzureMachineLearning {
            name: metadata.name,
            system_namespaces,
            compute,
            allows_workload_identity: allow_workload_identity,
        });
    }

    fn check_compute(&mut self, index: usize, compute: &AzureMlCompute, system_namespaces: &[String]) {
        let at = || path("spec.compute").index(index);
        self.check_namespace(&at().key("namespace"), &compute.namespace);
        if system_namespaces.contains(&compute.namespace) {
            self.fault(
                &at().key("namespace"),
                "is among the systemNamespaces: leave it out of one of the two",
            );
        }
        for (place, name) in compute.service_accounts.iter().enumerate().filter(|(_, name)| !is_name(name)) {
            let message = format!("must be a name of lower-case letters, digits, - and .{}", not_ascii(name));
            self.fault(&at().key("serviceAccounts").index(place), message);
        }
        for (place, creator) in compute.creators.iter().enumerate() {
            // `*` and the groups of everybody would make the other two the only bounds.
            if creator.is_empty() || creator.contains('*') || is_group(creator) {
                let message = "must be one user, as system:serviceaccount:NAMESPACE:NAME; there are no patterns or groups";
                self.fault(&at().key("creators").index(place), message);
            }
        }
    }

    fn check_namespace(&mut self, at: &Path<'_>, name: &str) {
        if !is_namespace(name) {
            self.fault(at, format!("no namespace can be named {name:?}{}", not_ascii(name)));
        }
    }
}

/// Whether a name is that of one of Kubernetes' own groups.
fn is_group(name: &str) -> bool {
    let groups = ["system:masters", "system:nodes", "system:authenticated", "system:unauthenticated"];
    name.starts_with("system:serviceaccounts") || groups.contains(&name)
}
