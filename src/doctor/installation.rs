//! What was read of an installation: the objects as the API server has them, and why others were not read.

use std::time::SystemTime;

use k8s_openapi::api::admissionregistration::v1::{
    MutatingAdmissionPolicy, MutatingWebhookConfiguration, ValidatingAdmissionPolicy,
    ValidatingAdmissionPolicyBinding, ValidatingWebhookConfiguration,
};
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::{ConfigMap, Service};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use k8s_openapi::api::networking::v1::NetworkPolicy;
use k8s_openapi::api::policy::v1::PodDisruptionBudget;

use crate::doctor::deployment::has_certificate_files;
use crate::doctor::own_pods::{OwnDeployment, OwnPod};
use crate::identity::ServiceAccount;
use crate::policy::{Labels, PolicySet};

/// An object; `None` if there is none; or why it was not read, in one line.
pub type ObjectRead<T> = Result<Option<T>, String>;

/// Objects of one kind, or why they were not read, in one line.
pub type ListRead<T> = Result<Vec<T>, String>;

/// What podgate is installed as, by name.
#[derive(Debug, Clone)]
pub struct InstallationNames {
    /// The namespace of all that has one.
    pub namespace: String,
    /// The Deployment.
    pub deployment: String,
    /// The Service.
    pub service: String,
    /// The ConfigMap of the policies.
    pub config_map: String,
    /// The Secret of the certificate.
    pub secret: String,
    /// The Lease of whoever rotates it.
    pub lease: String,
    /// The ValidatingWebhookConfiguration.
    pub validating: String,
    /// The MutatingWebhookConfiguration.
    pub mutating: String,
}

/// An installation as it was read at one moment.
#[derive(Debug)]
pub struct Installation {
    /// The names that were looked for.
    pub names: InstallationNames,
    /// The time here.
    pub now: SystemTime,
    /// The API server.
    pub server: Result<ApiServer, String>,
    /// The ValidatingWebhookConfiguration.
    pub validating: ObjectRead<ValidatingWebhookConfiguration>,
    /// The MutatingWebhookConfiguration.
    pub mutating: ObjectRead<MutatingWebhookConfiguration>,
    /// The names of every MutatingWebhookConfiguration.
    pub mutating_names: ListRead<String>,
    /// The state of the bundle of each webhook that has one.
    pub bundles: Vec<BundleState>,
    /// What is under `tls.crt` in the certificate's Secret; `None` inside if that is no certificate.
    pub secret: ObjectRead<Option<CertificateDates>>,
    /// The namespaces of the cluster with their labels.
    pub namespaces: ListRead<(String, Labels)>,
    /// The service accounts of the cluster.
    pub service_accounts: ListRead<NamedAccount>,
    /// Every MutatingAdmissionPolicy.
    pub mutating_policies: ListRead<MutatingAdmissionPolicy>,
    /// What podgate may do that only some policies need.
    pub rights: OptionalRights,
    /// Where the policies come from.
    pub policies: PolicySource,
    /// The ConfigMap of the switch.
    pub switch: ObjectRead<ConfigMap>,
    /// The Deployment.
    pub deployment: ObjectRead<OwnDeployment>,
    /// The pods that the Deployment selects.
    pub pods: ListRead<OwnPod>,
    /// The disruption budgets of podgate's namespace.
    pub budgets: ListRead<PodDisruptionBudget>,
    /// The Service.
    pub service: ObjectRead<Service>,
    /// Its EndpointSlices.
    pub endpoints: ListRead<EndpointSlice>,
    /// The network policies of podgate's namespace.
    pub network_policies: ListRead<NetworkPolicy>,
    /// The Lease.
    pub lease: ObjectRead<Lease>,
    /// The guards that podgate is shipped with.
    pub guards: Vec<Guard>,
    /// Every binding of a ValidatingAdmissionPolicy.
    pub bindings: ListRead<ValidatingAdmissionPolicyBinding>,
}

/// A service account, as far as an identity depends on it.
#[derive(Debug, Clone)]
pub struct NamedAccount {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// What is looked at of it.
    pub account: ServiceAccount,
}

