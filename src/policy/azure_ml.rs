//! The namespaces of Azure Machine Learning: what identities leave alone there, and the reader of the objects that say so.
//!
//! Its pods bring an identity of their own, and need their service account and its token. Nothing that their author can set
//! exempts them: labels are written by whoever makes a pod. So an exemption is bound to the namespace, to the service account and
//! to the user who creates the pod, whom the API server names.

use serde::Deserialize;

use crate::policy::common::is_name;
use crate::policy::document::{DocumentReader, path};
use crate::policy::selector::is_namespace;
use crate::policy::written::Object;
use crate::text::not_ascii;

/// What an AzureMachineLearning object registers.
#[derive(Debug)]
pub struct AzureMachineLearning {
    /// `metadata.name`.
    pub name: String,
    /// The namespaces of the extension itself.
    pub system_namespaces: Vec<String>,
    /// The namespaces that it runs jobs and endpoints in.
    pub compute: Vec<AzureMlCompute>,
    /// Whether a pod of a compute may ask for workload identity by its label.
    pub allows_workload_identity: bool,
}

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

/// A namespace that Azure Machine Learning runs jobs and endpoints in. A pod is left alone if all three are true of it.
#[derive(Debug, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AzureMlCompute {
    /// The namespace: that of `az ml compute attach --namespace`.
    #[schemars(length(min = 1))]
    pub namespace: String,
    /// The service accounts that its pods run as: `amljobcontroller` for jobs.
    #[schemars(length(min = 1))]
    pub service_accounts: Vec<String>,
    /// The users who create its pods, as the API server names them: `system:serviceaccount:NAMESPACE:NAME`.
    #[schemars(length(min = 1))]
    pub creators: Vec<String>,
}

/// What a pod of Azure Machine Learning is exempt from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AzureMlExemption {
    /// Whether it still gets workload identity where its own label asks for it.
    pub allows_workload_identity: bool,
}

impl AzureMachineLearning {
    /// Whether a pod of this namespace and service account, created by this user, is one of its own.
    #[must_use]
    pub fn exemption(
        &self,
        namespace: &str,
        service_account: &str,
        creator: &str,
    ) -> Option<AzureMlExemption> {
        let has = |list: &[String], text: &str| list.iter().any(|item| item == text);
        if has(&self.system_namespaces, namespace) {
            return Some(AzureMlExemption { allows_workload_identity: false });
        }
        let is_own = |compute: &AzureMlCompute| {
            compute.namespace == namespace
                && has(&compute.service_accounts, service_account)
                && has(&compute.creators, creator)
        };
        let exemption = AzureMlExemption { allows_workload_identity: self.allows_workload_identity };
        self.compute.iter().any(is_own).then_some(exemption)
    }
}

impl DocumentReader<'_> {
    pub(super) fn azure_ml(&mut self, object: Object<AzureMlSpec>) {
        let Object { metadata, spec, .. } = object;
        let names: Vec<String> =
            self.policies.set.azure_ml.iter().map(|registered| registered.name.clone()).collect();
        self.check_name(&metadata.name, &names);
        let AzureMlSpec { system_namespaces, compute, allow_workload_identity } = spec;
        let system_namespaces = system_namespaces.unwrap_or_default();
        let compute = compute.unwrap_or_default();
        if system_namespaces.is_empty() && compute.is_empty() && self.is_in_order() {
            self.fault(&path("spec"), "registers nothing: give it systemNamespaces or compute");
        }
        for (index, name) in system_namespaces.iter().enumerate() {
            self.check_namespace(&path("spec.systemNamespaces").index(index), name);
        }
        for (index, compute) in compute.iter().enumerate() {
            self.check_compute(index, compute, &system_namespaces);
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
            if creator.is_empty() || creator.contains('*') || creator.starts_with("system:serviceaccounts") {
                let message = "must be one user, as system:serviceaccount:NAMESPACE:NAME; there are no patterns or groups";
                self.fault(&at().key("creators").index(place), message);
            }
        }
    }

    fn check_namespace(&mut self, at: &crate::path::Path<'_>, name: &str) {
        if !is_namespace(name) {
            self.fault(at, format!("no namespace can be named {name:?}{}", not_ascii(name)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_exemption_is_bound_to_all_three() {
        let registered = AzureMachineLearning {
            name: "aml".into(),
            system_namespaces: vec!["azureml".into()],
            compute: vec![AzureMlCompute {
                namespace: "aml-compute".into(),
                service_accounts: vec!["amljobcontroller".into()],
                creators: vec!["system:serviceaccount:azureml:volcano".into()],
            }],
            allows_workload_identity: true,
        };
        let volcano = "system:serviceaccount:azureml:volcano";
        for (namespace, account, creator, expected) in [
            ("azureml", "anything", "anybody", Some(false)),
            ("aml-compute", "amljobcontroller", volcano, Some(true)),
            ("aml-compute", "default", volcano, None),
            ("aml-compute", "amljobcontroller", "alice", None),
            ("team", "amljobcontroller", volcano, None),
            ("aml-compute", "amljobcontroller", "", None),
        ] {
            let exemption = registered.exemption(namespace, account, creator);
            let allows = exemption.map(|exemption| exemption.allows_workload_identity);
            assert_eq!(allows, expected, "{namespace} {account} {creator}");
        }
    }
}
