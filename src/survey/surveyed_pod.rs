//! What is reported of a pod.

use serde::Serialize;

/// A pod and its identity.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SurveyedPod {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// What controls it, as `ReplicaSet trainer-7d4b9c6f5`; `None` if nothing does.
    pub owner: Option<String>,
    /// The service account that it runs as.
    pub service_account: String,
    /// How far it is.
    pub state: SurveyState,
    /// Its identity by AAD Pod Identity; `None` if its labels ask for none.
    pub aad_pod_identity: Option<LegacyIdentity>,
    /// Its workload identity; `None` if it asks for none and has no token.
    pub workload_identity: Option<WorkloadIdentity>,
    /// The service account that gives it its identity as a workload identity; `None` where there is not exactly one.
    pub target: Option<SurveyTarget>,
    /// What is missing.
    pub missing: Vec<SurveyNote>,
    /// What cannot be seen in the cluster, and has to be true.
    pub check: Vec<SurveyNote>,
}

/// How far a pod is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum SurveyState {
    /// It has no identity and asks for none.
    None,
    /// It has one by AAD Pod Identity, and nothing in the cluster prevents its migration.
    Ready,
    /// It has one by AAD Pod Identity, and something prevents its migration.
    Blocked,
    /// It has the label of AAD Pod Identity, and workload identity already.
    Migrated,
    /// It has workload identity alone, or asks for it.
    WorkloadIdentity,
}

/// The identity of a pod by AAD Pod Identity.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LegacyIdentity {
    /// What its label says.
    pub selector: String,
    /// The binding with this selector, as `namespace/name`: of several, the first.
    pub binding: Option<String>,
    /// The AzureIdentity that the binding names, likewise.
    pub identity: Option<String>,
    /// The type of the identity: 0 has no secret.
    #[serde(rename = "type")]
    pub identity_type: Option<i64>,
    /// Its client id.
    pub client_id: Option<String>,
}

/// What a pod has of workload identity.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct WorkloadIdentity {
    /// Whether its label asks for it.
    pub is_asked: bool,
    /// Whether it has the token.
    pub has_token: bool,
    /// The client id of its service account.
    pub client_id: Option<String>,
}

/// The service account that a pod has its identity by.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SurveyTarget {
    /// Its name, in the namespace of the pod.
    pub service_account: String,
    /// The subject that the federated credential in Azure names.
    pub subject: String,
}

/// Something that is missing, or has to be checked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SurveyNote {
    /// A word for it, for programs.
    pub code: &'static str,
    /// What it is, and what to do.
    pub text: String,
}

impl SurveyedPod {
    /// Whether there is anything to say of it.
    #[must_use]
    pub fn is_notable(&self) -> bool {
        self.state != SurveyState::None || !self.missing.is_empty() || !self.check.is_empty()
    }
}