/// What podgate may do that only some policies need, or nobody but an operator in need, or why that is not known, in one line.
#[derive(Debug, Clone)]
pub struct OptionalRights {
    /// Whether it may list and watch RoleBindings and ClusterRoleBindings.
    pub lists_bindings: Result<bool, String>,
    /// Whether it may list AzureIdentities and AzureIdentityBindings.
    pub lists_pod_identities: Result<bool, String>,
    /// Whether it may create SubjectAccessReviews.
    pub reviews_access: Result<bool, String>,
    /// Whether it may get, list and watch the ConfigMap of the switch.
    pub watches_switch: Result<bool, String>,
}

/// The API server.
#[derive(Debug, Clone)]
pub struct ApiServer {
    /// Its version, as `v1.37.1`.
    pub version: String,
    /// The time of its clock at `now`; `None` if it is not known.
    pub time: Option<SystemTime>,
}

/// Where the policies come from.
#[derive(Debug)]
pub enum PolicySource {
    /// From the installation.
    ConfigMap(ObjectRead<ConfigMap>),
    /// Given by hand.
    Given(PolicySet),
}

/// The dates and names of a certificate.
#[derive(Debug, Clone)]
pub struct CertificateDates {
    /// From when on it is valid.
    pub not_before: SystemTime,
    /// Until when it is valid.
    pub not_after: SystemTime,
    /// The names that it is for.
    pub names: Vec<String>,
}

/// The state of the `caBundle` of a webhook.
#[derive(Debug, Clone)]
pub struct BundleState {
    /// The name of the webhook.
    pub webhook: String,
    /// Whether it is of the mutating configuration.
    pub is_mutating: bool,
    /// The CAs in it.
    pub authorities: Vec<CaDates>,
    /// Whether there is anything in it that is no CA.
    pub has_others: bool,
    /// Whether it verifies the Secret's certificate; `None` when that was not read.
    pub verifies: Option<bool>,
    /// The result of a connection; `None` when none was asked for.
    pub served: Option<TlsProbe>,
}

/// The dates of a CA.
#[derive(Debug, Clone, Copy)]
pub struct CaDates {
    /// From when on it is valid.
    pub not_before: SystemTime,
    /// Until when it is valid.
    pub not_after: SystemTime,
}

/// The result of a TLS connection to podgate that trusts a bundle, for the name of its Service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TlsProbe {
    /// The bundle verifies the certificate.
    Trusted,
    /// The bundle does not verify it.
    Foreign {
        /// Where.
        address: String,
        /// What TLS says.
        reason: String,
    },
    /// No TLS connection.
    Unreached {
        /// Where.
        address: String,
        /// What the network or TLS says.
        reason: String,
    },
}

/// A guard that podgate is shipped with.
#[derive(Debug)]
pub struct Guard {
    /// The name of the ValidatingAdmissionPolicy.
    pub name: String,
    /// The policy.
    pub policy: ObjectRead<ValidatingAdmissionPolicy>,
}

impl InstallationNames {
    /// A kubectl command in podgate's namespace.
    pub(super) fn kubectl(&self, command: &str) -> String {
        format!("kubectl --namespace {} {command}", self.namespace)
    }

    /// What restarts the replicas.
    pub(super) fn restart(&self) -> String {
        self.kubectl(&format!("rollout restart deployment/{}", self.deployment))
    }

    /// An object of podgate's namespace.
    pub(super) fn own(&self, kind: &str, name: &str) -> String {
        format!("{kind} {}/{name}", self.namespace)
    }
}

impl Installation {
    /// Whether podgate manages its certificate by itself; assumed as long as nothing says otherwise.
    pub(super) fn is_self_managed(&self) -> bool {
        match &self.deployment {
            Ok(Some(deployment)) => !has_certificate_files(deployment),
            Ok(None) | Err(_) => true,
        }
    }
}

/// The command that restores what is missing. How it was installed is not known here.
pub(super) const REINSTALL: &str =
    "kubectl apply --kustomize manifests/base # or the overlay or chart that it was installed with";
