//! The namespaces of Azure Machine Learning: what identities leave alone there.
//!
//! Its pods bring an identity of their own, and need their service account and its token. Nothing that their author can set
//! exempts them: labels are written by whoever makes a pod. So an exemption is bound to the namespace, to the service account and
//! to the user who creates the pod, whom the API server names.

use serde::Deserialize;

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
